"""The search for a mapping: every legal tiling, loop order and division of the buffers, by cost.

The cost is analytical (bandwidths, double buffering, reuse by loop order) and exact in its DRAM
bytes. Rules: ARCHITECTURE.md MAP-3 to MAP-6.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

READ, ACCUMULATE, WRITE = range(3)
MAX_STREAMS = 6
MAX_LEVELS = 7
OVERLAP = 0.1
"""Part of the shorter of computing and moving that is not hidden behind the longer: demand comes in
bursts. Rule: ARCHITECTURE.md MAP-5, which has the measurement behind it."""
TIE, SECOND_TIE = 1e-3, 1e-2
"""Costs that differ by less than TIE count as equal. The mapping that moves fewer bytes then wins
(when latency is minimised; otherwise the faster one), and of those that differ in that by less than
SECOND_TIE the one with fewer tiles."""
LATENCY, ENERGY, EDP, DRAM_BYTES = range(4)
OBJECTIVES = {"latency": LATENCY, "energy": ENERGY, "edp": EDP, "dram_bytes": DRAM_BYTES}

RATES = (
    "dram_bytes_per_cycle",
    "noc_bytes_per_cycle",
    "latency_cycles",
    "outstanding",
    "pj_per_byte",
)
"""Fields of `rates`: what a moved byte costs in time and energy."""


@njit(cache=True)
def reuse_levels(counts, relevant, order, least_slots, slots, loads):
    """Ways to keep the tiles of a stream: how many side by side, and how often tiles are loaded.

    counts: (6,) tiles along each loop; relevant: (6,) whether the loop indexes the stream; order:
    (6,) loops from outermost to innermost. Fills slots, loads (MAX_LEVELS,) and returns how many
    ways there are, from the fewest slots on; a way that needs more slots loads less.
    """
    distinct = 1
    for loop in range(6):
        if relevant[loop]:
            distinct *= counts[loop]
    ways = 0
    for level in range(6, -1, -1):
        block = 1
        for place in range(level, 6):
            if relevant[order[place]]:
                block *= counts[order[place]]
        outer = level
        while outer > 0 and (not relevant[order[outer - 1]] or counts[order[outer - 1]] == 1):
            outer -= 1
        times = block
        for place in range(outer):
            times *= counts[order[place]]
        room = block
        if least_slots > 1 and block < distinct:
            room = max(block + 1, min(least_slots, distinct))
        if ways and times >= loads[ways - 1]:
            continue
        slots[ways] = room
        loads[ways] = times
        ways += 1
    return ways


class Problem(NamedTuple):
    """A layer's tilings (n of them) and streams (s of them).

    counts: int64 (n, 6) tiles along each loop. tile_bytes: int64 (n, s) room of the largest tile of
    each stream. whole_bytes, burst_bytes: float64 (n, s) all its tiles moved once, as asked for and
    in whole DRAM bursts. compute_cycles, vector_cycles, array_pj: float64 (n,) of the whole layer.
    relevant: bool (s, 6) loops that index a stream. roles, buffers, least_slots, fixed_slots: int64
    (s,); a stream of buffer -1 takes no room, fixed_slots is 0 where free. capacity: int64
    (buffers,) bytes. orders: int64 (r, 6). rates: float64, see RATES.
    """

    counts: Int64s
    tile_bytes: Int64s
    whole_bytes: Float64s
    burst_bytes: Float64s
    compute_cycles: Float64s
    vector_cycles: Float64s
    array_pj: Float64s
    relevant: NDArray[np.bool_]
    roles: Int64s
    buffers: Int64s
    least_slots: Int64s
    fixed_slots: Int64s
    capacity: Int64s
    orders: Int64s
    rates: Float64s


class Ways(NamedTuple):
    """For each stream, its ways to keep tiles, int64: slots, loads (s, MAX_LEVELS); number of ways
    (s,); loads with the fewest slots (s,); the way that is being looked at (s,)."""

    slots: Int64s
    loads: Int64s
    number: Int64s
    most_loads: Int64s
    chosen: Int64s


@njit(cache=True)
def search(problem, objective, best_slots):
    """The cheapest way to run a layer.

    objective: a value of OBJECTIVES. best_slots: int64 (s,), filled with the slots of the winner.
    Returns (tiling, order, cycles, DRAM bytes, pJ); tiling -1 when nothing fits.
    """
    streams = problem.roles.size
    ways = Ways(
        np.zeros((streams, MAX_LEVELS), dtype=np.int64),
        np.zeros((streams, MAX_LEVELS), dtype=np.int64),
        np.ones(streams, dtype=np.int64),
        np.ones(streams, dtype=np.int64),
        np.zeros(streams, dtype=np.int64),
    )
    best, least, fewest_steps = np.inf, np.inf, 0
    found = (-1, -1, np.inf, np.inf, np.inf)
    for tiling in range(problem.counts.shape[0]):
        if objective == LATENCY and problem.compute_cycles[tiling] > least * (1 + TIE):
            continue
        steps = problem.counts[tiling].prod()
        for order in range(problem.orders.shape[0]):
            _fill_ways(problem, tiling, order, ways)
            more = True
            while more:
                cycles, moved, pj = _estimate(problem, tiling, ways)
                if cycles < 0:
                    more = _next_choice(ways)
                    continue
                cost = _cost(objective, cycles, pj, moved)
                better = cost < least * (1 - TIE)
                if cost <= least * (1 + TIE):
                    second = moved if objective == LATENCY else cycles
                    next_best = found[3] if objective == LATENCY else found[2]
                    fewer = steps < fewest_steps or (steps == fewest_steps and cost < best)
                    better |= second < next_best * (1 - SECOND_TIE)
                    better |= second <= next_best * (1 + SECOND_TIE) and fewer
                least = min(least, cost)
                if better:
                    best, fewest_steps = cost, steps
                    found = (tiling, order, cycles, moved, pj)
                    for s in range(streams):
                        best_slots[s] = ways.slots[s, ways.chosen[s]]
                more = _next_choice(ways)
    return found


@njit(cache=True)
def _cost(objective, cycles, picojoules, moved):
    if objective == LATENCY:
        return cycles
    if objective == ENERGY:
        return picojoules
    if objective == EDP:
        return cycles * picojoules
    return moved


@njit(cache=True)
def _fill_ways(problem, tiling, order, ways):
    """The ways to keep the tiles of every stream under a tiling and an order; choose the first."""
    for s in range(problem.roles.size):
        slots, loads = ways.slots[s], ways.loads[s]
        number = reuse_levels(
            problem.counts[tiling],
            problem.relevant[s],
            problem.orders[order],
            problem.least_slots[s],
            slots,
            loads,
        )
        ways.most_loads[s] = loads[0]
        if problem.roles[s] == WRITE:
            # A finished tile leaves once, after the last of its visits.
            slots[0] = min(problem.least_slots[s], loads[number - 1])
            loads[0] = loads[number - 1]
            number = 1
        if problem.fixed_slots[s]:
            _fix(slots, loads, number, problem.fixed_slots[s])
            number = 1
        ways.number[s] = number
        ways.chosen[s] = 0


@njit(cache=True)
def _fix(slots, loads, ways, fixed):
    """Leave one way: the most reuse that `fixed` slots allow."""
    way = 0
    while way + 1 < ways and slots[way + 1] <= fixed:
        way += 1
    slots[0] = fixed
    loads[0] = loads[way]


@njit(cache=True)
def _next_choice(ways):
    """Go on to the next combination of ways; returns False after the last."""
    for s in range(ways.chosen.size):
        ways.chosen[s] += 1
        if ways.chosen[s] < ways.number[s]:
            return True
        ways.chosen[s] = 0
    return False


@njit(cache=True)
def _fits(problem, tiling, ways):
    for buffer in range(problem.capacity.size):
        need = 0
        for s in range(problem.roles.size):
            if problem.buffers[s] == buffer:
                need += ways.slots[s, ways.chosen[s]] * problem.tile_bytes[tiling, s]
        if need > problem.capacity[buffer]:
            return False
    return True


@njit(cache=True)
def _estimate(problem, tiling, ways):
    """Cycles, DRAM bytes and pJ of one choice; cycles -1 when it doesn't fit its buffers."""
    if not _fits(problem, tiling, ways):
        return -1.0, 0.0, 0.0
    dram, noc, latency, outstanding, pj_per_byte = problem.rates
    compute = problem.compute_cycles[tiling]
    slowest_route = min(dram, noc)
    asked, moved, serial, slowest, first, last = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for s in range(problem.roles.size):
        distinct = _distinct(problem, tiling, s)
        role, room = problem.roles[s], ways.slots[s, ways.chosen[s]]
        loads = ways.loads[s, ways.chosen[s]]
        count = 2 * (loads - distinct) if role == ACCUMULATE else loads
        if count == 0 or problem.whole_bytes[tiling, s] == 0:
            continue
        asked += problem.whole_bytes[tiling, s] * count / distinct
        total = problem.burst_bytes[tiling, s] * count / distinct
        moved += total
        per_transfer = latency + total / count / slowest_route
        if room == 1 and count > 1:
            serial += count * per_transfer
        else:
            # Of the slots one is in use; only where all tiles have one can all be under way.
            at_once = min(outstanding, room if room >= distinct else room - 1)
            busy = max(count * per_transfer / at_once, total / slowest_route)
            # Tiles that stay for later rounds all move in the first; the others only compute.
            slowest = max(slowest, busy + compute * (1 - loads / ways.most_loads[s]))
        if role == READ:
            first += total / count / slowest_route
        elif role == WRITE:
            last += total / count / slowest_route
    moving = moved / slowest_route
    through = max(max(compute + serial, problem.vector_cycles[tiling]), max(moving, slowest))
    through += OVERLAP * min(compute, moving)
    pj = problem.array_pj[tiling] + moved * pj_per_byte
    return through + first + last + 2 * latency, asked, pj


@njit(cache=True)
def _distinct(problem, tiling, stream):
    """Number of different tiles of a stream."""
    distinct = 1
    for loop in range(6):
        if problem.relevant[stream, loop]:
            distinct *= problem.counts[tiling, loop]
    return distinct
