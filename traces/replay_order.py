# mypy: disable-error-code="no-untyped-def"
"""Start and end of every task from the durations of all: one pass over the recorded graph.

A task starts when it is released, its predecessors have ended, the task before it on its unit has
started, and a lane of its unit is free (a PE array has one lane, a DMA engine as many as transfers
it may have under way). A computation that was ready before its unit was free takes less time, as
far as the unit could overlap it with the one before. Tasks without a unit end when they start.
Rules: ARCHITECTURE.md REPLAY-2, UNIT-1 to UNIT-3, DMA-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64s = NDArray[np.int64]


class Durations(NamedTuple):
    """What tasks take, int64 (tasks,) each.

    cycles: without overlap. overlap: by how many cycles a task that was ready may begin before the
    one before it on its unit has ended. release: cycle before which a task does not start.
    """

    cycles: Int64s
    overlap: Int64s
    release: Int64s

    @classmethod
    def plain(cls, cycles: Int64s) -> Durations:
        """Without any overlap, and all released at once."""
        return cls(cycles, np.zeros_like(cycles), np.zeros_like(cycles))


class Times(NamedTuple):
    """Times of tasks, int64 (tasks,) each. held_by: the task that each one waited for last (-1:
    none); it ended or, of those that keep the order of a unit, started when this one started."""

    start: Int64s
    end: Int64s
    held_by: Int64s


def task_times(
    unit: Int64s, pointers: Int64s, sources: Int64s, durations: Durations, lanes: Int64s
) -> Times:
    """Times of all tasks.

    unit: (tasks,), -1 for none. pointers, sources: predecessors (TaskGraph.predecessors).
    lanes: (units,).
    """
    first = np.concatenate([[0], np.cumsum(lanes)]).astype(np.int64)
    times = Times(*(np.empty(unit.size, dtype=np.int64) for _ in Times._fields))
    _task_times(unit, pointers, sources, *durations, first, *times)
    return times


@njit(cache=True)
def _task_times(
    unit, pointers, sources, cycles, overlap, release, first, start, end, held_by
):  # pragma: no cover - compiled
    units = first.size - 1
    free_at = np.zeros(first[units], dtype=np.int64)
    freed_by = np.full(first[units], -1, dtype=np.int64)
    last = np.full(units, -1, dtype=np.int64)
    for task in range(unit.size):
        ready, why = 0, -1
        for i in range(pointers[task], pointers[task + 1]):
            if end[sources[i]] > ready or why < 0:
                ready, why = end[sources[i]], sources[i]
        if release[task] > ready:
            ready, why = release[task], -1
        at, here, hidden = ready, unit[task], 0
        if here >= 0:
            lane = first[here]
            for other in range(lane + 1, first[here + 1]):
                if free_at[other] < free_at[lane]:
                    lane = other
            if free_at[lane] > at or (free_at[lane] == at and why < 0):
                at, why = free_at[lane], freed_by[lane]
            before = last[here]
            if before >= 0:
                if start[before] > at:
                    at, why = start[before], before
                if end[before] == at:
                    hidden = min(overlap[task], at - ready)
            free_at[lane] = at + cycles[task] - hidden
            freed_by[lane] = last[here] = task
        start[task], end[task], held_by[task] = at, at + cycles[task] - hidden, why


def start_times_plain(
    unit: Sequence[int],
    predecessors: Sequence[Sequence[int]],
    durations: Sequence[int],
    lanes: Sequence[int],
    release: Sequence[int],
) -> list[int]:
    """The oracle of `task_times` without overlap: cycle by cycle, every unit starts what it can."""
    start: dict[int, int] = {}
    queues = [[t for t, u in enumerate(unit) if u == here] for here in range(len(lanes))]
    free = [t for t, u in enumerate(unit) if u < 0]
    cycle = 0

    def ended(task: int) -> bool:
        return task in start and start[task] + durations[task] <= cycle

    def ready(task: int) -> bool:
        return release[task] <= cycle and all(ended(before) for before in predecessors[task])

    while len(start) < len(unit):
        for _ in unit:  # tasks of no length end in the cycle in which they start
            for task in [t for t in free if t not in start and ready(t)]:
                start[task] = cycle
            for here, queue in enumerate(queues):
                while queue and ready(queue[0]):
                    busy = [t for t in start if unit[t] == here and not ended(t)]
                    if len(busy) >= lanes[here]:
                        break
                    start[queue.pop(0)] = cycle
        cycle += 1
    return [start[task] for task in range(len(unit))]
