"""The kernel of a DRAM server: channels under a controller, fed by the address generators of jobs.

A job is a set of byte runs: run_bytes from address + i1 * stride_1 + i2 * stride_2 + i3 * stride_3
on, i1 running fastest. Every run is cut into aligned bursts; burst n of the job is available from
tick `release + floor(n * pace_num / pace_den)` on (pace_num = 0: at once). In each tick, after the
channels' own clocks, jobs offer their next bursts in turn; a channel takes one request a tick if
its queue has room. A job of reads ends when its last data have arrived, one of writes when its last
data have been transferred. Rules: ARCHITECTURE.md DRAM-8 to DRAM-11.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from numba import njit

from hw_models.dram.channel import TICK_CAUSES, accept, account, channel_of, has_room, tick
from hw_models.dram.channel import ticks_by_cause as ticks_of_channel
from hw_models.dram.layout import (
    ACTIVE,
    ADDRESS,
    AT,
    AVAILABLE,
    BUSY_OWNER,
    CHANNEL_WORDS,
    CHANNELS,
    CHANNELS_AT,
    COUNT_1,
    COUNT_2,
    COUNT_3,
    CYCLES,
    DUE,
    END,
    FEED_AT,
    GRANULE_SHIFT,
    HEAD,
    HORIZON,
    INDEX_1,
    INDEX_2,
    INDEX_3,
    JOB_WORDS,
    JOBS,
    JOBS_ACCOUNTED,
    JOBS_AT,
    LAST,
    LATENCY,
    LEFT,
    NEXT,
    NOW,
    OFFERED,
    OWN,
    OWNER,
    PACE_DEN,
    PACE_NUM,
    QUEUED,
    REFRESH,
    RELEASE,
    ROOM,
    ROW_MISS,
    RUN_BYTES,
    START,
    STORE,
    STRIDE_1,
    STRIDE_2,
    STRIDE_3,
    TICKS,
    TICKS_BUSY,
    TOOK_AT,
    TURN,
    UNDER_WAY,
)
from hw_models.dram.system import DramSystem, new_state
from hw_models.kernel import FOREVER, Kernel
from traces.schema import CAUSE

WINDOW_CAUSES = (
    "busy/transfer",
    "stall/dram_refresh",
    "stall/dram_row_miss",
    "stall/dram_bandwidth",
    "stall/dram_latency",
    "idle/no_work",
)
"""Of the ticks of a channel, in the order of `channel.TICK_CAUSES`."""

JOB_CAUSES = (
    "stall/dram_bandwidth",
    "stall/dram_bandwidth",
    "stall/dram_row_miss",
    "stall/dram_refresh",
    "stall/dram_queue",
    "stall/dram_latency",
)
"""Of a job: bursts moved; further ticks in which its channel moved its core's data or lay between
bursts; ticks with rows being opened or closed, with refresh, with another core's data; the rest."""

WINDOW_TICKS = 4096
"""Ticks in one entry of a channel's ledger."""

JOB_COLUMNS = 12

FIRST_HORIZON = 16
"""Ticks looked ahead after a newcomer or a completion, which often brings the next newcomer."""


def dram_kernel(system: DramSystem, owners: Sequence[int], cycles_per_tick: Fraction) -> Kernel:
    """A DRAM system at tick 0, a ledger for each channel.

    owners: the core of each row. cycles_per_tick: chip cycles of a DRAM clock. A job is release (a
    chip cycle), address, run_bytes, count_1, stride_1, count_2, stride_2, count_3, stride_3, store
    (0 or 1), pace_num, pace_den. Raises ValueError for a system that keeps writes back for ever.
    """
    if system.kept_writes:
        raise ValueError(f"kept_writes must be 0 under transfers, not {system.kept_writes}")
    num, den = cycles_per_tick.numerator, cycles_per_tick.denominator
    return Kernel(
        new_state(system, tuple(owners), num, den),
        len(owners),
        JOB_COLUMNS,
        cycles_per_tick,
        tuple(CAUSE[cause] for cause in WINDOW_CAUSES),
        tuple(CAUSE[cause] for cause in JOB_CAUSES),
        serve,
        units=system.channels,
        window_ticks=WINDOW_TICKS,
    )


@njit(cache=True)
def _begin_run(state, job):
    """Set the bursts of the run that the indices name."""
    first = (
        state[job + ADDRESS]
        + state[job + INDEX_1] * state[job + STRIDE_1]
        + state[job + INDEX_2] * state[job + STRIDE_2]
        + state[job + INDEX_3] * state[job + STRIDE_3]
    )
    shift = state[GRANULE_SHIFT]
    state[job + NEXT] = first >> shift << shift
    state[job + LAST] = (first + state[job + RUN_BYTES] - 1) >> shift << shift
    state[job + HEAD] = channel_of(state, state[job + NEXT])


@njit(cache=True)
def _advance(state, job):
    """Go on to the next burst of a job."""
    if state[job + NEXT] < state[job + LAST]:
        state[job + NEXT] += 1 << state[GRANULE_SHIFT]
        state[job + HEAD] = channel_of(state, state[job + NEXT])
        return
    state[job + LEFT] -= 1
    if state[job + LEFT] == 0:
        return
    state[job + INDEX_1] += 1
    if state[job + INDEX_1] == state[job + COUNT_1]:
        state[job + INDEX_1] = 0
        state[job + INDEX_2] += 1
        if state[job + INDEX_2] == state[job + COUNT_2]:
            state[job + INDEX_2] = 0
            state[job + INDEX_3] += 1
    _begin_run(state, job)


@njit(cache=True)
def _feed(state, now):
    """Let jobs offer bursts in turn until no channel takes another in this tick."""
    jobs, first = state[JOBS], state[JOBS_AT]
    in_turn, earliest = _line_up(state, now)
    came_first, blocked, stored = -1, False, False
    while in_turn:
        offered, in_turn = in_turn, 0
        for i in range(offered):
            row = state[first + i * JOB_WORDS + TURN]
            job = first + row * JOB_WORDS
            ch, store = state[job + HEAD], state[job + STORE]
            if not has_room(state, ch, state[job + NEXT], store):
                blocked = True
            elif state[ch + TOOK_AT] == now:
                earliest = min(earliest, now + 1)
            else:
                _accept(state, job, ch, now, row)
                stored |= store == 1
                if came_first < 0:
                    came_first = row
                if state[job + LEFT] == 0:
                    continue
                if state[job + AVAILABLE] <= now:
                    state[first + in_turn * JOB_WORDS + TURN] = row
                    in_turn += 1
                else:
                    earliest = min(earliest, state[job + AVAILABLE])
    if blocked and stored:  # what is asked for may now be in the write buffer
        earliest = min(earliest, now + 1)
    if came_first >= 0:
        state[START] = (came_first + 1) % jobs
    state[FEED_AT] = earliest


@njit(cache=True)
def _line_up(state, now):
    """Put the jobs that have a burst to offer in the order of their turn; returns their number and
    the tick from which on there is another."""
    jobs, first, row = state[JOBS], state[JOBS_AT], state[START]
    in_turn, earliest = 0, FOREVER
    for _ in range(jobs):
        job = first + row * JOB_WORDS
        if state[job + LEFT]:
            if state[job + AVAILABLE] <= now:
                state[first + in_turn * JOB_WORDS + TURN] = row
                in_turn += 1
            else:
                earliest = min(earliest, state[job + AVAILABLE])
        row += 1
        if row == jobs:
            row = 0
    return in_turn, earliest


@njit(cache=True)
def _accept(state, job, ch, now, row):
    """Let a channel take the next burst of a job."""
    accept(state, ch, state[job + NEXT], state[job + STORE], now, row)
    state[ch + TOOK_AT] = now
    state[job + AT] = ch
    state[job + OFFERED] += 1
    state[job + UNDER_WAY] += 1
    _advance(state, job)
    if state[job + PACE_NUM]:
        after = state[job + OFFERED] * state[job + PACE_NUM] // state[job + PACE_DEN]
        state[job + AVAILABLE] = state[job + RELEASE] + after


@njit(cache=True)
def _account_jobs(state, until):
    """Bring the jobs' ticks by cause up to a tick before which nothing has happened since."""
    since = state[JOBS_ACCOUNTED]
    if since == until:
        return
    state[JOBS_ACCOUNTED] = until
    for row in range(state[JOBS]):
        job = state[JOBS_AT] + row * JOB_WORDS
        if not state[job + ACTIVE]:
            continue
        ch = state[job + AT]
        if state[job + LEFT] and state[job + AVAILABLE] <= since:
            ch = state[job + HEAD]
        elif state[job + UNDER_WAY] == 0:
            state[job + LATENCY] += until - since
            continue
        busy, refresh, row_miss, between, flight, idle = ticks_of_channel(state, ch, since, until)
        if state[ch + BUSY_OWNER] == state[job + OWNER]:
            state[job + OWN] += busy + between
        else:
            state[job + QUEUED] += busy
            state[job + OWN] += between
        state[job + REFRESH] += refresh
        state[job + ROW_MISS] += row_miss
        state[job + LATENCY] += flight + idle


@njit(cache=True)
def _tick(state, now):
    """One tick: the clocks of the channels in which something can happen, then the feeder."""
    _account_jobs(state, now)
    first, length = state[CHANNELS_AT], state[CHANNEL_WORDS]
    for ch in range(first, first + state[CHANNELS] * length, length):
        if state[ch + DUE] <= now:
            tick(state, ch, now)
            if state[ch + ROOM]:
                state[ch + ROOM] = 0
                state[FEED_AT] = now
    if state[FEED_AT] <= now:
        _feed(state, now)


@njit(cache=True)
def _run(state, until):
    """Run to tick `until` or to the end of the first job that completes; returns its row or 0."""
    first, length = state[CHANNELS_AT], state[CHANNEL_WORDS]
    after = first + state[CHANNELS] * length
    while True:
        now, following = state[NOW], min(until, state[FEED_AT])
        for row in range(state[JOBS]):
            job = state[JOBS_AT] + row * JOB_WORDS
            if state[job + ACTIVE] and state[job + LEFT] == 0 and state[job + UNDER_WAY] == 0:
                if state[job + END] <= now:
                    return row + 1
                following = min(following, state[job + END])
        if now >= until:
            return 0
        for ch in range(first, after, length):
            following = min(following, state[ch + DUE])
        if following > now:
            state[NOW] = following
        else:
            _tick(state, now)
            state[NOW] = now + 1


@njit(cache=True)
def _log_windows(state, log):
    """Write a window for every channel and begin the next."""
    first, length = state[CHANNELS_AT], state[CHANNEL_WORDS]
    for channel in range(state[CHANNELS]):
        ch = first + channel * length
        account(state, ch, state[NOW])
        log[0, 0] += 1
        at = log[0, 0]
        log[at, 0], log[at, 1] = channel, state[NOW]
        for cause in range(TICK_CAUSES):
            log[at, 2 + cause] = state[ch + TICKS_BUSY + cause]
            state[ch + TICKS_BUSY + cause] = 0


@njit(cache=True)
def _admit(state, entry):
    """Put a job into its row. entry: row and job columns."""
    job = state[JOBS_AT] + (entry[0] - 1) * JOB_WORDS
    owner = state[job + OWNER]
    for i in range(JOB_WORDS):
        state[job + i] = 0
    state[job + OWNER], state[job + ACTIVE] = owner, 1
    state[job + RELEASE] = max(state[NOW], -(-entry[1] * state[TICKS] // state[CYCLES]))
    for i in range(2, 1 + JOB_COLUMNS):
        state[job + i] = entry[i]
    state[job + AVAILABLE] = state[job + RELEASE]
    state[job + LEFT] = state[job + COUNT_1] * state[job + COUNT_2] * state[job + COUNT_3]
    state[job + END] = state[NOW]
    if state[job + RUN_BYTES] == 0:
        state[job + LEFT] = 0
    if state[job + LEFT]:
        _begin_run(state, job)
        state[FEED_AT] = min(state[FEED_AT], state[job + RELEASE])


@njit(cache=True)
def _copy(source, target):
    """Make one state the other."""
    for i in range(len(source)):
        target[i] = source[i]


@njit(cache=True)
def serve(state, ahead, log, cycle, commit, inbox, arrivals):
    """The contract of `hw_models.kernel.Kernel`; inbox: row and the columns of `dram_kernel`."""
    current = ahead if commit else state
    before = state[NOW]
    horizon = FIRST_HORIZON
    if commit:
        row = _run(ahead, ahead[NOW])
        if row:
            ahead[ahead[JOBS_AT] + (row - 1) * JOB_WORDS + ACTIVE] = 0
        else:
            horizon = 2 * ahead[HORIZON]
    else:
        _run(state, cycle * state[TICKS] // state[CYCLES])
    current[HORIZON] = horizon
    _account_jobs(current, current[NOW])
    if current[NOW] > before:
        _log_windows(current, log)
    for i in range(arrivals):
        _admit(current, inbox[i])
    if commit:
        _copy(ahead, state)
    else:
        _copy(state, ahead)
    jobs = 0
    for row in range(state[JOBS]):
        jobs += state[state[JOBS_AT] + row * JOB_WORDS + ACTIVE]
    if jobs == 0:
        return FOREVER, 0, 0, 0, 0, 0, 0, 0
    row = _run(ahead, ahead[NOW] + horizon)
    _account_jobs(ahead, ahead[NOW])
    if row == 0:
        return -(-ahead[NOW] * ahead[CYCLES] // ahead[TICKS]), 0, 0, 0, 0, 0, 0, 0
    job = ahead[JOBS_AT] + (row - 1) * JOB_WORDS
    served = ahead[job + OFFERED]
    return (
        -(-ahead[NOW] * ahead[CYCLES] // ahead[TICKS]),
        row,
        served,
        max(0, ahead[job + OWN] - served),
        ahead[job + ROW_MISS],
        ahead[job + REFRESH],
        ahead[job + QUEUED],
        ahead[job + LATENCY],
    )
