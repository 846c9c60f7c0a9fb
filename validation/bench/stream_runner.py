"""Runs Stream's shipped example through its own stages; executed by the peer's interpreter.

Reads a job as JSON from standard input and writes one JSON line. Its modules are imported by name
because they are not there in tilesim's environment. CPU seconds are those of all stages, imports
left out; those of the last stage (allocation by its genetic algorithm, each candidate scheduled)
stand beside.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

EXAMPLES = "stream.inputs.examples"


def main() -> None:
    """Run the job of standard input."""
    job = json.load(sys.stdin)
    random.seed(job.pop("seed"))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        found = run(job, Path(folder))
    print(json.dumps(found))


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Seconds of the whole run, its latency, and the core of every layer."""
    theirs, stream = (import_module(f"{name}.classes.stages") for name in ("zigzag", "stream"))
    allocating_since = _note_start(stream.InterCoreMappingStage)
    stages = [
        theirs.AcceleratorParserStage,
        stream.UserDefinedModelParserStage,
        stream.GenerateCNWorkloadHybridStage,
        stream.IntraCoreMappingStage,
        stream.InterCoreMappingStage,
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    evaluation = theirs.MainStage(stages, **settings(job, folder)).run()[0][0]
    ended = time.process_time()
    return {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": ended - cpu,
        "allocation_cpu_seconds": ended - allocating_since[0],
        "latency_cycles": int(evaluation.latency),
        "nodes": len(evaluation.workload.nodes()),
        "cores": {str(n.id[0]): n.core_allocation for n in evaluation.workload.nodes()},
    }


def _note_start(stage: Any) -> list[float]:
    """A list that receives the CPU time at which a stage begins."""
    began: list[float] = []
    run_stage = stage.run

    def noted(self: Any) -> Any:
        began.append(time.process_time())
        return run_stage(self)

    stage.run = noted
    return began


def settings(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What Stream's stages are told. Costs of tiles would be kept in the folder."""
    return {
        "accelerator": f"{EXAMPLES}.hardware.{job['hardware']}",
        "workload_path": f"{EXAMPLES}.workload.{job['workload']}",
        "mapping_path": f"{EXAMPLES}.mapping.{job['mapping']}",
        "loma_lpf_limit": job["loop_factors"],
        "nb_ga_individuals": job["individuals"],
        "nb_ga_generations": job["generations"],
        "node_hw_performances_path": str(folder / "costs.pickle"),
        "plot_hof": True,
        "plot_file_name": "",
        "cn_define_mode": 1,
        "hint_loops": [("OY", "all")],
        "scheduler_candidate_selection": "latency",
        "operands_to_prefetch": [],
    }


if __name__ == "__main__":
    main()
