"""Benchmark `trace_scale`: memory and time that a trace of 50 million intervals takes to analyse.

A process of its own analyses it, so that its peak holds nothing of the writing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from traces.plots import timeline
from traces.plots.theme import WIDE_PX
from traces.plots.view import load_view
from traces.recorder import BATCH_ROWS, Recorder
from traces.schema import CAUSE, CAUSES, DEPENDENCES, TABLES, TASK_KIND, TASK_KINDS
from traces.stalls import stall_report

INTERVALS, TASKS, UNITS, LAYERS = 50_000_000, 1_000_000, 8, 50
INTERVAL_CYCLES, SEED = 4, 1
UNITS_NAMED = [f"core{unit}.pe_array" for unit in range(UNITS)]
WORDS = {
    "kind": TASK_KINDS,
    "unit": UNITS_NAMED,
    "layer": [f"layer{layer}" for layer in range(LAYERS)],
    "cause": CAUSES,
    "dependence": DEPENDENCES,
    **dict.fromkeys(("operand", "buffer", "server", "component", "action"), ("none",)),
}
HELD_UP = ("busy/compute", "stall/sram_bandwidth", "stall/bank_conflict")
"""What a computation's cycles go into; neighbours differ, so that no two intervals can be one."""


def write_trace(folder: Path, intervals: int = INTERVALS, tasks: int = TASKS) -> None:
    """Computations, one after the other on every unit, each with so many intervals."""
    parts = intervals // tasks
    with Recorder(folder, WORDS, {"network": "synthetic", "source": "trace_scale"}) as recorder:
        for first in range(0, tasks, BATCH_ROWS):
            rows = np.arange(first, min(first + BATCH_ROWS, tasks), dtype=np.int64)
            start = rows // UNITS * parts * INTERVAL_CYCLES
            recorder.write("tasks", _tasks(rows, start, parts * INTERVAL_CYCLES, tasks))
            for part in range(0, rows.size, BATCH_ROWS // parts):
                of = slice(part, part + BATCH_ROWS // parts)
                recorder.write("intervals", _intervals(rows[of], start[of], parts))
        edges = np.arange(UNITS, tasks, dtype=np.int64)
        columns = {"src": edges - UNITS, "dst": edges, "dependence": np.zeros_like(edges)}
        recorder.write("edges", columns)
        recorder.complete({"cycles": -(-tasks // UNITS) * parts * INTERVAL_CYCLES})


def _tasks(rows: np.ndarray, start: np.ndarray, cycles: int, tasks: int) -> dict[str, np.ndarray]:
    columns = {name: np.zeros_like(rows) for name in TABLES["tasks"].names}
    none = np.full_like(rows, -1)
    return columns | {
        "task": rows,
        "kind": np.full_like(rows, TASK_KIND["COMPUTE"]),
        "unit": rows % UNITS,
        "layer": rows * LAYERS // tasks,
        "operand": none,
        "buffer": none,
        "ready": start,
        "start": start,
        "end": start + cycles,
        "blocker": np.maximum(rows - UNITS, -1),
        "cycles": np.full_like(rows, cycles),
        "macs": np.ones_like(rows),
    }


def _intervals(rows: np.ndarray, start: np.ndarray, parts: int) -> dict[str, np.ndarray]:
    begin = (start[:, None] + np.arange(parts) * INTERVAL_CYCLES).ravel()
    causes = np.array([CAUSE[cause] for cause in HELD_UP], dtype=np.int64)
    return {
        "unit": np.repeat(rows % UNITS, parts),
        "start": begin,
        "end": begin + INTERVAL_CYCLES,
        "cause": causes[np.arange(begin.size) % causes.size],
        "task": np.repeat(rows, parts),
        "packed": np.zeros_like(begin),
    }


def analyse(folder: Path) -> str:
    """Stalls and timeline of a trace, and what they took of this process."""
    began = perf_counter()
    report = stall_report(folder)
    stalls_s = perf_counter() - began
    began = perf_counter()
    timeline.draw(load_view(folder), WIDE_PX)
    timeline_s = perf_counter() - began
    assert report.by_unit.sum() == UNITS * report.end
    return f"peak_mib={peak_mib()} stalls_s={stalls_s:.0f} timeline_s={timeline_s:.0f}"


def peak_mib() -> int:
    """Most memory that this process has had, in MiB. Linux only."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) // 1024


def main(intervals: int = INTERVALS, tasks: int = TASKS) -> str:
    """Write a trace, have another process analyse it, and return the closing line."""
    with tempfile.TemporaryDirectory() as folder:
        write_trace(Path(folder), intervals, tasks)
        words = [sys.executable, "-m", "validation.bench.trace_scale", folder]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.stdout.write(f"{analyse(Path(sys.argv[1]))}\n")
