"""Which tensors the nodes of a layer read, as boxes of the grids in which tensors are numbered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hw_models.spec import PrecisionSpec
from simulator.fusion.dependences import LOOP_OF_AXIS, Int64s, Interval, Read
from simulator.fusion.split import Split

Bools = NDArray[np.bool_]
GridShape = tuple[int, int, int]

Needs = tuple[Int64s, Int64s]
"""How many tensors each node of a layer needs, and which, node by node."""

ONE = np.ones(1, np.int64)


@dataclass(frozen=True, slots=True)
class Sources:
    """Tensors that the nodes of a layer need of one operand: a box of a grid for each node.

    base: number of the first tensor of the grid. grid: its shape. spans: for rows, columns and
    parts of the reader, places [first, last) in the grid.
    """

    base: int
    grid: GridShape
    spans: tuple[Interval, Interval, Interval]

    def counts(self) -> Int64s:
        """Tensors that each node needs, node by node."""
        rows, columns, parts = (high - low for low, high in self.spans)
        return (rows[:, None, None] * columns[:, None] * parts).reshape(-1)

    def tensors(self) -> Int64s:
        """The tensors, node by node, ascending for each."""
        lows = np.meshgrid(*(low for low, _ in self.spans), indexing="ij", copy=False)
        steps = self.grid[1] * self.grid[2], self.grid[2], 1
        tensors = sum((low * step for low, step in zip(lows, steps, strict=True)), ONE * self.base)
        widths = np.meshgrid(*(high - low for low, high in self.spans), indexing="ij", copy=False)
        return _fanned_out(tensors.reshape(-1), [width.reshape(-1) for width in widths], steps)


def _fanned_out(first: Int64s, widths: Sequence[Int64s], steps: Sequence[int]) -> Int64s:
    """Numbers of the boxes of a grid that begin at `first` and have `widths`, axis by axis."""
    left = list(widths)
    for step in steps:
        width = left.pop(0)
        if (width == 1).all():
            continue
        left = [np.repeat(other, width) for other in left]
        begin = np.cumsum(width) - width
        first = np.repeat(first - begin * step, width) + np.arange(width.sum()) * step
    return first


@dataclass(slots=True)
class Brought:
    """Collects the tensors that come from off-chip.

    count: the number of the next one. bytes, is_weight: of those so far, operand by operand.
    """

    precision: PrecisionSpec
    count: int
    bytes: list[Int64s] = field(default_factory=list)
    is_weight: list[Bools] = field(default_factory=list)

    def add(self, split: Split, read: Read) -> Sources:
        """Adds the tensors of one operand: as many as its readers see different regions."""
        there, place, chosen = _distinct_parts(read.keys(split.parts))
        elements = _region_elements(split, read, split.parts[chosen])
        low, high = split.made
        biases = (high - low)[chosen] if read.is_weight and split.layer.bias else 0
        bits = elements * self._bits(split, read) + biases * self.precision.psum_bits
        base, self.count = self.count, self.count + elements.size
        self.bytes.append(whole_bytes(bits).reshape(-1))
        self.is_weight.append(np.full(elements.size, read.is_weight))
        rows, columns, parts = elements.shape
        spans = _own(rows, split.rows.size), _own(columns, split.columns.size)
        return Sources(base, (rows, columns, parts), (*spans, (place, place + there)))

    def _bits(self, split: Split, read: Read) -> int:
        constant = read.is_weight and split.layer.weight_is_constant
        return self.precision.weight_bits if constant else self.precision.input_bits


def whole_bytes(bits: Int64s) -> Int64s:
    """Bytes that hold some bits."""
    return -(-bits // 8)


def made_sources(split: Split, maker: Split, read: Read, base: int) -> Sources:
    """What nodes of a layer read of the outputs of another. base: its first tensor."""
    d = maker.layer.dims
    rows = read.span("y", split.rows.low, split.rows.high)
    columns = read.span("x", split.columns.low, split.columns.high)
    channels = read.channels(split.parts)
    if read.whole:
        rows, columns, channels = (
            (np.zeros_like(low), np.full_like(low, size))
            for (low, _), size in zip(
                (rows, columns, channels), (d.oy, d.ox, d.g * d.k), strict=True
            )
        )
    spans = (
        maker.rows.touched(*rows, split.rows),
        maker.columns.touched(*columns, split.columns),
        _touched_parts(maker, *channels),
    )
    return Sources(base, maker.shape, spans)


def _touched_parts(maker: Split, low: Int64s, high: Int64s) -> Interval:
    """Parts [first, last) of a layer that make channels [low, high)."""
    made_low, made_high = maker.made
    first = np.searchsorted(made_high, low, side="right")
    last = np.searchsorted(made_low, high, side="left")
    return first, np.where(high > low, last, first)


def _own(size: int, tiles: int) -> Interval:
    """A reader's tiles each have one place of their own along an axis, or all the same one."""
    low = np.arange(tiles) if size == tiles else np.zeros(tiles, np.int64)
    return low, low + 1


def _distinct_parts(keys: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Regions that parts of a layer read: equal rows of `keys` are the same, negative ones none.

    Returns: for each part whether it reads any and the number of its region; for each region the
    first part that reads it.
    """
    there = keys[:, 0] >= 0
    _, first, number = np.unique(keys[there], axis=0, return_index=True, return_inverse=True)
    place = np.zeros(len(keys), np.int64)
    place[there] = number.reshape(-1)
    return there.astype(np.int64), place, np.flatnonzero(there)[first]


def _region_elements(split: Split, read: Read, parts: Int64s) -> Int64s:
    """Elements of each region of an off-chip operand: (rows, columns, parts), 1 where shared."""
    if read.is_weight:
        return read.weights(parts).reshape(1, 1, -1)
    rows, columns = (
        read.extents(name, axis.low, axis.high) if read.uses(LOOP_OF_AXIS[name]) else ONE
        for name, axis in (("y", split.rows), ("x", split.columns))
    )
    low, high = read.channels(parts)
    batch = split.layer.dims.b if read.uses("b") else 1
    return batch * rows[:, None, None] * columns[:, None] * (high - low)


def merged_needs(weights: Sequence[Sources], others: Sequence[Sources], nodes: int) -> Needs:
    """Needs of the nodes of a layer, tensors read twice once."""
    pieces = [_expanded(found) for found in weights]
    for base in dict.fromkeys(found.base for found in others):
        same = [_expanded(found) for found in others if found.base == base]
        pieces.append(same[0] if len(same) == 1 else _united(same))
    if len(pieces) == 1:
        return pieces[0]
    counts = sum((count for count, _ in pieces), np.zeros(nodes, np.int64))
    tensors = np.empty(counts.sum(), np.int64)
    place = np.cumsum(counts) - counts
    for count, found in pieces:
        shift = place - (np.cumsum(count) - count)
        tensors[np.arange(found.size) + np.repeat(shift, count)] = found
        place = place + count
    return counts, tensors


def _expanded(found: Sources) -> Needs:
    return found.counts(), found.tensors()


def _united(pieces: Sequence[Needs]) -> Needs:
    """Needs of the same nodes on the same grid of tensors, each tensor once."""
    nodes, span = pieces[0][0].size, 1 + max(int(found.max(initial=0)) for _, found in pieces)
    keys = [np.repeat(np.arange(nodes), count) * span + found for count, found in pieces]
    node, tensor = np.divmod(np.unique(np.concatenate(keys)), span)
    return np.bincount(node, minlength=nodes), tensor
