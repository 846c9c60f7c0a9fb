"""Running a case of a multi-core reference, and the figures that it is compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw_models.spec import ChipSpec
from simulator.fusion.compile import FusionChoices, Policy
from simulator.fusion.granularity import Granularity, LayerTile
from simulator.fusion.problem import LinkOrder, SchedulingProblem
from simulator.fusion.run import FusedSimulation, simulate_fused
from simulator.fusion.schedule import EVICTION, STREAM, Schedule
from simulator.workload.graph import Workload

DEPTH_FIRST: Mapping[str, Any] = {
    "policy": "memory",
    "prefetch_weights": True,
    "links": "fifo",
}
"""How the fabricated chips are scheduled: the deepest ready layer first, all weights at once,
links in the order of decision."""

READY_FIRST: Mapping[str, Any] = {
    "policy": "latency",
    "prefetch_weights": False,
    "links": "gaps",
}
"""How Stream's exploration is scheduled: what is ready first, weights when they are needed,
transfers in the gaps of links."""

MOST_CAUSES = 5
BUSY = "busy/"
COMPUTE_UNITS = ("pe_array", "vector_unit")


@dataclass(frozen=True, slots=True)
class Case:
    """A workload on a chip.

    cores: number of the core of each layer. tiles: extents where they aren't those of the
    granularity.
    """

    workload: Workload
    chip: ChipSpec
    cores: Mapping[str, int]
    granularity: str = "layer"
    tiles: Mapping[str, LayerTile] = field(default_factory=dict)
    policy: Policy = "memory"
    prefetch_weights: bool = True
    links: LinkOrder = "fifo"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of a simulated case.

    spills: tensors were evicted or operands streamed for want of memory. core_causes: cycles by
    cause of each core's PE array or vector unit, whichever works more. peak_bytes: of each buffer.
    link_busy_cycles, link_transfers: of each link. link_taken_cycles: by plan, those included in
    which a tile that streams its operands keeps the link. layer_cycles: by plan, of all tiles of
    each layer, with what they wait for the ports of their core and for streamed operands.
    """

    cycles: int
    spills: bool
    core_causes: Mapping[str, Mapping[str, int]]
    peak_bytes: Mapping[str, int]
    link_busy_cycles: Mapping[str, int]
    link_transfers: Mapping[str, int]
    link_taken_cycles: Mapping[str, int]
    layer_cycles: Mapping[str, int]

    def busy_cycles(self, core: str) -> int:
        """Cycles in which a core computes."""
        return _busy(self.core_causes[core])

    def causes_text(self, core: str) -> str:
        """What a core's cycles went to most; all of them add up to the run."""
        causes = sorted(self.core_causes[core].items(), key=lambda item: -item[1])
        told = [f"{cause.partition('/')[2]} {n:,}" for cause, n in causes[:MOST_CAUSES] if n]
        rest = sum(n for _, n in causes[MOST_CAUSES:])
        return ", ".join([*told, f"other {rest:,}"] if rest else told)


def run_case(case: Case) -> Outcome:
    """Simulate a case. Raises InputError for one that can't run."""
    names = case.chip.core_names
    choices = FusionChoices(
        granularity=Granularity.parse(case.granularity, case.tiles),
        cores={layer: (names[core],) for layer, core in case.cores.items()},
        policy=case.policy,
        prefetch_weights=case.prefetch_weights,
        links=case.links,
    )
    return outcome_of(simulate_fused(case.workload, case.chip, choices))


def outcome_of(done: FusedSimulation) -> Outcome:
    """The figures of a fused simulation."""
    result, fused = done.result, done.fused
    planned, graph = fused.schedule, fused.graph
    names = fused.problem.link_names
    lasting = np.bincount(graph.layer, planned.node_end - planned.node_start).astype(int)
    return Outcome(
        cycles=result.cycles,
        spills=bool((planned.transfers["reason"] == EVICTION).any() or fused.costs.streamed.any()),
        core_causes={core: _core_causes(core, result.units) for core in fused.problem.core_names},
        peak_bytes=result.peak_bytes,
        link_busy_cycles={name: _busy(result.units[name]) for name in names},
        link_transfers=dict(zip(names, planned.link_transfers.tolist(), strict=True)),
        link_taken_cycles=_taken_cycles(fused.problem, planned),
        layer_cycles={
            layer.name: int(cycles)
            for layer, cycles in zip(graph.workload.layers, lasting, strict=True)
        },
    )


def _taken_cycles(problem: SchedulingProblem, planned: Schedule) -> dict[str, int]:
    """Cycles in which each link moves something or is kept by a tile that streams operands."""
    taken = planned.link_busy_cycles.copy()
    rows = planned.transfers
    streams = np.flatnonzero(rows["reason"] == STREAM)
    kept = {
        (int(link), int(rows["start"][row])): int(rows["end"][row])
        for row in streams
        for link in problem.route(int(rows["source"][row]), int(rows["target"][row]))
    }
    for (link, start), end in kept.items():
        taken[link] += end - start
    return dict(zip(problem.link_names, taken.tolist(), strict=True))


def _core_causes(core: str, units: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    mine = [units[f"{core}.{unit}"] for unit in COMPUTE_UNITS if f"{core}.{unit}" in units]
    return max(mine, key=_busy)


def _busy(causes: Mapping[str, int]) -> int:
    return sum(cycles for cause, cycles in causes.items() if cause.startswith(BUSY))
