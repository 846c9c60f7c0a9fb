"""Why a unit had to wait, and what it did while it worked: ledger rows from deferred ones.

While a run goes on, units only note "waited to start task t" and "worked on task t". When a batch
goes to the ledger, a wait is cut into pieces, each with the cause of what held the task up: the
walk goes back from the task to its blocker, to the blocker of that, and so on. A blocker ended
exactly when the one after it could start, so the pieces leave no gap. Rules: LEDGER-3, LEDGER-5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hw_models.clock import TickClock
from hw_models.server import KernelServer, shares
from simulator.program import LOAD, SEND, STORE
from traces.ledger import COLUMNS, WAIT, WORK, Batch
from traces.schema import CAUSE

Int64s = NDArray[np.int64]

DEPENDENCY = CAUSE["stall/dependency"]
OUTPUT_CREDIT = CAUSE["stall/output_credit"]
BUSY_COMPUTE, BUSY_FILL = CAUSE["busy/compute"], CAUSE["busy/fill"]
IMBALANCE = CAUSE["stall/sparsity_imbalance"]
SRAM_BANDWIDTH = CAUSE["stall/sram_bandwidth"]
JOB_COUNTS = 8
"""Ticks that are kept of a transfer: the first of its kernel's causes, zeros, the last of them."""


class TaskTimes(NamedTuple):
    """What is known of the tasks so far, int64 (tasks,) each; -1 where nothing is.

    held_by: the task that kept a task's unit or lane from starting it. server, ticks: on which
    server a transfer ended last, and what its ticks there went into, (tasks, JOB_COUNTS).
    """

    ready: Int64s
    start: Int64s
    blocker: Int64s
    held_by: Int64s
    server: Int64s
    ticks: Int64s


class Explainer:
    """Turns deferred rows into intervals with causes."""

    def __init__(
        self, tasks: Mapping[str, Int64s], servers: Iterable[KernelServer], units: int
    ) -> None:
        self.kind, self.uneven = tasks["kind"], tasks["imbalance_cycles"]
        self.starved = tasks["port_cycles"]
        self.streaming = tasks["cycles"] - tasks["fill_cycles"]
        self.causes = np.zeros((units, JOB_COUNTS), dtype=np.int64)
        self.rates = np.ones((units, 2), dtype=np.int64)
        for server in servers:
            unit, causes = server.units[0], server.kernel.job_causes
            self.causes[unit, : len(causes) - 1] = causes[:-1]
            self.causes[unit, -1] = causes[-1]
            self.rates[unit] = server.clock.numerator, server.clock.denominator

    def expand(self, batch: Batch, times: TaskTimes) -> Batch:
        """A batch of ledger rows without deferred ones."""
        rows = np.stack([batch[name] for name in COLUMNS], axis=1)
        inside = self.streaming, self.uneven, self.starved
        out = _expand(rows, self.kind, *inside, self.causes, self.rates, *times)
        return {name: out[:, i] for i, name in enumerate(COLUMNS)}


@njit(cache=True)
def _put(out, n, unit, start, end, cause, task, packed):
    """Append a row unless it is empty; returns the array, grown if need be, and the count."""
    if end == start:
        return out, n
    if n == out.shape[0]:
        larger = np.empty((2 * n + 8, 6), dtype=np.int64)
        larger[:n] = out
        out = larger
    out[n, 0], out[n, 1], out[n, 2] = unit, start, end
    out[n, 3], out[n, 4], out[n, 5] = cause, task, packed
    return out, n + 1


@njit(cache=True)
def _blocked_by(task, ready, start, blocker, held_by):
    """The task whose end let this one start: a predecessor, or what held its unit or lane."""
    if start[task] > ready[task] or blocker[task] < 0:
        return held_by[task]
    return blocker[task]


@njit(cache=True)
def _transfer_pieces(out, n, unit, task, begin, end, causes, rate, ticks):
    """Pieces of [begin, end), the last cycles of a transfer, last first.

    Its job was served and queued, mixed, after having waited for its first beats.
    """
    mixed = ticks[:-1].sum()
    body = min(end - begin, mixed * rate[0] // rate[1])
    at, done = end, 0
    packed = 1
    for i in range(ticks.size - 2, -1, -1):
        done += ticks[i]
        # Shares of what comes after: the cumulative sums from the front, rounded down.
        low = body * (mixed - done) // mixed if mixed else 0
        start = end - body + low
        out, n = _put(out, n, unit, start, at, causes[i], task, packed)
        at = start
    return _put(out, n, unit, begin, at, causes[-1], task, packed)


@njit(cache=True)
def _expand(
    rows,
    kind,
    streaming,
    uneven,
    starved,
    causes,
    rates,
    ready,
    start,
    blocker,
    held_by,
    server,
    ticks,
):  # pragma: no cover - compiled
    out = np.empty((rows.shape[0] * 2 + 8, 6), dtype=np.int64)
    n = 0
    for row in rows:
        unit, begin, end, cause, task = row[0], row[1], row[2], row[3], row[4]
        if cause == WORK:
            full = end - streaming[task]
            even = full + uneven[task]
            fed = even + starved[task]
            packed = int(fed > begin)
            out, n = _put(out, n, unit, begin, full, BUSY_FILL, task, packed)
            out, n = _put(out, n, unit, full, even, IMBALANCE, task, packed)
            out, n = _put(out, n, unit, even, fed, SRAM_BANDWIDTH, task, packed)
            out, n = _put(out, n, unit, fed, end, BUSY_COMPUTE, task, packed)
        elif cause == WAIT:
            first, at = n, end
            node = _blocked_by(task, ready, start, blocker, held_by)
            while at > begin and node >= 0:
                since = max(begin, start[node])
                if at > since:
                    if kind[node] == LOAD or kind[node] == SEND:
                        where = server[node]
                        out, n = _transfer_pieces(
                            out, n, unit, task, since, at, causes[where], rates[where], ticks[node]
                        )
                    else:
                        why = OUTPUT_CREDIT if kind[node] == STORE else DEPENDENCY
                        out, n = _put(out, n, unit, since, at, why, task, 0)
                    at = since
                node = _blocked_by(node, ready, start, blocker, held_by)
            out, n = _put(out, n, unit, begin, at, DEPENDENCY, task, 0)
            out[first:n] = out[first:n][::-1].copy()
        else:
            out, n = _put(out, n, unit, begin, end, cause, task, row[5])
    return out[:n]


def wait_causes_plain(
    task: int,
    begin: int,
    end: int,
    kind: Sequence[int],
    times: TaskTimes,
    causes: Mapping[int, tuple[Sequence[int], TickClock]],
) -> list[tuple[int, int]]:
    """The (cause, cycles) pairs of a wait in order of time: the oracle of the kernel.

    causes: per server, the causes of a job's ticks and its clock.
    """

    def blocked_by(node: int) -> int:
        waits_for_unit = times.start[node] > times.ready[node] or times.blocker[node] < 0
        return int(times.held_by[node] if waits_for_unit else times.blocker[node])

    if end == begin:
        return []
    node = blocked_by(task)
    while node >= 0 and times.start[node] >= end:
        node = blocked_by(node)
    if node < 0:
        return [(DEPENDENCY, end - begin)]
    since = max(begin, int(times.start[node]))
    before = wait_causes_plain(node, begin, since, kind, times, causes)
    if kind[node] == STORE:
        return [*before, (OUTPUT_CREDIT, end - since)]
    if kind[node] not in (LOAD, SEND):
        return [*before, (DEPENDENCY, end - since)]
    job_causes, clock = causes[int(times.server[node])]
    *mixed, _ = (int(t) for t in times.ticks[node])
    body = min(end - since, sum(mixed) * clock.numerator // clock.denominator)
    parts = [(job_causes[-1], end - since - body)]
    parts += zip(job_causes, shares(mixed, sum(mixed), body), strict=False)
    return [*before, *((cause, cycles) for cause, cycles in parts if cycles)]
