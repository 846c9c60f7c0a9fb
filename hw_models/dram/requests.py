"""Requests of a channel: the pool, the lists, and what happens when data are asked for and moved.

Compiled functions over the state of `hw_models.dram.layout`; ch is where a channel begins.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from hw_models.dram.layout import (
    BUSY_OWNER,
    DATA_UNTIL,
    END,
    FILTER,
    FILTER_PLACES,
    FREE,
    FREE_AT,
    GRANULE_SHIFT,
    JOB_WORDS,
    JOBS_AT,
    LATENCY_SUM,
    OWNER,
    POOL_AT,
    R_ADDRESS,
    R_ARRIVAL,
    R_BANK,
    R_COLUMN,
    R_COUNT,
    R_JOB,
    R_ROW,
    R_SEEN,
    R_STORE,
    R_SUM,
    READ_DELAY,
    REQUEST_WORDS,
    REQUESTS,
    RETURNED,
    UNDER_WAY,
    WRITE_DELAY,
    WRITES_AT,
    WRITES_WAITING,
)


@njit(cache=True)
def request_place(state, ch, request):
    """Where a request begins."""
    return ch + state[POOL_AT] + request * REQUEST_WORDS


@njit(cache=True)
def append(state, places, length, request):
    """Put a request at the end of a list. length: where the list's length is kept."""
    state[places + state[length]] = request
    state[length] += 1


@njit(cache=True)
def remove(state, places, length, index):
    """Take a request out of a list; the others keep their order."""
    state[length] -= 1
    for i in range(index, state[length]):
        state[places + i] = state[places + i + 1]


@njit(cache=True)
def new_request(state, ch, address, bank, row, column, store, arrival, job):
    """Fill a free request and return its number."""
    state[ch + FREE] -= 1
    request = state[ch + state[FREE_AT] + state[ch + FREE]]
    at = request_place(state, ch, request)
    state[at + R_ADDRESS], state[at + R_BANK] = address, bank
    state[at + R_ROW], state[at + R_COLUMN], state[at + R_STORE] = row, column, store
    state[at + R_ARRIVAL] = state[at + R_SUM] = arrival
    state[at + R_COUNT], state[at + R_JOB], state[at + R_SEEN] = 1, job, 0
    state[ch + REQUESTS] += 1
    return request


@njit(cache=True)
def retire(state, ch, request, now):
    """The data command of a request has been issued: its job knows when the data have moved."""
    at = request_place(state, ch, request)
    count = state[at + R_COUNT]
    if state[at + R_STORE]:
        end = now + state[WRITE_DELAY]
    else:
        end = now + state[READ_DELAY]
        state[ch + LATENCY_SUM] += count * end - state[at + R_SUM]
        state[ch + RETURNED] = max(state[ch + RETURNED], end)
    settle(state, ch, state[at + R_JOB], count, end)
    state[ch + BUSY_OWNER] = state[state[JOBS_AT] + state[at + R_JOB] * JOB_WORDS + OWNER]
    state[ch + state[FREE_AT] + state[ch + FREE]] = request
    state[ch + FREE] += 1
    state[ch + REQUESTS] -= 1


@njit(cache=True)
def settle(state, ch, job, count, end):
    """So many bursts of a job are certain to have moved by `end`."""
    state[ch + DATA_UNTIL] = max(state[ch + DATA_UNTIL], end)
    at = state[JOBS_AT] + job * JOB_WORDS
    state[at + UNDER_WAY] -= count
    state[at + END] = max(state[at + END], end)


@njit(cache=True)
def find(state, ch, places, length, address, job):
    """The request of a list with an address (of any job if -1), or -1."""
    for i in range(length):
        request = state[places + i]
        at = request_place(state, ch, request)
        if state[at + R_ADDRESS] == address and (job < 0 or state[at + R_JOB] == job):
            return request
    return -1


@njit(cache=True)
def count_write(state, ch, address, change):
    """Note that a write has come to the buffer (1) or has left it (-1)."""
    state[_filter_place(state, ch, address)] += change


@njit(cache=True)
def waiting_write(state, ch, address):
    """The write that waits in the buffer for an address, or -1.

    Nearly every address that is asked for has none, and the count by hash tells so at once.
    """
    if state[_filter_place(state, ch, address)] == 0:
        return -1
    return find(state, ch, ch + state[WRITES_AT], state[ch + WRITES_WAITING], address, -1)


@njit(cache=True)
def _filter_place(state, ch, address):
    granule = address >> state[GRANULE_SHIFT]
    return ch + FILTER + ((granule ^ (granule >> 6) ^ (granule >> 12)) & (FILTER_PLACES - 1))
