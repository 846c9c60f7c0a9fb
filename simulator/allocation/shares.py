"""Shares of layers: what each core computes, by a simple rule.

Rules: ARCHITECTURE.md ALLOC-1 (single), ALLOC-2 (split). Contention between the cores is what the
kernels compute, never a factor here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hw_models.floorplan import Floorplan
from simulator.mapping.streams import TILED_LOOPS
from simulator.workload.graph import ROW_OPS, Layer, LayerOp, Workload

SPLIT_LOOPS = ("b", "oy", "k", "ox", "g")
"""Loops that `split` may divide; a split of c would leave partial sums to be added up."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one core computes of a layer. ranges: [low, high) of loops that are not whole."""

    core: int
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)


Allocation = Sequence[Sequence[Share]]
"""For every layer the shares that together compute all of it."""


def single(workload: Workload, plan: Floorplan) -> Allocation:
    """Every layer as a whole on the first core."""
    return [[Share(0)] for _ in workload.layers]


def split(workload: Workload, plan: Floorplan) -> Allocation:
    """Every layer divided over all cores, in proportion to their PEs, along its best loop."""
    weights = [plan.core_peak_macs(core.index) for core in plan.cores]
    return [split_layer(layer, weights) for layer in workload.layers]


RULES: dict[str, Callable[[Workload, Floorplan], Allocation]] = {"single": single, "split": split}


def split_layer(layer: Layer, weights: Sequence[int], loop: str = "") -> list[Share]:
    """Shares of a layer for cores of different weight, along a loop or the best one."""
    sizes = dict(zip(TILED_LOOPS, layer.dims.loops, strict=False))
    loop = loop or _best_loop(layer, sizes, len(weights))
    cuts = _cuts(sizes[loop], weights)
    return [
        Share(core, {loop: (low, high)})
        for core, (low, high) in enumerate(pairwise(cuts))
        if high > low
    ]


def _best_loop(layer: Layer, sizes: Mapping[str, int], cores: int) -> str:
    """The loop that divides most evenly; among those, the one that makes the cores read least.

    Cores that divide the outputs by channel all read the inputs, and cores that divide them by
    position all read the weights.
    """
    d = layer.dims
    weights, inputs = layer.weight_elements, d.b * d.g * d.c * d.iy * d.ix
    read_twice = {"b": weights, "oy": weights, "ox": weights, "k": inputs, "g": 0}
    loops = [loop for loop in SPLIT_LOOPS if loop != "g" or _groups_are_free(layer)]
    return min(
        loops,
        key=lambda loop: (-(-sizes[loop] // cores) * cores / sizes[loop], read_twice[loop]),
    )


def _groups_are_free(layer: Layer) -> bool:
    return layer.op not in ROW_OPS and layer.op is not LayerOp.CONCAT


def _cuts(size: int, weights: Sequence[int]) -> list[int]:
    """Bounds of the shares, in proportion to the weights, rounded to whole iterations."""
    total, done, cuts = sum(weights), 0, [0]
    for weight in weights:
        done += weight
        cuts.append((size * done + total // 2) // total)
    return cuts
