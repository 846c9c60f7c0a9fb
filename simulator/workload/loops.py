"""Which axis of a tensor is which loop of a vector layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from simulator.workload.graph import LoopDims

Shape = tuple[int, ...]
ROW_LOOPS = {1: ("ox",), 2: ("b", "ox"), 3: ("b", "oy", "ox")}
"""The loops over everything but the channel, outermost first, by how many there are."""
MOST_ROW_LOOPS = max(ROW_LOOPS)

EVERY_LOOP = ("b", "g", "c", "oy", "ox")
"""The loops of an ordinary feature map, as in the default of `Operand.dims`."""

Group = tuple[int, ...]
"""Neighbouring axes of a tensor that one loop runs over."""


def map_axes(
    shape: Shape, channel: int, operands: Sequence[Shape] = ()
) -> tuple[LoopDims, list[tuple[str, ...]]]:
    """Loops of a layer whose output has this shape, and which loops index each operand.

    The channel axis becomes `g`; the others become `b`, `oy` and `ox`, one each where they are
    few enough, else merged. Sequences (at most three axes, channel last) have all axes but the
    channel in `ox`, as in a matmul, unless an operand is broadcast over some of them only. An
    operand that is broadcast over a part of a merged loop is read as if it were expanded.
    """
    shape, channel = shape or (1,), channel if shape else 0
    aligned = [_align(operand, len(shape)) for operand in operands]
    groups = _group_axes(shape, channel, aligned)
    names = dict(zip(ROW_LOOPS[len(groups)], groups, strict=True))
    sizes = {name: prod(shape[axis] for axis in group) for name, group in names.items()}
    dims = row_dims(g=shape[channel], **sizes)
    names = names | {"g": (channel,)}
    return dims, [_indexing_loops(shape, operand, names) for operand in aligned]


def row_dims(*, g: int, b: int = 1, oy: int = 1, ox: int = 1) -> LoopDims:
    """Loops of a layer that reads the same rows and columns that it writes."""
    return LoopDims(b=b, g=g, oy=oy, ox=ox, iy=oy, ix=ox)


def border_dims(shape: Shape, stored: Sequence[int], before: Sequence[int]) -> LoopDims:
    """Loops of a copy of a map (batch, channel, [y,] x) with a border: a window of one element.

    shape: with the border. stored: spatial sizes without it. before: its width before each axis.
    """
    (oy, ox), (iy, ix), (top, left) = (
        (fill, *sizes) if len(sizes) == 1 else tuple(sizes)
        for sizes, fill in ((shape[2:], 1), (stored, 1), (before, 0))
    )
    return LoopDims(b=shape[0], g=shape[1], oy=oy, ox=ox, iy=iy, ix=ix, pad_top=top, pad_left=left)


def _align(operand: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(operand)) + operand


def _group_axes(shape: Shape, channel: int, operands: Sequence[Shape]) -> list[Group]:
    """The axes but the channel, in at most three groups, at least one."""
    axes = [axis for axis in range(len(shape)) if axis != channel]
    groups: list[Group] = [(axis,) for axis in axes]
    if len(shape) <= 3 and channel == len(shape) - 1:
        groups = _merge_alike(groups, shape, operands, keep=1)
    if len(groups) > MOST_ROW_LOOPS:
        groups = [group for group in groups if shape[group[0]] > 1]
        groups = _merge_alike(groups, shape, operands, keep=MOST_ROW_LOOPS)
    while len(groups) > MOST_ROW_LOOPS:
        groups = [groups[0] + groups[1], *groups[2:]]
    return groups or [()]


def _merge_alike(
    groups: list[Group], shape: Shape, operands: Sequence[Shape], keep: int
) -> list[Group]:
    """Merges neighbours over which the same operands are broadcast, down to `keep` groups."""

    def pattern(group: Group) -> tuple[bool, ...] | None:
        real = [axis for axis in group if shape[axis] > 1]
        return tuple(operand[real[0]] > 1 for operand in operands) if real else None

    merged = list(groups)
    index = 0
    while len(merged) > keep and index < len(merged) - 1:
        left, right = pattern(merged[index]), pattern(merged[index + 1])
        if left is None or right is None or left == right:
            merged[index : index + 2] = [merged[index] + merged[index + 1]]
        else:
            index += 1
    return merged


def _indexing_loops(shape: Shape, operand: Shape, names: dict[str, Group]) -> tuple[str, ...]:
    if operand == shape:
        return EVERY_LOOP
    found = {name for name, group in names.items() if any(operand[axis] > 1 for axis in group)}
    return tuple(name for name in EVERY_LOOP if name in found)
