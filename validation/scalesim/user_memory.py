"""USER mode: read buffers that slide a window over a fixed fetch list, at a given bandwidth.

Source: SCALE-Sim v3.0.0, read_buffer. A buffer fetches the operand once, in an order fixed before
the run, as if the array asked in that order; on a miss its window moves on, chunk by chunk, round
the whole list if need be (README.md, artefacts 6 to 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from validation.scalesim.addresses import (
    NO_WORD,
    Int32s,
    Operand,
    Stream,
    address_plain,
    enters_on_rows,
    fold_requests,
    requests_per_fold,
    word_address,
)
from validation.scalesim.calc_memory import SETS_PER_SRAM
from validation.scalesim.layer import ConvLayer, Folding


class ReadWindow(NamedTuple):
    """The window of a read buffer, in sets of set_words words of the fetch list.

    sets: in the whole list. active: seen at a time. step: by which the window moves.
    """

    set_words: int
    sets: int
    active: int
    step: int


class UserReads(NamedTuple):
    """dram_words: words read. prefetch_cycles: cycles of the first fill, which ends at cycle 0.

    moves: int32 (lines,), window moves while each line is served. move_cycles: what each costs.
    """

    dram_words: int
    prefetch_cycles: int
    moves: Int32s
    move_cycles: int


def user_reads(
    operand: Operand, stream: Stream, sram_words: int, words_per_cycle: int
) -> UserReads:
    """Replay one operand stream through a read buffer of that size (both halves together)."""
    listed, listed_places = fetch_list(operand, stream)
    window = read_window(len(listed), sram_words)
    firsts, sets = sets_of_words(listed, window.set_words, operand.words)
    del listed
    moves = window_moves(operand, stream, window, firsts, sets)
    chunk_cycles = -(-(sram_words // 2) // words_per_cycle)
    fill_cycles = min(chunk_cycles, -(-listed_places // words_per_cycle))
    fetched = fill_cycles + int(moves.sum(dtype=np.int64)) * chunk_cycles
    return UserReads(fetched * words_per_cycle, fill_cycles, moves, chunk_cycles + 1)


def read_window(listed_words: int, sram_words: int) -> ReadWindow:
    """Window of a buffer of sram_words over a fetch list of that many words.

    The list always has one set more than are full, even when that one is empty.
    """
    set_words = -(-sram_words // SETS_PER_SRAM)
    half = -(-(sram_words // 2) // set_words)
    sets = listed_words // set_words + 1
    active = min(sets, half)
    return ReadWindow(set_words, sets, active, min(sets - active, half))


@njit(cache=True)
def fetch_list(operand: Operand, stream: Stream) -> tuple[Int32s, int]:
    """Addresses in the order of fetching, and the places of the list with the empty ones.

    The folds of the operand stand one below the other, edge folds padded with empty places. A
    stationary operand is listed row by row, a streamed one along its anti-diagonals.
    """
    lanes, height = stream.lanes, stream.height
    folds = stream.row_folds if stream.by_row else stream.col_folds
    stacked = folds * height
    listed = np.empty(height * stream.width, np.int32)
    found = 0
    if stream.stationary:
        for row in range(stacked):
            for lane in range(lanes):
                found = _append(operand, stream, row, lane, listed, found)
    else:
        for wave in range(stacked + lanes - 1):
            for lane in range(max(0, wave - stacked + 1), min(lanes, wave + 1)):
                found = _append(operand, stream, wave - lane, lane, listed, found)
    return listed[:found].copy(), stacked * lanes


@njit(cache=True)
def _append(
    operand: Operand, stream: Stream, row: int, lane: int, listed: Int32s, found: int
) -> int:
    """Append the word of a row of the stacked folds and a lane, if there is one."""
    column = row // stream.height * stream.lanes + lane
    if column < stream.width:
        word = word_address(operand, row % stream.height, column)
        if word != NO_WORD:
            listed[found] = word
            found += 1
    return found


@njit(cache=True)
def sets_of_words(listed: Int32s, set_words: int, words: int) -> tuple[Int32s, Int32s]:
    """The sets in which each word is listed, ascending.

    Returns firsts, sets: those of word w are sets[firsts[w] : firsts[w + 1]].
    """
    latest = np.full(words, -1, np.int32)
    firsts = np.zeros(words + 1, np.int32)
    for place in range(len(listed)):
        word = listed[place]
        if latest[word] != place // set_words:
            latest[word] = place // set_words
            firsts[word + 1] += 1
    for word in range(words):
        firsts[word + 1] += firsts[word]
        latest[word] = -1
    sets = np.empty(firsts[words], np.int32)
    used = firsts[:-1].copy()
    for place in range(len(listed)):
        word = listed[place]
        if latest[word] != place // set_words:
            latest[word] = place // set_words
            sets[used[word]] = latest[word]
            used[word] += 1
    return firsts, sets


@njit(cache=True)
def window_moves(
    operand: Operand, stream: Stream, window: ReadWindow, firsts: Int32s, sets: Int32s
) -> Int32s:
    """Window moves that each line of the layer causes. Returns int32 (lines,).

    `seen` remembers the set in which a word was found last, which is nearly always still right.
    """
    room = requests_per_fold(stream)
    lines = np.empty(room, np.int32)
    words = np.empty(room, np.int32)
    seen = firsts[:-1].copy()
    folds = stream.row_folds * stream.col_folds
    moves = np.zeros(folds * stream.fold_cycles, np.int32)
    start = 0
    for fold in range(folds):
        found = fold_requests(operand, stream, fold, lines, words)
        for request in range(found):
            word = words[request]
            if (sets[seen[word]] - start) % window.sets < window.active:
                continue
            place = _found_in(window, start, sets, firsts[word], firsts[word + 1])
            while place < 0:
                start = (start + window.step) % window.sets
                moves[fold * stream.fold_cycles + lines[request]] += 1
                place = _found_in(window, start, sets, firsts[word], firsts[word + 1])
            seen[word] = place
    return moves


@njit(cache=True)
def _found_in(window: ReadWindow, start: int, sets: Int32s, first: int, end: int) -> int:
    """Place in sets[first:end] (ascending) of one inside the window, or -1."""
    low, high = first, end
    while low < high:
        middle = (low + high) // 2
        if sets[middle] < start:
            low = middle + 1
        else:
            high = middle
    if low < end and sets[low] < start + window.active:
        return low
    if sets[first] + window.sets < start + window.active:
        return first
    return -1


def fetch_list_plain(layer: ConvLayer, dataflow: str, fold: Folding, operand: str) -> list[int]:
    """Twin of `fetch_list`, with its empty places as NO_WORD; operand: "ifmap" or "filter"."""
    on_rows = enters_on_rows(dataflow, operand)
    folds = fold.row_folds if on_rows else fold.col_folds
    lanes, width = (fold.rows, fold.height) if on_rows else (fold.cols, fold.width)
    streamed = on_rows or dataflow == "os"
    stacked = [
        [
            address_plain(layer, dataflow, operand, row, column) if column < width else NO_WORD
            for column in range(index * lanes, (index + 1) * lanes)
        ]
        for index in range(folds)
        for row in range(fold.stream if streamed else fold.height)
    ]
    places = [(row, lane) for row in range(len(stacked)) for lane in range(lanes)]
    if streamed:
        places.sort(key=lambda place: (sum(place), place[1]))
    return [stacked[row][lane] for row, lane in places]


def window_moves_plain(
    lines: Sequence[Sequence[int]], listed: Sequence[int], sram_words: int
) -> list[int]:
    """Twin of `window_moves` with a Python set for each set; listed has no empty places."""
    set_words = -(-sram_words // SETS_PER_SRAM)
    sets = [set(listed[i : i + set_words]) for i in range(0, len(listed), set_words)]
    if len(listed) % set_words == 0:
        sets.append(set())
    window = read_window(len(listed), sram_words)
    start, moves = 0, [0] * len(lines)
    for index, line in enumerate(lines):
        for word in line:
            while not any(word in sets[(start + i) % len(sets)] for i in range(window.active)):
                start = (start + window.step) % len(sets)
                moves[index] += 1
    return moves
