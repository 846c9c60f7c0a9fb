"""Simulating a network on several cores, from spec to result and trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw_models.spec import ChipSpec
from simulator.engine.engine import EngineRun, Progress
from simulator.fusion.compile import FusedProgram, FusionChoices, compile_fused
from simulator.fusion.schedule_file import schedule_text
from simulator.fusion.work import check_fused_work
from simulator.result import RunResult
from simulator.run import SCHEDULE, Recording, execute
from simulator.workload.graph import Workload
from traces.layers import INTERLEAVED

DEFAULT_MEMORY = "simple"
"""Links as wires, DRAM as latency and bandwidth: as the published models of such chips have it."""


@dataclass(frozen=True, slots=True)
class FusedSimulation:
    """A finished run: its result, and what it was made of."""

    result: RunResult
    fused: FusedProgram
    run: EngineRun


def simulate_fused(
    workload: Workload,
    chip: ChipSpec,
    choices: FusionChoices | None = None,
    *,
    memory: str = DEFAULT_MEMORY,
    out: Path | None = None,
    inputs: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> FusedSimulation:
    """Compile a network for the cores of a chip and simulate it; with `out`, record it there.

    inputs: what the manifest shall say of where network and chip come from. Raises InputError for
    what can't be compiled.
    """
    fused = compile_fused(workload, chip, choices or FusionChoices())
    return run_fused(fused, memory=memory, out=out, inputs=inputs, progress=progress)


def run_fused(
    fused: FusedProgram,
    *,
    memory: str = DEFAULT_MEMORY,
    out: Path | None = None,
    inputs: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> FusedSimulation:
    """Simulate what has been compiled."""
    check_fused_work(fused.compiled.program, fused.graph)
    recording = None
    if out is not None:
        granularity = fused.choices.granularity.text
        manifest = {"memory": memory, INTERLEAVED: granularity, **(inputs or {})}
        recording = Recording(out, {SCHEDULE: schedule_text(fused)}, manifest)
    workload = fused.graph.workload
    result, run = execute(fused.compiled, workload, memory, recording, progress)
    return FusedSimulation(result, fused, run)
