"""Refreshes that are due: a ring of ranks, or of banks, that both controllers serve in order.

Compiled functions over the state of `hw_models.dram.layout`; ch is where a channel begins.
Rule: ARCHITECTURE.md DRAM-7.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from hw_models.dram.layout import (
    BANKS,
    CHANNEL,
    PER_BANK_REFRESH,
    RANKS,
    REFRESH_AT,
    REFRESH_HEAD,
    REFRESH_NEXT,
    REFRESH_PERIOD,
    REFRESHES_DUE,
    RING,
)


@njit(cache=True)
def insert_refreshes(state, ch, count):
    """So many refreshes fall due, of the ranks (or banks) whose turn it is."""
    targets = state[BANKS] if state[PER_BANK_REFRESH] else state[RANKS]
    for _ in range(count):
        end = (state[ch + REFRESH_HEAD] + state[ch + REFRESHES_DUE]) % RING
        state[ch + CHANNEL + end] = state[ch + REFRESH_NEXT]
        state[ch + REFRESHES_DUE] += 1
        state[ch + REFRESH_NEXT] = (state[ch + REFRESH_NEXT] + 1) % targets
    state[ch + REFRESH_AT] += state[REFRESH_PERIOD]


@njit(cache=True)
def first_refresh(state, ch):
    """The rank (or bank) whose refresh has been due for longest."""
    return state[ch + CHANNEL + state[ch + REFRESH_HEAD]]


@njit(cache=True)
def drop_refresh(state, ch):
    """The refresh that has been due for longest is under way."""
    state[ch + REFRESH_HEAD] = (state[ch + REFRESH_HEAD] + 1) % RING
    state[ch + REFRESHES_DUE] -= 1
