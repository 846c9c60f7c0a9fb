"""The output buffer: words are packed in lines, and half of the buffer is drained at a time.

Source: SCALE-Sim v3.0.0, write_buffer. Draining counts a part-filled line in the middle of a drain
as full; that is its padding artefact (README.md, artefact 3), in words written and in free space.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

FREE, FILL, CLOSED, DRAINED, SHORT_SEEN, SHORT_KNOWN, DRAIN_END, LAST_WRITE, WRITTEN = range(9)
"""Fields of the state: free words, words in the open line, lines closed and drained so far,
part-filled lines passed and known, last cycle of the drain begun last and of all drains, words
written to DRAM. The two differ because the rest is drained beside a drain under way."""


class WriteBuffer(NamedTuple):
    """Size in words, words a line (the bandwidth), words and lines of one drain."""

    size_words: int
    line_words: int
    drain_words: int
    drain_lines: int


def write_buffer(sram_words: int, words_per_cycle: int) -> WriteBuffer:
    """The output buffer of an SRAM of that size (both halves together)."""
    drain_words = sram_words // 2
    return WriteBuffer(sram_words, words_per_cycle, drain_words, -(-drain_words // words_per_cycle))


@njit(cache=True)
def empty_state(buffer: WriteBuffer) -> Int64s:
    """State of a buffer at the start."""
    state = np.zeros(9, np.int64)
    state[FREE] = buffer.size_words
    return state


@njit(cache=True)
def write_words(
    buffer: WriteBuffer, state: Int64s, short: Int64s, cycle: int, count: int
) -> tuple[int, Int64s]:
    """Write `count` words in a cycle. Returns the cycle at which the last is taken, and `short`.

    short: (2, room) index and words of each part-filled line; replaced by a longer one when full.
    """
    for _ in range(count):
        state[FREE] -= 1
        state[FILL] += 1
        if state[FILL] == buffer.line_words:
            state[FILL] = 0
            state[CLOSED] += 1
        if cycle < state[DRAIN_END]:
            if state[FREE] <= 0:
                cycle = state[DRAIN_END]
        elif state[FREE] < buffer.size_words - buffer.drain_words:
            short = close_line(state, short)
            drain(buffer, state, short, cycle)
    return cycle, short


@njit(cache=True)
def close_line(state: Int64s, short: Int64s) -> Int64s:
    """Close a part-filled line and note it. Returns `short`, longer when it was full."""
    if state[FILL] == 0:
        return short
    if state[SHORT_KNOWN] == short.shape[1]:
        short = np.concatenate((short, np.empty_like(short)), axis=1)
    short[0, state[SHORT_KNOWN]] = state[CLOSED]
    short[1, state[SHORT_KNOWN]] = state[FILL]
    state[SHORT_KNOWN] += 1
    state[CLOSED] += 1
    state[FILL] = 0
    return short


@njit(cache=True)
def drain(buffer: WriteBuffer, state: Int64s, short: Int64s, cycle: int) -> None:
    """Drain as many lines as half the buffer holds, one a cycle from `cycle` on."""
    lines = min(buffer.drain_lines, state[CLOSED] - state[DRAINED])
    state[DRAINED] += lines
    words = lines * buffer.line_words - _empty_places(buffer, state, short)
    state[FREE] += words
    state[WRITTEN] += words
    state[DRAIN_END] = cycle + lines - 1
    state[LAST_WRITE] = max(state[LAST_WRITE], state[DRAIN_END])


@njit(cache=True)
def _empty_places(buffer: WriteBuffer, state: Int64s, short: Int64s) -> int:
    """Empty places of the line that was drained last."""
    last = state[DRAINED] - 1
    while state[SHORT_SEEN] < state[SHORT_KNOWN] and short[0, state[SHORT_SEEN]] < last:
        state[SHORT_SEEN] += 1
    if state[SHORT_SEEN] < state[SHORT_KNOWN] and short[0, state[SHORT_SEEN]] == last:
        return buffer.line_words - short[1, state[SHORT_SEEN]]
    return 0


@njit(cache=True)
def drain_rest(buffer: WriteBuffer, state: Int64s, short: Int64s, cycle: int) -> None:
    """Drain what is left after the last word, from `cycle` on."""
    short = close_line(state, short)
    while state[DRAINED] < state[CLOSED]:
        drain(buffer, state, short, cycle)
        cycle = state[DRAIN_END] + 1


class PlainWriteBuffer:
    """Twin of the functions above: lines as Python lists of the words in them."""

    def __init__(self, sram_words: int, words_per_cycle: int) -> None:
        self._size, self._width = sram_words, words_per_cycle
        self._free = sram_words
        self._lines: list[list[None]] = [[]]
        self._drain_end = 0
        self.written = 0
        self.write_cycles: list[int] = []

    def write(self, cycle: int, count: int) -> int:
        """Write words in a cycle. Returns the cycle at which the last is taken."""
        for _ in range(count):
            if len(self._lines[-1]) == self._width:
                self._lines.append([])
            self._lines[-1].append(None)
            self._free -= 1
            if cycle >= self._drain_end and self._free < self._size - self._size // 2:
                self._drain(cycle)
            elif self._free <= 0:
                cycle = max(cycle, self._drain_end)
        return cycle

    def finish(self, cycle: int) -> None:
        """Drain the rest from a cycle on."""
        while self._lines and self._lines[0]:
            self._drain(cycle)
            cycle = self._drain_end + 1

    def _drain(self, cycle: int) -> None:
        count = -(-(self._size // 2) // self._width)
        waiting = [line for line in self._lines if line]
        lines, self._lines = waiting[:count], [*waiting[count:], []]
        words = (len(lines) - 1) * self._width + len(lines[-1])
        self._free += words
        self.written += words
        self.write_cycles += range(cycle, cycle + len(lines))
        self._drain_end = self.write_cycles[-1]
