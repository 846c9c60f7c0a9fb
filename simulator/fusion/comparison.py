"""Fused against layer by layer: the same network and chip run in several ways, each simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from simulator.fusion.figures import Aim, Figures, simulated_figures
from simulator.fusion.groups import (
    WHOLE,
    GroupCosts,
    Grouping,
    GroupSearch,
    layers_alone,
    one_group,
)
from simulator.fusion.run import run_fused
from traces.errors import InputError

LAYER_BY_LAYER = "layer by layer"
ALONE = "each layer from and to DRAM"
GROUPS = "best groups"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run a network. figures: of its simulation; None if it can't run, problem says why.

    groups: its groups; of ALONE, which isn't one program, those that were run for themselves.
    """

    name: str
    groups: Grouping
    figures: Figures | None
    problem: str = ""


def fused_name(granularity: str) -> str:
    """The name of the way with all layers fused."""
    return f"all fused, {granularity}"


def compared_ways(
    costs: GroupCosts, granularity: str, search: GroupSearch | None = None
) -> tuple[Way, ...]:
    """Each layer alone, layer by layer, all layers fused, and what a search has found.

    Layer by layer, feature maps that fit stay on the chip. Raises InputError where not even whole
    layers can run.
    """
    whole = one_group(costs.workload, WHOLE)
    ways = [
        Way(ALONE, layers_alone(costs.workload), _alone(costs)),
        Way(LAYER_BY_LAYER, whole, _simulated(costs, whole)),
    ]
    if granularity != WHOLE:
        ways.append(_fused(costs, granularity))
    if search is not None:
        ways.append(_known(ways, search.best) or _best(costs, search))
    return tuple(ways)


def verdict(ways: Sequence[Way], aim: Aim) -> str:
    """What to make of the ways, as a sentence."""
    by_name = {way.name: way.figures for way in ways}
    baseline, found = by_name[LAYER_BY_LAYER], by_name.get(GROUPS)
    assert baseline is not None
    others = "; ".join(
        f"{name} takes {_times(figures, baseline, aim)}"
        for name, figures in by_name.items()
        if figures is not None and name not in (LAYER_BY_LAYER, ALONE, GROUPS)
    )
    return "; ".join(filter(None, (_best_text(ways, found, baseline, aim), others)))


def _best_text(ways: Sequence[Way], found: Figures | None, baseline: Figures, aim: Aim) -> str:
    if found is None:
        return ""
    groups = next(way.groups for way in ways if way.name == GROUPS)
    if not any(group.is_fused for group in groups):
        return f"not fusing is best for {aim}: whole layers one after another"
    times = _times(found, baseline, aim)
    return f"fusing {_fused_text(groups)} is best for {aim} and takes {times}"


def _fused_text(groups: Grouping) -> str:
    fused = [group for group in groups if group.is_fused]
    layers = sum(group.last - group.first + 1 for group in fused)
    every = sum(group.last - group.first + 1 for group in groups)
    return f"{layers} of {every} layers in {len(fused)} group{'s' * (len(fused) > 1)}"


def _times(figures: Figures, baseline: Figures, aim: Aim) -> str:
    ratio = figures.of(aim) / baseline.of(aim)
    return f"{ratio:.2f} times the {aim} of {LAYER_BY_LAYER}"


def _simulated(costs: GroupCosts, groups: Grouping) -> Figures:
    return simulated_figures(run_fused(costs.compiled(groups)))


def _alone(costs: GroupCosts) -> Figures:
    groups = layers_alone(costs.workload)
    done = (simulated_figures(run_fused(costs.compiled_alone(group))) for group in groups)
    return reduce(add, done)


def _fused(costs: GroupCosts, granularity: str) -> Way:
    groups = one_group(costs.workload, granularity)
    try:
        return Way(fused_name(granularity), groups, _simulated(costs, groups))
    except InputError as error:
        return Way(fused_name(granularity), groups, None, str(error))


def _known(ways: Sequence[Way], best: Grouping) -> Way | None:
    """What has been found, if it has been simulated under another name."""
    return next((Way(GROUPS, best, way.figures) for way in ways[1:] if way.groups == best), None)


def _best(costs: GroupCosts, search: GroupSearch) -> Way:
    return Way(GROUPS, search.best, _simulated(costs, search.best))
