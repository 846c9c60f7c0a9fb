"""What a compiled network takes, by its schedule or by its simulation: cycles, energy, traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hw_models.cost.energy import TIME_ACTIONS, action_energies_pj
from simulator.counters import action_counters
from simulator.fusion.compile import FusedProgram
from simulator.fusion.costs import chip_cycles
from simulator.fusion.run import FusedSimulation
from simulator.program import LOAD, STORE

Aim = Literal["latency", "energy", "edp", "dram_bytes"]
"""What a search may minimise."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Cycles of the chip, energy, bytes to and from DRAM."""

    cycles: int
    energy_pj: float
    dram_bytes: int

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.cycles + other.cycles,
            self.energy_pj + other.energy_pj,
            self.dram_bytes + other.dram_bytes,
        )

    def times(self, count: int) -> Figures:
        """Figures of the same work done several times."""
        return Figures(self.cycles * count, self.energy_pj * count, self.dram_bytes * count)

    def of(self, aim: Aim) -> float:
        """The figure that is to be small."""
        figures = {
            "latency": self.cycles,
            "energy": self.energy_pj,
            "edp": self.cycles * self.energy_pj,
            "dram_bytes": self.dram_bytes,
        }
        return figures[aim]


def planned_figures(fused: FusedProgram) -> Figures:
    """Figures by the schedule: all actions of the program, and the power of its cycles."""
    program, plan = fused.compiled.program, fused.compiled.plan
    counters = action_counters(program, plan, fused.graph.workload)
    moved = np.isin(program.tasks["kind"], (LOAD, STORE))
    return Figures(
        fused.schedule.latency,
        sum(counter.energy_pj for counter in counters) + _time_pj(fused),
        int(program.tasks["bytes"][moved].sum()),
    )


def simulated_figures(done: FusedSimulation) -> Figures:
    """Figures of a simulation."""
    result = done.result
    return Figures(
        result.cycles, result.energy_pj, result.dram_read_bytes + result.dram_write_bytes
    )


def _time_pj(fused: FusedProgram) -> float:
    """Energy that goes with time: of all cycles, of those a core computes, and of the others."""
    pj = action_energies_pj(fused.compiled.plan.chip)
    latency, core = fused.schedule.latency, fused.problem.core
    cycles = chip_cycles(fused.costs.of_nodes("array_cycles"), core, fused.compiled.plan)
    busy = np.zeros(len(fused.compiled.plan.cores), dtype=np.int64)
    np.add.at(busy, core, cycles)
    return sum(
        count * pj[f"{core.spec.name}.{action}"]
        for core, active in zip(fused.compiled.plan.cores, busy.tolist(), strict=True)
        for action, count in zip(TIME_ACTIONS, (latency, active, latency - active), strict=True)
    )
