"""The controller with read and write buffers and a list of activated requests, as Ramulator 2.1 has
it.

First ready, first come over one buffer at a time; a request whose row has been opened for it moves
to the active list, which goes before everything else; refreshes go before new requests. With two
command buses a column and a row command may start in one clock. LPDDR5 activates in two steps and
starts its data clock one clock before a burst. Rules: ARCHITECTURE.md DRAM-6.
Source: Ramulator 2.1 commit c5b1c3a478, src/ramulator/controller.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from hw_models.dram.gaps import ACT, PRE, PREA, RD, REF, REFB, WR
from hw_models.dram.layout import (
    ACT2_WITHIN,
    ACTIVE_WAITING,
    BANKS,
    BUFFER_PLACES,
    CAS,
    CHANNEL,
    CLOSED,
    COMMAND_BUSES,
    HITS_FIRST,
    IN_ACTIVE,
    LATENCY_SUM,
    LISTS_AT,
    OPEN_ROW,
    PER_BANK_REFRESH,
    R_ARRIVAL,
    R_BANK,
    R_ROW,
    R_SEEN,
    R_STORE,
    RANK_SHIFT,
    RANKS,
    READ_DELAY,
    READS_AT,
    READS_WAITING,
    REFRESH_AT,
    REFRESH_HEAD,
    REFRESH_NEXT,
    REFRESH_PERIOD,
    REFRESHES_DUE,
    RETURNED,
    RING,
    ROOM,
    ROW_HITS,
    SPLIT,
    SPLIT_DEADLINE,
    WCK_POST,
    WCK_UNTIL,
    WRITE_DELAY,
    WRITE_MODE,
    WRITES_AT,
    WRITES_WAITING,
)
from hw_models.dram.requests import append, find, new_request, remove, request_place, retire, settle
from hw_models.dram.timers import bank_place, earliest, issue
from hw_models.kernel import FOREVER

ANY, COLUMN, ROW = range(3)
"""Commands that a bus takes."""
BEING_OPENED = -2
"""Row of a bank between the two steps of an activation."""


@njit(cache=True)
def tick_active_list(state, ch, now):
    """One clock of a channel; returns the tick at which something can happen next."""
    if now == state[ch + REFRESH_AT]:
        _insert_refresh(state, ch)
    if state[ACT2_WITHIN]:
        soonest = _two_step_clock(state, ch, now)
    elif state[COMMAND_BUSES] == 2:
        soonest = _clock(state, ch, now, COLUMN)
        soonest = min(soonest, _clock(state, ch, now, ROW))
    else:
        soonest = _clock(state, ch, now, ANY)
    return max(now + 1, min(soonest, state[ch + REFRESH_AT]))


@njit(cache=True)
def _insert_refresh(state, ch):
    """Refreshes are due: of all ranks, or of the next bank."""
    targets, count = state[RANKS], state[RANKS]
    if state[PER_BANK_REFRESH]:
        targets, count = state[BANKS], 1
    for _ in range(count):
        end = (state[ch + REFRESH_HEAD] + state[ch + REFRESHES_DUE]) % RING
        state[ch + CHANNEL + end] = state[ch + REFRESH_NEXT]
        state[ch + REFRESHES_DUE] += 1
        state[ch + REFRESH_NEXT] = (state[ch + REFRESH_NEXT] + 1) % targets
    state[ch + REFRESH_AT] += state[REFRESH_PERIOD]


@njit(cache=True)
def _clock(state, ch, now, bus):
    """Issue on a bus what may be issued; returns the next tick, or the one from which on something
    may be."""
    places, length, index, command, soonest = _choose(state, ch, now, bus)
    if command < 0:
        return soonest
    if index < 0:
        _issue_refresh(state, ch, command, now)
    else:
        _issue_from(state, ch, places, length, index, command, now)
    return now + 1


@njit(cache=True)
def _choose(state, ch, now, bus):
    """The command for a bus in this clock: list, place of its length, index (-1: the refresh that
    is due), command (-1: none), and the tick from which on there may be one."""
    places, length = ch + state[LISTS_AT], ch + ACTIVE_WAITING
    soonest = FOREVER
    if bus != ROW or state[CLOSED]:
        index, command, soonest = _best(state, ch, places, length, now, bus, False)
        if index >= 0:
            return places, length, index, command, now
    if state[ch + REFRESHES_DUE]:
        command, ready = _refresh_command(state, ch, bus)
        if command >= 0 and ready <= now:
            return places, length, -1, command, now
        return places, length, -1, -1, min(soonest, ready)
    _set_write_mode(state, ch)
    places, length = ch + state[READS_AT], ch + READS_WAITING
    if state[ch + WRITE_MODE]:
        places, length = ch + state[WRITES_AT], ch + WRITES_WAITING
    index, command, ready = _best(state, ch, places, length, now, bus, True)
    if index < 0:
        command = -1
    return places, length, index, command, min(soonest, ready)


@njit(cache=True)
def _set_write_mode(state, ch):
    """Writes begin above 80 % of the buffer or without reads; they end below 20 % if there are any
    reads."""
    reads, writes = state[ch + READS_WAITING], state[ch + WRITES_WAITING]
    if state[ch + WRITE_MODE]:
        if 5 * writes < BUFFER_PLACES and reads:
            state[ch + WRITE_MODE] = 0
    elif 5 * writes > 4 * BUFFER_PLACES or reads == 0:
        state[ch + WRITE_MODE] = 1


@njit(cache=True)
def _next_command(state, ch, place):
    """What a request needs next; -1 while its bank is between the steps of an activation."""
    row = state[bank_place(state, ch, state[place + R_BANK]) + OPEN_ROW]
    if row == state[place + R_ROW]:
        return WR if state[place + R_STORE] else RD
    if row == BEING_OPENED:
        return -1
    return ACT if row == -1 else PRE


@njit(cache=True)
def _best(state, ch, places, length, now, bus, new):
    """Of the requests that are ready the one that came first: its index (-1: none), command, and
    the tick from which on there may be one. new: requests that aren't activated yet."""
    best, best_command, arrival, soonest = -1, -1, FOREVER, FOREVER
    for i in range(state[length]):
        place = request_place(state, ch, state[places + i])
        if state[place + R_ARRIVAL] >= arrival:
            if new:
                break
            continue
        command = _next_command(state, ch, place)
        if command < 0 or (command == ACT and state[ch + SPLIT] >= 0):
            continue
        if bus != ANY and (command in (RD, WR)) != (bus == COLUMN):
            continue
        bank = state[place + R_BANK]
        ready = earliest(state, ch, bank, command)
        if new and command == PRE:
            if state[bank_place(state, ch, bank) + IN_ACTIVE]:
                continue
            if state[HITS_FIRST] and _hit_waits(state, ch, places, length, place):
                continue
        if ready <= now:
            best, best_command, arrival = i, command, state[place + R_ARRIVAL]
        soonest = min(soonest, ready)
    return best, best_command, soonest


@njit(cache=True)
def _hit_waits(state, ch, places, length, place):
    """Whether a list holds a hit to the row that a request would close, come no later."""
    bank = state[place + R_BANK]
    row = state[bank_place(state, ch, bank) + OPEN_ROW]
    for i in range(state[length]):
        other = request_place(state, ch, state[places + i])
        if (
            state[other + R_BANK] == bank
            and state[other + R_ROW] == row
            and state[other + R_ARRIVAL] <= state[place + R_ARRIVAL]
        ):
            return True
    return False


@njit(cache=True)
def _refresh_command(state, ch, bus):
    """What the refresh that is due needs next (-1: has to wait for activated requests, or for the
    other bus) and from which tick on it may be issued."""
    target = state[ch + CHANNEL + state[ch + REFRESH_HEAD]]
    first, banks = target, 1
    close, refresh = PRE, REFB
    if not state[PER_BANK_REFRESH]:
        first, banks = target << state[RANK_SHIFT], 1 << state[RANK_SHIFT]
        close, refresh = PREA, REF
    is_open, is_active = False, False
    for bank in range(first, first + banks):
        at = bank_place(state, ch, bank)
        is_open |= state[at + OPEN_ROW] != -1
        is_active |= state[at + IN_ACTIVE] > 0 or state[at + OPEN_ROW] == BEING_OPENED
    if bus == COLUMN or (is_open and is_active):
        return -1, FOREVER
    command = close if is_open else refresh
    return command, earliest(state, ch, first, command)


@njit(cache=True)
def _issue_refresh(state, ch, command, now):
    """Issue a command of the refresh that is due."""
    target = state[ch + CHANNEL + state[ch + REFRESH_HEAD]]
    bank = target if state[PER_BANK_REFRESH] else target << state[RANK_SHIFT]
    issue(state, ch, bank, 0, command, now)
    if command in (REF, REFB):
        state[ch + REFRESH_HEAD] = (state[ch + REFRESH_HEAD] + 1) % RING
        state[ch + REFRESHES_DUE] -= 1


@njit(cache=True)
def _issue_from(state, ch, places, length, index, command, now):
    """Issue the command of a request and put it where it belongs from now on."""
    request = state[places + index]
    place = request_place(state, ch, request)
    bank = state[place + R_BANK]
    at = bank_place(state, ch, bank)
    if not state[place + R_SEEN]:
        state[ch + ROW_HITS] += command in (RD, WR)
        state[place + R_SEEN] = 1
    row = BEING_OPENED if state[ACT2_WITHIN] else state[place + R_ROW]
    issue(state, ch, bank, row, command, now)
    if command == PRE:
        return
    remove(state, places, length, index)
    state[at + IN_ACTIVE] -= length == ch + ACTIVE_WAITING
    state[ch + ROOM] = 1
    if command == ACT and state[ACT2_WITHIN]:
        state[ch + SPLIT], state[ch + SPLIT_DEADLINE] = request, now + state[ACT2_WITHIN]
    elif command == ACT:
        _activated(state, ch, request)
    else:
        retire(state, ch, request, now)


@njit(cache=True)
def _activated(state, ch, request):
    """The row of a request is open: it goes to the active list."""
    bank = state[request_place(state, ch, request) + R_BANK]
    state[bank_place(state, ch, bank) + IN_ACTIVE] += 1
    append(state, ch + state[LISTS_AT], ch + ACTIVE_WAITING, request)


@njit(cache=True)
def _two_step_clock(state, ch, now):
    """A clock with activation in two steps and a data clock to start; returns as `_clock`.

    The second step takes a clock in which nothing else can be issued, or its last possible one. A
    burst whose data clock was started in the clock before goes first.
    """
    if state[ch + SPLIT] >= 0 and state[ch + SPLIT_DEADLINE] <= now:
        _second_step(state, ch)
        return now + 1
    if state[ch + CAS] >= 0:
        _issue_started(state, ch, now)
        return now + 1
    places, length, index, command, soonest = _choose(state, ch, now, ANY)
    if command < 0:
        if state[ch + SPLIT] < 0:
            return soonest
        _second_step(state, ch)
    elif index < 0:
        _issue_refresh(state, ch, command, now)
    elif command not in (RD, WR) or now < state[ch + WCK_UNTIL]:
        _issue_in_clock(state, ch, places, length, index, command, now)
    elif state[ch + SPLIT] >= 0 and state[ch + SPLIT_DEADLINE] <= now + 1:
        _second_step(state, ch)
    else:
        state[ch + CAS] = state[places + index]
    return now + 1


@njit(cache=True)
def _issue_in_clock(state, ch, places, length, index, command, now):
    """Issue the command of a request; after a burst the data clock goes on for a while."""
    if command in (RD, WR):
        delay = state[READ_DELAY] if command == RD else state[WRITE_DELAY]
        state[ch + WCK_UNTIL] = max(state[ch + WCK_UNTIL], now + delay + state[WCK_POST])
    _issue_from(state, ch, places, length, index, command, now)


@njit(cache=True)
def _issue_started(state, ch, now):
    """Issue the burst whose data clock has been started."""
    request = state[ch + CAS]
    command = WR if state[request_place(state, ch, request) + R_STORE] else RD
    state[ch + CAS] = -1
    for kind in range(3):
        places, length = ch + state[LISTS_AT], ch + ACTIVE_WAITING
        if kind == 1:
            places, length = ch + state[READS_AT], ch + READS_WAITING
        elif kind == 2:
            places, length = ch + state[WRITES_AT], ch + WRITES_WAITING
        for index in range(state[length]):
            if state[places + index] == request:
                _issue_in_clock(state, ch, places, length, index, command, now)
                return


@njit(cache=True)
def _second_step(state, ch):
    """The row that is being opened is open."""
    request = state[ch + SPLIT]
    place = request_place(state, ch, request)
    state[bank_place(state, ch, state[place + R_BANK]) + OPEN_ROW] = state[place + R_ROW]
    state[ch + SPLIT] = -1
    _activated(state, ch, request)


@njit(cache=True)
def accept_to_active_list(state, ch, address, bank, row, column, store, now, job):
    """Take a request in at the end of a tick; there is room.

    A write to an address that waits in the write buffer is absorbed; a read of it gets its data in
    the next clock, behind those of the reads before it.
    """
    waiting = find(state, ch, ch + state[WRITES_AT], state[ch + WRITES_WAITING], address, -1)
    if waiting >= 0:
        end = now + 1
        if not store:
            state[ch + LATENCY_SUM] += 1
            end = state[ch + RETURNED] = max(end, state[ch + RETURNED])
        settle(state, ch, job, 1, end)
        return
    request = new_request(state, ch, address, bank, row, column, store, now, job)
    if store:
        append(state, ch + state[WRITES_AT], ch + WRITES_WAITING, request)
    else:
        append(state, ch + state[READS_AT], ch + READS_WAITING, request)
