"""From a kernel's tick counts to ledger intervals, many windows at once.

A window is the time between two checkpoints of a kernel; the kernel counts its ticks by cause.
Rule: ARCHITECTURE.md LEDGER-4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hw_models.clock import TickClock

Int64s = NDArray[np.int64]


def joined_windows(ends: Int64s, ticks: Int64s, least_ticks: int) -> tuple[Int64s, Int64s]:
    """Windows that end in the same stretch of `least_ticks` ticks as one, their counts added up."""
    last = np.append(np.diff(ends // least_ticks) > 0, [True])
    first = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    return ends[last], np.add.reduceat(ticks, first, axis=0)


def window_intervals(
    first_tick: int, ends: Int64s, ticks: Int64s, causes: Sequence[int], clock: TickClock
) -> Mapping[str, Int64s]:
    """The intervals of windows that follow one another from `first_tick` on.

    ends: (n,) last tick + 1 of each window; ticks: (n, causes) its ticks by cause, which add up to
    its length. A window of one cause is one interval, joined with its neighbours of that cause; in
    a mixed one every cause gets its share of the chip cycles, in the order of `causes`, packed.
    Returns columns start, end, cause, packed.
    """
    starts = np.concatenate([[first_tick], ends[:-1]])
    low, high = (-(-t * clock.numerator // clock.denominator) for t in (starts, ends))
    length = np.maximum(ends - starts, 1)
    edges = low[:, None] + (high - low)[:, None] * np.cumsum(ticks, axis=1) // length[:, None]
    edges = np.concatenate([low[:, None], edges], axis=1)
    cycles = np.diff(edges, axis=1)
    there = cycles > 0
    mixed = there.sum(axis=1) > 1
    window, which = np.nonzero(there)
    columns = {
        "start": edges[window, which],
        "end": edges[window, which + 1],
        "cause": np.asarray(causes, dtype=np.int64)[which],
        "packed": mixed[window].astype(np.int64),
    }
    return _joined(columns)


def _joined(columns: Mapping[str, Int64s]) -> Mapping[str, Int64s]:
    """Neighbouring intervals of one cause, both whole windows, as one."""
    cause, packed = columns["cause"], columns["packed"]
    goes_on = (cause[1:] == cause[:-1]) & (packed[1:] == 0) & (packed[:-1] == 0)
    begins = np.concatenate([[True], ~goes_on])[: cause.size]
    ends = np.concatenate([~goes_on, [True]])[: cause.size]
    return {
        "start": columns["start"][begins],
        "end": columns["end"][ends],
        "cause": cause[begins],
        "packed": packed[begins],
    }
