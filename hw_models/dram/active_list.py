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

from hw_models.dram.bits import trailing_zeros
from hw_models.dram.gaps import ACT, PRE, PREA, RD, REF, REFB, WR
from hw_models.dram.layout import (
    ACT2_WITHIN,
    ACTIVE_WAITING,
    BUFFER_PLACES,
    CAS,
    CLOSED,
    COMMAND_BUSES,
    HITS,
    HITS_FIRST,
    IN_ACTIVE,
    LATENCY_SUM,
    LISTS_AT,
    NOT_BEFORE,
    OPEN_ROW,
    PER_BANK_REFRESH,
    R_ADDRESS,
    R_ARRIVAL,
    R_BANK,
    R_ROW,
    R_SEEN,
    R_STORE,
    RANK_SHIFT,
    RANK_WORDS,
    RANKS,
    RANKS_AT,
    READ_DELAY,
    READS_AT,
    READS_WAITING,
    REFRESH_AT,
    REFRESHES_DUE,
    RETURNED,
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
from hw_models.dram.refresh import drop_refresh, first_refresh, insert_refreshes
from hw_models.dram.requests import (
    append,
    count_write,
    new_request,
    remove,
    request_place,
    retire,
    settle,
    waiting_write,
)
from hw_models.dram.timers import bank_place, earliest, issue
from hw_models.kernel import FOREVER

BUSES = 3
ANY, COLUMN, ROW = range(BUSES)
"""Commands that a bus takes."""
BITS = 63
"""Of a word that can hold a mark for as many banks."""
BEING_OPENED = -2
"""Row of a bank between the two steps of an activation."""


@njit(cache=True)
def tick_active_list(state, ch, now):
    """One clock of a channel; returns the tick at which something can happen next."""
    if now == state[ch + REFRESH_AT]:
        insert_refreshes(state, ch, 1 if state[PER_BANK_REFRESH] else state[RANKS])
    if state[ACT2_WITHIN]:
        soonest = _two_step_clock(state, ch, now)
    elif state[COMMAND_BUSES] == 2:
        soonest = _clock(state, ch, now, COLUMN)
        soonest = min(soonest, _clock(state, ch, now, ROW))
    else:
        soonest = _clock(state, ch, now, ANY)
    return max(now + 1, min(soonest, state[ch + REFRESH_AT]))


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
        index, command, soonest = _best_active(state, ch, now, bus)
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
    index, command, ready = _first_new(state, ch, places, length, now, bus)
    return places, length, index, command, min(soonest, ready)


@njit(cache=True)
def _set_write_mode(state, ch):
    """Writes begin above 80 % of the buffer or without reads; they end below 20 % if there are any
    reads."""
    reads, writes = state[ch + READS_WAITING], state[ch + WRITES_WAITING]
    if state[ch + WRITE_MODE]:
        if 5 * writes < BUFFER_PLACES and reads:
            state[ch + WRITE_MODE] = 0
            _forget_bounds(state, ch)
    elif 5 * writes > 4 * BUFFER_PLACES or reads == 0:
        state[ch + WRITE_MODE] = 1
        _forget_bounds(state, ch)


@njit(cache=True)
def _forget_bounds(state, ch):
    """Something has made commands possible that the lists did not have before."""
    for i in range(2 * BUSES):
        state[ch + NOT_BEFORE + i] = 0


@njit(cache=True)
def _forget_rows(state, ch):
    """Rows have been opened or closed."""
    state[ch + HITS] = state[ch + HITS + 1] = -1
    _forget_bounds(state, ch)


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
def _best_active(state, ch, now, bus):
    """Of the activated requests that are ready the one that came first: its index (-1: none),
    command, and the tick from which on there may be one."""
    bound = ch + NOT_BEFORE + BUSES + bus
    if state[bound] > now:
        return -1, -1, state[bound]
    best, best_command, arrival, soonest = -1, -1, FOREVER, FOREVER
    for i in range(state[ch + ACTIVE_WAITING]):
        place = request_place(state, ch, state[ch + state[LISTS_AT] + i])
        if state[place + R_ARRIVAL] >= arrival:
            continue
        command = _next_command(state, ch, place)
        if command < 0 or (command == ACT and state[ch + SPLIT] >= 0):
            continue
        if bus != ANY and (command in (RD, WR)) != (bus == COLUMN):
            continue
        ready = earliest(state, ch, state[place + R_BANK], command)
        if ready <= now:
            best, best_command, arrival = i, command, state[place + R_ARRIVAL]
        soonest = min(soonest, ready)
    if best < 0:
        state[bound] = soonest
    return best, best_command, soonest


@njit(cache=True)
def _first_new(state, ch, places, length, now, bus):
    """The first request of a buffer that is ready: as `_best_active`, for requests in the order in
    which they came."""
    bound = ch + NOT_BEFORE + bus
    if state[bound] > now:
        return -1, -1, state[bound]
    column = WR if length == ch + WRITES_WAITING else RD
    if bus == COLUMN:
        soonest = _rank_takes(state, ch, column)
        if soonest > now:
            state[bound] = soonest
            return -1, -1, soonest
    hits, bits, soonest = _hits(state, ch, places, length), (1 << state[length]) - 1, FOREVER
    if bus != ANY:
        bits &= hits if bus == COLUMN else ~hits
    hit_banks, other_banks = 0, 0
    while bits:
        i = trailing_zeros(bits)
        bits &= bits - 1
        place = request_place(state, ch, state[places + i])
        bank, command = state[place + R_BANK], column
        # Of a bank's hits, and of those that want another row of it, the oldest speaks for all.
        mark = 1 << bank if bank < BITS else 0
        if (hits >> i) & 1:
            if hit_banks & mark:
                continue
            hit_banks |= mark
        else:
            if other_banks & mark:
                continue
            other_banks |= mark
            command = _opening_command(state, ch, places, length, place)
            if command < 0:
                continue
        ready = earliest(state, ch, bank, command)
        if ready <= now:
            return i, command, ready
        soonest = min(soonest, ready)
    state[bound] = soonest
    return -1, -1, soonest


@njit(cache=True)
def _rank_takes(state, ch, command):
    """First tick at which any rank accepts a command, as far as its own timers go."""
    soonest = FOREVER
    for rank in range(state[RANKS]):
        soonest = min(soonest, state[ch + RANKS_AT + rank * RANK_WORDS + command])
    return soonest


@njit(cache=True)
def _opening_command(state, ch, places, length, place):
    """What a request whose row isn't open needs next, -1 if it has to wait for other requests."""
    command = _next_command(state, ch, place)
    if command == ACT:
        return ACT if state[ch + SPLIT] < 0 else -1
    if command == PRE:
        if state[bank_place(state, ch, state[place + R_BANK]) + IN_ACTIVE]:
            return -1
        if state[HITS_FIRST] and _hit_waits(state, ch, places, length, place):
            return -1
    return command


@njit(cache=True)
def _hits(state, ch, places, length):
    """The bits of a buffer's row hits."""
    at = ch + HITS + (length == ch + WRITES_WAITING)
    if state[at] < 0:
        hits = 0
        for i in range(state[length]):
            place = request_place(state, ch, state[places + i])
            row = state[bank_place(state, ch, state[place + R_BANK]) + OPEN_ROW]
            hits |= (row == state[place + R_ROW]) << i
        state[at] = hits
    return state[at]


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
    target = first_refresh(state, ch)
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
    target = first_refresh(state, ch)
    bank = target if state[PER_BANK_REFRESH] else target << state[RANK_SHIFT]
    issue(state, ch, bank, 0, command, now)
    _forget_rows(state, ch)
    if command in (REF, REFB):
        drop_refresh(state, ch)


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
    active = length == ch + ACTIVE_WAITING
    if command not in (RD, WR) or state[CLOSED]:
        _forget_rows(state, ch)
    elif active or state[HITS_FIRST]:
        _forget_bounds(state, ch)
    if command == PRE:
        return
    remove(state, places, length, index)
    state[at + IN_ACTIVE] -= active
    if not active:
        _left_buffer(state, ch, length, index, place)
    state[ch + ROOM] = 1
    if command == ACT and state[ACT2_WITHIN]:
        state[ch + SPLIT], state[ch + SPLIT_DEADLINE] = request, now + state[ACT2_WITHIN]
    elif command == ACT:
        _activated(state, ch, request)
    else:
        retire(state, ch, request, now)


@njit(cache=True)
def _left_buffer(state, ch, length, index, place):
    """A request has left its buffer: the bits of those behind it move down, too."""
    writes = length == ch + WRITES_WAITING
    if writes:
        count_write(state, ch, state[place + R_ADDRESS], -1)
    hits, before = state[ch + HITS + writes], (1 << index) - 1
    if hits >= 0:
        state[ch + HITS + writes] = (hits & before) | ((hits >> 1) & ~before)


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
    _forget_rows(state, ch)


@njit(cache=True)
def accept_to_active_list(state, ch, address, bank, row, column, store, now, job):
    """Take a request in at the end of a tick; there is room.

    A write to an address that waits in the write buffer is absorbed; a read of it gets its data in
    the next clock, behind those of the reads before it.
    """
    if waiting_write(state, ch, address) >= 0:
        end = now + 1
        if not store:
            state[ch + LATENCY_SUM] += 1
            end = state[ch + RETURNED] = max(end, state[ch + RETURNED])
        settle(state, ch, job, 1, end)
        return
    request = new_request(state, ch, address, bank, row, column, store, now, job)
    if store:
        append(state, ch + state[WRITES_AT], ch + WRITES_WAITING, request)
        count_write(state, ch, address, 1)
    else:
        append(state, ch + state[READS_AT], ch + READS_WAITING, request)
    _came_to_buffer(state, ch, request, store)


@njit(cache=True)
def _came_to_buffer(state, ch, request, store):
    """A buffer may have a command as soon as its newest request allows one."""
    place = request_place(state, ch, request)
    bank, command = state[place + R_BANK], _next_command(state, ch, place)
    bus = COLUMN if command in (RD, WR) else ROW
    if bus == COLUMN and state[ch + HITS + store] >= 0:
        length = state[ch + (WRITES_WAITING if store else READS_WAITING)]
        state[ch + HITS + store] |= 1 << (length - 1)
    if command < 0 or (command == PRE and state[bank_place(state, ch, bank) + IN_ACTIVE]):
        return
    ready, bound = earliest(state, ch, bank, command), ch + NOT_BEFORE
    state[bound + ANY] = min(state[bound + ANY], ready)
    state[bound + bus] = min(state[bound + bus], ready)
