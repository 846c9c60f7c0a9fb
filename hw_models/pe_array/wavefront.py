"""A systolic array simulated register by register: the oracle of the systolic timing kernel.

Operands move one PE a cycle and are multiplied on the way, so a run returns the product as well as
the cycle in which its last word leaves. Nothing here knows a formula for cycles: a schedule that
is too tight ends in a `WavefrontHazardError`. Rules: ARCHITECTURE.md SYS-2 to SYS-9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw_models.pe_array.systolic import SystolicSpec
from hw_models.pe_array.timing import Int64s
from hw_models.pe_array.wavefront_folds import EMPTY, Fold, cut_folds

Bools = NDArray[np.bool_]


class WavefrontHazardError(RuntimeError):
    """Two words in one place, or a stationary word that is not there when it is needed."""


@dataclass(frozen=True, slots=True)
class WavefrontRun:
    """What one run of the array did.

    product: int64 (groups, M, N). cycles: from the first word that enters to the last that leaves.
    fill_cycles: those of them in which no new streamed operand enters the first row.
    *_words: words that entered from the buffer of each operand (zeros that pad a fold do not
    count), psum words read back from and written to the accumulators.
    """

    product: Int64s
    cycles: int
    fill_cycles: int
    input_words: int
    weight_words: int
    psum_words_read: int
    psum_words_written: int


@dataclass(frozen=True, slots=True)
class Entering:
    """What enters an edge in one cycle: a value and three bits a lane."""

    value: Int64s
    valid: Bools
    first: Bools
    last: Bools


Result = tuple[int, int, int]
"""Row, column and value of a result that leaves. The row is that of the PE (output stationary)."""


def run_wavefront(
    a: Int64s, b: Int64s, spec: SystolicSpec, *, start_gap: int | None = None
) -> WavefrontRun:
    """Multiply a (groups, M, K) by b (groups, K, N) on the array.

    start_gap: cycles from the start of one fold's stream to that of the next, when folds are double
    buffered; by default the least that SYS-5 and SYS-6 allow. Raises WavefrontHazardError when the
    array cannot keep to it.
    """
    folds, shape = cut_folds(a, b, spec)
    accumulators = Accumulators(shape)
    if spec.fold_overlap == "serial":
        runs = [_stream([fold], spec, 0, accumulators) for fold in folds]
    else:
        gap = max(len(folds[0].streamed), spec.rows) if start_gap is None else start_gap
        runs = [_stream(folds, spec, gap, accumulators)]
    cycles, streaming = sum(run[0] for run in runs), sum(run[1] for run in runs)
    words = [sum(fold.streamed_words for fold in folds), sum(fold.other_words for fold in folds)]
    swapped = spec.dataflow == "is"
    return WavefrontRun(
        product=accumulators.sums.transpose(0, 2, 1) if swapped else accumulators.sums,
        cycles=cycles,
        fill_cycles=cycles - streaming,
        input_words=words[1] if swapped else words[0],
        weight_words=words[0] if swapped else words[1],
        psum_words_read=accumulators.read,
        psum_words_written=accumulators.written,
    )


class Accumulators:
    """The buffer below the array: adds what arrives to what it holds, and counts."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.sums = np.zeros(shape, np.int64)
        self._known = np.zeros(shape, bool)
        self.read = 0
        self.written = 0

    def add(self, place: tuple[int, int, int], value: int) -> None:
        """Add a result to its place (group, row, column)."""
        if self._known[place]:
            self.read += 1
        self._known[place] = True
        self.sums[place] += value
        self.written += 1


def _stream(
    folds: Sequence[Fold], spec: SystolicSpec, gap: int, accumulators: Accumulators
) -> tuple[int, int]:
    """Run folds whose streams start `gap` apart. Returns cycles and streaming cycles."""
    run = _run_output_stationary if spec.dataflow == "os" else _run_stationary
    return run(folds, spec, gap, accumulators)


def _run_output_stationary(
    folds: Sequence[Fold], spec: SystolicSpec, gap: int, accumulators: Accumulators
) -> tuple[int, int]:
    starts = [gap * index for index in range(len(folds))]
    lefts = SkewedEdge([fold.streamed for fold in folds], starts)
    tops = SkewedEdge([fold.other for fold in folds], starts)
    array = OutputStationaryArray(spec.rows, spec.cols)
    leaving = spec.rows * spec.cols
    turn = np.zeros((spec.rows, spec.cols), np.int64)

    def deliver(row: int, col: int, value: int) -> None:
        fold = folds[turn[row, col]]
        turn[row, col] += 1
        if fold.out_row[row] != EMPTY and fold.out_col[col] != EMPTY:
            place = (int(fold.group[col]), int(fold.out_row[row]), int(fold.out_col[col]))
            accumulators.add(place, value)

    def step(cycle: int) -> list[Result]:
        return array.step(lefts.at(cycle), tops.at(cycle))

    return _clock(step, deliver, leaving * len(folds)), lefts.streaming_cycles


def _run_stationary(
    folds: Sequence[Fold], spec: SystolicSpec, gap: int, accumulators: Accumulators
) -> tuple[int, int]:
    """The first fold is loaded while the array is idle, each further one behind the one before.

    The words of the next fold follow the operands that free their registers, so with double
    buffering column c is loaded c cycles late; a whole row enters in one cycle otherwise.
    """
    starts = [spec.rows + gap * index for index in range(len(folds))]
    loads = [0, *starts[:-1]]
    lefts = SkewedEdge([fold.streamed for fold in folds], starts)
    skew = 1 if spec.fold_overlap == "double_buffered" else 0
    tops = StationaryEdge([fold.other for fold in folds], loads, skew)
    array = StationaryArray(spec.rows, spec.cols)
    stream = len(folds[0].streamed)
    turn = np.zeros(spec.cols, np.int64)

    def deliver(_row: int, col: int, value: int) -> None:
        index, row = divmod(int(turn[col]), stream)
        turn[col] += 1
        fold = folds[index]
        if fold.group[col] != EMPTY:
            accumulators.add((int(fold.group[col]), row, int(fold.out_col[col])), value)

    def step(cycle: int) -> list[Result]:
        return array.step(lefts.at(cycle), *tops.at(cycle))

    return _clock(step, deliver, len(folds) * stream * spec.cols), lefts.streaming_cycles


def _clock(
    step: Callable[[int], list[Result]], deliver: Callable[[int, int, int], None], results: int
) -> int:
    """Step the array until that many results have left. Returns the cycles that took."""
    cycle = 0
    while results:
        for row, col, value in step(cycle):
            deliver(row, col, value)
            results -= 1
        cycle += 1
    return cycle


class SkewedEdge:
    """The skewed feeder of one edge: word t of lane r enters r cycles after word t of lane 0."""

    def __init__(self, matrices: Sequence[Int64s], starts: Sequence[int]) -> None:
        self._lanes = matrices[0].shape[1]
        self._words: dict[tuple[int, int], tuple[int, bool, bool]] = {}
        for matrix, start in zip(matrices, starts, strict=True):
            for t, line in enumerate(matrix.tolist()):
                for lane, value in enumerate(line):
                    self._enter(start + t + lane, lane, (value, t == 0, t == len(matrix) - 1))

    def _enter(self, cycle: int, lane: int, word: tuple[int, bool, bool]) -> None:
        if (cycle, lane) in self._words:
            raise WavefrontHazardError(f"two words enter lane {lane} in cycle {cycle}")
        self._words[cycle, lane] = word

    @property
    def streaming_cycles(self) -> int:
        """Cycles in which a word enters lane 0."""
        return sum(lane == 0 for _, lane in self._words)

    def at(self, cycle: int) -> Entering:
        """What enters in a cycle."""
        words = [self._words.get((cycle, lane)) for lane in range(self._lanes)]
        value, first, last = zip(*(word or (0, False, False) for word in words), strict=True)
        valid = np.array([word is not None for word in words])
        return Entering(np.array(value), valid, np.array(first), np.array(last))


class StationaryEdge:
    """The feeder of the stationary words: bottom row first, one row a cycle."""

    def __init__(self, matrices: Sequence[Int64s], loads: Sequence[int], skew: int) -> None:
        self._cols = matrices[0].shape[1]
        self._words: dict[tuple[int, int], tuple[int, int]] = {}
        for matrix, load in zip(matrices, loads, strict=True):
            for row, line in enumerate(matrix.tolist()):
                for col, value in enumerate(line):
                    self._enter(load + len(matrix) - 1 - row + skew * col, col, (value, row))

    def _enter(self, cycle: int, col: int, word: tuple[int, int]) -> None:
        if (cycle, col) in self._words:
            raise WavefrontHazardError(f"two stationary words enter column {col} in cycle {cycle}")
        self._words[cycle, col] = word

    def at(self, cycle: int) -> tuple[Int64s, Int64s]:
        """Values that enter in a cycle, and how many rows each has to go down (EMPTY: none)."""
        words = [self._words.get((cycle, col), (0, EMPTY)) for col in range(self._cols)]
        value, hops = zip(*words, strict=True)
        return np.array(value), np.array(hops)


class StationaryArray:
    """PEs with a stationary word, a chain register for the next one, and sums that move down."""

    def __init__(self, rows: int, cols: int) -> None:
        shape = rows, cols
        self._held = np.zeros(shape, np.int64)
        self._chain = np.zeros(shape, np.int64)
        self._hops = np.full(shape, EMPTY)
        self._sums = np.zeros(shape, np.int64)
        self._value = np.zeros(shape, np.int64)
        self._valid = np.zeros(shape, bool)
        self._first = np.zeros(shape, bool)

    def step(self, left: Entering, top: Int64s, hops: Int64s) -> list[Result]:
        """One cycle. top, hops: (Q,) stationary words that enter. Returns the sums that leave."""
        self._value = _moved_right(self._value, left.value)
        self._valid = _moved_right(self._valid, left.valid)
        self._first = _moved_right(self._first, left.first)
        self._take_next_words()
        self._move_chain(top, hops)
        self._sums = _moved_down(self._sums, 0) + self._held * self._value
        return [(0, int(col), int(self._sums[-1, col])) for col in np.nonzero(self._valid[-1])[0]]

    def _take_next_words(self) -> None:
        """The first operand of a fold makes each PE on its way take the word that waits there."""
        if (self._hops[self._first] != 0).any():
            raise WavefrontHazardError("an operand arrives before its stationary word")
        self._held = np.where(self._first, self._chain, self._held)
        self._hops = np.where(self._first, EMPTY, self._hops)

    def _move_chain(self, top: Int64s, hops: Int64s) -> None:
        """Words on their way go one row down; those that have arrived stay."""
        waits = self._hops == 0
        hops_above = _moved_down(np.where(waits, EMPTY, self._hops - 1), hops)
        arrives = hops_above > EMPTY
        if (arrives & waits).any():
            raise WavefrontHazardError("a stationary word is overwritten before it is taken")
        self._chain = np.where(arrives, _moved_down(self._chain, top), self._chain)
        self._hops = np.where(arrives, hops_above, np.where(waits, 0, EMPTY))


class OutputStationaryArray:
    """PEs with an accumulator; a finished sum leaves on the result wire of its column."""

    def __init__(self, rows: int, cols: int) -> None:
        shape = rows, cols
        self._sums = np.zeros(shape, np.int64)
        self._left = np.zeros(shape, np.int64)
        self._top = np.zeros(shape, np.int64)
        self._bits = {name: np.zeros(shape, bool) for name in ("valid", "first", "last")}
        self._met = np.zeros(shape, bool)

    def step(self, left: Entering, top: Entering) -> list[Result]:
        """One cycle. Returns the results that leave."""
        self._left = _moved_right(self._left, left.value)
        self._top = _moved_down(self._top, top.value)
        for name, bits in self._bits.items():
            self._bits[name] = _moved_right(bits, getattr(left, name))
        self._met = _moved_down(self._met, top.valid)
        if (self._bits["valid"] != self._met).any():
            raise WavefrontHazardError("an operand arrives without its partner")
        self._sums = np.where(self._bits["first"], 0, self._sums) + self._left * self._top
        done = self._bits["last"]
        if (done.sum(axis=0) > 1).any():
            raise WavefrontHazardError("two results on the wire of one column")
        return [(int(r), int(c), int(self._sums[r, c])) for r, c in np.argwhere(done)]


def _moved_right(held: NDArray, entering: NDArray) -> NDArray:
    return np.concatenate([np.asarray(entering)[:, None], held[:, :-1]], axis=1)


def _moved_down(held: NDArray, entering: NDArray | int) -> NDArray:
    top = np.broadcast_to(entering, held.shape[1:])
    return np.concatenate([top[None], held[:-1]], axis=0)
