"""One point of the exploration: compiled, simulated, and its energy added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

from hw_models.floorplan import Floorplan
from simulator.allocation.options import Objective
from simulator.allocation.stacks import greedy_cuts
from simulator.fusion.compile import FusionChoices
from simulator.fusion.groups import WHOLE, Group, GroupCosts, Grouping, one_group
from simulator.fusion.run import run_fused
from simulator.workload.graph import Workload
from traces.errors import InputError
from validation.exploration.energy import program_energy
from validation.exploration.space import (
    ARCHITECTURES,
    LAYER,
    LINE,
    exploration_network,
)
from validation.multicore.runs import READY_FIRST

OBJECTIVE: Objective = "edp"


@dataclass(frozen=True, slots=True)
class Search:
    """How cores are chosen: the search of `tilesim run --allocation`, its limit for each stack."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """A point and its figures. problem: why it can't run, "" if it has run.

    cycles: of the simulation. Energies and DRAM bytes: of the schedule that it executes. stacks:
    how many run one after another. nodes: tiles of all layers.
    """

    network: str
    chip: str
    way: str
    search: str
    seconds: float
    problem: str = ""
    cycles: int = 0
    core_pj: float = 0.0
    moved_pj: float = 0.0
    dram_pj: float = 0.0
    dram_bytes: int = 0
    nodes: int = 0
    stacks: int = 0

    @property
    def energy_pj(self) -> float:
        """Energy of everything."""
        return self.core_pj + self.moved_pj + self.dram_pj

    @property
    def edp(self) -> float:
        """Energy times delay, pJ cycles."""
        return self.energy_pj * self.cycles


def evaluate(network: str, chip: str, ways: Sequence[str], search: Search) -> Iterator[Row]:
    """A row for each of some ways to run a network on a chip, in their order."""
    spec = ARCHITECTURES[chip].chip()
    choices = FusionChoices(
        search=search.name, seconds=search.seconds, objective=OBJECTIVE, **READY_FIRST
    )
    costs = GroupCosts(exploration_network(network), spec, choices)
    known: dict[Grouping, Row] = {}
    for way in ways:
        point = Row(network, chip, way, search.name, search.seconds)
        try:
            groups = groups_of(costs, way)
            known[groups] = known.get(groups) or _done(point, costs, groups)
        except InputError as error:
            yield replace(point, problem=str(error))
        else:
            yield replace(known[groups], way=way)


def groups_of(costs: GroupCosts, way: str) -> Grouping:
    """The groups of layers that run one after another. Raises InputError."""
    if way == LAYER:
        return one_group(costs.workload, WHOLE)
    if way == LINE:
        return one_group(costs.workload, LINE)
    layers = len(costs.workload.layers)
    cuts = greedy_cuts(weight_bytes(costs.workload), sum(weight_rooms(costs.plan).values()))
    bounds = pairwise((0, *cuts, layers))
    return tuple(group for low, end in bounds for group in _fitting(costs, low, end - 1))


def weight_bytes(workload: Workload) -> list[int]:
    """Weights of each layer, a byte each."""
    return [0 if layer.weight is None else layer.weight_elements for layer in workload.layers]


def weight_rooms(plan: Floorplan) -> dict[int, int]:
    """Bytes of the buffers for weights of the cores that convolve, by buffer."""
    cores = [core for core in plan.cores if core.spec.takes("conv2d")]
    buffers = [core.buffer_of("weight") for core in cores]
    return {buffer.index: buffer.spec.size_bytes for buffer in buffers}


def _fitting(costs: GroupCosts, first: int, last: int) -> Grouping:
    """Layers as one stack if all weights find room where the layers run, else each half so.

    A layer on its own stays whole: by lines it would read weights without room again and again.
    """
    group = Group(first, last, LINE)
    if first == last:
        return (replace(group, granularity=WHOLE),)
    if _weights_fit(costs, group):
        return (group,)
    middle = (first + last) // 2
    return *_fitting(costs, first, middle), *_fitting(costs, middle + 1, last)


def _weights_fit(costs: GroupCosts, group: Group) -> bool:
    """Whether all weights of a group have room on the cores that the search gives its layers."""
    cores = {core.name: core for core in costs.plan.cores}
    room = weight_rooms(costs.plan)
    placed = costs.choices((group,)).cores
    used: Counter[int] = Counter()
    sizes = zip(costs.workload.layers, weight_bytes(costs.workload), strict=True)
    for layer, size in list(sizes)[group.first : group.last + 1]:
        parts = placed[layer.name]
        for name in parts if size else ():
            used[cores[name].buffer_of("weight").index] += -(-size // len(parts))
    return all(used[buffer] <= room[buffer] for buffer in used)


def _done(point: Row, costs: GroupCosts, groups: Grouping) -> Row:
    """The row of a point that is compiled and simulated. Raises InputError."""
    fused = costs.compiled(groups)
    return replace(
        point,
        cycles=run_fused(fused).result.cycles,
        **asdict(program_energy(fused)),
        nodes=fused.graph.size,
        stacks=len(groups),
    )
