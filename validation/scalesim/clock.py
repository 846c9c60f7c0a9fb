"""The lines of a layer against its three buffers: when the array waits, and when it is done.

Source: SCALE-Sim v3.0.0, double_buffered_scratchpad_mem. Every line is served by the two read
buffers and the write buffer; the longest wait of the three delays all that follows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from validation.scalesim.addresses import Int32s
from validation.scalesim.layer import Folding
from validation.scalesim.write_buffer import (
    LAST_WRITE,
    WRITTEN,
    PlainWriteBuffer,
    WriteBuffer,
    drain_rest,
    empty_state,
    write_words,
)


class Reads(NamedTuple):
    """Window moves a line (int32, empty when a buffer never waits) and the cycles of each."""

    moves: Int32s
    move_cycles: int


class Clock(NamedTuple):
    """total_cycles: index of the last cycle. last_write_cycle: of the last word to DRAM."""

    total_cycles: int
    stall_cycles: int
    dram_words_written: int
    last_write_cycle: int


def run_layer(fold: Folding, ifmap: Reads, filters: Reads, output: WriteBuffer) -> Clock:
    """Run all lines of a layer."""
    return Clock(*run_lines(fold, ifmap, filters, output))


@njit(cache=True)
def run_lines(
    fold: Folding, ifmap: Reads, filters: Reads, output: WriteBuffer
) -> tuple[int, int, int, int]:
    """Serve line after line. Returns the fields of Clock."""
    state = empty_state(output)
    short = np.empty((2, 1024), np.int64)
    ifmap_end = filter_end = -1
    stalls = line = cycle = last_cycle = 0
    for index in range(fold.row_folds * fold.col_folds):
        for place in range(fold.fold_cycles):
            cycle = line + stalls
            waits = 0
            if len(ifmap.moves) and ifmap.moves[line]:
                ifmap_end, waits = wait_for_moves(cycle, ifmap_end, ifmap, line)
            if len(filters.moves) and filters.moves[line]:
                filter_end, wait = wait_for_moves(cycle, filter_end, filters, line)
                waits = max(waits, wait)
            count = results_in_line(fold, index, place)
            last_cycle, short = write_words(output, state, short, cycle, count)
            stalls += max(waits, last_cycle - cycle)
            line += 1
    drain_rest(output, state, short, last_cycle)
    return last_cycle, stalls, state[WRITTEN], state[LAST_WRITE]


@njit(cache=True)
def wait_for_moves(cycle: int, end: int, reads: Reads, line: int) -> tuple[int, int]:
    """Wait of a line for its window moves. Returns the end of the last one, and the wait.

    A positive wait is counted twice and one that is negative shortens the sum: both artefacts.
    """
    served = 1
    for _ in range(reads.moves[line]):
        end += reads.move_cycles
        wait = end - (cycle + served)
        served += wait + max(wait, 0)
    return end, served - 1


@njit(cache=True)
def results_in_line(fold: Folding, index: int, place: int) -> int:
    """Results that leave the array at a place (line) inside fold number `index`."""
    row_fold, col_fold = index % fold.row_folds, index // fold.row_folds
    cols = min(fold.cols, fold.width - col_fold * fold.cols)
    if fold.output_stationary:
        rows = min(fold.rows, fold.height - row_fold * fold.rows)
        shift = place - (fold.stream - 1) - (fold.rows - 1)
        return max(0, min(cols, rows + shift) - max(0, shift))
    wave = place - (2 * fold.rows - 1)
    return max(0, min(cols, wave + 1) - max(0, wave - fold.stream + 1))


def run_lines_plain(
    fold: Folding,
    ifmap: Reads,
    filters: Reads,
    output: PlainWriteBuffer,
) -> Clock:
    """Twin of `run_lines`: one list entry a result, buffers as objects."""
    results = results_plain(fold)
    ends, stalls, taken = [-1, -1], 0, 0
    for line, count in enumerate(results):
        cycle = line + stalls
        waits = []
        for side, reads in enumerate((ifmap, filters)):
            served = cycle + 1
            for _ in range(int(reads.moves[line]) if len(reads.moves) else 0):
                ends[side] += reads.move_cycles
                late = ends[side] - served
                served = ends[side] + late if late > 0 else ends[side]
            waits.append(served - cycle - 1)
        taken = output.write(cycle, count)
        stalls += max(*waits, taken - cycle)
    output.finish(taken)
    return Clock(taken, stalls, output.written, max(output.write_cycles))


def results_plain(fold: Folding) -> list[int]:
    """Twin of `results_in_line` for all lines: puts each result into the line it leaves in."""
    found = [0] * (fold.row_folds * fold.col_folds * fold.fold_cycles)
    for index in range(fold.row_folds * fold.col_folds):
        col_fold, row_fold = divmod(index, fold.row_folds)
        start = index * fold.fold_cycles
        for column in range(min(fold.cols, fold.width - col_fold * fold.cols)):
            if fold.output_stationary:
                for row in range(min(fold.rows, fold.height - row_fold * fold.rows)):
                    found[start + fold.stream - 1 + (fold.rows - 1 - row) + column] += 1
            else:
                for t in range(fold.stream):
                    found[start + 2 * fold.rows - 1 + t + column] += 1
    return found
