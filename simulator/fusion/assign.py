"""The allocation problem of a network on a chip, and nodes on the cores that a search has chosen.

Rules: ARCHITECTURE.md ALLOC-3 (options), ALLOC-4 (iterations, weights).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from hw_models.floorplan import CorePlan, Floorplan
from hw_models.links import link_graph
from hw_models.pe_array.registry import pe_array
from simulator.allocation.options import AllocationProblem, Option, fixed_options
from simulator.fusion.costs import WEIGHT, node_costs, operand_bytes
from simulator.fusion.granularity import Granularity
from simulator.fusion.graph import FusedGraph
from simulator.fusion.images import batch_graph
from simulator.program import Int64s
from simulator.workload.graph import Workload
from traces.errors import InputError

HEAVY = 0.05
"""Share of the cycles from which on a layer counts when iterations are told."""

Cores = tuple[int, ...]
"""Cores of a layer: one, or one for each part of its output channels."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Cores of every layer, by layer name."""

    cores: Mapping[str, Cores]

    @property
    def parts(self) -> dict[str, int]:
        """Parts of the layers that are divided."""
        return {name: len(cores) for name, cores in self.cores.items() if len(cores) > 1}

    def of_nodes(self, graph: FusedGraph) -> Int64s:
        """The core of every node. Parts beyond the cores of a layer go round them."""
        core = np.empty(graph.size, dtype=np.int64)
        for number, layer in enumerate(graph.workload.layers):
            mine = graph.layer == number
            cores = np.array(self.cores[layer.name], dtype=np.int64)
            core[mine] = cores[graph.part[mine] % cores.size]
        return core


def assignment(workload: Workload, problem: AllocationProblem, choice: Sequence[int]) -> Assignment:
    """What a choice of options says, item by item; the first items are the layers."""
    names = [layer.name for layer in workload.layers]
    chosen = zip(names, problem.options, choice, strict=False)
    return Assignment({name: options[number].cores for name, options, number in chosen})


def allocation_problem(
    workload: Workload,
    plan: Floorplan,
    granularity: Granularity,
    fixed: Mapping[str, Sequence[str]] | None = None,
) -> AllocationProblem:
    """The allocation problem of a network: items are layers, and at last the memory off chip.

    fixed: names of the cores that a user demands, by layer. Raises InputError for a layer that no
    core takes and for cores that can't be had.
    """
    return _Options(workload, plan, granularity).problem(fixed or {})


class _Options:
    def __init__(self, workload: Workload, plan: Floorplan, granularity: Granularity) -> None:
        self.workload, self.plan, self.granularity = workload, plan, granularity
        self.layers = range(len(workload.layers))
        self.takers = [
            [core for core in plan.cores if core.spec.takes(layer.op.value)]
            for layer in workload.layers
        ]
        for layer, takers in zip(workload.layers, self.takers, strict=True):
            if not takers:
                cores = ", ".join(plan.chip.core_names)
                raise InputError(
                    f"layer {layer.name} must fit a core of {plan.chip.name}: none of {cores} "
                    f"runs {layer.op.value}"
                )

    def problem(self, fixed: Mapping[str, Sequence[str]]) -> AllocationProblem:
        graph = batch_graph(self.workload, self.granularity, precision=self.plan.chip.precision)
        totals = self._totals(graph)
        if not self._weights_stay(totals):
            totals = {place: replace(total, weight_bytes=0) for place, total in totals.items()}
        iterations = self._iterations(graph, totals)
        names = [layer.name for layer in self.workload.layers]
        options = [self._options(number, totals, iterations) for number in self.layers]
        links = link_graph(self.plan.chip)
        capacity = [core.buffer_of("weight").spec.size_bytes for core in self.plan.cores]
        return AllocationProblem(
            names=tuple(names),
            options=tuple(tuple(some) for some in options),
            edges=self._edges(graph, iterations),
            weight_capacity=np.array(capacity, dtype=np.int64),
            routes=links.routes,
            link_bits=links.width_bits,
            iterations=iterations,
            core_names=tuple(self.plan.chip.core_names),
            latency_cycles=links.latency_cycles,
            fixed=fixed_options(names, options, self.plan.chip.core_names, fixed),
        )

    def _weights_stay(self, totals: Mapping[tuple[int, int], _Total]) -> bool:
        """Whether tiles of all layers take turns and the cores have room for all weights."""
        least = [
            min(totals[n, core.index].weight_bytes for core in self.takers[n]) for n in self.layers
        ]
        users = [c for n in self.layers if least[n] for c in self.takers[n]]
        room = {c.buffer_of("weight").index: c.buffer_of("weight").spec.size_bytes for c in users}
        return self.granularity.rows is not None and sum(least) <= sum(room.values())

    def _part_counts(self) -> list[int]:
        """Powers of two up to the largest number of equal cores."""
        most = max(len(block) for block in self._equal_cores())
        return [1 << power for power in range(1, most.bit_length()) if 1 << power <= most]

    def _equal_cores(self) -> list[list[CorePlan]]:
        found: dict[object, list[CorePlan]] = {}
        for core in self.plan.cores:
            spec = core.spec.model_copy(update={"name": "", "count": 1})
            found.setdefault(spec.model_dump_json(), []).append(core)
        return list(found.values())

    def _totals(self, graph: FusedGraph) -> dict[tuple[int, int], _Total]:
        """Cycles, energy and weights of every layer on every core that takes it."""
        totals: dict[tuple[int, int], _Total] = {}
        for block in self._equal_cores():
            first = block[0]
            layers = [n for n in self.layers if first in self.takers[n]]
            nodes = np.flatnonzero(np.isin(graph.layer, layers))
            if not nodes.size:
                continue
            core = np.full(nodes.size, first.index)
            costs = node_costs(graph, core, self.plan, nodes)
            cycles = costs.of_nodes("cycles")
            energy = np.array([cost.energy_pj for cost in costs.costs])[costs.kind]
            weights = np.where(costs.streamed[:, WEIGHT], 0, operand_bytes(graph)[nodes, WEIGHT])
            for layer in layers:
                mine = graph.layer[nodes] == layer
                total = _Total(
                    int(cycles[mine].sum()), float(energy[mine].sum()), int(weights[mine].max())
                )
                totals |= {(layer, core.index): total for core in block}
        return totals

    def _options(
        self, number: int, totals: Mapping[tuple[int, int], _Total], iterations: int
    ) -> list[Option]:
        """One core, or equal cores side by side with an equal part of the output channels each."""
        layer, options = self.workload.layers[number], []
        for core in self.takers[number]:
            options.append(totals[number, core.index].option((core.index,), iterations))
        for block in self._equal_cores():
            if not layer.is_mac or block[0] not in self.takers[number]:
                continue
            for parts in (p for p in self._part_counts() if p <= min(len(block), layer.dims.k)):
                share = _share_of_part(layer.dims.k, parts, block[0])
                for low in range(0, len(block) - parts + 1, parts):
                    cores = tuple(core.index for core in block[low : low + parts])
                    options.append(totals[number, cores[0]].part(share, cores, iterations))
        return options

    def _iterations(self, graph: FusedGraph, totals: Mapping[tuple[int, int], _Total]) -> int:
        """The fewest nodes of any layer that takes a good share of all cycles."""
        least = [
            min(total.cycles for (n, _), total in totals.items() if n == number)
            for number in self.layers
        ]
        nodes = np.bincount(graph.layer, minlength=len(least))
        return int(min(nodes[n] for n in self.layers if least[n] >= HEAVY * sum(least)))

    def _edges(self, graph: FusedGraph, iterations: int) -> Int64s:
        """Bytes between layers in an iteration; what several nodes read of a tensor counts once."""
        reader = graph.layer[graph.need_node]
        maker = graph.tensor_maker[graph.needs]
        made = maker >= 0
        rows = np.stack([graph.layer[maker[made]], reader[made], graph.needs[made]], axis=1)
        rows = np.unique(rows, axis=0)
        pairs, which = np.unique(rows[:, :2], axis=0, return_inverse=True)
        moved = np.zeros(len(pairs), dtype=np.int64)
        np.add.at(moved, which.reshape(-1), graph.tensor_bytes[rows[:, 2]])
        return np.concatenate([pairs, -(-moved[:, None] // iterations)], axis=1)


@dataclass(frozen=True, slots=True)
class _Total:
    cycles: int
    energy_pj: float
    weight_bytes: int

    def option(self, cores: Cores, iterations: int) -> Option:
        """This work as an option, spread over the iterations."""
        cycles = -(-self.cycles // iterations)
        return Option(cores, cycles, self.energy_pj / iterations, self.weight_bytes)

    def part(self, share: Fraction, cores: Cores, iterations: int) -> Option:
        """A part of this work on each of some cores; share: of the cycles that it takes."""
        cycles = -(-self.cycles * share.numerator // (share.denominator * iterations))
        weights = -(-self.weight_bytes // len(cores))
        return Option(cores, cycles, self.energy_pj / iterations, weights)


def _share_of_part(channels: int, parts: int, core: CorePlan) -> Fraction:
    """Steps of an array for an equal part of the output channels, over those for all of them."""
    lanes = pe_array(core.spec.pe_array).spatial_loops.get("k", 1)
    of_part = -(-channels // parts)
    return Fraction(-(-of_part // lanes), -(-channels // lanes))
