"""A network as a kernel of a kernel server: jobs are tile transfers, units are links. Rule: NOC-10.

A job is release (chip cycle), source node, target (a node, or nodes + number of a multicast group),
flits, pace_num, pace_den: flit i is available floor(i * pace_num / pace_den) ticks after the
release. It ends when its last flit has been ejected at its last target; the first count that
`serve` returns is that of flits delivered, at all targets.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from numba import njit

from hw_models.kernel import FOREVER, Kernel
from hw_models.noc.network import admit, run
from hw_models.noc.router import Fidelity, RouterSpec
from hw_models.noc.topology import Topology
from hw_models.noc.wiring import (
    ACTIVE,
    ADMITTED,
    BEHIND,
    BUSY,
    BUSY_UNTIL,
    CYCLES,
    DELIVERED,
    END,
    FLITS,
    HEAD_WORDS,
    JOB_WORDS,
    LINK_WORDS,
    LINKS,
    LINKS_AT,
    LOGGED,
    NEXT_END,
    NODES_AT,
    NOW,
    STALL,
    STALLED,
    TICKS,
    UNREADY,
    WANTED,
    build_wiring,
    new_state,
)
from traces.errors import InputError
from traces.schema import CAUSE

WINDOW_CAUSES = ("busy/transfer", "stall/noc_contention", "idle/no_work")
JOB_CAUSES = (
    "stall/noc_bandwidth",  # flits
    "stall/noc_bandwidth",  # held up by itself: credits and virtual channels of its own packets
    "stall/noc_contention",  # behind other jobs, of its own core or another
    "stall/operand_wait",  # before its first flit could arrive, or the next was available
)
MOST_ROWS = 1 << 20
JOB_COLUMNS = 6
WINDOW_TICKS = 4096
"""Ticks in one entry of a link's ledger."""


def noc_kernel(
    topology: Topology,
    router: RouterSpec,
    fidelity: Fidelity,
    owners: Sequence[int],
    cycles_per_tick: Fraction,
    groups: Sequence[Sequence[int]] = (),
) -> Kernel:
    """A network at tick 0; its units are topology.link_names. owners: the core of each row.

    groups: nodes of each multicast group. Raises InputError for a network that can't be.
    """
    if not 0 < len(owners) < MOST_ROWS:
        raise InputError(f"noc: rows must be from 1 to {MOST_ROWS - 1}, not {len(owners)}")
    rate = (cycles_per_tick.numerator, cycles_per_tick.denominator)
    w = build_wiring(topology, router, fidelity, len(owners), groups, rate)
    return Kernel(
        new_state(w, topology, router, owners),
        len(owners),
        JOB_COLUMNS,
        cycles_per_tick,
        tuple(CAUSE[cause] for cause in WINDOW_CAUSES),
        tuple(CAUSE[cause] for cause in JOB_CAUSES),
        partial(serve, w),
        units=int(w[LINKS]),
        window_ticks=WINDOW_TICKS,
    )


@njit(cache=True)
def _write_window(log, unit, end, busy, stall, idle):
    log[0, 0] += 1
    at = log[0, 0]
    log[at, 0], log[at, 1] = unit, end
    log[at, 2], log[at, 3], log[at, 4] = busy, stall, idle


@njit(cache=True)
def _log_windows(w, s, log, before):
    """Write a window for every link that moved or was wanted since tick `before`.

    Links at rest write nothing until they move again, then first the rest. So no link writes more
    windows than there were calls.
    """
    now = s[NOW]
    for unit in range(w[LINKS]):
        link = w[LINKS_AT] + unit * LINK_WORDS
        if s[link + STALLED]:
            s[link + STALL] += now + 1 - s[link + STALLED]
            s[link + STALLED] = now + 1
        if s[link + BUSY] == 0 and s[link + STALL] == 0:
            continue
        if s[link + LOGGED] < before:
            _write_window(log, unit, before, 0, 0, before - s[link + LOGGED])
        later = max(0, s[link + BUSY_UNTIL] - now)
        busy, stall = s[link + BUSY] - later, s[link + STALL]
        _write_window(log, unit, now, busy, stall, now - before - busy - stall)
        s[link + BUSY], s[link + STALL], s[link + LOGGED] = later, 0, now


@njit(cache=True)
def _next_end(w, s):
    """Job that is delivered and ends first (of equals, the lowest), 0 if there is none."""
    first, s[NEXT_END] = 0, FOREVER
    for job in range(HEAD_WORDS + JOB_WORDS, w[NODES_AT], JOB_WORDS):
        done = s[job + ACTIVE] and s[job + DELIVERED] == s[job + WANTED]
        if done and s[job + END] < s[NEXT_END]:
            first, s[NEXT_END] = job, s[job + END]
    return first


@njit(cache=True)
def serve(w, state, ahead, log, cycle, commit, inbox, arrivals):
    """The contract of `hw_models.kernel.Kernel` but for the first argument, the wiring; inbox: row,
    release, source, target, flits, pace_num, pace_den."""
    before = state[NOW]
    if commit:
        state[:] = ahead
        state[_next_end(w, state) + ACTIVE] = 0
        _next_end(w, state)
    else:
        run(w, state, cycle * w[TICKS] // w[CYCLES], True)
    if state[NOW] > before:
        _log_windows(w, state, log, before)
    for i in range(arrivals):
        row, release, source, target, flits, pace_num, pace_den = inbox[i]
        release = -(-release * w[TICKS] // w[CYCLES])
        admit(w, state, row, release, source, target, flits, pace_num, pace_den)
    jobs = 0
    for job in range(HEAD_WORDS + JOB_WORDS, w[NODES_AT], JOB_WORDS):
        jobs += state[job + ACTIVE]
    if jobs == 0:
        return FOREVER, 0, 0, 0, 0, 0
    ahead[:] = state
    run(w, ahead, FOREVER, True)
    job = _next_end(w, ahead)
    flits, total = ahead[job + FLITS], ahead[job + END] - ahead[job + ADMITTED]
    unready = min(ahead[job + UNREADY], max(0, total - flits))
    rest = max(0, total - unready - flits)
    behind = min(ahead[job + BEHIND], rest)
    end = -(-ahead[job + END] * w[CYCLES] // w[TICKS])
    row = (job - HEAD_WORDS) // JOB_WORDS
    return end, row, ahead[job + DELIVERED], rest - behind, behind, unready
