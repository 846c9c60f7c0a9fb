"""Timers of banks, groups and ranks: when a command may be issued, and what issuing it holds back.

Compiled functions over the state of `hw_models.dram.layout`; ch is where a channel begins.
Rules: ARCHITECTURE.md DRAM-2 to DRAM-4.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from hw_models.dram.gaps import (
    ACT,
    BANK,
    GROUP,
    OTHER_RANKS,
    PRE,
    PREA,
    RD,
    RDA,
    REF,
    REFB,
    TIMERS,
    WR,
    WRA,
)
from hw_models.dram.layout import (
    ACCESSES,
    ACT_4,
    ACT_4_AT,
    ACT_32,
    ACT_32_AT,
    ACTIVATES,
    BANK_WORDS,
    BANKS_AT,
    BOUND,
    BOUND_BY,
    BURST,
    BUSY_UNTIL,
    CLOSED,
    CLOSING,
    FAW,
    GROUP_SHIFT,
    GROUPS_AT,
    OPEN_BANKS,
    OPEN_ROW,
    OPEN_SINCE,
    OPEN_TICKS,
    OPENING,
    PRECHARGES,
    RANK_SHIFT,
    RANK_WORDS,
    RANKS,
    RANKS_AT,
    READ_COMMANDS,
    REFRESH_UNTIL,
    REFRESHES,
    REFRESHING,
    ROW_UNTIL,
    RULE_WORDS,
    RULES_AT,
    W32,
    WRITE_COMMANDS,
)


@njit(cache=True)
def bank_place(state, ch, bank):
    """Where a bank's timers begin."""
    return ch + state[BANKS_AT] + bank * BANK_WORDS


@njit(cache=True)
def rank_place(state, ch, bank):
    """Where the timers of a bank's rank begin."""
    return ch + RANKS_AT + (bank >> state[RANK_SHIFT]) * RANK_WORDS


@njit(cache=True)
def earliest(state, ch, bank, command):
    """First tick at which a bank accepts a command, by all rules."""
    group = ch + state[GROUPS_AT] + (bank >> state[GROUP_SHIFT]) * TIMERS
    return max(
        state[bank_place(state, ch, bank) + command],
        state[group + command],
        state[rank_place(state, ch, bank) + command],
    )


@njit(cache=True)
def issue(state, ch, bank, row, command, now):
    """Issue a command: the bank's new state, the rules that follow, and the counts.

    row: of ACT. A closed-page read or write becomes one with automatic precharge. Commands to a
    whole rank name any of its banks.
    """
    if state[CLOSED] and command == RD:
        command = RDA
    elif state[CLOSED] and command == WR:
        command = WRA
    _hold_back(state, ch, bank, command, now)
    at = bank_place(state, ch, bank)
    if command == ACT:
        _count_activate(state, rank_place(state, ch, bank), now)
        _open(state, ch, bank, row, now)
        state[ch + ROW_UNTIL] = max(state[ch + ROW_UNTIL], now + state[OPENING])
    elif command == PRE:
        _close(state, ch, bank, now)
        state[ch + PRECHARGES] += 1
        state[ch + ROW_UNTIL] = max(state[ch + ROW_UNTIL], now + state[CLOSING])
    elif command == PREA:
        banks = 1 << state[RANK_SHIFT]
        first = (bank >> state[RANK_SHIFT]) * banks
        for other in range(first, first + banks):
            _close(state, ch, other, now)
        state[ch + PRECHARGES] += 1
        state[ch + ROW_UNTIL] = max(state[ch + ROW_UNTIL], now + state[CLOSING])
    elif command in (REF, REFB):
        state[ch + REFRESHES] += 1
        state[ch + REFRESH_UNTIL] = max(state[ch + REFRESH_UNTIL], now + state[REFRESHING])
    else:
        state[at + ACCESSES] += 1
        state[ch + (READ_COMMANDS if command in (RD, RDA) else WRITE_COMMANDS)] += 1
        state[ch + BUSY_UNTIL] = max(state[ch + BUSY_UNTIL], now + state[BURST])
        if command in (RDA, WRA):
            _close(state, ch, bank, now)
            state[ch + PRECHARGES] += 1
    state[at + BOUND], state[at + BOUND_BY] = 0, -1


@njit(cache=True)
def _hold_back(state, ch, bank, command, now):
    """Move the timers that a command's rules bind."""
    rules = RULES_AT + command * RULE_WORDS
    own = bank_place(state, ch, bank)
    group = ch + state[GROUPS_AT] + (bank >> state[GROUP_SHIFT]) * TIMERS
    rank = rank_place(state, ch, bank)
    for i in range(state[rules]):
        scope, then, clocks = rules + 1 + 3 * i, rules + 2 + 3 * i, rules + 3 + 3 * i
        until = now + state[clocks]
        if state[scope] == OTHER_RANKS:
            for other in range(state[RANKS]):
                at = ch + RANKS_AT + other * RANK_WORDS
                if at != rank:
                    state[at + state[then]] = max(state[at + state[then]], until)
            continue
        at = own if state[scope] == BANK else group if state[scope] == GROUP else rank
        state[at + state[then]] = max(state[at + state[then]], until)


@njit(cache=True)
def _count_activate(state, rank, now):
    """Remember an activate of a rank: the fifth waits for the first, the 33rd likewise."""
    at = state[rank + ACT_4_AT]
    state[rank + ACT_4 + at] = now
    state[rank + ACT_4_AT] = at = (at + 1) % 4
    state[rank + ACT] = max(state[rank + ACT], state[rank + ACT_4 + at] + state[FAW])
    if state[W32]:
        at = state[rank + ACT_32_AT]
        state[rank + ACT_32 + at] = now
        state[rank + ACT_32_AT] = at = (at + 1) % 32
        state[rank + ACT] = max(state[rank + ACT], state[rank + ACT_32 + at] + state[W32])


@njit(cache=True)
def _open(state, ch, bank, row, now):
    rank, at = rank_place(state, ch, bank), bank_place(state, ch, bank)
    if state[rank + OPEN_BANKS] == 0:
        state[rank + OPEN_SINCE] = now
    state[rank + OPEN_BANKS] += 1
    state[at + OPEN_ROW] = row
    state[ch + ACTIVATES] += 1


@njit(cache=True)
def _close(state, ch, bank, now):
    rank, at = rank_place(state, ch, bank), bank_place(state, ch, bank)
    if state[at + OPEN_ROW] != -1:
        state[rank + OPEN_BANKS] -= 1
        if state[rank + OPEN_BANKS] == 0:
            state[ch + OPEN_TICKS] += now - state[rank + OPEN_SINCE]
    state[at + OPEN_ROW] = -1
    state[at + ACCESSES] = 0
