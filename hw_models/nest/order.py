"""Orders of the loops of a layer, and the memories at which each order keeps its operands.

The loops are split into at most LARGEST_NEST factors; every different order of them is tried, the
first of more loops than that staying outermost. From the innermost memory outwards, each keeps the
loops that leave the fewest bits to fetch from above.
Source: the bottom-up allocation of LOMA (Symons et al., "LOMA: Fast Auto-Scheduling on DNN
Accelerators through Loop-Order-based Memory Allocation", AICAS 2021).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product, takewhile
from math import inf, prod
from typing import NamedTuple, TypeVar

from hw_models.nest.hierarchy import Levels, Loop, Machine, Memory, Nest

LARGEST_NEST = 6
"""Factors of all loops together, at most; more only if there are more loops."""

One = TypeVar("One", bound=Hashable)

HELD = ("I", "W", "O")
"""Of equal choices, the one with most loops of the first of these is taken."""


class Place(NamedTuple):
    """An operand in a memory. level: memories of the operand further in."""

    operand: str
    level: int
    is_top: bool


def mapped(nest: Nest, steps: Mapping[str, int], machine: Machine) -> Iterator[Nest]:
    """The settled nests of all orders of loops that differ in cost. steps: of each loop."""
    allocator, likeness, seen = Allocator(nest, machine), Likeness(nest), set[Hashable]()
    loops = factors(steps)
    outer, inner = loops[:-LARGEST_NEST], loops[-LARGEST_NEST:]
    for order in orders(inner):
        temporal = allocator.temporal([*order, *reversed(outer)])
        if temporal is not None:
            key = tuple(likeness.of(operand, temporal[operand]) for operand in HELD)
            if key not in seen:
                seen.add(key)
                yield replace(nest, temporal=temporal).settled()


def factors(steps: Mapping[str, int]) -> list[Loop]:
    """Loops as products of prime factors, the smallest of the most divided loop joined first."""
    parts = {loop: _primes(n) for loop, n in steps.items() if n > 1}
    while sum(map(len, parts.values())) > max(LARGEST_NEST, len(parts)):
        most = max(parts.values(), key=len)
        most[:2] = [most[0] * most[1]]
        most.sort()
    return [(loop, n) for loop, numbers in parts.items() for n in numbers]


def _primes(number: int) -> list[int]:
    found, divisor = [], 2
    while number > 1:
        if divisor * divisor > number:
            divisor = number
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found


def orders(loops: Sequence[One]) -> Iterator[list[One]]:
    """All different orders of some loops, of which some may be equal; innermost first."""
    if not loops:
        yield []
    for loop in dict.fromkeys(loops):
        rest = list(loops)
        rest.remove(loop)
        yield from ([loop, *others] for others in orders(rest))


class Allocator:
    """Gives the loops of an order to the memories of a machine, for one way to spread a layer."""

    def __init__(self, nest: Nest, machine: Machine) -> None:
        self.nest = nest
        last = {operand: len(machine.levels(operand)) - 1 for operand in HELD}
        reached = dict.fromkeys(HELD, 0)
        self.rows: list[tuple[Memory, list[Place]]] = []
        for memory in machine.memories:
            places = []
            for operand in HELD:
                if operand in memory.operands:
                    level = reached[operand]
                    places.append(Place(operand, level, level == last[operand]))
                    reached[operand] += 1
            self.rows.append((memory, places))
        self.seen: dict[Hashable, float] = {}

    def temporal(self, order: Sequence[Loop]) -> Mapping[str, Levels] | None:
        """For every operand the loops of its memories; None when one has no room for its data."""
        given: dict[str, list[Sequence[Loop]]] = {operand: [] for operand in HELD}
        taken = dict.fromkeys(HELD, 0)
        for memory, places in self.rows:
            choices = [list(self._choices(memory, p, order, taken[p.operand])) for p in places]
            outermost = all(place.is_top for place in places)
            stops = _fewest_fetched(choices, inf if outermost else memory.size_bits)
            if stops is None:
                return None
            for place, stop in zip(places, stops, strict=True):
                given[place.operand].append(order[taken[place.operand] : stop])
                taken[place.operand] = stop
        return given

    def _choices(
        self, memory: Memory, place: Place, order: Sequence[Loop], taken: int
    ) -> Iterator[tuple[int, float, float]]:
        """How to keep an operand: loops up to which one, bits kept, bits fetched in all."""
        partial = place.operand == "O" and self._is_partial(place.level, order[taken:])
        bits = self.nest.bits["P" if partial else place.operand]
        for stop in range(len(order) if place.is_top else taken, len(order) + 1):
            kept = self._elements(place, order[:stop]) * bits
            if kept > memory.size_bits and not place.is_top:
                return
            again = prod(n for _, n in order[stop:])
            yield stop, kept, 0 if place.is_top else kept * again

    def _is_partial(self, level: int, left: Sequence[Loop]) -> bool:
        """Whether outputs are summed further after a level. left: loops that lower levels lack."""
        above = [*left, *(loop for loops in self.nest.spatial["O"][level + 1 :] for loop in loops)]
        return any(n > 1 and self.nest.repeats("O", loop) for loop, n in above)

    def _elements(self, place: Place, loops: Sequence[Loop]) -> float:
        key = place, tuple(sorted(loops))
        if key not in self.seen:
            below = [
                one for some in self.nest.spatial[place.operand][: place.level + 1] for one in some
            ]
            self.seen[key] = self.nest.elements(place.operand, [*below, *loops])
        return self.seen[key]


def _fewest_fetched(
    choices: Sequence[Sequence[tuple[int, float, float]]], room_bits: float
) -> list[int] | None:
    best, least = None, inf
    for choice in product(*choices):
        fetched = sum(cost for _, _, cost in choice)
        if fetched <= least and sum(bits for _, bits, _ in choice) <= room_bits:
            best, least = [stop for stop, _, _ in choice], fetched
    return best


class Likeness:
    """Which orders of the loops of one layer cost the same."""

    def __init__(self, nest: Nest) -> None:
        self.again = {o: {loop for loop in nest.sizes if nest.repeats(o, loop)} for o in HELD}
        self.indexing = nest.relevant

    def of(self, operand: str, temporal: Levels) -> Hashable:
        """What the cost of an operand sees of an order: each level's loops, and its two ends.

        Innermost, loops that use the same data again; outermost, those and the loops that index it.
        """
        again, indexing = self.again[operand], self.indexing[operand]
        found: list[Hashable] = [operand]
        for loops in temporal:
            down = loops[::-1]
            ends = _run(loops, again), _run(down, again), _run(down, indexing)
            found += [tuple(sorted(loops)), *ends]
        return tuple(found)


def _run(loops: Sequence[Loop], names: Collection[str]) -> tuple[Loop, ...]:
    """The first loops, as long as they are some of these."""
    return tuple(sorted(takewhile(lambda loop: loop[0] in names, loops)))
