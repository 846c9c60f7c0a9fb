"""Search for the best fusion groups: which consecutive layers run fused, and how finely cut.

A group is a stack of the scheduler. What each costs alone is estimated by a schedule of its own;
dynamic programming finds the best row of groups by these costs, and a descent then moves, joins and
recuts groups by schedules of the whole network, in which feature maps may stay on the chip between
groups. Nothing is fused where that is best. Rules: ARCHITECTURE.md FUSE-4 (stacks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from time import monotonic

import numpy as np

from hw_models.floorplan import link_floorplan
from hw_models.pe_array.registry import pe_array
from hw_models.spec import ChipSpec
from simulator.allocation.stacks import best_cuts
from simulator.fusion.assign import Assignment
from simulator.fusion.compile import (
    FusedProgram,
    FusionChoices,
    allocate,
    compile_fused,
    node_graph,
)
from simulator.fusion.figures import Aim, Figures, planned_figures
from simulator.fusion.granularity import Granularity, LayerTile
from simulator.workload.graph import Workload
from traces.errors import InputError

WHOLE = "layer"
LINES = ("line", "line:2", "line:4", "line:8", "line:16")
TILE_ROWS, TILE_COLUMNS = 4, 32
"""Of the smaller tiles that the search tries; rows are those of the array if it unrolls them."""
LONGEST = 12
"""Most layers of a group whose cost is estimated alone; the descent may join more."""
DP_SHARE = 0.5
"""Share of the time for the costs of groups; the rest is for the descent."""

Progress = Callable[[str, int, int], None]
"""Called with what is under way, steps done and steps there are."""


@dataclass(frozen=True, slots=True)
class Group:
    """Layers first to last, both included, and the granularity that they are cut by."""

    first: int
    last: int
    granularity: str

    @property
    def is_fused(self) -> bool:
        """Whether its layers run interleaved."""
        return self.last > self.first and self.granularity != WHOLE


Grouping = tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class GroupSearch:
    """What a search has found. best: the groups, figures: theirs by schedule.

    layer_by_layer: figures of whole layers one after another. tried: schedules made. finished:
    nothing was left to try when time was up.
    """

    best: Grouping
    figures: Figures
    layer_by_layer: Figures
    tried: int
    finished: bool

    @property
    def fuses(self) -> bool:
        """Whether any layers are fused."""
        return any(group.is_fused for group in self.best)


def granularities_for(chip: ChipSpec) -> tuple[str, ...]:
    """Granularities that a search tries on a chip, beside whole layers.

    Lines, and tiles of a few columns for maps of which few lines fit; where an array makes several
    rows at a time, those rows too.
    """
    arrays = [pe_array(core.pe_array) for core in chip.cores if core.computes_macs]
    unrolled = {array.spatial_loops.get("oy", 1) for array in arrays} - {1}
    rows = max(unrolled, default=TILE_ROWS)
    lines = [f"line:{n * rows}" for n in (1, 2) if unrolled]
    tiles = [f"tile:{n * rows}x{n * TILE_COLUMNS}" for n in (1, 2)]
    return tuple(dict.fromkeys((*LINES, *lines, *tiles)))


def one_group(workload: Workload, granularity: str) -> Grouping:
    """All layers as one group."""
    return (Group(0, len(workload.layers) - 1, granularity),)


def layers_alone(workload: Workload) -> Grouping:
    """Every layer as a group of its own."""
    return tuple(Group(n, n, WHOLE) for n in range(len(workload.layers)))


class GroupCosts:
    """Compiles groupings of a network for a chip, and remembers what they cost.

    base: the choices that all have in common; tiles, cores and stacks are the groups'.
    """

    def __init__(self, workload: Workload, chip: ChipSpec, base: FusionChoices) -> None:
        if base.overlap != "full":
            raise InputError(f"overlap must be full where groups differ, not {base.overlap}")
        self.workload, self.chip, self.base = workload, chip, base
        self.plan = link_floorplan(chip)
        self._parts: dict[Group, tuple[Assignment, dict[str, LayerTile]]] = {}
        self._alone: dict[Group, Figures | None] = {}
        self._together: dict[Grouping, Figures | None] = {}

    @property
    def tried(self) -> int:
        """Schedules made."""
        return len(self._alone) + len(self._together)

    def compiled(self, groups: Grouping) -> FusedProgram:
        """The whole network, its groups one after another. Raises InputError."""
        return compile_fused(self.workload, self.chip, self.choices(groups))

    def choices(self, groups: Grouping) -> FusionChoices:
        """Groups as choices of a compilation. Raises InputError for layers that fit no core."""
        tiles: dict[str, LayerTile] = {}
        cores: dict[str, tuple[str, ...]] = {}
        for group in groups:
            placed, of_group = self._part(group)
            tiles |= of_group
            names = self.chip.core_names
            cores |= {n: tuple(names[c] for c in found) for n, found in placed.cores.items()}
        return replace(
            self.base,
            granularity=Granularity.parse(WHOLE, tiles),
            cores=cores,
            stacks=tuple(group.first for group in groups[1:]),
        )

    def together(self, groups: Grouping) -> Figures | None:
        """Figures of the whole network by its schedule; None if it can't run so."""
        if groups not in self._together:
            self._together[groups] = self._tried(lambda: self.compiled(groups))
        return self._together[groups]

    def alone(self, group: Group) -> Figures | None:
        """Figures of a group by a schedule of its own, maps between groups off-chip."""
        if group not in self._alone:
            self._alone[group] = self._tried(lambda: self.compiled_alone(group))
        return self._alone[group]

    def compiled_alone(self, group: Group) -> FusedProgram:
        """A group as a network of its own. Raises InputError."""
        return compile_fused(
            self.workload.slice(group.first, group.last),
            self.chip,
            replace(self.choices((group,)), stacks=()),
        )

    @staticmethod
    def _tried(compiled: Callable[[], FusedProgram]) -> Figures | None:
        try:
            return planned_figures(compiled())
        except InputError:
            return None

    def plainly(self, group: Group) -> Group:
        """The group, by whole layers if its tiles are as large as its layers."""
        _, tiles = self._part(group)
        layers = self.workload.layers[group.first : group.last + 1]
        whole = all(tiles[layer.name] == (1, layer.dims.oy, layer.dims.ox) for layer in layers)
        return replace(group, granularity=WHOLE) if whole else group

    def _part(self, group: Group) -> tuple[Assignment, dict[str, LayerTile]]:
        """Cores and tiles of the layers of a group."""
        if group not in self._parts:
            part = self.workload.slice(group.first, group.last)
            choices = replace(
                self.base, granularity=Granularity.parse(group.granularity), stacks=()
            )
            placed = self._placed(part, choices)
            graph = node_graph(part, self.chip, choices, placed)
            extent = graph.high - graph.low
            most = np.zeros((len(part.layers), extent.shape[1]), dtype=np.int64)
            np.maximum.at(most, graph.layer, extent)
            tiles = {
                layer.name: (1, int(rows), int(columns))
                for layer, (rows, columns) in zip(part.layers, most[:, 3:], strict=True)
            }
            self._parts[group] = placed, tiles
        return self._parts[group]

    def _placed(self, part: Workload, choices: FusionChoices) -> Assignment:
        """Cores of the layers of a group; halves in turn where their weights don't fit together.

        Raises InputError for a layer that fits no core.
        """
        names = {layer.name for layer in part.layers}
        given = {name: cores for name, cores in choices.cores.items() if name in names}
        only = {layer.name: self._only_core(layer.op.value) for layer in part.layers}
        given |= {name: core for name, core in only.items() if core and name not in given}
        try:
            return allocate(part, self.plan, replace(choices, cores=given))[0]
        except InputError:
            middle = len(part.layers) // 2
            if not middle:
                raise
        halves = part.slice(0, middle - 1), part.slice(middle, len(part.layers) - 1)
        first, second = (self._placed(half, choices) for half in halves)
        return Assignment({**first.cores, **second.cores})

    def _only_core(self, op: str) -> tuple[str, ...]:
        """The core that takes a type of layer, if it is the only one."""
        takers = [core.name for core in self.plan.cores if core.spec.takes(op)]
        return tuple(takers) if len(takers) == 1 else ()


def search_groups(
    costs: GroupCosts,
    aim: Aim,
    seconds: float,
    progress: Progress = lambda *_: None,
    fine: Sequence[str] | None = None,
) -> GroupSearch:
    """The best groups found within a time. Raises InputError when not even whole layers can run.

    fine: granularities to try beside whole layers, by default those for the chip.
    """
    begun = monotonic()
    fine = granularities_for(costs.chip) if fine is None else fine
    whole = one_group(costs.workload, WHOLE)
    baseline = costs.together(whole)
    if baseline is None:
        baseline = planned_figures(costs.compiled(whole))  # says why it can't run
    search = _Search(costs, aim, baseline, (WHOLE, *fine), progress)
    search.consider(whole)
    for name in fine:
        search.consider(one_group(costs.workload, name))
    parts, complete = search.by_parts(begun + DP_SHARE * seconds)
    finished = search.descend(parts, begun + seconds)
    if search.best[0] != parts:
        finished &= search.descend(search.best[0], begun + seconds)
    best, figures = search.best
    best = tuple(costs.plainly(group) for group in best)
    return GroupSearch(best, figures, baseline, costs.tried, complete and finished)


class _Search:
    def __init__(
        self,
        costs: GroupCosts,
        aim: Aim,
        baseline: Figures,
        granularities: Sequence[str],
        progress: Progress,
    ) -> None:
        self.costs, self.aim, self.baseline = costs, aim, baseline
        self.granularities, self.progress = granularities, progress
        self.layers = len(costs.workload.layers)
        self.best: tuple[Grouping, Figures]
        self._score = inf

    def consider(self, groups: Grouping) -> float:
        """The aim with these groups, inf if they can't run; the best are remembered."""
        figures = self.costs.together(groups)
        if figures is None:
            return inf
        score = figures.of(self.aim)
        if score < self._score:
            self.best, self._score = (groups, figures), score
        return score

    def by_parts(self, until: float) -> tuple[Grouping, bool]:
        """The best groups by what each costs alone, and whether all were costed."""
        table = [[inf] * self.layers for _ in range(self.layers)]
        kind: dict[tuple[int, int], str] = {}
        tasks = list(self._spans())
        complete = True
        for done, (first, last, name) in enumerate(tasks):
            self.progress("groups", done, len(tasks))
            if monotonic() > until and last > first:
                complete = False
                break
            figures = self.costs.alone(Group(first, last, name))
            cost = self._share(figures)
            if cost < table[first][last]:
                table[first][last], kind[first, last] = cost, name
        cuts = best_cuts(table)
        bounds = pairwise((0, *cuts, self.layers))
        return tuple(Group(low, end - 1, kind[low, end - 1]) for low, end in bounds), complete

    def _spans(self) -> Iterator[tuple[int, int, str]]:
        """Layers and granularities to cost alone, short groups first."""
        for length in range(1, min(LONGEST, self.layers) + 1):
            for first in range(self.layers - length + 1):
                for name in self.granularities:
                    yield first, first + length - 1, name

    def _share(self, figures: Figures | None) -> float:
        """What a group adds to the aim; for a product, to the sum of both factors' shares."""
        if figures is None:
            return inf
        if self.aim != "edp":
            return figures.of(self.aim)
        base = self.baseline
        return figures.cycles / base.cycles + figures.energy_pj / base.energy_pj

    def descend(self, groups: Grouping, until: float) -> bool:
        """Change groups as long as that helps. Returns whether no change was left to try."""
        score, better = self.consider(groups), True
        while better:
            better = False
            changes = list(self._changes(groups))
            for done, changed in enumerate(changes):
                self.progress("changes", done, len(changes))
                if monotonic() > until:
                    return False
                if (found := self.consider(changed)) < score:
                    groups, score, better = changed, found, True
                    break
        return True

    def _changes(self, groups: Grouping) -> Iterator[Grouping]:
        """Groupings one step away: two groups joined, one recut, a border moved, one divided."""
        for n, group in enumerate(groups):
            before, after = groups[:n], groups[n + 1 :]
            for name in self.granularities:
                if name != group.granularity:
                    yield (*before, replace(group, granularity=name), *after)
            if after:
                yield from self._border_changes(before, group, after)
            for cut in range(group.first + 1, group.last + 1):
                for name in dict.fromkeys((group.granularity, WHOLE)):
                    yield (
                        *before,
                        replace(group, last=cut - 1),
                        Group(cut, group.last, name),
                        *after,
                    )

    @staticmethod
    def _border_changes(before: Grouping, group: Group, after: Grouping) -> Iterator[Grouping]:
        other, rest = after[0], after[1:]
        for name in dict.fromkeys((group.granularity, other.granularity)):
            yield (*before, Group(group.first, other.last, name), *rest)
        for border in (group.last - 1, group.last + 1):
            if group.first <= border < other.last:
                moved = replace(group, last=border), replace(other, first=border + 1)
                yield (*before, *moved, *rest)
