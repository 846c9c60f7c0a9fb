"""A nest that is not ordered yet and its machine as small arrays, for the compiled search.

Operands, loops, levels and ports are numbers here: operands as in OPERANDS, loops as in LOOPS,
ways as in Direction. A level n is all that lies below memory n - 1 of an operand, as in
`hw_models.nest.transfers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw_models.nest.energy import READS
from hw_models.nest.hierarchy import LOOPS, OPERANDS, Direction, Loop, Machine, Nest
from hw_models.nest.order import LARGEST_NEST, factors
from hw_models.nest.order import orders as orders_of

WAYS = tuple(Direction)

Array = NDArray[Any]


class SearchTables(NamedTuple):
    """What the search knows of a layer and of a machine.

    sets: numbers that sets of factors have. kinds: (2, operand, loop) whether a loop indexes an
    operand one to one, whether it repeats it. bits: of an element of each operand, of a sum.
    below: (2, operand, level, loop) how often a loop is unrolled below a level, as it is and with
    whole lanes. unrolled: (operand, level, any) which loops are, -1 for none. partial_above:
    (level) whether outputs are summed along unrolled loops above. boost (2, operand, level), copies
    (operand, level): as OperandFlow has them.
    levels: (operand) memories of it. level_at: (memory, operand) the operand's level, -1 for none.
    size_bits, room_bits: (memory) what it has, what an order may take it to have. sides: (operand,
    level, way, 4) bits of the port, of its finest access, energy of an access, and beyond of a bit.
    both_inputs: (operand, level) ports that serve inputs and weights of the two between a memory
    and the next. served: rows of operand, level, way; those of a port start at served_from.
    """

    sets: int
    kinds: Array
    bits: Array
    stride: int
    below: Array
    unrolled: Array
    partial_above: Array
    boost: Array
    copies: Array
    levels: Array
    level_at: Array
    size_bits: Array
    room_bits: Array
    sides: Array
    both_inputs: Array
    served: Array
    served_from: Array
    macs_pj: float


class Candidates(NamedTuple):
    """All orders that are tried.

    loops: different factors. rows: (order, factor) which of them, innermost first. orders: (order,
    3, factor) the loop of each, its size, and what it adds to the number of a set of factors, of
    which there are `sets`.
    """

    loops: list[Loop]
    rows: Array
    orders: Array
    sets: int


def candidates(steps: Mapping[str, int]) -> Candidates:
    """All orders that `hw_models.nest.order.mapped` tries, in its sequence."""
    every = factors(steps)
    outer, inner = every[:-LARGEST_NEST], every[-LARGEST_NEST:]
    loops = list(dict.fromkeys([*inner, *reversed(outer)]))
    table = _orders(tuple(loops.index(loop) for loop in inner))
    rest = np.arange(len(loops) - len(outer), len(loops))
    rows = np.hstack([table, np.broadcast_to(rest, (len(table), len(outer)))])
    sizes = np.bincount(rows[0], minlength=len(loops)) + 1
    columns = [
        [LOOPS.index(loop) for loop, _ in loops],
        [int(n) for _, n in loops],
        np.cumprod([1, *sizes])[:-1],
    ]
    orders = np.stack([np.array(column, np.int64)[rows] for column in columns], axis=1)
    return Candidates(loops, rows, np.ascontiguousarray(orders), int(sizes.prod()))


@lru_cache(maxsize=256)
def _orders(pattern: tuple[int, ...]) -> Array:
    found = list(orders_of(pattern))
    return np.array(found, np.int64).reshape(len(found), len(pattern))


def search_tables(
    nest: Nest, machine: Machine, room: Machine, sets: int, beyond: Mapping[str, float]
) -> SearchTables:
    """Tables for a nest. room: the machine as large as orders may take it to be.

    beyond: memories whose bits cost so much each on top of their accesses.
    """
    most = 1 + max(len(machine.levels(operand)) for operand in OPERANDS)
    return SearchTables(
        **_layer_tables(nest),
        **_spread_tables(nest, most),
        **_memory_tables(machine),
        **_port_tables(machine, beyond, most),
        sets=sets,
        room_bits=np.array([float(memory.size_bits) for memory in room.memories]),
        macs_pj=nest.macs * machine.mac_pj,
    )


def _layer_tables(nest: Nest) -> dict[str, Any]:
    relevant = [[loop in nest.relevant[o] for loop in LOOPS] for o in OPERANDS]
    repeats = [[nest.repeats(o, loop) for loop in LOOPS] for o in OPERANDS]
    return {
        "kinds": np.array([relevant, repeats]),
        "bits": np.array([nest.bits[o] for o in (*OPERANDS, "P")], np.int64),
        "stride": nest.stride,
    }


def _spread_tables(nest: Nest, most: int) -> dict[str, Any]:
    """Unrolled loops of the operands, as they are and with whole lanes."""
    below, boost = np.ones((2, 3, most, len(LOOPS))), np.ones((2, 3, most), np.int64)
    copies, above = np.ones((3, most), np.int64), np.zeros(most, np.bool_)
    unrolled = np.full((3, most, len(LOOPS)), -1, np.int64)
    for operand, name in enumerate(OPERANDS):
        levels = nest.spatial[name]
        flat = [loop for level in levels for loop in level]
        starts = [sum(map(len, levels[:n])) for n in range(len(levels) + 1)]
        for n, start in enumerate(starts[:-1]):
            copies[operand, n] = round(round(prod(f for _, f in flat[start:]), 3))
            if name == "O":
                above[n] = any(nest.repeats("O", d) and f > 1 for d, f in flat[starts[n + 1] :])
        for whole in (0, 1):
            spread = [(loop, float(ceil(n)) if whole else n) for loop, n in flat]
            every, lower = nest.elements(name, spread), 0.0
            for n, start in enumerate(starts[:-1]):
                unrolled[operand, n, :start] = [LOOPS.index(loop) for loop, _ in spread[:start]]
                for loop, factor in spread[:start]:
                    below[whole, operand, n, LOOPS.index(loop)] *= factor
                unique = every / nest.elements(name, spread[:start])
                if n:
                    boost[whole, operand, n - 1] = round(lower / unique)
                lower = unique
    return {
        "below": below,
        "unrolled": unrolled,
        "boost": boost,
        "copies": copies,
        "partial_above": above,
    }


def _memory_tables(machine: Machine) -> dict[str, Any]:
    memories = machine.memories
    holds = np.array([[o in memory.operands for o in OPERANDS] for memory in memories])
    return {
        "levels": holds.sum(axis=0),
        "level_at": np.where(holds, holds.cumsum(axis=0) - 1, -1),
        "size_bits": np.array([float(memory.size_bits) for memory in memories]),
    }


def _port_tables(machine: Machine, beyond: Mapping[str, float], most: int) -> dict[str, Any]:
    both, sides = np.zeros((3, most), np.int64), np.ones((3, most, len(WAYS), 4))
    served, starts, reached = [], [0], dict.fromkeys(OPERANDS, 0)
    for memory in machine.memories:
        for port in memory.ports:
            for name, way in port.serves:
                operand, level = OPERANDS.index(name), reached[name]
                pj = memory.read_pj if way in READS else memory.write_pj
                side = port.bits, port.least_bits, pj, beyond.get(memory.name, 0)
                sides[operand, level, WAYS.index(way)] = side
                served.append((operand, level, WAYS.index(way)))
                if port.has_both_inputs and way is Direction.FROM_HIGH:
                    both[operand, level] += 1
                if port.has_both_inputs and way is Direction.TO_LOW and level:
                    both[operand, level - 1] += 1
            starts.append(len(served))
        for name in memory.operands:
            reached[name] += 1
    return {
        "sides": sides,
        "both_inputs": both,
        "served": np.array(served, np.int64),
        "served_from": np.array(starts, np.int64),
    }
