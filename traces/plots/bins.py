"""Intervals summed up in bins of time, so that ten million of them are drawn like ten."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


def even_bins(end_cycle: int, most: int) -> Int64s:
    """Boundaries of at most `most` bins of equal whole cycles (the last may be shorter)."""
    width = max(1, -(-end_cycle // most))
    return np.append(np.arange(0, end_cycle, width, dtype=np.int64), end_cycle)


def joined(amounts: NDArray[Any], boundaries: Int64s, most: int) -> tuple[NDArray[Any], Int64s]:
    """Amounts (..., bins), neighbours summed until there are at most `most`; their boundaries."""
    bins = amounts.shape[-1]
    group = max(1, -(-bins // most))
    starts = np.arange(0, bins, group)
    return np.add.reduceat(amounts, starts, axis=-1), np.append(boundaries[starts], boundaries[-1])


class CycleBins:
    """Cycles of each row (any code below `rows`) in each bin, exactly.

    The cycles before a boundary t are the sum of t - start over intervals that started before t,
    less the same of those that ended: two histograms an interval, whatever its length.
    boundaries: int64 (bins + 1,), ascending; what lies outside of them is left out.
    """

    def __init__(self, rows: int, boundaries: Int64s) -> None:
        self.rows, self.boundaries = rows, boundaries
        self._count = np.zeros(rows * boundaries.size, dtype=np.int64)
        self._sum = np.zeros(rows * boundaries.size, dtype=np.int64)

    def add(self, row: Int64s, start: Int64s, end: Int64s) -> None:
        """Add the intervals [start, end), each to its row."""
        for times, sign in ((start, 1), (end, -1)):
            # At the first boundary that is not before it a time begins to count. Measured from
            # there, the sums stay small enough for the floats of bincount to be exact.
            first = np.searchsorted(self.boundaries, times)
            inside = first < self.boundaries.size
            first, key = first[inside], (row * self.boundaries.size + first)[inside]
            late = self.boundaries[first] - times[inside]
            size = self._count.size
            self._count += sign * np.bincount(key, minlength=size)
            self._sum += sign * np.bincount(key, late, minlength=size).astype(np.int64)

    def cycles(self) -> Int64s:
        """Cycles of each row in each bin: int64 (rows, bins)."""
        shape = (self.rows, self.boundaries.size)
        active = np.cumsum(self._count.reshape(shape), axis=1)
        return active[:, :-1] * np.diff(self.boundaries) + self._sum.reshape(shape)[:, 1:]


def amount_in_bins(start: Int64s, end: Int64s, amount: Int64s, boundaries: Int64s) -> Floats:
    """Amounts spread evenly over their intervals, per bin: float64 (bins,).

    An interval without length gives its amount to the bin that it lies in.
    """
    first = np.clip(np.searchsorted(boundaries, start, side="right") - 1, 0, boundaries.size - 2)
    moment = end == start
    total = np.bincount(first[moment], amount[moment], minlength=boundaries.size - 1)
    start, end, amount = start[~moment], end[~moment], amount[~moment]
    rate = amount / (end - start)
    before = np.zeros(boundaries.size)
    for times, weights in ((start, rate), (end, -rate)):
        at = np.searchsorted(boundaries, times)
        size = boundaries.size + 1
        slope = np.cumsum(np.bincount(at, weights, minlength=size))[:-1]
        offset = np.cumsum(np.bincount(at, weights * times, minlength=size))[:-1]
        before += slope * boundaries - offset
    return np.asarray(total + np.maximum(np.diff(before), 0.0))
