"""The search for a mapping: every legal tiling, loop order and division of the buffers, by cost.

The cost is analytical (bandwidths, double buffering, reuse by loop order) and exact in its DRAM
bytes. Rules: ARCHITECTURE.md MAP-3 to MAP-6.
"""

from __future__ import annotations

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


@njit(cache=True)
def _fix(slots, loads, ways, fixed):
    """Leave one way: the most reuse that `fixed` slots allow."""
    way = 0
    while way + 1 < ways and slots[way + 1] <= fixed:
        way += 1
    slots[0] = fixed
    loads[0] = loads[way]


@njit(cache=True)
def _cost(objective, seconds, picojoules, moved):
    if objective == LATENCY:
        return seconds
    if objective == ENERGY:
        return picojoules
    if objective == EDP:
        return seconds * picojoules
    return moved


@njit(cache=True)
def search(
    counts,
    tile_bytes,
    whole_bytes,
    burst_bytes,
    compute_cycles,
    vector_cycles,
    array_pj,
    relevant,
    roles,
    buffers,
    least_slots,
    fixed_slots,
    capacity,
    orders,
    rates,
    objective,
    best_slots,
):
    """The cheapest way to run a layer.

    counts: int64 (n, 6) tiles along each loop of n tilings. tile_bytes: int64 (n, s) room of the
    largest tile of each stream; whole_bytes, burst_bytes: float64 (n, s) all its tiles moved once,
    as asked for and in whole DRAM bursts. compute_cycles, vector_cycles, array_pj:
    float64 (n,) of the whole layer. relevant: bool (s, 6). roles, buffers, least_slots: int64 (s,);
    fixed_slots: int64 (s,), 0 where free. A stream of buffer -1 takes no room. capacity: int64
    (buffers,) bytes. orders: int64 (r, 6). rates: float64, see RATES.
    best_slots: int64 (s,), filled with the slots of the winner.
    Returns (tiling, order, cycles, DRAM bytes, pJ); tiling -1 when nothing fits.
    """
    n_streams = roles.size
    slots = np.zeros((n_streams, MAX_LEVELS), dtype=np.int64)
    most_loads = np.ones(n_streams, dtype=np.int64)
    loads = np.zeros((n_streams, MAX_LEVELS), dtype=np.int64)
    ways = np.ones(n_streams, dtype=np.int64)
    chosen = np.zeros(n_streams, dtype=np.int64)
    best, least, fewest_steps = np.inf, np.inf, 0
    best_cycles, best_moved, best_pj = np.inf, np.inf, np.inf
    best_tiling, best_order = -1, -1
    for tiling in range(counts.shape[0]):
        if objective == LATENCY and compute_cycles[tiling] > least * (1 + TIE):
            continue
        steps = 1
        for loop in range(6):
            steps *= counts[tiling, loop]
        for order in range(orders.shape[0]):
            for s in range(n_streams):
                ways[s] = reuse_levels(
                    counts[tiling], relevant[s], orders[order], least_slots[s], slots[s], loads[s]
                )
                most_loads[s] = loads[s, 0]
                if roles[s] == WRITE:
                    # A finished tile leaves once, after the last of its visits.
                    slots[s, 0] = min(least_slots[s], loads[s, ways[s] - 1])
                    loads[s, 0] = loads[s, ways[s] - 1]
                    ways[s] = 1
                if fixed_slots[s]:
                    _fix(slots[s], loads[s], ways[s], fixed_slots[s])
                    ways[s] = 1
                chosen[s] = 0
            while True:
                cycles, moved, pj = _estimate(
                    counts[tiling],
                    tile_bytes[tiling],
                    whole_bytes[tiling],
                    burst_bytes[tiling],
                    compute_cycles[tiling],
                    vector_cycles[tiling],
                    array_pj[tiling],
                    relevant,
                    roles,
                    buffers,
                    capacity,
                    slots,
                    loads,
                    most_loads,
                    chosen,
                    rates,
                )
                if cycles >= 0:
                    cost = _cost(objective, cycles, pj, moved)
                    better = cost < least * (1 - TIE)
                    if cost <= least * (1 + TIE):
                        next_best = best_moved if objective == LATENCY else best_cycles
                        second = moved if objective == LATENCY else cycles
                        fewer = steps < fewest_steps or (steps == fewest_steps and cost < best)
                        better |= second < next_best * (1 - SECOND_TIE)
                        better |= second <= next_best * (1 + SECOND_TIE) and fewer
                    least = min(least, cost)
                    if better:
                        fewest_steps = steps
                        best, best_cycles, best_moved, best_pj = cost, cycles, moved, pj
                        best_tiling, best_order = tiling, order
                        for s in range(n_streams):
                            best_slots[s] = slots[s, chosen[s]]
                place = 0
                while place < n_streams:
                    chosen[place] += 1
                    if chosen[place] < ways[place]:
                        break
                    chosen[place] = 0
                    place += 1
                if place == n_streams:
                    break
    return best_tiling, best_order, best_cycles, best_moved, best_pj


@njit(cache=True)
def _estimate(
    counts,
    tile_bytes,
    whole_bytes,
    burst_bytes,
    compute,
    vector,
    array_pj,
    relevant,
    roles,
    buffers,
    capacity,
    slots,
    loads,
    most_loads,
    chosen,
    rates,
):
    """Cycles, DRAM bytes and pJ of one choice; cycles -1 when it doesn't fit its buffers."""
    n_streams = roles.size
    for buffer in range(capacity.size):
        need = 0
        for s in range(n_streams):
            if buffers[s] == buffer:
                need += slots[s, chosen[s]] * tile_bytes[s]
        if need > capacity[buffer]:
            return -1.0, 0.0, 0.0
    dram, noc, latency, outstanding, pj_per_byte = rates
    slowest_route = min(dram, noc)
    asked, moved, serial, slowest, first, last = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for s in range(n_streams):
        distinct = 1
        for loop in range(6):
            if relevant[s, loop]:
                distinct *= counts[loop]
        room, count = slots[s, chosen[s]], loads[s, chosen[s]]
        if roles[s] == ACCUMULATE:
            count = 2 * (count - distinct)
        if count == 0 or whole_bytes[s] == 0:
            continue
        asked += whole_bytes[s] * count / distinct
        total = burst_bytes[s] * count / distinct
        moved += total
        per_transfer = latency + total / count / slowest_route
        if room == 1 and count > 1:
            serial += count * per_transfer
        else:
            # Of the slots one is in use; only where all tiles have one can all be under way.
            at_once = min(outstanding, room if room >= distinct else room - 1)
            busy = max(count * per_transfer / at_once, total / slowest_route)
            # Tiles that stay for later rounds all move in the first; the others only compute.
            first_round = loads[s, chosen[s]] / most_loads[s]
            slowest = max(slowest, busy + compute * (1 - first_round))
        if roles[s] == READ:
            first += total / count / slowest_route
        elif roles[s] == WRITE:
            last += total / count / slowest_route
    through = max(max(compute + serial, vector), max(moved / dram, moved / noc), slowest)
    through += OVERLAP * min(compute, moved / dram)
    return through + first + last + 2 * latency, asked, array_pj + moved * pj_per_byte
