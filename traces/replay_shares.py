# mypy: disable-error-code="no-untyped-def, arg-type, assignment"
"""Re-timing with new arbitration: every server divides its time evenly among the jobs it has.

A round-robin server gives each of its jobs an equal share of its time; here the shares are exact
and the beats are not: work flows like a fluid. A job whose work arrives over a time (an operand
spread over a computation, a transfer paced by a slower server) asks for no more than has arrived
and catches up what it missed. Tasks start as in `replay_order`. Rule: ARCHITECTURE.md REPLAY-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]

NEVER = 1e300
EPSILON = 1e-4
"""Cycles that count as none: what sums of shares may miss a whole cycle by."""
FIXED, RELEASE, WAKE = 0, 1, 2
"""Events: a task has lasted its own time; a job comes to its server; a unit's task is released."""
LEFT, ARRIVED, INFLOW, RATE = range(4)
"""Columns of `_State.flow`."""


class Work(NamedTuple):
    """What the tasks of a graph take.

    unit: (tasks,), -1 for none. fixed: (tasks,) cycles that each lasts at least. overlap: (tasks,),
    cycles by which it may begin before the last one of its unit ends. release: (tasks,), cycle
    before which it does not start. pointers: jobs of
    task t are [pointers[t], pointers[t + 1]). server, offset: (jobs,), cycles from the start of the
    task. work: (jobs,) cycles that the server needs for it alone. span: (jobs,) cycles over which
    it arrives, 0: at once. lanes: (units,). edge_pointers, successors: by source.
    """

    unit: Int64s
    fixed: Int64s
    overlap: Int64s
    release: Int64s
    pointers: Int64s
    server: Int64s
    offset: Int64s
    work: Floats
    span: Floats
    lanes: Int64s
    edge_pointers: Int64s
    successors: Int64s


class _State(NamedTuple):
    """Where a replay is.

    Per task: open predecessors, the cycle at which the last of them ended, times, and parts (itself
    and its jobs) that are not done. Per unit: free lanes and the place of its next task in `order`,
    which is sorted by unit. Per server: its time, the time at which its shares change next by
    themselves, and its first job. Per job: its task, the next job on the server, and in `flow` work
    left, of that what has arrived, what arrives a cycle, and the share of the server.
    """

    open: Int64s
    ready: Int64s
    start: Int64s
    end: Int64s
    parts_left: Int64s
    free: Int64s
    next: Int64s
    stop: Int64s
    order: Int64s
    clock: Floats
    change: Floats
    head: Int64s
    task_of: Int64s
    after: Int64s
    flow: Floats


def shared_times(work: Work, servers: int) -> tuple[Int64s, Int64s]:
    """Start and end of every task. Every edge must lead to a later row."""
    tasks, jobs, units = work.unit.size, work.server.size, work.lanes.size
    # Tasks without a unit come first in the order, then those of unit 0, and so on.
    places = np.cumsum(np.bincount(work.unit + 1, minlength=units + 1)).astype(np.int64)
    state = _State(
        open=np.bincount(work.successors, minlength=tasks).astype(np.int64),
        ready=np.zeros(tasks, dtype=np.int64),
        start=np.full(tasks, -1, dtype=np.int64),
        end=np.full(tasks, -1, dtype=np.int64),
        parts_left=np.zeros(tasks, dtype=np.int64),
        free=work.lanes.copy(),
        next=places[:-1].copy(),
        stop=places[1:].copy(),
        order=np.argsort(work.unit, kind="stable").astype(np.int64),
        clock=np.zeros(servers),
        change=np.full(servers, NEVER),
        head=np.full(servers, -1, dtype=np.int64),
        task_of=np.repeat(np.arange(tasks), np.diff(work.pointers)).astype(np.int64),
        after=np.full(jobs, -1, dtype=np.int64),
        flow=np.zeros((jobs, 4)),
    )
    _run(work, state)
    return state.start, state.end


@njit(cache=True)
def _run(work, state):
    """From one cycle in which something happens to the next, until nothing is left to happen."""
    events = [(np.int64(0), np.int64(FIXED), np.int64(-1))]  # says of what type events are
    ended = [np.int64(task) for task in range(work.unit.size) if _is_free(work, state, task)]
    for task in ended:
        state.start[task] = 0
    now = np.int64(0)
    for unit in range(state.free.size):
        _start(work, state, events, unit, now)
    _go_on(work, state, events, ended, now)
    while True:
        soonest = state.change.min() if state.change.size else NEVER
        if not events and soonest >= NEVER:
            return
        if events and events[0][0] <= soonest:
            now = max(now, events[0][0])
        else:
            now = max(now, np.int64(np.ceil(soonest - EPSILON)))
        for server in range(state.change.size):
            while state.change[server] <= now + EPSILON:
                _settle(state, server, ended)
        while events and events[0][0] <= now:
            _, what, which = heappop(events)
            if what == RELEASE:
                _release(work, state, which, now)
            elif what == WAKE:
                _start(work, state, events, which, now)
            elif which >= 0:
                _end_part(state, which, ended)
        _go_on(work, state, events, ended, now)


@njit(cache=True)
def _is_free(work, state, task):
    """Whether a task waits for nothing at all."""
    return work.unit[task] < 0 and state.open[task] == 0


@njit(cache=True)
def _go_on(work, state, events, ended, now):
    """What has ended lets others become ready, and units start what they can."""
    while ended:
        task = ended.pop()
        state.end[task] = now
        for i in range(work.edge_pointers[task], work.edge_pointers[task + 1]):
            later = work.successors[i]
            state.open[later] -= 1
            if state.open[later] == 0:
                state.ready[later] = now
                if work.unit[later] < 0:
                    state.start[later] = now
                    ended.append(later)
                else:
                    _start(work, state, events, work.unit[later], now)
        if work.unit[task] >= 0:
            state.free[work.unit[task]] += 1
            _start(work, state, events, work.unit[task], now)


@njit(cache=True)
def _start(work, state, events, unit, now):
    """Start the tasks of a unit that come next, are ready and find a lane."""
    while state.free[unit] > 0 and state.next[unit] < state.stop[unit]:
        place = state.next[unit]
        task = state.order[place]
        if state.open[task] > 0:
            return
        if work.release[task] > now:
            heappush(events, (work.release[task], np.int64(WAKE), np.int64(unit)))
            return
        state.next[unit] += 1
        state.free[unit] -= 1
        state.start[task] = now
        done = now + work.fixed[task]
        before = state.order[place - 1] if place > 0 else -1
        if before >= 0 and work.unit[before] == unit and state.end[before] == now:
            done -= min(work.overlap[task], now - state.ready[task])
        first, last = work.pointers[task], work.pointers[task + 1]
        state.parts_left[task] = 1 + last - first
        heappush(events, (done, np.int64(FIXED), task))
        for job in range(first, last):
            heappush(events, (now + work.offset[job], np.int64(RELEASE), np.int64(job)))


@njit(cache=True)
def _end_part(state, task, ended):
    """A job of a task, or its own time, is over."""
    state.parts_left[task] -= 1
    if state.parts_left[task] == 0:
        ended.append(task)


@njit(cache=True)
def _settle(state, server, ended):
    """Bring a server to its next change; jobs that are done leave it."""
    _advance(state, server, state.change[server])
    before, job = -1, state.head[server]
    while job >= 0:
        following = state.after[job]
        if state.flow[job, LEFT] <= EPSILON:
            if before < 0:
                state.head[server] = following
            else:
                state.after[before] = following
            _end_part(state, state.task_of[job], ended)
        else:
            before = job
        job = following
    _share(state, server)


@njit(cache=True)
def _release(work, state, job, now):
    """A job comes to its server."""
    server = work.server[job]
    _advance(state, server, float(now))
    paced = work.span[job] > work.work[job]
    state.flow[job, LEFT] = work.work[job]
    state.flow[job, ARRIVED] = 0.0 if paced else work.work[job]
    state.flow[job, INFLOW] = work.work[job] / work.span[job] if paced else 0.0
    state.after[job] = state.head[server]
    state.head[server] = job
    _share(state, server)


@njit(cache=True)
def _advance(state, server, to):
    """Let a server work at its current rates until `to`."""
    flow, after, step = state.flow, state.after, to - state.clock[server]
    if step <= 0:
        return
    state.clock[server] = to
    job = state.head[server]
    while job >= 0:
        left = max(0.0, flow[job, LEFT] - flow[job, RATE] * step)
        arrived = flow[job, ARRIVED] + (flow[job, INFLOW] - flow[job, RATE]) * step
        flow[job, LEFT] = left
        flow[job, ARRIVED] = min(left, max(0.0, arrived))
        job = after[job]


@njit(cache=True)
def _share(state, server):
    """Divide the server's time among its jobs, and find when that changes by itself."""
    flow, after, first = state.flow, state.after, state.head[server]
    waiting, job = 0, first
    while job >= 0:
        flow[job, RATE] = -1.0
        waiting += 1
        job = after[job]
    room, satisfied = 1.0, 1
    while waiting and satisfied:
        share, satisfied, job = room / waiting, 0, first
        while job >= 0:
            # A job with nothing in store asks for what flows in, any other for all it can get.
            modest = flow[job, ARRIVED] <= EPSILON and flow[job, INFLOW] <= share
            if flow[job, RATE] < 0 and modest:
                flow[job, RATE] = flow[job, INFLOW]
                room -= flow[job, INFLOW]
                satisfied += 1
            job = after[job]
        waiting -= satisfied
    job = first
    while job >= 0:
        if flow[job, RATE] < 0:
            flow[job, RATE] = room / waiting
        job = after[job]
    state.change[server] = _next_change(state, server)


@njit(cache=True)
def _next_change(state, server):
    """When the first job is done, or has caught up with what arrives."""
    flow, after, clock = state.flow, state.after, state.clock[server]
    soonest, job = NEVER, state.head[server]
    while job >= 0:
        left, rate = flow[job, LEFT], flow[job, RATE]
        arrived, inflow = flow[job, ARRIVED], flow[job, INFLOW]
        if left <= EPSILON:
            return clock
        if rate > 0:
            soonest = min(soonest, clock + left / rate)
            if arrived > EPSILON and rate > inflow > 0 and left > arrived + EPSILON:
                soonest = min(soonest, clock + arrived / (rate - inflow))
        job = after[job]
    return soonest


def round_robin_plain(
    releases: Sequence[int], beats: Sequence[int], spans: Sequence[int]
) -> list[int]:
    """End of each job on one server that moves a beat a cycle, round robin: what shares stand for.

    Beat i of a job is there from cycle release + floor(i * span / beats) on.
    """
    sent, ends, last, cycle = [0] * len(beats), [0] * len(beats), -1, 0
    while any(n < all_ for n, all_ in zip(sent, beats, strict=True)):
        ready = [
            i
            for i, n in enumerate(sent)
            if n < beats[i] and releases[i] + n * spans[i] // beats[i] <= cycle
        ]
        if ready:
            last = min(ready, key=lambda i: (i <= last, i))
            sent[last] += 1
            ends[last] = cycle + 1
        cycle += 1
    return ends
