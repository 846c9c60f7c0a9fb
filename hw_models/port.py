"""A port shared round robin: the simplest kernel of a kernel server. Rules: PORT-1 to PORT-4.

Time is counted in ticks; in a tick the port moves one beat of one job. A job is a train of beats:
beat i is available from tick `release + floor(i * pace_num / pace_den)` on (pace_num = 0: all at
once). In each tick the grant goes to the next job, in row order after the one served last, that has
an available beat. A job is complete at the end of the tick of its last beat.

State, int64 (1 + rows, COLUMNS): row 0 is the port, each further row a place for one job. Rows
belong to requesters for good, so who arrives first within a cycle never matters. The contract with
the server is `hw_models.kernel.Kernel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numba import njit

from hw_models.kernel import FOREVER, Kernel
from traces.schema import CAUSE

COLUMNS = 10
(ACTIVE, REMAINING, RELEASE, ISSUED, PACE_NUM, PACE_DEN, OWNER, QUEUED, QUEUED_OTHER, UNREADY) = (
    range(COLUMNS)
)
"""OWNER: the core that the row belongs to. QUEUED, QUEUED_OTHER: ticks in which the job had a beat
available and a job of the same owner, or of another, got the grant. UNREADY: ticks since it was
admitted in which its next beat was not available yet."""
NOW, SERVED, BUSY, UNFED, IDLE, CYCLES, TICKS = range(7)
"""Row 0: NOW is the current tick, SERVED the row granted last; then, since the checkpoint, the
ticks that moved a beat, those with jobs but no available beat, and those without a job; CYCLES /
TICKS chip cycles last a tick."""


@dataclass(frozen=True, slots=True)
class PortCauses:
    """What the ledgers call the ticks of a port.

    Of the port: busy, without an available beat, without a job. Of a job: served, queued behind
    its own core, queued behind another, unready.
    """

    window: tuple[str, str, str]
    job: tuple[str, str, str, str]


def port_kernel(owners: Sequence[int], cycles_per_tick: Fraction, causes: PortCauses) -> Kernel:
    """A port at tick 0. owners: the core of each row. A job is release (a chip cycle),
    beats, pace_num, pace_den."""
    state = np.zeros((1 + len(owners), COLUMNS), dtype=np.int64)
    state[1:, OWNER] = owners
    state[0, CYCLES], state[0, TICKS] = cycles_per_tick.numerator, cycles_per_tick.denominator
    return Kernel(
        state,
        len(owners),
        4,
        cycles_per_tick,
        tuple(CAUSE[cause] for cause in causes.window),
        tuple(CAUSE[cause] for cause in causes.job),
        serve,
    )


@njit(cache=True)
def _available(state, row):
    if state[row, PACE_NUM] == 0:
        return state[row, RELEASE]
    return state[row, RELEASE] + state[row, ISSUED] * state[row, PACE_NUM] // state[row, PACE_DEN]


@njit(cache=True)
def _wait(state, until):
    """Let ticks pass in which no beat is available."""
    ticks = until - state[0, NOW]
    active = False
    for row in range(1, state.shape[0]):
        if state[row, ACTIVE]:
            active = True
            state[row, UNREADY] += ticks
    state[0, UNFED if active else IDLE] += ticks
    state[0, NOW] = until


@njit(cache=True)
def _grant_alone(state, row, until):
    """Serve the only job to `until` or to its end, in closed form; returns whether it ended.

    Beat j from here on leaves at max(now + j, its availability), as both only grow with j.
    """
    now, left, issued = state[0, NOW], state[row, REMAINING], state[row, ISSUED]
    num, den, release = state[row, PACE_NUM], state[row, PACE_DEN], state[row, RELEASE]
    last = release if num == 0 else release + (issued + left - 1) * num // den
    end = max(now + left - 1, last) + 1
    beats = left
    if end > until:
        end = until
        beats = min(left, until - now)
        if num:
            beats = min(beats, -((release - until) * den // num) - issued)
    state[row, REMAINING] -= beats
    state[row, ISSUED] += beats
    state[row, UNREADY] += end - now - beats
    state[0, BUSY] += beats
    state[0, UNFED] += end - now - beats
    state[0, SERVED] = row
    state[0, NOW] = end
    return beats == left


@njit(cache=True)
def _grant_rounds(state, rounds, ready):
    """Give every job one beat in each of `rounds` rounds; all of them have beats available."""
    rows = state.shape[0]
    for row in range(1, rows):
        if not state[row, ACTIVE]:
            continue
        others = 0
        for other in range(1, rows):
            others += state[other, ACTIVE] and state[other, OWNER] != state[row, OWNER]
        state[row, REMAINING] -= rounds
        state[row, ISSUED] += rounds
        state[row, QUEUED_OTHER] += rounds * others
        state[row, QUEUED] += rounds * (ready - 1 - others)
    state[0, BUSY] += rounds * ready
    state[0, NOW] += rounds * ready


@njit(cache=True)
def _grant_one(state):
    """One tick: serve the next row with an available beat; returns that row."""
    rows = state.shape[0]
    now, chosen = state[0, NOW], 0
    for step in range(rows - 1):
        row = (state[0, SERVED] + step) % (rows - 1) + 1
        if state[row, ACTIVE] and _available(state, row) <= now:
            chosen = row
            break
    for row in range(1, rows):
        if not state[row, ACTIVE] or row == chosen:
            continue
        if _available(state, row) > now:
            state[row, UNREADY] += 1
        elif state[row, OWNER] == state[chosen, OWNER]:
            state[row, QUEUED] += 1
        else:
            state[row, QUEUED_OTHER] += 1
    state[chosen, REMAINING] -= 1
    state[chosen, ISSUED] += 1
    state[0, BUSY] += 1
    state[0, SERVED] = chosen
    state[0, NOW] = now + 1
    return chosen


@njit(cache=True)
def _run(state, until):
    """Run to tick `until` or to the end of the first job that completes; returns its row or 0."""
    while state[0, NOW] < until:
        now = state[0, NOW]
        active, ready, unpaced, only = 0, 0, 0, 0
        fewest, earliest = FOREVER, FOREVER
        for row in range(1, state.shape[0]):
            if not state[row, ACTIVE]:
                continue
            active += 1
            unpaced += state[row, PACE_NUM] == 0
            fewest = min(fewest, state[row, REMAINING])
            at = _available(state, row)
            if at <= now:
                ready += 1
                only = row
            else:
                earliest = min(earliest, at)
        if ready == 0:
            _wait(state, min(until, earliest))
            continue
        if active == 1:
            if _grant_alone(state, only, until):
                return only
            continue
        rounds = min(fewest - 1, (until - now) // ready)
        if ready == active and unpaced == active and rounds > 0:
            _grant_rounds(state, rounds, ready)
            continue
        row = _grant_one(state)
        if state[row, REMAINING] == 0:
            return row
    return 0


@njit(cache=True)
def serve(state, ahead, log, cycle, commit, inbox, arrivals):
    """The contract of `hw_models.kernel.Kernel`; inbox: row, release, beats, pace_num, pace_den."""
    cycles, ticks = state[0, CYCLES], state[0, TICKS]
    before = state[0, NOW]
    if commit:
        state[:] = ahead
        state[state[0, SERVED], ACTIVE] = 0
    else:
        _run(state, cycle * ticks // cycles)
    if state[0, NOW] > before:
        log[0, 0] += 1
        log[log[0, 0], 1] = state[0, NOW]
        log[log[0, 0], 2:5] = state[0, BUSY : IDLE + 1]
    state[0, BUSY] = state[0, UNFED] = state[0, IDLE] = 0
    for i in range(arrivals):
        row = inbox[i, 0]
        state[row, ACTIVE] = 1
        state[row, RELEASE] = -(-inbox[i, 1] * ticks // cycles)
        state[row, REMAINING] = inbox[i, 2]
        state[row, PACE_NUM] = inbox[i, 3]
        state[row, PACE_DEN] = inbox[i, 4]
        state[row, ISSUED] = 0
        state[row, QUEUED] = state[row, QUEUED_OTHER] = state[row, UNREADY] = 0
    jobs = 0
    for row in range(1, state.shape[0]):
        jobs += state[row, ACTIVE]
    if jobs == 0:
        return FOREVER, 0, 0, 0, 0, 0
    ahead[:] = state
    row = _run(ahead, FOREVER)
    last = ahead[row]
    end = -(-ahead[0, NOW] * cycles // ticks)
    return end, row, last[ISSUED], last[QUEUED], last[QUEUED_OTHER], last[UNREADY]


class PlainJob(NamedTuple):
    """A job of the plain port: it arrives at tick `arrival`; the rest as in `serve`'s inbox."""

    arrival: int
    row: int
    beats: int
    release: int
    pace_num: int
    pace_den: int


def port_plain(jobs: Sequence[PlainJob], owners: Sequence[int]) -> list[dict[str, int]]:
    """The port as a loop over ticks that knows all arrivals: the oracle of the kernel server.

    Returns, per job: end, queued, queued_other, unready. Jobs of one row must not overlap.
    """
    results: list[dict[str, int]] = [
        {"end": -1, "queued": 0, "queued_other": 0, "unready": 0} for _ in jobs
    ]
    sent = [0] * len(jobs)
    tick, served = 0, 0
    while any(result["end"] < 0 for result in results):
        present = [i for i, job in enumerate(jobs) if job.arrival <= tick and sent[i] < job.beats]
        due = {i: jobs[i].release + _pace(jobs[i], sent[i]) for i in present}
        ready = [i for i in present if due[i] <= tick]
        for i in present:
            results[i]["unready"] += i not in ready
        if ready:
            after = [i for i in ready if jobs[i].row > served] or ready
            winner = min(after, key=lambda i: jobs[i].row)
            served = jobs[winner].row
            sent[winner] += 1
            for i in ready:
                same = owners[jobs[i].row - 1] == owners[served - 1]
                if i != winner:
                    results[i]["queued" if same else "queued_other"] += 1
            if sent[winner] == jobs[winner].beats:
                results[winner]["end"] = tick + 1
        tick += 1
    return results


def _pace(job: PlainJob, beat: int) -> int:
    return beat * job.pace_num // job.pace_den if job.pace_num else 0
