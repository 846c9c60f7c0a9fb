"""Cutting a network into stacks: runs of layers that are fused, one stack after another.

A cut is the number of the layer with which a new stack begins; cuts rise and never contain 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from traces.errors import InputError


def greedy_cuts(weight_bytes: Sequence[int], capacity_bytes: int) -> tuple[int, ...]:
    """Begin a new stack where the weights of the layers so far would exceed the capacity.

    A layer of more weights than that is a stack of its own. Source: Stream (arXiv 2212.10612).
    """
    cuts, held_bytes = [], 0
    for layer, size in enumerate(weight_bytes):
        if layer and held_bytes + size > capacity_bytes:
            cuts.append(layer)
            held_bytes = 0
        held_bytes += size
    return tuple(cuts)


def best_cuts(costs: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """The cuts of least total cost; of equal ones those of the fewest stacks.

    costs: (layers, layers), costs[i][j] of layers i to j as one stack (j >= i; the rest is
    ignored), inf: impossible. Exact, by dynamic programming over the last stack, also with Python
    integers beyond 64 bits. Raises InputError when every way has an impossible stack.
    """
    best: list[tuple[float, int]] = [(0, 0)]
    starts: list[int] = []
    for last in range(len(costs)):
        totals = [
            (best[first][0] + costs[first][last], best[first][1] + 1) for first in range(last + 1)
        ]
        starts.append(min(range(last + 1), key=totals.__getitem__))
        best.append(totals[starts[-1]])
    if best[-1][0] == inf:
        raise InputError(f"stacks: layer {_stuck(best)} must be part of a possible stack, not none")
    cuts, last = [], len(costs) - 1
    while starts and starts[last] > 0:
        cuts.append(starts[last])
        last = starts[last] - 1
    return tuple(reversed(cuts))


def _stuck(best: Sequence[tuple[float, int]]) -> int:
    """The layer before which the longest possible beginning ends."""
    return max(end for end, (cost, _) in enumerate(best) if cost < inf)


def stack_ranges(layers: int, cuts: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """First and last layer of every stack. Raises InputError for cuts (a user's) out of order."""
    bounds = [0, *cuts, layers]
    if any(low >= high for low, high in pairwise(bounds)):
        rule = f"layer numbers that rise from 1 to at most {layers - 1}"
        raise InputError(f"stacks: cuts must be {rule}, not {', '.join(map(str, cuts))}")
    return tuple((low, high - 1) for low, high in pairwise(bounds))
