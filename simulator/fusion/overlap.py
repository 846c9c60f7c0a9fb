"""Three ways to treat the rows and columns that neighbouring tiles of a fused stack share.

full: each output is made once and kept for whoever reads it. recompute: each tile of the last layer
has its own chain of tiles through all layers, and each of these makes whatever the chain needs.
horizontal: kept along x, made again along y. Source: DeFiNES (arXiv 2212.05344), overlap modes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from simulator.fusion.dependences import OFF_CHIP, Int64s, Interval, Read, Stack
from simulator.fusion.granularity import Granularity
from simulator.fusion.split import (
    Axis,
    Split,
    axis_bounds,
    channel_parts,
    part_counts,
    shared,
)
from traces.errors import InputError, check_one_of

Overlap = Literal["full", "horizontal", "recompute"]

CHAINED_AXES: dict[str, str] = {"full": "", "horizontal": "y", "recompute": "yx"}
"""Along which axes shared outputs are made again, by overlap mode."""


def split_stack(
    stack: Stack, granularity: Granularity, parts: Mapping[str, int], overlap: Overlap
) -> dict[int, Split]:
    """The tiles of each layer of a stack, by its number. Raises InputError."""
    check_one_of("overlap", overlap, CHAINED_AXES)
    if overlap != "full" and granularity.layers:
        names = ", ".join(granularity.layers)
        raise InputError(
            f"granularity: overlap must be full to give {names} tiles of its own, not {overlap}"
        )
    rows, columns = (_axes(stack, axis, granularity, overlap) for axis in "yx")
    counts = part_counts(stack, granularity, parts)
    layers = stack.workload.layers
    return {
        i: Split(layers[i], rows[i], columns[i], channel_parts(layers[i], counts[i]))
        for i in stack.numbers
    }


def _axes(stack: Stack, axis: str, granularity: Granularity, overlap: Overlap) -> dict[int, Axis]:
    bounds = axis_bounds(stack, axis, granularity)
    if axis in CHAINED_AXES[overlap]:
        return _chains(stack, axis, bounds[stack.last])
    return {i: Axis.between(np.unique(found)) for i, found in bounds.items()}


def _chains(stack: Stack, axis: str, bounds: Int64s) -> dict[int, Axis]:
    """The axis of every layer when each tile of the last one has a chain of its own.

    bounds: of the tiles of the last layer. A layer has no tile where a chain needs none.
    """
    layers, count = stack.workload.layers, bounds.size - 1
    needed: dict[int, Interval] = {}
    for i in reversed(stack.numbers):
        if i in stack.final:
            share = shared(bounds, layers[stack.last], layers[i], axis)
            _widen(needed, i, (share[:-1], share[1:]))
        for read in stack.reads[i]:
            if read.maker != OFF_CHIP:
                _widen(needed, read.maker, _span(stack, read, axis, needed[i]))
    return {i: _chain(needed[i], count) for i in stack.numbers}


def _span(stack: Stack, read: Read, axis: str, made: Interval) -> Interval:
    """What a read needs of its tensor for the reader to make an interval of each chain."""
    low, high = read.span(axis, *made)
    if read.whole:
        dims = stack.workload.layers[read.maker].dims
        low, high = np.zeros_like(low), np.full_like(high, dims.oy if axis == "y" else dims.ox)
    there = made[1] > made[0]
    return np.where(there, low, 0), np.where(there, high, 0)


def _widen(needed: dict[int, Interval], number: int, more: Interval) -> None:
    """Enlarges the intervals of a layer, chain by chain, so that they cover others."""
    if number not in needed:
        needed[number] = more
        return
    low, high = needed[number]
    empty, none = high <= low, more[1] <= more[0]
    needed[number] = (
        np.where(empty, more[0], np.where(none, low, np.minimum(low, more[0]))),
        np.where(empty, more[1], np.where(none, high, np.maximum(high, more[1]))),
    )


def _chain(made: Interval, count: int) -> Axis:
    there = np.flatnonzero(made[1] > made[0])
    return Axis(made[0][there], made[1][there], there, count, chained=True)
