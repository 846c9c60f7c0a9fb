# mypy: disable-error-code="no-untyped-def"
"""Cycles of a matrix product on a borrowing core, tile by tile, in each of the four modes.

Rules: ARCHITECTURE.md BORROW-3 to BORROW-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hw_models.pe_array.borrowing import WORD_BITS, UInt64s, group_copies, run_window
from hw_models.pe_array.borrowing_layout import lane_words
from hw_models.pe_array.borrowing_window import Borrowing, Core, Offset
from hw_models.pe_array.timing import Int64s

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Operands:
    """Masks of a product as words. a: uint64 (row tiles, steps, rows); b: (column tiles, ...)."""

    a: UInt64s
    b: UInt64s

    @classmethod
    def of(cls, a: Mask, b: Mask, core: Core, shuffle: bool) -> Operands:
        """From the masks of A (M, K) and of B (K, N). Raises ValueError if the depths differ."""
        if a.shape[1] != b.shape[0]:
            raise ValueError(f"b must have {a.shape[1]} rows, the columns of a, not {b.shape[0]}")
        columns = np.ascontiguousarray(b.T)
        return cls(
            lane_words(np.ascontiguousarray(a), core.lanes, core.rows, shuffle),
            lane_words(columns, core.lanes, core.columns, shuffle),
        )

    @property
    def steps(self) -> int:
        """Steps of the dense schedule of one output tile."""
        return self.a.shape[1]


@dataclass(frozen=True, slots=True)
class TileCycles:
    """Cycles of output tiles. cycles: int64 (row tiles, column tiles), maybe a broadcast view.

    packed_rows: int64 (column tiles,), rows of packed weights that a column tile streams; the
    steps where weights are not packed.
    """

    cycles: Int64s
    packed_rows: Int64s

    @property
    def total(self) -> int:
        """Cycles of all tiles."""
        return int(self.cycles.sum())


def tile_cycles(
    borrowing: Borrowing,
    core: Core,
    operands: Operands,
    row_tiles: Int64s | None = None,
    column_tiles: Int64s | None = None,
) -> TileCycles:
    """Cycles of every output tile, or of the products of some row and column tiles."""
    a = operands.a if row_tiles is None else operands.a[row_tiles]
    b = operands.b if column_tiles is None else operands.b[column_tiles]
    steps, shape = operands.steps, (len(a), len(b))
    dense_rows = np.full(len(b), steps, np.int64)
    if borrowing.mode == "dense":
        return TileCycles(np.broadcast_to(np.int64(steps), shape), dense_rows)
    if borrowing.mode == "A":
        by_row = one_sided_cycles(a, *stage(borrowing, core, borrowing.run_time_offsets))
        return TileCycles(np.broadcast_to(by_row[:, None], shape), dense_rows)
    if borrowing.mode == "B":
        by_column = one_sided_cycles(b, *stage(borrowing, core, borrowing.offline_offsets))
        return TileCycles(np.broadcast_to(by_column, shape), by_column)
    return _dual(borrowing, core, a, b)


@lru_cache(maxsize=256)
def _stage(
    offsets: tuple[Offset, ...], lanes: int, wrap: bool, lane_order: tuple[int, ...]
) -> tuple[Int64s, int, bool, Int64s]:
    order: Sequence[int] = lane_order or range(lanes)
    return np.array(offsets, np.int64), lanes, wrap, np.array(order, np.int64)


def stage(
    borrowing: Borrowing, core: Core, offsets: tuple[Offset, ...]
) -> tuple[Int64s, int, bool, Int64s]:
    """Arguments by which the kernels know a stage: offsets, lanes, wrap, lane order."""
    return _stage(offsets, core.lanes, borrowing.edge == "wrap", borrowing.lane_order)


@njit(cache=True)
def one_sided_cycles(words, offsets, lanes, wrap, lane_order):
    """Cycles of each tile of one operand (modes A and B). words: uint64 (tiles, steps, pes)."""
    tiles, steps, pes = words.shape
    cycles = np.empty(tiles, np.int64)
    picks = np.empty((1, len(offsets), pes, 1), np.uint64)
    bases = np.empty(1, np.int64)
    pending = np.empty((steps, pes, 1), np.uint64)
    for tile in range(tiles):
        pending[:, :, 0] = words[tile]
        cycles[tile] = run_window(pending, offsets, lanes, wrap, lane_order, picks, bases)
    return cycles


def _dual(borrowing: Borrowing, core: Core, a: UInt64s, b: UInt64s) -> TileCycles:
    cycles, packed_rows = np.empty((len(a), len(b)), np.int64), np.empty(len(b), np.int64)
    offline = stage(borrowing, core, borrowing.offline_offsets)
    run_time = stage(borrowing, core, borrowing.run_time_offsets)
    sources, source_of = sources_of(borrowing.offline_offsets)
    for tile in range(len(b)):
        selects, bases = packed_weights(b[tile], *offline, source_of, len(sources))
        packed_rows[tile] = len(bases)
        cycles[:, tile] = dual_cycles(a, selects, bases, sources, *run_time)
    return TileCycles(cycles, packed_rows)


@lru_cache(maxsize=256)
def sources_of(offsets: tuple[Offset, ...]) -> tuple[Int64s, Int64s]:
    """Distinct (step, lane) offsets, int64 (sources, 2), and which of them each offset has.

    An activation is the same for all columns, so reaching over columns does not change its source.
    """
    distinct = list(dict.fromkeys(offset[:2] for offset in offsets))
    index = [distinct.index(offset[:2]) for offset in offsets]
    return np.array(distinct, np.int64), np.array(index, np.int64)


@njit(cache=True)
def packed_weights(tile, offsets, lanes, wrap, lane_order, source_of, source_count):
    """Weights of a column tile packed offline. tile: uint64 (steps, columns).

    Returns: selects, uint64 (packed rows, sources, words), the slots (column, lane) whose weight
    comes from each source; bases, int64 (packed rows,), the step from which sources count.
    """
    steps, columns = tile.shape
    per_word = WORD_BITS // lanes
    picks = np.empty((steps, len(offsets), columns, 1), np.uint64)
    bases = np.empty(steps, np.int64)
    pending = tile.copy().reshape(steps, columns, 1)
    rows = run_window(pending, offsets, lanes, wrap, lane_order, picks, bases)
    words = (columns + per_word - 1) // per_word
    selects = np.zeros((rows, source_count, words), np.uint64)
    for row in range(rows):
        for candidate in range(len(offsets)):
            source = source_of[candidate]
            for column in range(columns):
                shift = np.uint64(column % per_word * lanes)
                selects[row, source, column // per_word] |= (
                    picks[row, candidate, column, 0] << shift
                )
    return selects, bases[:rows].copy()


@njit(cache=True)
def dual_cycles(a, selects, bases, sources, offsets, lanes, wrap, lane_order):
    """Cycles of packed weights against each row tile. a: uint64 (tiles, steps, rows)."""
    tiles, _, rows = a.shape
    packed, _, words = selects.shape
    cycles = np.empty(tiles, np.int64)
    picks = np.empty((1, len(offsets), rows, words), np.uint64)
    kept = np.empty(1, np.int64)
    pending = np.empty((packed, rows, words), np.uint64)
    for tile in range(tiles):
        fill_pairs(pending, a[tile], selects, bases, sources, lanes)
        cycles[tile] = run_window(pending, offsets, lanes, wrap, lane_order, picks, kept)
    return cycles


@njit(cache=True)
def fill_pairs(pending, a, selects, bases, sources, lanes):
    """Set what is pending at run time: packed slots whose activation is nonzero (BORROW-5)."""
    packed, rows, words = pending.shape
    copies = group_copies(lanes)
    for line in range(packed):
        for row in range(rows):
            for word in range(words):
                pending[line, row, word] = np.uint64(0)
            for source in range(len(sources)):
                step = bases[line] + sources[source, 0]
                if step < len(a):
                    nonzero = _turned(a[step, row], sources[source, 1] % lanes, lanes) * copies
                    for word in range(words):
                        pending[line, row, word] |= selects[line, source, word] & nonzero


@njit(cache=True)
def _turned(word, distance, lanes):
    """Lane bits turned so that lane l shows the one that was `distance` beside it."""
    if distance == 0:
        return word
    turned = (word >> np.uint64(distance)) | (word << np.uint64(lanes - distance))
    return turned & (~np.uint64(0) >> np.uint64(WORD_BITS - lanes))
