"""Compiling a network for several cores: nodes, their cores, their schedule, the tile program.

Rules: ARCHITECTURE.md FUSE-1 to FUSE-9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from hw_models.floorplan import Floorplan, link_floorplan
from hw_models.links import link_graph
from hw_models.spec import ChipSpec, Operand
from simulator.allocation.options import AllocationProblem, AllocationResult, Objective
from simulator.fusion.assign import Assignment, allocation_problem, assignment
from simulator.fusion.costs import INPUT, OUTPUT, WEIGHT, NodeCosts, chip_cycles, node_costs
from simulator.fusion.granularity import Granularity
from simulator.fusion.graph import FusedGraph
from simulator.fusion.images import batch_graph
from simulator.fusion.lower import lower_schedule
from simulator.fusion.overlap import Overlap
from simulator.fusion.problem import LinkOrder, SchedulingProblem, route_table
from simulator.fusion.rows import Parts
from simulator.fusion.schedule import Schedule, schedule
from simulator.program import Compiled, Int64s
from simulator.workload.graph import Workload
from traces.errors import InputError

Policy = Literal["best", "latency", "memory"]

SEARCH_SECONDS = 5.0
GENETIC_SEED = 1


@dataclass(frozen=True, slots=True)
class FusionChoices:
    """How a network is cut, placed and ordered.

    granularity: of the nodes. cores: names by layer, for those that the search shall not place.
    search: of the others' cores, cp, ga or greedy (`searches`); for latency, cp yields to greedy
    where that makes the shorter schedule. objective: what the search minimises. seconds: its
    limit. overlap: what becomes of the rows that two tiles share. policy: which ready node is
    decided first, that of the deepest layer (memory) or the one ready earliest (latency); best:
    what makes the shorter schedule. prefetch_weights: weights that fit are fetched before all
    else. stacks: first layer of each stack after the first; no node is decided before those of
    earlier stacks. order: of the nodes, instead of the policy. links: whether a transfer may go
    into a gap before transfers that were decided earlier (gaps) or not (fifo). eager: transfers
    are issued as soon as data and room are there, not at the cycles that the schedule gives them.
    """

    granularity: Granularity = field(default_factory=lambda: Granularity.parse("line"))
    cores: Mapping[str, Sequence[str]] = field(default_factory=dict)
    search: str = "greedy"
    objective: Objective = "latency"
    seconds: float = SEARCH_SECONDS
    overlap: Overlap = "full"
    policy: Policy = "best"
    prefetch_weights: bool = True
    stacks: tuple[int, ...] = ()
    order: Int64s | None = None
    links: LinkOrder = "gaps"
    eager: bool = False


@dataclass(frozen=True, slots=True)
class FusedProgram:
    """A compiled network. found: what the allocation search says, None if nothing was open."""

    choices: FusionChoices
    graph: FusedGraph
    assignment: Assignment
    found: AllocationResult | None
    costs: NodeCosts
    problem: SchedulingProblem
    schedule: Schedule
    compiled: Compiled


def compile_fused(workload: Workload, chip: ChipSpec, choices: FusionChoices) -> FusedProgram:
    """Compile a network for the cores of a chip.

    Raises InputError for a layer that fits no core, a node whose data can't fit, cores without a
    route between them, and choices that name what doesn't exist.
    """
    plan = link_floorplan(chip)
    chosen, *rivals = _allocations(workload, plan, choices)
    tried = [(_planned(workload, plan, choices, chosen[0]), *chosen)]
    for rival in rivals:
        with suppress(InputError):  # what was chosen can run
            tried.append((_planned(workload, plan, choices, rival[0]), *rival))
    # A search reckons with a steady state; a schedule sees what is fetched again.
    parts, placed, found = min(tried, key=lambda one: one[0].schedule.latency)
    graph, planned = parts.graph, parts.schedule
    predicted, cores = _predicted(graph, planned), _cores(graph, parts.problem.core)
    compiled = Compiled(lower_schedule(parts), plan, predicted, cores, interleaved=True)
    return FusedProgram(
        choices, graph, placed, found, parts.costs, parts.problem, planned, compiled
    )


def _planned(
    workload: Workload, plan: Floorplan, choices: FusionChoices, placed: Assignment
) -> Parts:
    """Nodes, costs and schedule of a network that has been placed."""
    graph = node_graph(workload, plan.chip, choices, placed)
    core = placed.of_nodes(graph)
    costs = node_costs(graph, core, plan)
    problem = scheduling_problem(graph, core, costs, plan, choices)
    problem, planned = _scheduled(problem, choices)
    return Parts(graph, problem, planned, costs, plan, choices.eager)


def _scheduled(
    problem: SchedulingProblem, choices: FusionChoices
) -> tuple[SchedulingProblem, Schedule]:
    """The schedule by the policy that was chosen, or by the better one."""
    if choices.policy != "best" or choices.order is not None:
        return problem, schedule(problem)
    tried = [(p, schedule(p)) for p in (problem, replace(problem, policy="memory"))]
    return min(tried, key=lambda pair: pair[1].latency)


def node_graph(
    workload: Workload, chip: ChipSpec, choices: FusionChoices, placed: Assignment
) -> FusedGraph:
    """The nodes of a network, its layers divided as they are placed."""
    return batch_graph(
        workload,
        choices.granularity,
        parts=placed.parts,
        overlap=choices.overlap,
        precision=chip.precision,
    )


def allocate(
    workload: Workload, plan: Floorplan, choices: FusionChoices
) -> tuple[Assignment, AllocationResult | None]:
    """Cores of every layer, by search as far as they aren't given."""
    return _allocations(workload, plan, choices, rivals=False)[0]


def _allocations(
    workload: Workload, plan: Floorplan, choices: FusionChoices, rivals: bool = True
) -> list[tuple[Assignment, AllocationResult | None]]:
    """The allocation that is chosen, then, for cp and latency, that of greedy if there is one."""
    numbers = {core.name: core.index for core in plan.cores}
    _check_names(workload, plan, choices)
    if all(layer.name in choices.cores for layer in workload.layers):
        given = {n: tuple(numbers[c] for c in cores) for n, cores in choices.cores.items()}
        return [(Assignment(given), None)]
    problem = allocation_problem(workload, plan, choices.granularity, choices.cores)
    found = [searches()[choices.search](problem, choices)]
    if rivals and choices.search == "cp" and choices.objective == "latency":
        with suppress(InputError):  # greedy may find no place where cp finds one
            found.append(_greedy(problem, choices))
    return [(assignment(workload, problem, one.choice), one) for one in found]


def searches() -> dict[str, Callable[[AllocationProblem, FusionChoices], AllocationResult]]:
    """The searches by name. OR-tools is imported only when it is used."""
    return {"cp": _constraint, "ga": _genetic, "greedy": _greedy}


def _constraint(problem: AllocationProblem, choices: FusionChoices) -> AllocationResult:
    from simulator.allocation.constraint import constraint

    return constraint(problem, choices.objective, choices.seconds)


def _genetic(problem: AllocationProblem, choices: FusionChoices) -> AllocationResult:
    from simulator.allocation.genetic import genetic

    return genetic(problem, choices.objective, choices.seconds, GENETIC_SEED)


def _greedy(problem: AllocationProblem, choices: FusionChoices) -> AllocationResult:
    from simulator.allocation.greedy import greedy

    return greedy(problem, choices.objective)


def _check_names(workload: Workload, plan: Floorplan, choices: FusionChoices) -> None:
    layers = {layer.name: layer for layer in workload.layers}
    cores = {core.name: core for core in plan.cores}
    for name, wanted in choices.cores.items():
        if name not in layers:
            raise InputError(f"allocation: {name} is not a layer of {workload.name}")
        for core in wanted:
            if core not in cores:
                raise InputError(
                    f"allocation: {name} must be on one of {', '.join(cores)}, not {core}"
                )
            if not cores[core].spec.takes(layers[name].op.value):
                raise InputError(
                    f"allocation: {name} must be on a core that runs {layers[name].op.value}, "
                    f"not {core}"
                )


def scheduling_problem(
    graph: FusedGraph, core: Int64s, costs: NodeCosts, plan: Floorplan, choices: FusionChoices
) -> SchedulingProblem:
    """The scheduling problem of nodes on their cores. Pools have the numbers of buffers."""
    links = link_graph(plan.chip)
    pointers, route_links = route_table(links.routes, len(plan.cores))
    buffers = {b.index: b for c in plan.cores for b in c.buffers}
    reader = graph.need_node
    is_weight = graph.tensor_is_weight[graph.needs]
    streamed = costs.streamed
    stack = np.searchsorted(np.array(choices.stacks, dtype=np.int64), graph.layer, side="right")
    return SchedulingProblem(
        layer=graph.layer,
        core=core,
        cycles=chip_cycles(costs.of_nodes("cycles"), core, plan),
        output_tensor=graph.output_tensor,
        need_pointers=graph.need_pointers,
        needs=graph.needs,
        need_streamed=np.where(is_weight, streamed[reader, WEIGHT], streamed[reader, INPUT]),
        output_streamed=streamed[:, OUTPUT],
        stream_read_bytes=costs.of_nodes("stream_read_bytes"),
        stream_write_bytes=costs.of_nodes("stream_write_bytes"),
        tensor_bytes=graph.tensor_bytes,
        tensor_maker=graph.tensor_maker,
        tensor_is_weight=graph.tensor_is_weight,
        tensor_is_final=graph.tensor_is_final,
        activation_pool=_pools(plan, "input"),
        weight_pool=_pools(plan, "weight"),
        pool_bytes=np.array([buffers[i].spec.size_bytes for i in sorted(buffers)], dtype=np.int64),
        link_width_bits=np.array(links.width_bits, dtype=np.int64),
        latency_cycles=links.latency_cycles,
        route_pointers=pointers,
        route_links=route_links,
        layer_names=tuple(layer.name for layer in graph.workload.layers),
        core_names=tuple(plan.chip.core_names),
        pool_names=plan.buffers,
        link_names=links.names,
        stack=stack,
        order=choices.order,
        policy="latency" if choices.policy == "best" else choices.policy,
        prefetch_weights=choices.prefetch_weights,
        links=choices.links,
    )


def _pools(plan: Floorplan, operand: Operand) -> Int64s:
    pools = [core.buffer_of(operand).index for core in plan.cores]
    return np.array(pools, dtype=np.int64)


def _predicted(graph: FusedGraph, planned: Schedule) -> tuple[float, ...]:
    """Cycles of each layer in the schedule: from the end of the layers before to its own."""
    ends = np.zeros(len(graph.workload.layers), dtype=np.int64)
    np.maximum.at(ends, graph.layer, planned.node_end)
    ends = np.maximum.accumulate(ends)
    return tuple(np.diff(ends, prepend=0).astype(float).tolist())


def _cores(graph: FusedGraph, core: Int64s) -> tuple[frozenset[int], ...]:
    return tuple(
        frozenset(core[graph.layer == n].tolist()) for n in range(len(graph.workload.layers))
    )
