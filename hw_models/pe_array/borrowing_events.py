# mypy: disable-error-code="no-untyped-def"
"""Which candidate each slot executed in each cycle: metadata of packed weights, counts, digest.

Rule: ARCHITECTURE.md BORROW-7.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit

from hw_models.pe_array.borrowing import WORD_BITS, UInt64s, run_window
from hw_models.pe_array.borrowing_schedule import Operands, fill_pairs, sources_of, stage
from hw_models.pe_array.borrowing_schedule import packed_weights as pack
from hw_models.pe_array.borrowing_window import KINDS, Borrowing, Core, Offset, kind_of
from hw_models.pe_array.timing import Int64s

FNV_OFFSET, FNV_PRIME = 0xCBF29CE484222325, np.uint64(0x100000001B3)
IDLE = -1


def metadata_bits(offsets: tuple[Offset, ...]) -> int:
    """Bits of the code that a packed weight carries: the index of its candidate."""
    return (len(offsets) - 1).bit_length()


@dataclass(slots=True)
class Tally:
    """What all runs of a case executed. by_kind: run-time counts; offline: (own, borrowed)."""

    cycles: int = 0
    packed_rows: int = 0
    by_kind: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    own_b: int = 0
    borrowed_b: int = 0
    digest: int = FNV_OFFSET

    def count(self, choices: Int64s, offsets: tuple[Offset, ...]) -> None:
        """Add the executed elements of one run by kind."""
        for index, offset in enumerate(offsets):
            self.by_kind[kind_of(offset)] += int(np.count_nonzero(choices == index))


def tally(borrowing: Borrowing, core: Core, operands: Operands) -> Tally:
    """Counts and digest of all window runs of a product, in the order of BORROW-7."""
    found = Tally()
    steps, row_tiles, column_tiles = operands.steps, len(operands.a), len(operands.b)
    if borrowing.mode == "dense":
        found.cycles = steps * row_tiles * column_tiles
    elif borrowing.mode == "A":
        found.cycles = column_tiles * _one_sided(found, borrowing, core, operands.a)
    elif borrowing.mode == "B":
        found.packed_rows = _one_sided(found, borrowing, core, operands.b)
        found.cycles = row_tiles * found.packed_rows
    else:
        _dual(found, borrowing, core, operands)
    return found


def _one_sided(found: Tally, borrowing: Borrowing, core: Core, words: UInt64s) -> int:
    offsets = borrowing.run_time_offsets if borrowing.mode == "A" else borrowing.offline_offsets
    arguments = stage(borrowing, core, offsets)
    cycles = 0
    for tile in words:
        choices = window_choices(tile[:, :, None], *arguments, 1)
        found.count(choices, offsets)
        found.digest = digest_of(choices, arguments[0], False, np.uint64(found.digest))
        cycles += len(choices)
    return cycles


def _dual(found: Tally, borrowing: Borrowing, core: Core, operands: Operands) -> None:
    offline = stage(borrowing, core, borrowing.offline_offsets)
    sources, source_of = sources_of(borrowing.offline_offsets)
    packed = [pack(tile, *offline, source_of, len(sources)) for tile in operands.b]
    for tile in operands.b:
        choices = window_choices(tile[:, :, None], *offline, 1)
        found.packed_rows += len(choices)
        found.own_b += int(np.count_nonzero(choices == 0))
        found.borrowed_b += int(np.count_nonzero(choices > 0))
        found.digest = digest_of(choices, offline[0], False, np.uint64(found.digest))
    run_time = stage(borrowing, core, borrowing.run_time_offsets)
    for activations in operands.a:
        for selects, bases in packed:
            pending = np.empty((len(bases), core.rows, selects.shape[2]), np.uint64)
            fill_pairs(pending, activations, selects, bases, sources, core.lanes)
            choices = window_choices(pending, *run_time, core.columns)
            found.count(choices, borrowing.run_time_offsets)
            found.digest = digest_of(choices, run_time[0], True, np.uint64(found.digest))
            found.cycles += len(choices)


@njit(cache=True)
def window_choices(pending, offsets, lanes, wrap, lane_order, groups):
    """The candidate of every slot in every cycle of a run; IDLE (-1) for an empty slot.

    pending: uint64 (rows, pes, words), kept. Returns: int64 (cycles, groups, pes, lanes).
    """
    rows, pes, words = pending.shape
    picks = np.empty((rows, len(offsets), pes, words), np.uint64)
    bases = np.empty(rows, np.int64)
    cycles = run_window(pending.copy(), offsets, lanes, wrap, lane_order, picks, bases)
    choices = np.full((cycles, groups, pes, lanes), IDLE, np.int64)
    per_word = WORD_BITS // lanes
    for cycle in range(cycles):
        for candidate in range(len(offsets)):
            for group in range(groups):
                first = group % per_word * lanes
                for pe in range(pes):
                    word = picks[cycle, candidate, pe, group // per_word] >> np.uint64(first)
                    for lane in range(lanes):
                        if (word >> np.uint64(lane)) & np.uint64(1):
                            choices[cycle, group, pe, lane] = candidate
    return choices


@njit(cache=True)
def digest_of(choices, offsets, with_group, digest):
    """FNV-1a over (cycle, lane, PE, [group,] steps, lanes and PEs of the offset) of each event."""
    cycles, groups, pes, lanes = choices.shape
    for cycle in range(cycles):
        for group in range(groups):
            for pe in range(pes):
                for lane in range(lanes):
                    candidate = choices[cycle, group, pe, lane]
                    if candidate == IDLE:
                        continue
                    digest = _hashed(_hashed(_hashed(digest, cycle), lane), pe)
                    if with_group:
                        digest = _hashed(digest, group)
                    for axis in range(3):
                        digest = _hashed(digest, offsets[candidate, axis])
    return digest


@njit(cache=True)
def _hashed(digest, word):
    return (digest ^ np.uint64(word)) * FNV_PRIME
