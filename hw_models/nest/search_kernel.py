"""Compiled search over orders of loops: what `order`, `transfers`, `latency` and `energy` do.

Those modules are its plain twin; every number here comes about in the same sequence as there, so
that equal costs are equal to the bit and ties fall to the same order.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numba import njit

from hw_models.nest.search_tables import Array

OUTPUT, WEIGHT, INPUT = range(3)
TO_LOW, FROM_HIGH, FROM_LOW, TO_HIGH = range(4)
WINDOW_LOOPS = ((4, 6), (5, 7))


class Flow(NamedTuple):
    """An order followed through the levels: OperandFlow of all operands, by (operand, level).

    elements: (2, operand, level), of loops unrolled as they are and of whole lanes.
    """

    elements: Array
    bits: Array
    cycles: Array
    relevant: Array
    repeats: Array
    partial: Array


@njit(cache=True)
def search_orders(t, orders, last_store_waits):
    """Cost of every order: cycles (-1 if it fits nowhere), energies without and with the stream.

    Also the settled cuts: (order, operand, level) loops up to each memory of an operand.
    """
    count, most = len(orders), t.memory_at.shape[1]
    cycles, energies = np.full(count, -1, np.int64), np.zeros((count, 2))
    cuts, memo = np.zeros((count, 3, most), np.int64), np.full((3, most, t.sets), np.nan)
    flow = Flow(
        np.zeros((2, 3, most), np.int64),
        np.zeros((3, most), np.int64),
        np.zeros((3, most), np.int64),
        np.zeros((3, most), np.int64),
        np.zeros((3, most), np.int64),
        np.zeros((3, most), np.bool_),
    )
    for i in range(count):
        order, cut = orders[i], cuts[i]
        if _keep(t, order, memo, cut):
            _settle(t, order, cut)
            _follow(t, order, cut, flow)
            cycles[i] = _latency(t, flow, last_store_waits)
            energies[i, 0], energies[i, 1] = _energy_pj(t, flow)
    return cycles, energies, cuts


@njit(cache=True)
def _keep(t, order, memo, cut):
    """Give the loops to the memories; whether all have room."""
    most = len(order) + 1
    stops = np.zeros((3, most), np.int64)
    kept, fetched = np.zeros((3, most)), np.zeros((3, most))
    taken, counts = np.zeros(3, np.int64), np.ones(3, np.int64)
    for memory in range(len(t.room_bits)):
        room = np.inf
        for operand in range(3):
            level = t.level_at[memory, operand]
            if level >= 0:
                if level < t.levels[operand] - 1:
                    room = t.room_bits[memory]
                rows = stops[operand], kept[operand], fetched[operand]
                counts[operand] = _choices(t, order, memo, memory, operand, taken[operand], rows)
            else:
                stops[operand, 0], counts[operand] = taken[operand], 1
                kept[operand, 0] = fetched[operand, 0] = 0.0
        if not _fewest_fetched(stops, kept, fetched, counts, room, taken):
            return False
        for operand in range(3):
            if t.level_at[memory, operand] >= 0:
                cut[operand, t.level_at[memory, operand]] = taken[operand]
    return True


@njit(cache=True)
def _choices(t, order, memo, memory, operand, taken, rows):
    """How a memory may keep an operand: loops up to which one, bits kept, bits fetched in all."""
    stops, kept, fetched = rows
    level = t.level_at[memory, operand]
    is_top = level == t.levels[operand] - 1
    bits = t.bits[operand]
    if operand == OUTPUT and _is_partial(t, order, level, taken):
        bits = t.psum_bits
    key, again = 0, 1
    for i in range(len(order)):
        if i < taken or is_top:
            key += t.weight[order[i]]
        else:
            again *= t.factor[order[i]]
    count, first = 0, len(order) if is_top else taken
    for stop in range(first, len(order) + 1):
        if stop > first:
            key += t.weight[order[stop - 1]]
            again //= t.factor[order[stop - 1]]
        if np.isnan(memo[operand, level, key]):
            memo[operand, level, key] = _elements(t, 0, operand, level + 1, order, stop)
        size_bits = memo[operand, level, key] * bits
        if size_bits > t.room_bits[memory] and not is_top:
            break
        stops[count], kept[count] = stop, size_bits
        fetched[count] = 0.0 if is_top else size_bits * again
        count += 1
    return count


@njit(cache=True)
def _fewest_fetched(stops, kept, fetched, counts, room, taken):
    """Take the last of the choices that fetch least and have room; whether there is one."""
    found, least = False, np.inf
    a = b = c = 0
    for i in range(counts[INPUT]):
        for w in range(counts[WEIGHT]):
            for o in range(counts[OUTPUT]):
                bits = fetched[INPUT, i] + fetched[WEIGHT, w] + fetched[OUTPUT, o]
                if bits <= least and kept[INPUT, i] + kept[WEIGHT, w] + kept[OUTPUT, o] <= room:
                    found, least, a, b, c = True, bits, i, w, o
    taken[INPUT], taken[WEIGHT], taken[OUTPUT] = stops[INPUT, a], stops[WEIGHT, b], stops[OUTPUT, c]
    return found


@njit(cache=True)
def _is_partial(t, order, level, start):
    """Whether outputs are summed further above a level that has the loops before start."""
    for i in range(start, len(order)):
        if t.repeats[OUTPUT, t.loop[order[i]]]:
            return True
    return t.partial_above[level]


@njit(cache=True)
def _elements(t, whole, operand, level, order, stop):
    """Different elements below a level, of the unrolled loops and of the order up to stop."""
    extent, names = np.ones(8), np.empty(8, np.int64)
    count = 0
    unrolled = t.unrolled_below[operand, level]
    for i in range(unrolled + stop):
        if i < unrolled:
            loop, factor = t.unrolled[operand, i], t.unrolled_by[whole, operand, i]
        else:
            one = order[i - unrolled]
            loop, factor = t.loop[one], np.float64(t.factor[one])
        known = False
        for n in range(count):
            known |= names[n] == loop
        if not known:
            names[count] = loop
            count += 1
        extent[loop] *= factor
    amount = 1.0
    for n in range(count):
        if t.relevant[operand, names[n]]:
            amount *= extent[names[n]]
    if operand == INPUT:
        for position, tap in WINDOW_LOOPS:
            places, taps = np.int64(extent[position]), np.int64(extent[tap])
            amount *= places * taps - max(0, taps - t.stride) * (places - 1)
    return amount


@njit(cache=True)
def _settle(t, order, cut):
    """Move loops that repeat an operand at the bottom of a level below it."""
    for operand in range(3):
        row = cut[operand]
        for level in range(1, t.levels[operand]):
            while row[level - 1] < row[level] and t.repeats[operand, t.loop[order[row[level - 1]]]]:
                below = level - 1
                row[below] += 1
                while below and _repeats_all(t, operand, order, row[below - 1], row[below]):
                    row[below - 1] = row[below]
                    below -= 1


@njit(cache=True)
def _repeats_all(t, operand, order, start, stop):
    for i in range(start, stop):
        if not t.repeats[operand, t.loop[order[i]]]:
            return False
    return True


@njit(cache=True)
def _follow(t, order, cut, flow):
    """Fill a flow with the settled order."""
    for operand in range(3):
        for level in range(t.levels[operand] + 1):
            start = cut[operand, level - 2] if level > 1 else 0
            stop = cut[operand, level - 1] if level > 0 else 0
            for whole in range(2):
                amount = _elements(t, whole, operand, level, order, stop)
                flow.elements[whole, operand, level] = np.int64(np.rint(amount))
            partial = operand == OUTPUT and _is_partial(t, order, level, stop)
            flow.partial[operand, level] = partial
            flow.bits[operand, level] = t.psum_bits if partial else t.bits[operand]
            steps = 1
            for i in range(stop):
                steps *= t.factor[order[i]]
            flow.cycles[operand, level] = steps
            flow.relevant[operand, level] = _top(t, t.relevant[operand], order, start, stop)
            flow.repeats[operand, level] = _top(t, t.repeats[operand], order, start, stop)
        if operand != OUTPUT:
            still = 1
            for i in range(cut[operand, 0]):
                if not t.repeats[operand, t.loop[order[i]]]:
                    break
                still *= t.factor[order[i]]
            flow.cycles[operand, 0] = still


@njit(cache=True)
def _top(t, kind, order, start, stop):
    """Product of the loops on top of a level that are of a kind."""
    steps = 1
    for i in range(stop - 1, start - 1, -1):
        if not kind[t.loop[order[i]]]:
            break
        steps *= t.factor[order[i]]
    return steps


@njit(cache=True)
def _moves(t, flow, operand, place, way):
    """Whether there is a transfer; see `operand_moves`."""
    upward = way == FROM_HIGH or way == TO_HIGH
    if upward and place == t.levels[operand] - 1:
        return False
    down = way == TO_LOW or way == FROM_HIGH
    if operand != OUTPUT:
        return down
    return flow.partial[operand, place + upward] or not down


@njit(cache=True)
def _transfer_bits(t, flow, whole, operand, place, way):
    """Bits of a period."""
    upward = way == FROM_HIGH or way == TO_HIGH
    level = place + upward
    boost = 1 if upward else t.boost[whole, operand, level]
    return flow.elements[whole, operand, level] * boost * flow.bits[operand, level]


@njit(cache=True)
def _transfer_cycles(t, flow, operand, place, way):
    """Cycles that a transfer with whole lanes takes its port for a period; 0 if there is none."""
    if not _moves(t, flow, operand, place, way):
        return 0
    bits = _transfer_bits(t, flow, 1, operand, place, way)
    return np.int64(ceil(bits / t.port_bits[t.port_of[operand, place, way]]))


@njit(cache=True)
def _periods(t, flow, operand, level):
    return flow.cycles[operand, t.levels[operand]] // flow.cycles[operand, level]


@njit(cache=True)
def _latency(t, flow, last_store_waits):
    """Loops, stalls, first loads and, if they are waited for, last stores."""
    doubled = _doubled(t, flow)
    stall = 0
    for port in range(len(t.port_bits)):
        stall = max(stall, _port_stall(t, flow, port, doubled))
    cycles = flow.cycles[OUTPUT, t.levels[OUTPUT]] + stall + _onload(t, flow)
    return cycles + (_offload(t, flow) if last_store_waits else 0)


@njit(cache=True)
def _doubled(t, flow):
    """(operand, level) where a memory has room for the next data beside those in use."""
    used, shared = np.zeros(flow.bits.shape), np.zeros(len(t.size_bits))
    for operand in range(3):
        for level in range(1, t.levels[operand] + 1):
            memory = t.memory_at[operand, level - 1]
            bits = flow.elements[0, operand, level] * flow.bits[operand, level]
            used[operand, level] = bits // flow.relevant[operand, level] / t.size_bits[memory]
            shared[memory] += used[operand, level]
    doubled = np.zeros(flow.bits.shape, np.bool_)
    for operand in range(3):
        for level in range(1, t.levels[operand] + 1):
            memory = t.memory_at[operand, level - 1]
            if shared[memory] <= 0.5:
                doubled[operand, level] = True
            elif used[operand, level] <= 1 - shared[memory]:
                doubled[operand, level] = True
                shared[memory] += used[operand, level]
    return doubled


@njit(cache=True)
def _port_stall(t, flow, port, doubled):
    """Cycles by which a port makes the computation wait after the first period."""
    first, last = t.served_from[port], t.served_from[port + 1]
    slots = np.empty((last - first, 2), np.int64)
    count = late = spare = allowed = 0
    always, longest = -1, np.int64(0)
    for row in range(first, last):
        operand, place, way = t.served[row, 0], t.served[row, 1], t.served[row, 2]
        if not _moves(t, flow, operand, place, way):
            continue
        level = place + (way == FROM_HIGH or way == TO_HIGH)
        period, periods = flow.cycles[operand, level], _periods(t, flow, operand, level)
        window = period
        if not doubled[operand, level]:
            window = np.int64(period / flow.repeats[operand, level])
        slip = (_transfer_cycles(t, flow, operand, place, way) - window) * (periods - 1)
        late += max(slip, 0)
        spare += min(slip, 0)
        allowed += window * (periods - 1)
        if window == period and always < 0:
            always = window * periods
        longest = max(longest, period)
        slots[count, 0], slots[count, 1] = period, window
        count += 1
    if count < 2:
        return late
    total = flow.cycles[OUTPUT, t.levels[OUTPUT]]
    if always < 0:
        _sort(slots[:count])
        always = _open_cycles(longest, slots, count) * (total // longest)
    return late + max(0, spare + allowed - always)


@njit(cache=True)
def _sort(slots):
    """By period, then by window."""
    for i in range(1, len(slots)):
        j = i
        while j > 0 and (
            slots[j, 0] < slots[j - 1, 0]
            or (slots[j, 0] == slots[j - 1, 0] and slots[j, 1] < slots[j - 1, 1])
        ):
            for k in range(2):
                slots[j, k], slots[j - 1, k] = slots[j - 1, k], slots[j, k]
            j -= 1


@njit(cache=True)
def _open_cycles(until, slots, count):
    """Cycles before `until` in which one of the first slots is open; see the twin in `latency`."""
    if count == 0 or until == 0:
        return np.int64(0)
    period, window = slots[count - 1, 0], slots[count - 1, 1]
    periods, rest = until // period, until % period
    closed = _open_cycles(window, slots, count - 1)
    cycles = np.int64(0)
    if periods:
        later = _open_cycles(period, slots, count - 1) - closed if period > window else 0
        cycles = periods * (min(period, window) + later)
    later = _open_cycles(rest, slots, count - 1) - closed if rest > window else 0
    return cycles + min(rest, window) + later


@njit(cache=True)
def _onload(t, flow):
    """First loads of both inputs: in turn on ports that both use, else side by side."""
    shared, alone = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for operand in (INPUT, WEIGHT):
        half = 0
        for place in range(t.levels[operand] - 1):
            cycles = max(
                _transfer_cycles(t, flow, operand, place, FROM_HIGH),
                _transfer_cycles(t, flow, operand, place + 1, TO_LOW),
            )
            if t.both_inputs[operand, place] == 2:
                shared[operand] += cycles
            elif t.both_inputs[operand, place] == 1:
                half = cycles
            else:
                alone[operand] += cycles
        alone[operand] += half
    weights_last = shared[INPUT] + max(shared[WEIGHT] + alone[WEIGHT], alone[INPUT])
    inputs_last = shared[WEIGHT] + max(shared[INPUT] + alone[INPUT], alone[WEIGHT])
    return min(weights_last, inputs_last)


@njit(cache=True)
def _offload(t, flow):
    """Last stores, one memory after another."""
    cycles = 0
    for place in range(t.levels[OUTPUT] - 1):
        cycles += max(
            _transfer_cycles(t, flow, OUTPUT, place, TO_HIGH),
            _transfer_cycles(t, flow, OUTPUT, place + 1, FROM_LOW),
        )
    return cycles


@njit(cache=True)
def _energy_pj(t, flow):
    """Energy of operations and accesses, and the same with what streams cost beyond."""
    accesses, operands = 0.0, 0.0
    for operand in range(3):
        mine, beyond = 0.0, 0
        for place in range(t.levels[operand]):
            for way in range(4):
                if _moves(t, flow, operand, place, way):
                    pj, bits = _access_pj(t, flow, operand, place, way)
                    accesses += pj
                    mine += pj
                    if t.memory_at[operand, place] == t.beyond:
                        beyond += bits
        operands += mine + beyond * t.beyond_pj
    return t.macs_pj + accesses, t.macs_pj + operands


@njit(cache=True)
def _access_pj(t, flow, operand, place, way):
    """Energy of all accesses of a transfer on the side of its memory, and bits in all."""
    memory, port = t.memory_at[operand, place], t.port_of[operand, place, way]
    periods = _periods(t, flow, operand, place + (way == FROM_HIGH or way == TO_HIGH))
    bits, least = _transfer_bits(t, flow, 0, operand, place, way), t.least_bits[port]
    finest = np.int64(ceil(bits / least))
    copies = t.copies[operand, place + 1]
    words = np.int64(finest * (least / t.port_bits[port]) * periods * copies)
    read = way == TO_LOW or way == TO_HIGH
    return words * (t.read_pj[memory] if read else t.write_pj[memory]), bits * periods
