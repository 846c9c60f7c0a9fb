"""A nest that is not ordered yet and its machine as small arrays, for the compiled search.

Operands, loops, levels and ports are numbers here: operands as in OPERANDS, loops as in LOOPS,
ways as in Direction. A level n is all that lies below memory n - 1 of an operand, as in
`hw_models.nest.transfers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw_models.nest.hierarchy import OPERANDS, Direction, Loop, Machine, Nest
from hw_models.nest.order import LARGEST_NEST, factors, orders

LOOPS = ("B", "G", "K", "C", "OY", "OX", "FY", "FX")
WAYS = tuple(Direction)

Array = NDArray[Any]


class SearchTables(NamedTuple):
    """What the search knows of a layer and of a machine.

    loop, factor, weight: of each different factor of the loops its loop, its size, and what one of
    it adds to the number of a set of factors, of which there are `sets`. relevant, repeats:
    (operand, loop). unrolled: (operand, place), loops from the array outwards, spread by
    unrolled_by (as they are or rounded up, operand, place); unrolled_below (operand, level) of them
    lie below a level. partial_above: (level) whether outputs are summed along unrolled loops above.
    boost (2, operand, level), copies (operand, level): as OperandFlow has them.
    levels: (operand) memories of it. level_at: (memory, operand) or -1; memory_at: (operand, level).
    room_bits: (memory) what an order may fill. port_of: (operand, level, way) or -1.
    both_inputs: (operand, level) ports for inputs and weights of the two between a memory and the
    next. served: (operand, level, way) rows, of each port those between served_from.
    beyond: the memory whose bits cost beyond_pj more; -1 for none.
    """

    loop: Array
    factor: Array
    weight: Array
    sets: int
    relevant: Array
    repeats: Array
    stride: int
    bits: Array
    psum_bits: int
    unrolled: Array
    unrolled_by: Array
    unrolled_below: Array
    partial_above: Array
    boost: Array
    copies: Array
    levels: Array
    level_at: Array
    memory_at: Array
    size_bits: Array
    room_bits: Array
    read_pj: Array
    write_pj: Array
    port_of: Array
    port_bits: Array
    least_bits: Array
    both_inputs: Array
    served: Array
    served_from: Array
    macs_pj: float
    beyond: int
    beyond_pj: float


class Candidates(NamedTuple):
    """Different factors, and all orders of them: a row each, innermost first."""

    loops: list[Loop]
    orders: Array


def candidates(steps: Mapping[str, int]) -> Candidates:
    """All orders that `hw_models.nest.order.mapped` tries, in its sequence."""
    every = factors(steps)
    outer, inner = every[:-LARGEST_NEST], every[-LARGEST_NEST:]
    different = list(dict.fromkeys(inner))
    table = _orders(tuple(different.index(loop) for loop in inner))
    rest = np.arange(len(different), len(different) + len(outer))
    rows = np.hstack([table, np.broadcast_to(rest, (len(table), len(outer)))])
    return Candidates([*different, *reversed(outer)], np.ascontiguousarray(rows))


@lru_cache(maxsize=256)
def _orders(pattern: tuple[int, ...]) -> Array:
    found = list(orders(pattern))
    return np.array(found, np.int64).reshape(len(found), len(pattern))


def search_tables(
    nest: Nest, machine: Machine, room: Machine, tried: Candidates, beyond: str, beyond_pj: float
) -> SearchTables:
    """Tables for a nest. room: the machine as large as orders may take it to be.

    beyond: the memory whose bits cost beyond_pj each on top of its accesses.
    """
    most = 1 + max(len(machine.levels(operand)) for operand in OPERANDS)
    names = [memory.name for memory in machine.memories]
    return SearchTables(
        **_factor_tables(tried),
        **_layer_tables(nest),
        **_spread_tables(nest, most),
        **_memory_tables(machine, most),
        **_port_tables(machine, most),
        room_bits=np.array([float(memory.size_bits) for memory in room.memories]),
        macs_pj=nest.macs * machine.mac_pj,
        beyond=names.index(beyond) if beyond in names else -1,
        beyond_pj=beyond_pj,
    )


def _factor_tables(tried: Candidates) -> dict[str, Any]:
    most = np.bincount(tried.orders[0], minlength=len(tried.loops)) + 1
    return {
        "loop": np.array([LOOPS.index(loop) for loop, _ in tried.loops], np.int64),
        "factor": np.array([int(n) for _, n in tried.loops], np.int64),
        "weight": np.cumprod([1, *most])[:-1].astype(np.int64),
        "sets": int(prod(int(n) for n in most)),
    }


def _layer_tables(nest: Nest) -> dict[str, Any]:
    return {
        "relevant": np.array([[loop in nest.relevant[o] for loop in LOOPS] for o in OPERANDS]),
        "repeats": np.array([[nest.repeats(o, loop) for loop in LOOPS] for o in OPERANDS]),
        "stride": nest.stride,
        "bits": np.array([nest.bits[o] for o in OPERANDS], np.int64),
        "psum_bits": nest.bits["P"],
    }


def _spread_tables(nest: Nest, most: int) -> dict[str, Any]:
    """Unrolled loops of the operands, as they are and with whole lanes."""
    flat = [[loop for level in nest.spatial[o] for loop in level] for o in OPERANDS]
    longest = max(map(len, flat))
    unrolled, below = np.zeros((3, longest), np.int64), np.zeros((3, most), np.int64)
    by, boost = np.ones((2, 3, longest)), np.ones((2, 3, most), np.int64)
    copies, above = np.ones((3, most), np.int64), np.zeros(most, np.bool_)
    for operand, name in enumerate(OPERANDS):
        loops, levels = flat[operand], nest.spatial[name]
        starts = [sum(map(len, levels[:n])) for n in range(len(levels))]
        below[operand, : len(levels)] = starts
        unrolled[operand, : len(loops)] = [LOOPS.index(loop) for loop, _ in loops]
        for whole in (0, 1):
            spread = [(loop, float(ceil(n)) if whole else n) for loop, n in loops]
            by[whole, operand, : len(loops)] = [n for _, n in spread]
            boost[whole, operand, : len(levels)] = _boosts(nest, name, spread, starts)
        for n, start in enumerate(starts):
            copies[operand, n] = round(round(prod((f for _, f in loops[start:]), start=1.0), 3))
            if name == "O":
                end = starts[n + 1] if n + 1 < len(starts) else len(loops)
                above[n] = any(nest.repeats("O", loop) and f > 1 for loop, f in loops[end:])
    return {
        "unrolled": unrolled,
        "unrolled_by": by,
        "unrolled_below": below,
        "partial_above": above,
        "boost": boost,
        "copies": copies,
    }


def _boosts(nest: Nest, name: str, spread: Sequence[Loop], starts: Sequence[int]) -> list[int]:
    every = nest.elements(name, spread)
    unique = [every / nest.elements(name, spread[:start]) for start in starts]
    return [*(round(low / high) for low, high in zip(unique, unique[1:], strict=False)), 1]


def _memory_tables(machine: Machine, most: int) -> dict[str, Any]:
    memories = machine.memories
    level_at = np.full((len(memories), 3), -1, np.int64)
    memory_at = np.full((3, most), -1, np.int64)
    for operand, name in enumerate(OPERANDS):
        holding = [m for m, memory in enumerate(memories) if name in memory.operands]
        for level, m in enumerate(holding):
            level_at[m, operand], memory_at[operand, level] = level, m
    return {
        "levels": (memory_at >= 0).sum(axis=1),
        "level_at": level_at,
        "memory_at": memory_at,
        "size_bits": np.array([float(memory.size_bits) for memory in memories]),
        "read_pj": np.array([float(memory.read_pj) for memory in memories]),
        "write_pj": np.array([float(memory.write_pj) for memory in memories]),
    }


def _port_tables(machine: Machine, most: int) -> dict[str, Any]:
    port_of, both = np.full((3, most, 4), -1, np.int64), np.zeros((3, most), np.int64)
    ports, served, starts = [], [], [0]
    levels = {name: machine.levels(name) for name in OPERANDS}
    for memory in machine.memories:
        for port in memory.ports:
            for name, way in port.serves:
                row = OPERANDS.index(name), levels[name].index(memory), WAYS.index(way)
                port_of[row] = len(ports)
                served.append(row)
            ports.append(port)
            starts.append(len(served))
    for operand, name in enumerate(OPERANDS):
        for level in range(len(levels[name]) - 1):
            ends = port_of[operand, level, 1], port_of[operand, level + 1, 0]
            both[operand, level] = sum(ports[end].has_both_inputs for end in ends)
    return {
        "port_of": port_of,
        "port_bits": np.array([float(port.bits) for port in ports]),
        "least_bits": np.array([float(port.least_bits) for port in ports]),
        "both_inputs": both,
        "served": np.array(served, np.int64),
        "served_from": np.array(starts, np.int64),
    }
