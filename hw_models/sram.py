"""An SRAM buffer of several banks, conflict by conflict. Rules: ARCHITECTURE.md SRAM-3 to SRAM-7.

Word w of the buffer lies in bank w mod banks. A job is a train of accesses to consecutive words:
access i wants `lanes` words at once, one in each of as many banks, and is available from cycle
`release + floor(i * pace_num / pace_den)` on. In each cycle a bank serves as many words as it has
ports. Jobs of the PE array and vector unit choose first, those of the DMA engines then; within a
class they take turns, beginning after the row whose access was completed last. An access is
complete when all of its words are served; the next one follows in a later cycle.

State, int64 (2 + rows, columns): row 0 is the buffer, row 1 counts busy cycles by bank as bit
planes (plane p of word m: bit b is bit p of the count of bank 62 m + b), then a row for each job.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numba import njit

from hw_models.kernel import FOREVER, Kernel
from traces.schema import CAUSE

BITS = 62
"""Banks in one word of a mask; two bits are left so that no sign or shift can interfere."""

PLANES = 40
"""Bits of a count of busy cycles between two checkpoints."""

WINDOW_TICKS = 4096
"""Cycles in one entry of a bank's ledger."""

(ACTIVE, NEXT_WORD, WORDS_LEFT, LANES, RELEASE, ISSUED, PACE_NUM, PACE_DEN) = range(8)
(CLASS, SERVED, QUEUED, UNREADY, MASK) = range(8, 13)
"""Columns of a job. ISSUED: accesses completed. CLASS: 0 chooses before 1. SERVED: cycles in which
an access was completed; QUEUED: in which one was wanted and not completed; UNREADY: in which the
next one was not available yet. From MASK on: banks that the access under way still waits for."""

NOW, LAST, BUSY, IDLE, BANKS, PORTS, WORDS = range(7)
"""Columns of row 0. LAST: row whose access was completed last. BUSY: cycles with a job since the
checkpoint; IDLE: those without one."""


def sram_kernel(banks: int, ports: int, classes: Sequence[int]) -> Kernel:
    """A buffer (or the read or write side of one) at cycle 0.

    ports: of each bank. classes: of each row, 0 chooses before 1. A job is release, its first word,
    words, lanes (at most banks), pace_num, pace_den.
    """
    words = -(-banks // BITS)
    columns = max(MASK + words, PLANES * words)
    state = np.zeros((2 + len(classes), columns), dtype=np.int64)
    state[0, BANKS], state[0, PORTS], state[0, WORDS] = banks, ports, words
    state[2:, CLASS] = classes
    return Kernel(
        state,
        len(classes),
        6,
        Fraction(1),
        tuple(CAUSE[c] for c in ("busy/transfer", "stall/operand_wait", "idle/no_work")),
        tuple(
            CAUSE[c] for c in ("stall/sram_bandwidth", "stall/bank_conflict", "stall/operand_wait")
        ),
        serve,
        units=banks,
        window_ticks=WINDOW_TICKS,
    )


@njit(cache=True)
def _available(state, row):
    if state[row, PACE_NUM] == 0:
        return state[row, RELEASE]
    return state[row, RELEASE] + state[row, ISSUED] * state[row, PACE_NUM] // state[row, PACE_DEN]


@njit(cache=True)
def _begin_access(state, row):
    """Fill the mask of a job's next access: consecutive banks, going round."""
    banks = state[0, BANKS]
    first = state[row, NEXT_WORD] % banks
    for i in range(min(state[row, LANES], state[row, WORDS_LEFT])):
        bank = first + i
        if bank >= banks:
            bank -= banks
        state[row, MASK + bank // BITS] |= np.int64(1) << (bank % BITS)


@njit(cache=True)
def _count(state, word, mask, plane):
    """Add 2 ** plane to the busy cycles of the banks in a mask: a ripple through the bit planes."""
    while mask:
        at = plane * state[0, WORDS] + word
        carry = state[1, at] & mask
        state[1, at] ^= mask
        mask = carry
        plane += 1


@njit(cache=True)
def _count_words(state, first, words):
    """Add one busy cycle to a bank for each of `words` consecutive words from `first` on."""
    banks = state[0, BANKS]
    rounds, rest = words // banks, words % banks
    for word in range(state[0, WORDS]):
        some, every = np.int64(0), np.int64(0)
        for bit in range(min(BITS, banks - word * BITS)):
            every |= np.int64(1) << bit
            if (word * BITS + bit - first) % banks < rest:
                some |= np.int64(1) << bit
        _count(state, word, some, 0)
        plane = 0
        while rounds >> plane:
            if (rounds >> plane) & 1:
                _count(state, word, every, plane)
            plane += 1


@njit(cache=True)
def _serve_alone(state, row, until):
    """Serve the only job to `until` or to its end, in closed form: no bank is wanted twice.

    Access j from here on is done at max(start + j, its availability), as both only grow with j.
    """
    now, lanes, issued = state[0, NOW], state[row, LANES], state[row, ISSUED]
    num, den, release = state[row, PACE_NUM], state[row, PACE_DEN], state[row, RELEASE]
    left = -(-state[row, WORDS_LEFT] // lanes)
    start = max(now, _available(state, row))
    last = release if num == 0 else release + (issued + left - 1) * num // den
    end, accesses = max(start + left - 1, last) + 1, left
    if end > until:
        end, accesses = until, min(left, until - start)
        if num:
            accesses = min(accesses, -((release - until) * den // num) - issued)
        accesses = max(0, accesses)
    words = min(accesses * lanes, state[row, WORDS_LEFT])
    _count_words(state, state[row, NEXT_WORD] % state[0, BANKS], words)
    state[row, NEXT_WORD] += words
    state[row, WORDS_LEFT] -= words
    state[row, ISSUED] += accesses
    state[row, SERVED] += accesses
    state[row, UNREADY] += end - now - accesses
    if accesses:
        state[0, LAST] = row
    state[0, BUSY] += end - now
    state[0, NOW] = end


@njit(cache=True)
def _grant(state, word):
    """Serve the banks in one word of the masks: class by class, in turn within a class."""
    rows, last = state.shape[0] - 2, state[0, LAST]
    free = (np.int64(1) << BITS) - 1
    second = free if state[0, PORTS] == 2 else np.int64(0)
    busy = np.int64(0)
    for turn in range(2):
        for step in range(rows):
            row = 2 + (max(last - 1, 0) + step) % rows
            if not state[row, ACTIVE] or state[row, CLASS] != turn:
                continue
            wanted = state[row, MASK + word]
            granted = wanted & free
            free ^= granted
            also = (wanted ^ granted) & second
            second ^= also
            state[row, MASK + word] = wanted ^ granted ^ also
            busy |= granted | also
    _count(state, word, busy, 0)


@njit(cache=True)
def _cycle(state):
    """One cycle with several jobs."""
    now, words, last = state[0, NOW], state[0, WORDS], state[0, LAST]
    for word in range(words):
        _grant(state, word)
    for row in range(2, state.shape[0]):
        if not state[row, ACTIVE]:
            continue
        if _available(state, row) > now:
            state[row, UNREADY] += 1
            continue
        waiting = np.int64(0)
        for word in range(words):
            waiting |= state[row, MASK + word]
        if waiting:
            state[row, QUEUED] += 1
            continue
        done = min(state[row, LANES], state[row, WORDS_LEFT])
        state[row, NEXT_WORD] += done
        state[row, WORDS_LEFT] -= done
        state[row, ISSUED] += 1
        state[row, SERVED] += 1
        last = row
    state[0, LAST] = last
    state[0, NOW] = now + 1
    state[0, BUSY] += 1


@njit(cache=True)
def _has_begun(state, row):
    begun = False
    for word in range(state[0, WORDS]):
        begun |= state[row, MASK + word] != 0
    return begun


@njit(cache=True)
def _run(state, until):
    """Run to cycle `until` or to the end of the first job that completes; returns its row or 0."""
    while True:
        active, ready, only, earliest = 0, 0, 0, FOREVER
        for row in range(2, state.shape[0]):
            if not state[row, ACTIVE]:
                continue
            if state[row, WORDS_LEFT] == 0:
                return row
            active += 1
            only = row
            at = _available(state, row)
            ready += at <= state[0, NOW]
            earliest = min(earliest, at)
        now = state[0, NOW]
        if now >= until:
            return 0
        if active == 0:
            state[0, IDLE] += until - now
            state[0, NOW] = until
        elif active == 1 and not _has_begun(state, only):
            _serve_alone(state, only, until)
        elif ready == 0:
            pause = min(until, earliest) - now
            for row in range(2, state.shape[0]):
                state[row, UNREADY] += pause * state[row, ACTIVE]
            state[0, BUSY] += pause
            state[0, NOW] = now + pause
        else:
            for row in range(2, state.shape[0]):
                if (
                    state[row, ACTIVE]
                    and _available(state, row) <= now
                    and not _has_begun(state, row)
                ):
                    _begin_access(state, row)
            _cycle(state)


@njit(cache=True)
def _log_windows(state, log):
    """Write a window for every bank and begin the next."""
    words = state[0, WORDS]
    for bank in range(state[0, BANKS]):
        busy = np.int64(0)
        for plane in range(PLANES):
            busy |= ((state[1, plane * words + bank // BITS] >> (bank % BITS)) & 1) << plane
        log[0, 0] += 1
        at = log[0, 0]
        log[at, 0], log[at, 1] = bank, state[0, NOW]
        log[at, 2], log[at, 3], log[at, 4] = busy, state[0, BUSY] - busy, state[0, IDLE]
    state[1] = 0
    state[0, BUSY] = state[0, IDLE] = 0


@njit(cache=True)
def serve(state, ahead, log, cycle, commit, inbox, arrivals):
    """The contract of `hw_models.kernel.Kernel`; inbox: row, release, first word, words, lanes,
    pace_num, pace_den."""
    before = state[0, NOW]
    if commit:
        row = _run(ahead, ahead[0, NOW])
        state[:] = ahead
        state[row, ACTIVE] = 0
    else:
        _run(state, cycle)
    if state[0, NOW] > before:
        _log_windows(state, log)
    for i in range(arrivals):
        row = 1 + inbox[i, 0]
        kind = state[row, CLASS]
        state[row] = 0
        state[row, CLASS], state[row, ACTIVE] = kind, 1
        state[row, RELEASE], state[row, NEXT_WORD] = inbox[i, 1], inbox[i, 2]
        state[row, WORDS_LEFT], state[row, LANES] = inbox[i, 3], inbox[i, 4]
        state[row, PACE_NUM], state[row, PACE_DEN] = inbox[i, 5], inbox[i, 6]
    jobs = 0
    for row in range(2, state.shape[0]):
        jobs += state[row, ACTIVE]
    if jobs == 0:
        return FOREVER, 0, 0, 0, 0
    ahead[:] = state
    row = _run(ahead, FOREVER)
    last = ahead[row]
    return ahead[0, NOW], row - 1, last[SERVED], last[QUEUED], last[UNREADY]


class PlainTrain(NamedTuple):
    """A job of the plain buffer: it arrives at `arrival`; the rest as in `serve`'s inbox."""

    arrival: int
    row: int
    release: int
    first_word: int
    words: int
    lanes: int
    pace_num: int
    pace_den: int


def sram_plain(
    jobs: Sequence[PlainTrain], banks: int, ports: int, classes: Sequence[int]
) -> tuple[list[dict[str, int]], list[int]]:
    """The buffer as a loop over cycles with sets of banks: the oracle of kernel and server.

    Returns, per job: end, served, queued, unready; and the busy cycles of every bank.
    """
    results: list[dict[str, int]] = [
        {"end": -1, "served": 0, "queued": 0, "unready": 0} for _ in jobs
    ]
    done = [0] * len(jobs)
    waiting: dict[int, set[int]] = {}
    busy = [0] * banks
    cycle, last = 0, 0
    while any(result["end"] < 0 for result in results):
        present = [
            i for i, job in enumerate(jobs) if job.arrival <= cycle and results[i]["end"] < 0
        ]
        ready = []
        for i in present:
            job, access = jobs[i], results[i]["served"]
            due = job.release + (access * job.pace_num // job.pace_den if job.pace_num else 0)
            if due > cycle:
                results[i]["unready"] += 1
                continue
            ready.append(i)
            if i not in waiting:
                words = range(done[i], min(done[i] + job.lanes, job.words))
                waiting[i] = {(job.first_word + w) % banks for w in words}
        in_turn = sorted(
            ready, key=lambda i: (classes[jobs[i].row - 1], jobs[i].row <= last, jobs[i].row)
        )
        ports_left = dict.fromkeys(range(banks), ports)
        used = set()
        for i in in_turn:
            for bank in sorted(waiting[i]):
                if ports_left[bank]:
                    ports_left[bank] -= 1
                    waiting[i].remove(bank)
                    used.add(bank)
        for bank in used:
            busy[bank] += 1
        for i in sorted(ready, key=lambda i: jobs[i].row):
            if waiting[i]:
                results[i]["queued"] += 1
                continue
            del waiting[i]
            done[i] += jobs[i].lanes
            results[i]["served"] += 1
            last = jobs[i].row
            if done[i] >= jobs[i].words:
                results[i]["end"] = cycle + 1
        cycle += 1
    return results, busy
