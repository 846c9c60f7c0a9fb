"""Periodic transfers of a mapped loop nest: how much moves between two memories, and how often.

Source: the data movement of ZigZag (Mei et al., IEEE Trans. Computers 70(8), 2021, section IV);
counts as zigzag-dse 3.9.1 makes them. An index `level` counts from the array (0) outwards: level 1
is the innermost memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, prod

from hw_models.nest.hierarchy import (
    OPERANDS,
    Direction,
    Levels,
    Loop,
    Machine,
    Memory,
    Nest,
    Port,
)


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one memory exchanges with a neighbour for one operand, the same every period.

    level: of the data that move (0: those of the array). elements, bits: of a period, and of one
    element. period_cycles: computing between two of them; periods: how many there are.
    window_cycles: those at the end of a period in which the data change hands when there is only
    one buffer. units: copies of the memory.
    """

    operand: str
    memory: Memory
    direction: Direction
    level: int
    elements: int
    bits: int
    period_cycles: int
    periods: int
    window_cycles: int
    mean_bits_per_cycle: int
    units: int

    @property
    def port(self) -> Port:
        """The port of the memory that serves it."""
        port = self.memory.port_of(self.operand, self.direction)
        assert port is not None
        return port

    @property
    def cycles(self) -> int:
        """Cycles that its port takes for a period."""
        return ceil(self.elements * self.bits / self.port.bits)

    @property
    def accessed_bits(self) -> int:
        """Bits of all accesses of all copies, each of the finest width."""
        finest = ceil(self.elements * self.bits / self.port.least_bits)
        return int(finest * self.port.least_bits * self.periods * self.units)

    @property
    def words(self) -> int:
        """Accesses of all copies in words of the port's width, parts of words included."""
        finest = ceil(self.elements * self.bits / self.port.least_bits)
        return int(finest * (self.port.least_bits / self.port.bits) * self.periods * self.units)


@dataclass(frozen=True, slots=True)
class OperandFlow:
    """An operand at every level, from the array (0) outwards.

    elements: that one unit of the level holds; bits: of one of them; cycles: after which they
    change; boost: units below that one unit feeds with different data; units: copies of the level;
    changing_share: of its data, the part that must be there twice to be double buffered;
    top_repeats: loops on top of the level that use the same data again.
    """

    elements: list[int]
    bits: list[int]
    cycles: list[int]
    boost: list[int]
    units: list[int]
    top_relevant: list[float]
    top_repeats: list[float]
    partial: list[bool]


def operand_flow(nest: Nest, operand: str) -> OperandFlow:
    """Follow an operand through the levels of a settled nest."""
    spatial, temporal = nest.spatial[operand], nest.temporal[operand]
    levels = range(len(temporal) + 1)
    below = [_flat([*spatial[:n], *temporal[:n]]) for n in levels]
    rest = [_flat([*spatial[n:], *temporal[max(0, n - 1) :]]) for n in range(1, len(temporal) + 2)]
    partial = [operand == "O" and any(nest.repeats("O", d) and n > 1 for d, n in up) for up in rest]
    unrolled = nest.elements(operand, _flat(spatial))
    unique = [unrolled / nest.elements(operand, _flat(spatial[:n])) for n in levels]
    still = _product(_leading(nest, operand, list(temporal[0]))) if operand != "O" else 1
    tops = [list(reversed(loops)) for loops in temporal]
    return OperandFlow(
        [round(nest.elements(operand, loops)) for loops in below],
        [nest.bits["P"] if part else nest.bits[operand] for part in partial],
        [int(still), *(int(_product(_flat(temporal[:n]))) for n in levels[1:])],
        [*(round(low / high) for low, high in pairwise(unique)), 1],
        [round(round(_product(_flat(spatial[n:])), 3)) for n in levels],
        [1, *(_product(_leading_relevant(nest, operand, loops)) for loops in tops)],
        [1, *(_product(_leading(nest, operand, loops)) for loops in tops)],
        partial,
    )


@dataclass(frozen=True, slots=True)
class OperandMoves:
    """How an operand lies at every level, and its transfers from the innermost memory outwards."""

    flow: OperandFlow
    transfers: tuple[Transfer, ...]


def transfers(nest: Nest, machine: Machine) -> list[Transfer]:
    """All transfers of a settled nest, by operand and from the innermost memory outwards."""
    moves = (operand_moves(nest, machine, operand) for operand in OPERANDS)
    return [transfer for move in moves for transfer in move.transfers]


def operand_moves(nest: Nest, machine: Machine, operand: str) -> OperandMoves:
    """Flow and transfers of an operand of a settled nest."""
    flow, memories = operand_flow(nest, operand), machine.levels(operand)
    found = []
    for place, memory in enumerate(memories):
        for direction in Direction:
            level = place + (direction in (Direction.FROM_HIGH, Direction.TO_HIGH))
            outermost = level > place and memory is memories[-1]
            if not outermost and _flows(operand, direction, flow.partial[level]):
                found.append(_transfer(operand, flow, memory, place, direction, level))
    return OperandMoves(flow, tuple(found))


def _transfer(
    operand: str, flow: OperandFlow, memory: Memory, place: int, direction: Direction, level: int
) -> Transfer:
    """A transfer between a memory and the level below it (its data), or above (its own data)."""
    boost = flow.boost[level] if level == place else 1
    period = flow.cycles[level]
    return Transfer(
        operand,
        memory,
        direction,
        level,
        flow.elements[level] * boost,
        flow.bits[level],
        period,
        flow.cycles[-1] // period,
        int(period / int(flow.top_repeats[level])),
        int(flow.elements[level] * flow.bits[level] / period * boost),
        flow.units[place + 1],
    )


def _flows(operand: str, direction: Direction, partial: bool) -> bool:
    """Inputs only go down; outputs go up, and come back down while they are partial."""
    down = direction in (Direction.TO_LOW, Direction.FROM_HIGH)
    return partial or not down if operand == "O" else down


def _flat(levels: Levels) -> list[Loop]:
    return [loop for loops in levels for loop in loops]


def _product(loops: list[Loop]) -> float:
    return prod((factor for _, factor in loops), start=1)


def _leading(nest: Nest, operand: str, loops: list[Loop]) -> list[Loop]:
    """The first loops, as long as they repeat the operand."""
    stop = next((i for i, (d, _) in enumerate(loops) if not nest.repeats(operand, d)), len(loops))
    return loops[:stop]


def _leading_relevant(nest: Nest, operand: str, loops: list[Loop]) -> list[Loop]:
    """The first loops, as long as they index the operand one to one."""
    stop = next(
        (i for i, (d, _) in enumerate(loops) if d not in nest.relevant[operand]), len(loops)
    )
    return loops[:stop]
