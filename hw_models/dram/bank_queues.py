"""The controller with a command queue per bank, as DRAMsim3 has it.

Between banks plain round robin; within a queue the oldest request that can do something, with at
most four row hits before an older request of another row. One request a clock moves from the read
queue, or while a batch of writes is drained from the write buffer, to its bank queue.
Source: DRAMsim3 commit 29817593b3, src/controller.cc, src/command_queue.cc.
Rules: ARCHITECTURE.md DRAM-5.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from hw_models.dram.gaps import ACT, PRE, RD, REF, REFB, WR
from hw_models.dram.layout import (
    ACCESSES,
    BANKS,
    BOUND,
    BOUND_BY,
    BUFFER_PLACES,
    COMMAND_BUSES,
    DRAIN,
    KEPT_WRITES,
    LATENCY_SUM,
    LISTS_AT,
    OPEN_ROW,
    PER_BANK_REFRESH,
    QUEUE,
    QUEUE_PLACES,
    R_ADDRESS,
    R_BANK,
    R_COLUMN,
    R_COUNT,
    R_JOB,
    R_ROW,
    R_STORE,
    R_SUM,
    RANK_SHIFT,
    READS_AT,
    READS_WAITING,
    REFRESH_AT,
    REFRESHES_DUE,
    REQUESTS,
    RETURNED,
    ROOM,
    ROW_HITS,
    TRANSFER,
    WAITING,
    WRITES_AT,
    WRITES_QUEUED,
    WRITES_WAITING,
)
from hw_models.dram.refresh import drop_refresh, first_refresh, insert_refreshes
from hw_models.dram.requests import append, find, new_request, remove, request_place, retire, settle
from hw_models.dram.timers import bank_place, earliest, issue, rank_place
from hw_models.kernel import FOREVER

MOST_BYPASSES = 4
"""Column accesses of an open row after which the oldest request of another row may close it."""


@njit(cache=True)
def tick_bank_queues(state, ch, now):
    """One clock of a channel; returns the tick at which something can happen next."""
    if now == state[ch + REFRESH_AT]:
        insert_refreshes(state, ch, 1)
    issued, soonest = -1, FOREVER
    if state[ch + REFRESHES_DUE]:
        issued, soonest = _serve_refresh(state, ch, now)
    first = issued
    if issued < 0:
        first, soonest = _select(state, ch, now, -1, soonest)
    if first >= 0 and state[COMMAND_BUSES] == 2:
        _select(state, ch, now, 1 if first in (RD, WR) else 0, FOREVER)
    if state[ch + TRANSFER]:
        _transfer(state, ch)
    if first >= 0 or state[ch + TRANSFER]:
        return now + 1
    return min(soonest, state[ch + REFRESH_AT])


@njit(cache=True)
def _refreshed(state, ch):
    """First bank, bank after the last and command of the refresh that is served."""
    target = first_refresh(state, ch)
    if state[PER_BANK_REFRESH]:
        return target, target + 1, REFB
    return target << state[RANK_SHIFT], (target + 1) << state[RANK_SHIFT], REF


@njit(cache=True)
def _serve_refresh(state, ch, now):
    """Close the banks of the oldest refresh, then refresh; returns the command issued or -1, and
    the tick from which on one may be."""
    first, after, command = _refreshed(state, ch)
    soonest, closed = FOREVER, True
    for bank in range(first, after):
        if state[bank_place(state, ch, bank) + OPEN_ROW] == -1:
            continue
        closed = False
        at = earliest(state, ch, bank, PRE)
        if at <= now:
            issue(state, ch, bank, 0, PRE, now)
            return PRE, now
        soonest = min(soonest, at)
    if not closed:
        return -1, soonest
    soonest = 0
    for bank in range(first, after):
        soonest = max(soonest, earliest(state, ch, bank, command))
    if soonest > now:
        return -1, soonest
    issue(state, ch, first, 0, command, now)
    drop_refresh(state, ch)
    return command, now


@njit(cache=True)
def _select(state, ch, now, data_before, soonest):
    """Issue the first command that a bank queue yields, going round from the one after the queue
    served last; returns it or -1, and the tick from which on there may be one.

    data_before: -1, or whether the command issued in this clock before moves data; then the two
    must not be of the same kind.
    """
    banks, queue = state[BANKS], state[ch + QUEUE]
    skip_from, skip_to = 0, 0
    if state[ch + REFRESHES_DUE]:
        skip_from, skip_to, _ = _refreshed(state, ch)
    for _ in range(banks):
        queue += 1
        if queue == banks:
            queue = 0
        at = bank_place(state, ch, queue)
        if state[at + WAITING] == 0 or skip_from <= queue < skip_to:
            continue
        bound, by = state[at + BOUND], state[at + BOUND_BY]
        if by >= 0:
            bound = max(bound, state[rank_place(state, ch, queue) + by])
        if bound > now:
            soonest = min(soonest, bound)
            continue
        command, index, ready = _candidate(state, ch, queue, now)
        if command < 0:
            soonest = min(soonest, ready)
            continue
        state[ch + QUEUE] = queue
        if data_before < 0 or (command in (RD, WR)) != (data_before == 1):
            _issue_from(state, ch, queue, index, command, now)
        return command, now
    return -1, soonest


@njit(cache=True)
def _candidate(state, ch, bank, now):
    """The command that a queue yields now and the index of its request, or -1 and the tick from
    which on it may yield one, which is noted as the queue's bound."""
    at = bank_place(state, ch, bank)
    places, row = ch + state[LISTS_AT] + bank * QUEUE_PLACES, state[at + OPEN_ROW]
    if row == -1:
        ready = earliest(state, ch, bank, ACT)
        if ready <= now:
            return ACT, 0, now
        state[at + BOUND], state[at + BOUND_BY] = ready, ACT
        return -1, 0, ready
    soonest, kinds, by = FOREVER, 0, -1
    for i in range(state[at + WAITING]):
        request = request_place(state, ch, state[places + i])
        if state[request + R_ROW] == row:
            command = WR if state[request + R_STORE] else RD
            if command == WR and _read_before(state, ch, places, i):
                continue
        elif i == 0 and _may_close(state, ch, bank, places, row):
            command = PRE
        else:
            continue
        ready = earliest(state, ch, bank, command)
        if ready <= now:
            return command, i, now
        if command != by:
            kinds += 1
            by = command
        soonest = min(soonest, ready)
    state[at + BOUND], state[at + BOUND_BY] = soonest, by if kinds == 1 else -1
    return -1, 0, soonest


@njit(cache=True)
def _read_before(state, ch, places, index):
    """Whether an older read of a queue wants the same row and column."""
    own = request_place(state, ch, state[places + index])
    for i in range(index):
        other = request_place(state, ch, state[places + i])
        if (
            not state[other + R_STORE]
            and state[other + R_ROW] == state[own + R_ROW]
            and state[other + R_COLUMN] == state[own + R_COLUMN]
        ):
            return True
    return False


@njit(cache=True)
def _may_close(state, ch, bank, places, row):
    """Whether the oldest request of a queue may close the row that another one opened."""
    at = bank_place(state, ch, bank)
    if state[at + ACCESSES] >= MOST_BYPASSES:
        return True
    for i in range(1, state[at + WAITING]):
        if state[request_place(state, ch, state[places + i]) + R_ROW] == row:
            return False
    return True


@njit(cache=True)
def _issue_from(state, ch, bank, index, command, now):
    """Issue the command of a request; with a data command it leaves the queue."""
    at, places = bank_place(state, ch, bank), ch + state[LISTS_AT] + bank * QUEUE_PLACES
    request = state[places + index]
    place = request_place(state, ch, request)
    if command in (RD, WR):
        state[ch + ROW_HITS] += state[at + ACCESSES] > 0
        state[ch + WRITES_QUEUED] -= command == WR
        remove(state, places, at + WAITING, index)
        state[ch + TRANSFER] = 1
    issue(state, ch, bank, state[place + R_ROW], command, now)
    if command in (RD, WR):
        retire(state, ch, request, now)


@njit(cache=True)
def _transfer(state, ch):
    """Move the oldest request that finds room from the buffer whose turn it is to its bank queue.

    A write whose address is still to be read ends the batch instead. Where nothing else can ever
    move (DRAMsim3 hangs there) a read moves in its place.
    """
    waiting = state[ch + WRITES_WAITING]
    queued = state[ch + REQUESTS] - state[ch + READS_WAITING] - waiting
    if state[ch + DRAIN] == 0 and (
        waiting == BUFFER_PLACES or (waiting > state[KEPT_WRITES] and queued == 0)
    ):
        state[ch + DRAIN] = waiting
    if state[ch + DRAIN] > 0:
        index = _first_with_room(state, ch, ch + state[WRITES_AT], waiting)
        if index < 0:
            state[ch + TRANSFER] = 0
            return
        if not _is_read_pending(state, ch, state[ch + state[WRITES_AT] + index]):
            state[ch + DRAIN] -= 1
            state[ch + WRITES_QUEUED] += 1
            _move(state, ch, ch + state[WRITES_AT], ch + WRITES_WAITING, index)
            return
        state[ch + DRAIN] = 0
        if queued or waiting <= state[KEPT_WRITES]:
            return
    index = _first_with_room(state, ch, ch + state[READS_AT], state[ch + READS_WAITING])
    if index < 0:
        state[ch + TRANSFER] = 0
        return
    _move(state, ch, ch + state[READS_AT], ch + READS_WAITING, index)


@njit(cache=True)
def _first_with_room(state, ch, places, length):
    for i in range(length):
        bank = state[request_place(state, ch, state[places + i]) + R_BANK]
        if state[bank_place(state, ch, bank) + WAITING] < QUEUE_PLACES:
            return i
    return -1


@njit(cache=True)
def _move(state, ch, places, length, index):
    request = state[places + index]
    remove(state, places, length, index)
    bank = state[request_place(state, ch, request) + R_BANK]
    at = bank_place(state, ch, bank)
    append(state, ch + state[LISTS_AT] + bank * QUEUE_PLACES, at + WAITING, request)
    state[at + BOUND], state[at + BOUND_BY] = 0, -1
    state[ch + ROOM] = 1


@njit(cache=True)
def _is_read_pending(state, ch, write):
    """Whether a read of a write's address has not been issued yet."""
    at = request_place(state, ch, write)
    return _pending(state, ch, state[at + R_ADDRESS], state[at + R_BANK], -1, False) >= 0


@njit(cache=True)
def _pending(state, ch, address, bank, job, stores):
    """A read (or a write) of an address in buffer or bank queue, or -1."""
    if stores:
        places, length = ch + state[WRITES_AT], state[ch + WRITES_WAITING]
    else:
        places, length = ch + state[READS_AT], state[ch + READS_WAITING]
    request = find(state, ch, places, length, address, job)
    if request >= 0:
        return request
    places = ch + state[LISTS_AT] + bank * QUEUE_PLACES
    for i in range(state[bank_place(state, ch, bank) + WAITING]):
        request = state[places + i]
        at = request_place(state, ch, request)
        if (
            state[at + R_ADDRESS] == address
            and (state[at + R_STORE] == 1) == stores
            and (job < 0 or state[at + R_JOB] == job)
        ):
            return request
    return -1


@njit(cache=True)
def accept_to_bank_queues(state, ch, address, bank, row, column, store, now, job):
    """Take a request in at the end of a tick; there is room.

    A write to an address that waits to be written joins the earlier one; a read of it gets its data
    at once. A read of an address that the same requester waits for joins the earlier one.
    """
    arrival = now + 1
    writes = state[ch + WRITES_WAITING] + state[ch + WRITES_QUEUED]
    if writes and _pending(state, ch, address, bank, -1, True) >= 0:
        if not store:
            state[ch + LATENCY_SUM] += 1
            state[ch + RETURNED] = max(state[ch + RETURNED], arrival + 1)
        settle(state, ch, job, 1, arrival + 1)
        return
    if not store:
        earlier = _pending(state, ch, address, bank, job, False)
        if earlier >= 0:
            at = request_place(state, ch, earlier)
            state[at + R_COUNT] += 1
            state[at + R_SUM] += arrival
            return
    request = new_request(state, ch, address, bank, row, column, store, arrival, job)
    if store:
        append(state, ch + state[WRITES_AT], ch + WRITES_WAITING, request)
    else:
        append(state, ch + state[READS_AT], ch + READS_WAITING, request)
    state[ch + TRANSFER] = 1
