"""A channel of either controller: its clock, what its ticks went into, and taking requests in.

Compiled functions over the state of `hw_models.dram.layout`; ch is where a channel begins.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from hw_models.dram.active_list import accept_to_active_list, tick_active_list
from hw_models.dram.address_map import FIELDS
from hw_models.dram.bank_queues import accept_to_bank_queues, tick_bank_queues
from hw_models.dram.gaps import ACTIVE_LIST
from hw_models.dram.layout import (
    ACCOUNTED,
    BUFFER_PLACES,
    BUSY_UNTIL,
    CHANNEL_WORDS,
    CHANNELS_AT,
    CONTROLLER,
    DATA_UNTIL,
    DUE,
    FIELDS_AT,
    GROUP_SHIFT,
    PARITIES,
    PARITY,
    RANK_SHIFT,
    READS_WAITING,
    REFRESH_UNTIL,
    REFRESHES_DUE,
    REQUESTS,
    ROW_UNTIL,
    TICKS_BUSY,
    WRITES_WAITING,
)
from hw_models.dram.requests import waiting_write

ROW_AT, RANK_AT, GROUP_AT, BANK_AT, CHANNEL_AT, COLUMN_AT = (
    FIELDS_AT + 2 * FIELDS.index(name) for name in ("ro", "ra", "bg", "ba", "ch", "co")
)

TICK_CAUSES = 6
BUSY, IN_REFRESH, IN_ROW, BETWEEN, IN_FLIGHT, NO_WORK = range(TICK_CAUSES)
"""What a channel's tick goes into: a burst's slot; refresh; a row that is opened or closed; a gap
between bursts; data on their way; nothing. The first that holds."""


@njit(cache=True)
def tick(state, ch, now):
    """One clock of a channel, which notes when something can happen next."""
    account(state, ch, now)
    if state[CONTROLLER] == ACTIVE_LIST:
        state[ch + DUE] = tick_active_list(state, ch, now)
    else:
        state[ch + DUE] = tick_bank_queues(state, ch, now)


@njit(cache=True)
def account(state, ch, until):
    """Bring a channel's ticks by cause up to a tick."""
    if state[ch + ACCOUNTED] == until:
        return
    spent = ticks_by_cause(state, ch, state[ch + ACCOUNTED], until)
    for cause in range(TICK_CAUSES):
        state[ch + TICKS_BUSY + cause] += spent[cause]
    state[ch + ACCOUNTED] = until


@njit(cache=True)
def ticks_by_cause(state, ch, since, until):
    """Ticks of [since, until), in which nothing happens, by cause."""
    busy = min(max(state[ch + BUSY_UNTIL], since), until)
    if state[ch + REQUESTS] == 0:
        flight = min(max(state[ch + DATA_UNTIL], busy), until)
        return busy - since, 0, 0, 0, flight - busy, until - flight
    refresh = until
    if state[ch + REFRESHES_DUE] == 0:
        refresh = min(max(state[ch + REFRESH_UNTIL], busy), until)
    row = min(max(state[ch + ROW_UNTIL], refresh), until)
    return busy - since, refresh - busy, row - refresh, until - row, 0, 0


@njit(cache=True)
def channel_of(state, address):
    """Where the channel of an address begins."""
    if state[PARITIES] == 0:
        number = (address >> state[CHANNEL_AT]) & state[CHANNEL_AT + 1]
        return state[CHANNELS_AT] + number * state[CHANNEL_WORDS]
    number = 0
    for bit in range(state[PARITIES]):
        bits = address & state[PARITY + bit]
        for shift in (32, 16, 8, 4, 2, 1):
            bits ^= bits >> shift
        number |= (bits & 1) << bit
    return state[CHANNELS_AT] + number * state[CHANNEL_WORDS]


@njit(cache=True)
def has_room(state, ch, address, store):
    """Whether a channel can take a request in.

    What the write buffer of an active-list controller absorbs or answers needs no place.
    """
    waiting = state[ch + WRITES_WAITING] if store else state[ch + READS_WAITING]
    if waiting < BUFFER_PLACES:
        return True
    if state[CONTROLLER] != ACTIVE_LIST:
        return False
    return waiting_write(state, ch, address) >= 0


@njit(cache=True)
def accept(state, ch, address, store, now, job):
    """Take a request in at the end of tick `now`; there is room."""
    account(state, ch, now)
    row = (address >> state[ROW_AT]) & state[ROW_AT + 1]
    column = (address >> state[COLUMN_AT]) & state[COLUMN_AT + 1]
    rank = (address >> state[RANK_AT]) & state[RANK_AT + 1]
    group = (address >> state[GROUP_AT]) & state[GROUP_AT + 1]
    bank = (address >> state[BANK_AT]) & state[BANK_AT + 1]
    bank += (rank << state[RANK_SHIFT]) + (group << state[GROUP_SHIFT])
    if state[CONTROLLER] == ACTIVE_LIST:
        accept_to_active_list(state, ch, address, bank, row, column, store, now, job)
    else:
        accept_to_bank_queues(state, ch, address, bank, row, column, store, now, job)
    state[ch + DUE] = now + 1
