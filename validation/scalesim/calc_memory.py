"""CALC mode: DRAM reads behind an SRAM that is thrown away whole whenever it is full.

Source: SCALE-Sim v3.0.0, read_buffer_estimate_bw. As a cache it is worse than any real one; the
counts are kept because users of that simulator compare with them (README.md, artefacts 4 and 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from numba import njit

from validation.scalesim.addresses import Operand, Stream, fold_requests, requests_per_fold

SETS_PER_SRAM = 100
"""SCALE-Sim cuts an SRAM into a hundred sets and gives half of them to each of the two buffers."""

PREFETCH_WORDS_PER_CYCLE = 10
"""Constant of its code: the bandwidth at which the first buffer is filled in CALC mode."""


class CalcReads(NamedTuple):
    """dram_words: words read. prefetch_cycles: cycles before cycle 0 in which reading starts."""

    dram_words: int
    prefetch_cycles: int


def calc_reads(operand: Operand, stream: Stream, sram_words: int) -> CalcReads:
    """DRAM reads of one operand behind an SRAM of that size (both halves together)."""
    set_words = sram_words // SETS_PER_SRAM
    capacity = SETS_PER_SRAM // 2 * set_words
    misses, first_line = flushing_misses(operand, stream, capacity)
    return CalcReads(misses, _prefetch_cycles(misses, first_line, set_words))


def _prefetch_cycles(misses: int, first_line: int, set_words: int) -> int:
    """How long before cycle 0 the first read is issued.

    A stream that fills the buffer is prefetched just in time for its first request; one that does
    not is prefetched before cycle 0, in whole sets.
    """
    capacity = SETS_PER_SRAM // 2 * set_words
    if misses >= capacity:
        return ceil(capacity / PREFETCH_WORDS_PER_CYCLE) - first_line
    return ceil(ceil(misses / set_words) * set_words / PREFETCH_WORDS_PER_CYCLE)


@njit(cache=True)
def flushing_misses(operand: Operand, stream: Stream, capacity: int) -> tuple[int, int]:
    """Misses of a fully associative cache that drops everything when its last place is taken.

    capacity: words. Returns misses and the line of the first request.
    """
    room = requests_per_fold(stream)
    lines = np.empty(room, np.int32)
    words = np.empty(room, np.int32)
    filled_in = np.zeros(operand.words, np.int32)
    filling = 1
    misses = taken = 0
    first_line = -1
    for fold in range(stream.row_folds * stream.col_folds):
        found = fold_requests(operand, stream, fold, lines, words)
        if first_line < 0 and found:
            first_line = fold * stream.fold_cycles + lines[0]
        for request in range(found):
            word = words[request]
            if filled_in[word] != filling:
                filled_in[word] = filling
                misses += 1
                taken += 1
                if taken == capacity:
                    filling += 1
                    taken = 0
    return misses, first_line


def flushing_misses_plain(lines: Sequence[Sequence[int]], capacity: int) -> tuple[int, int]:
    """Twin of `flushing_misses` on the addresses of each line, with a set as the cache."""
    cache: set[int] = set()
    misses = 0
    for line in lines:
        for word in line:
            misses += word not in cache
            cache.add(word)
            if len(cache) == capacity:
                cache.clear()
    return misses, next(index for index, line in enumerate(lines) if line)
