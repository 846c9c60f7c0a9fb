"""Compiled search over orders of loops: what `order`, `transfers`, `latency` and `energy` do.

Those modules are its plain twin; every number here comes about in the same sequence as there, so
that equal costs are equal to the bit and ties fall to the same order.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from math import ceil

import numpy as np
from numba import njit

OUTPUT, WEIGHT, INPUT = range(3)
SUM = 3
"""Place of the bits of a partial sum after those of the operands."""

TO_LOW, FROM_HIGH, FROM_LOW, TO_HIGH = range(4)

RELEVANT, REPEATS = range(2)
"""What a loop does to an operand."""

LOOP, FACTOR, WEIGHT_IN_SET = range(3)
"""Rows of an order: see SearchTables."""

ELEMENTS, WHOLE_ELEMENTS, BITS, CYCLES, TOP_RELEVANT, TOP_REPEATS, PARTIAL, DOUBLED = range(8)
"""What OperandFlow says of a level, elements for loops unrolled as they are and for whole lanes;
and whether the memory that holds them has room for the next."""

PORT_CYCLES, PERIOD, PERIODS, WINDOW = range(4)
"""What Transfer says of a transfer; all are 0 where there is none."""

PORT_BITS, LEAST_BITS, ACCESS_PJ, BEYOND_PJ = range(4)
"""Sides of a memory: see SearchTables."""


@njit(cache=True)
def search_orders(t, orders, last_store_waits):
    """Cost of every order: cycles (-1 if it fits nowhere), energies without and with the stream.

    orders: (n, LOOP .. WEIGHT_IN_SET, loops). Also returned are the settled cuts: (order, operand,
    level) loops up to each memory of an operand.
    """
    count, most = len(orders), t.copies.shape[1]
    cycles, energies_pj = np.full(count, -1, np.int64), np.zeros((count, 2))
    cuts, memo = np.zeros((count, 3, most), np.int64), np.full((3, most, t.sets), np.nan)
    flow, moves = np.zeros((3, most, 8), np.int64), np.zeros((3, most, 4, 4), np.int64)
    for i in range(count):
        order, cut = orders[i], cuts[i]
        if not _keep(t, order, memo, cut):
            continue
        _settle(t.kinds, t.levels, order, cut)
        _follow(
            t.kinds,
            t.levels,
            t.bits,
            t.partial_above,
            t.below,
            t.unrolled,
            t.stride,
            order,
            cut,
            flow,
        )
        _double(t.level_at, t.size_bits, flow)
        energies_pj[i, 0] = energies_pj[i, 1] = t.macs_pj
        _transfers(t.levels, t.boost, t.copies, t.sides, flow, moves, energies_pj[i])
        cycles[i] = flow[OUTPUT, t.levels[OUTPUT], CYCLES] + _onload(t.levels, t.both_inputs, moves)
        cycles[i] += _stall(t.served, t.served_from, moves)
        if last_store_waits:
            cycles[i] += _offload(t.levels, moves)
    return cycles, energies_pj, cuts


@njit(cache=True)
def _keep(t, order, memo, cut):
    """Give the loops to the memories; whether all have room."""
    most = order.shape[1] + 1
    stops, counts = np.zeros((3, most), np.int64), np.ones(3, np.int64)
    bits = np.zeros((2, 3, most))
    taken = np.zeros(3, np.int64)
    for memory in range(len(t.room_bits)):
        room = np.inf
        for operand in range(3):
            level = t.level_at[memory, operand]
            if level < 0:
                stops[operand, 0], counts[operand] = taken[operand], 1
                bits[0, operand, 0] = bits[1, operand, 0] = 0.0
                continue
            is_top = level == t.levels[operand] - 1
            if not is_top:
                room = t.room_bits[memory]
            element = t.bits[operand]
            if operand == OUTPUT and (
                t.partial_above[level] or _any(t.kinds[REPEATS, OUTPUT], order, taken[operand])
            ):
                element = t.bits[SUM]
            counts[operand] = _choices(
                t.below[0, operand, level + 1],
                t.unrolled[operand, level + 1],
                t.kinds[RELEVANT, operand],
                t.stride if operand == INPUT else 0,
                order,
                memo[operand, level],
                taken[operand],
                is_top,
                element,
                t.room_bits[memory],
                stops[operand],
                bits[0, operand],
                bits[1, operand],
            )
        if not _fewest_fetched(stops, bits[0], bits[1], counts, room, taken):
            return False
        for operand in range(3):
            if t.level_at[memory, operand] >= 0:
                cut[operand, t.level_at[memory, operand]] = taken[operand]
    return True


@njit(cache=True)
def _choices(
    below,
    unrolled,
    relevant,
    stride,
    order,
    memo,
    taken,
    is_top,
    element,
    room,
    stops,
    kept,
    fetched,
):
    """How a memory may keep an operand: loops up to which one, bits kept, bits fetched in all."""
    loops = order.shape[1]
    first = loops if is_top else taken
    key, again = 0, 1
    for i in range(loops):
        if i < first:
            key += order[WEIGHT_IN_SET, i]
        else:
            again *= order[FACTOR, i]
    count = 0
    for stop in range(first, loops + 1):
        if stop > first:
            key += order[WEIGHT_IN_SET, stop - 1]
            again //= order[FACTOR, stop - 1]
        if np.isnan(memo[key]):
            memo[key] = _elements(below, unrolled, relevant, stride, order, stop)
        bits = memo[key] * element
        if bits > room and not is_top:
            break
        stops[count], kept[count], fetched[count] = stop, bits, 0.0 if is_top else bits * again
        count += 1
    return count


@njit(cache=True)
def _fewest_fetched(stops, kept, fetched, counts, room, taken):
    """Take the last of the choices that fetch least and have room; whether there is one."""
    found, least = False, np.inf
    best_i = best_w = best_o = 0
    for i in range(counts[INPUT]):
        for w in range(counts[WEIGHT]):
            for o in range(counts[OUTPUT]):
                bits = fetched[INPUT, i] + fetched[WEIGHT, w] + fetched[OUTPUT, o]
                if bits <= least and kept[INPUT, i] + kept[WEIGHT, w] + kept[OUTPUT, o] <= room:
                    found, least, best_i, best_w, best_o = True, bits, i, w, o
    taken[INPUT], taken[WEIGHT] = stops[INPUT, best_i], stops[WEIGHT, best_w]
    taken[OUTPUT] = stops[OUTPUT, best_o]
    return found


@njit(cache=True)
def _any(kind, order, start):
    """Whether any loop from start on is of a kind."""
    found = False
    for i in range(start, order.shape[1]):
        found |= kind[order[LOOP, i]]
    return found


@njit(cache=True)
def _elements(below, unrolled, relevant, stride, order, stop):
    """Different elements of the loops up to stop and of those unrolled below.

    unrolled: the loops that are, -1 for none. stride: of the window of an input; 0 for other
    operands. Factors multiply in the sequence of the twin, as they may be fractions.
    """
    amount, extents = 1.0, below.copy()
    for i in range(stop):
        extents[order[LOOP, i]] *= order[FACTOR, i]
    done = 0
    for i in range(len(unrolled) + stop):
        loop = unrolled[i] if i < len(unrolled) else order[LOOP, i - len(unrolled)]
        if loop >= 0 and not (done >> loop) & 1:
            done |= 1 << loop
            if relevant[loop]:
                amount *= extents[loop]
    if stride:
        for axis in range(2):
            places, taps = np.int64(extents[4 + axis]), np.int64(extents[6 + axis])
            amount *= places * taps - max(0, taps - stride) * (places - 1)
    return amount


@njit(cache=True)
def _settle(kinds, levels, order, cut):
    """Move loops that repeat an operand at the bottom of a level below it."""
    for operand in range(3):
        row, repeats = cut[operand], kinds[REPEATS, operand]
        for level in range(1, levels[operand]):
            while row[level - 1] < row[level] and repeats[order[LOOP, row[level - 1]]]:
                below = level - 1
                row[below] += 1
                while below > 0:
                    for i in range(row[below - 1], row[below]):
                        if not repeats[order[LOOP, i]]:
                            below = -1
                            break
                    if below > 0:
                        row[below - 1] = row[below]
                        below -= 1


@njit(cache=True)
def _follow(kinds, levels, bits, partial_above, below, unrolled, stride, order, cut, flow):
    """Fill a flow with the settled order."""
    for operand in range(3):
        relevant, repeats = kinds[RELEVANT, operand], kinds[REPEATS, operand]
        step = stride if operand == INPUT else 0
        start = stop = 0
        steps = 1
        for level in range(levels[operand] + 1):
            if level:
                start, stop = stop, cut[operand, level - 1]
            for i in range(start, stop):
                steps *= order[FACTOR, i]
            row = flow[operand, level]
            for whole in range(2):
                amount = _elements(
                    below[whole, operand, level],
                    unrolled[operand, level],
                    relevant,
                    step,
                    order,
                    stop,
                )
                row[ELEMENTS + whole] = np.int64(np.rint(amount))
            partial = operand == OUTPUT and (partial_above[level] or _any(repeats, order, stop))
            row[PARTIAL], row[BITS] = partial, bits[SUM if partial else operand]
            row[CYCLES] = steps
            row[TOP_RELEVANT] = _top(relevant, order, start, stop)
            row[TOP_REPEATS] = _top(repeats, order, start, stop)
        if operand != OUTPUT:
            for i in range(cut[operand, 0]):
                if not repeats[order[LOOP, i]]:
                    break
                flow[operand, 0, CYCLES] *= order[FACTOR, i]


@njit(cache=True)
def _top(kind, order, start, stop):
    """Product of the loops on top of a level that are of a kind."""
    steps = 1
    for i in range(stop - 1, start - 1, -1):
        if not kind[order[LOOP, i]]:
            break
        steps *= order[FACTOR, i]
    return steps


@njit(cache=True)
def _double(level_at, size_bits, flow):
    """Say of each level whether its memory has room for the next data beside those in use."""
    for memory in range(len(size_bits)):
        used, shared = np.zeros(3), 0.0
        for operand in range(3):
            level = level_at[memory, operand] + 1
            if level:
                row = flow[operand, level]
                bits = row[ELEMENTS] * row[BITS] // row[TOP_RELEVANT]
                used[operand] = bits / size_bits[memory]
                shared += used[operand]
        for operand in range(3):
            level = level_at[memory, operand] + 1
            if level:
                flow[operand, level, DOUBLED] = shared <= 0.5
                if shared > 0.5 and used[operand] <= 1 - shared:
                    flow[operand, level, DOUBLED] = 1
                    shared += used[operand]


@njit(cache=True)
def _transfers(levels, boost, copies, sides, flow, moves, energies_pj):
    """Fill in the transfers, and add the energies of their accesses."""
    pj, beyond_pj = 0.0, 0.0
    for operand in range(3):
        top = levels[operand]
        for place in range(top):
            for way in range(4):
                upper = way in (FROM_HIGH, TO_HIGH)
                down = way in (TO_LOW, FROM_HIGH)
                level = place + upper
                row, move = flow[operand, level], moves[operand, place, way]
                move[:] = 0
                flows = down
                if operand == OUTPUT:
                    flows = row[PARTIAL] != 0 or not down
                if not flows or (upper and level == top):
                    continue
                side, period = sides[operand, place, way], row[CYCLES]
                units, whole_units = np.int64(1), np.int64(1)
                if not upper:
                    units, whole_units = boost[0, operand, level], boost[1, operand, level]
                periods = flow[operand, top, CYCLES] // period
                move[PERIOD], move[PERIODS] = period, periods
                whole_bits = row[WHOLE_ELEMENTS] * whole_units * row[BITS]
                move[PORT_CYCLES] = np.int64(ceil(whole_bits / side[PORT_BITS]))
                move[WINDOW] = period
                if not row[DOUBLED]:
                    move[WINDOW] = np.int64(period / row[TOP_REPEATS])
                bits = row[ELEMENTS] * units * row[BITS]
                finest = np.int64(ceil(bits / side[LEAST_BITS]))
                width = side[LEAST_BITS] / side[PORT_BITS]
                words = np.int64(finest * width * periods * copies[operand, place + 1])
                pj += words * side[ACCESS_PJ]
                beyond_pj += bits * periods * side[BEYOND_PJ]
    energies_pj[0] += pj
    energies_pj[1] += pj + beyond_pj


@njit(cache=True)
def _stall(served, served_from, moves):
    """Cycles by which the port that stalls most makes the computation wait."""
    slots, stall = np.empty((len(served), 2), np.int64), 0
    for port in range(len(served_from) - 1):
        count, late, spare, allowed, always, longest, total = 0, 0, 0, 0, -1, 0, 0
        for n in range(served_from[port], served_from[port + 1]):
            move = moves[served[n, 0], served[n, 1], served[n, 2]]
            period, window, again = move[PERIOD], move[WINDOW], move[PERIODS] - 1
            if period:
                slip = (move[PORT_CYCLES] - window) * again
                late += max(slip, 0)
                spare += min(slip, 0)
                allowed += window * again
                total = period * move[PERIODS]
                if window == period:
                    always = total
                longest = max(longest, period)
                place = count
                while place and (slots[place - 1, 0], slots[place - 1, 1]) > (period, window):
                    slots[place, 0], slots[place, 1] = slots[place - 1, 0], slots[place - 1, 1]
                    place -= 1
                slots[place, 0], slots[place, 1] = period, window
                count += 1
        if count > 1:
            if always < 0:
                always = _open_cycles(longest, slots, count) * (total // longest)
            late += max(0, spare + allowed - always)
        stall = max(stall, late)
    return stall


@njit(cache=True)
def _open_cycles(until, slots, count):
    """Cycles before `until` in which one of the first slots is open; see the twin in `latency`."""
    if count == 0 or until == 0:
        return np.int64(0)
    period, window = slots[count - 1, 0], slots[count - 1, 1]
    periods, rest = until // period, until % period
    closed = _open_cycles(window, slots, count - 1)
    cycles = min(rest, window)
    if rest > window:
        cycles += _open_cycles(rest, slots, count - 1) - closed
    if periods:
        later = _open_cycles(period, slots, count - 1) - closed
        cycles += periods * (window + later)
    return cycles


@njit(cache=True)
def _onload(levels, both_inputs, moves):
    """First loads of both inputs: in turn on ports that both use, else side by side."""
    shared, alone = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for operand in range(1, 3):
        half = 0
        for place in range(levels[operand] - 1):
            low, high = moves[operand, place, FROM_HIGH], moves[operand, place + 1, TO_LOW]
            cycles = max(low[PORT_CYCLES], high[PORT_CYCLES])
            if both_inputs[operand, place] == 2:
                shared[operand] += cycles
            elif both_inputs[operand, place] == 1:
                half = cycles
            else:
                alone[operand] += cycles
        alone[operand] += half
    weights_last = shared[INPUT] + max(shared[WEIGHT] + alone[WEIGHT], alone[INPUT])
    inputs_last = shared[WEIGHT] + max(shared[INPUT] + alone[INPUT], alone[WEIGHT])
    return min(weights_last, inputs_last)


@njit(cache=True)
def _offload(levels, moves):
    """Last stores, one memory after another."""
    cycles = 0
    for place in range(levels[OUTPUT] - 1):
        low, high = moves[OUTPUT, place, TO_HIGH], moves[OUTPUT, place + 1, FROM_LOW]
        cycles += max(low[PORT_CYCLES], high[PORT_CYCLES])
    return cycles
