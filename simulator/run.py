"""Simulating a network on a chip, from spec to result and trace: the main job as one function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hw_models.floorplan import Floorplan
from hw_models.spec import ChipSpec
from simulator.allocation.shares import Allocation
from simulator.counters import (
    Counter,
    action_counters,
    interleaved_time_counters,
    time_counters,
    time_words,
)
from simulator.engine.conservation import check_work
from simulator.engine.engine import Engine, EngineRun, Progress, words_of
from simulator.engine.fabric import DEFAULT_MEMORY
from simulator.lowering.lower import Lowered, lower
from simulator.mapping.mapping import LayerMappingSpec, dump_mappings
from simulator.program import Compiled
from simulator.result import RunResult, layers_of_intervals, layers_of_run, summarise
from simulator.workload.graph import Workload
from traces.layers import InTurn
from traces.recorder import Recorder
from traces.whole_file import write_whole

RESULT, MAPPING, SCHEDULE = "result.json", "mapping.yaml", "schedule.yaml"


@dataclass(frozen=True, slots=True)
class Simulation:
    """A finished run: its result, and what it was made of, for a closer look."""

    result: RunResult
    lowered: Lowered
    run: EngineRun


def simulate(
    workload: Workload,
    chip: ChipSpec,
    *,
    objective: str = "latency",
    mappings: Mapping[str, LayerMappingSpec] | None = None,
    allocation: Allocation | None = None,
    memory: str = DEFAULT_MEMORY,
    out: Path | None = None,
    inputs: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Simulate a network on a chip; with `out`, write trace, result and mapping to that folder.

    objective: what the mapping search minimises. mappings: by layer name, instead of the search.
    allocation: which core computes what; by default every layer is divided over all cores. memory:
    the model of the memory system. inputs: what the manifest shall say of where network and chip
    come from. progress: called with tasks ended and tasks in all. Raises InputError for a layer
    that fits in no legal tiling.
    """
    lowered = lower(workload, chip, objective, mappings, allocation)
    check_work(lowered.program, workload, chip)
    mapping = dump_mappings({name: plan.mapping for name, plan in lowered.plans.items()})
    manifest = {"objective": objective, "memory": memory, **(inputs or {})}
    recording = Recording(out, {MAPPING: mapping}, manifest) if out is not None else None
    result, run = execute(lowered.compiled, workload, memory, recording, progress)
    return Simulation(result, lowered, run)


@dataclass(frozen=True, slots=True)
class Recording:
    """Where a run is recorded. files: texts by name, beside the trace. inputs: of the manifest."""

    folder: Path
    files: Mapping[str, str]
    inputs: Mapping[str, Any]


def execute(
    compiled: Compiled,
    workload: Workload,
    memory: str,
    recording: Recording | None,
    progress: Progress | None,
) -> tuple[RunResult, EngineRun]:
    """Run a program of a network, whoever compiled it; if recorded, with trace and result."""
    program, plan = compiled.program, compiled.plan
    counters = action_counters(program, plan, workload)
    if recording is None:
        run = Engine(program, plan, None, memory).run(progress)
        every = counters + _of_time(compiled, run)
        return summarise(compiled, workload, run, every), run
    words = words_of(plan, program, memory) | _counter_words(counters, plan)
    folder, manifest = recording.folder, _manifest(workload, plan.chip, recording.inputs)
    with Recorder(folder, words, manifest) as recorder:
        for name, text in recording.files.items():
            write_text(folder / name, text)
        recorder.write("counters", _counter_columns(counters, words))
        run = Engine(program, plan, recorder, memory).run(progress)
        of_time = _of_time(compiled, run)
        recorder.write("counters", _counter_columns(of_time, words))
        result = summarise(compiled, workload, run, counters + of_time)
        write_text(folder / RESULT, json.dumps(result.as_dict(), indent=2) + "\n")
        recorder.complete({"cycles": run.cycles, "tasks": len(program)})
    return result, run


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    write_whole(path, text)


def _manifest(workload: Workload, chip: ChipSpec, inputs: Mapping[str, Any]) -> dict[str, Any]:
    described = repr((workload.tensors, workload.layers)).encode()
    return {
        "tilesim": version("tilesim"),
        "network": workload.name,
        "network_sha256": hashlib.sha256(described).hexdigest(),
        "chip": chip.name,
        "chip_sha256": hashlib.sha256(chip.model_dump_json().encode()).hexdigest(),
        "chip_spec": chip.model_dump(mode="json"),
        "seed": None,
        "skipped_nodes": list(workload.skipped),
        **inputs,
    }


def _of_time(compiled: Compiled, run: EngineRun) -> tuple[Counter, ...]:
    layers, kept = layers_of_run(compiled, run), run.ledger.kept()
    if isinstance(layers, InTurn):
        spans = np.stack([layers.begins, layers.ends], axis=1)
        return time_counters(compiled.plan, spans, kept)
    return interleaved_time_counters(compiled.plan, kept, layers_of_intervals(compiled, run))


def _counter_words(counters: tuple[Counter, ...], plan: Floorplan) -> dict[str, list[str]]:
    """Components and actions that counters name, those of the run's time included."""
    of_time = time_words(plan)
    return {
        name: sorted({getattr(counter, name) for counter in counters} | of_time[name])
        for name in ("component", "action")
    }


def _counter_columns(
    counters: tuple[Counter, ...], words: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    codes = {n: {word: i for i, word in enumerate(words[n])} for n in ("component", "action")}
    columns: dict[str, list[float]] = {
        "layer": [c.layer for c in counters],
        "component": [codes["component"][c.component] for c in counters],
        "action": [codes["action"][c.action] for c in counters],
        "count": [c.count for c in counters],
        "energy_pj": [c.energy_pj for c in counters],
    }
    return {name: np.array(column) for name, column in columns.items()}
