"""The allocation problem as a CP-SAT model, exactly with the cost of `steady_state`.

All times are lower bounds that minimising pulls to the values of `iteration`: each core and link
carries the time from which it is free through the items in their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import lcm
from typing import TypeVar

from ortools.sat.python import cp_model

from simulator.allocation.iteration import energy_fj, transfer
from simulator.allocation.options import AllocationProblem, Option

Literal = cp_model.IntVar
Sum = cp_model.LinearExpr
Key = TypeVar("Key", int, tuple[int, int])


@dataclass(slots=True)
class Edge:
    """Transfers of one edge. by_link: link -> (is it made, its cycles); energy: (is it, fJ)."""

    producer: int
    consumer: int
    by_link: dict[int, list[tuple[Literal, int]]] = field(default_factory=lambda: defaultdict(list))
    energy: list[tuple[Literal, int]] = field(default_factory=list)


class ConstraintModel:
    """Variables and constraints of one problem.

    takes[item]: option number -> literal, for the options that are open. energy: of one iteration,
    fJ. latency: of all iterations, cycles (only with `timed`, as only then its part is built).
    """

    def __init__(self, problem: AllocationProblem, *, timed: bool) -> None:
        self.problem, self.model = problem, cp_model.CpModel()
        items = range(len(problem.names))
        self.takes = [self._options(item) for item in items]
        self.on = [self._joined(item, lambda option, core: core) for item in items]
        self._fit_weights()
        ordered = sorted(problem.edges.tolist(), key=lambda edge: edge[1])
        self.edges = [self._edge(*edge) for edge in ordered]
        own = [literal * energy_fj(option) for literal, option in self._taken()]
        moved = [literal * fj for edge in self.edges for literal, fj in edge.energy]
        self.energy = Sum.sum([*own, *moved])
        self.latency = self._latency() if timed else Sum.sum([])

    def hint(self, choice: Sequence[int]) -> None:
        """Begin the next search at this choice."""
        self.model.clear_hints()
        for takes, chosen in zip(self.takes, choice, strict=True):
            for number, literal in takes.items():
                self.model.add_hint(literal, number == chosen)

    def choice(self, solver: cp_model.CpSolver) -> tuple[int, ...]:
        """The choice of the solution that a solver has found."""
        return tuple(
            next(number for number, literal in takes.items() if solver.value(literal))
            for takes in self.takes
        )

    def _options(self, item: int) -> dict[int, Literal]:
        """A literal for every open option of an item, of which it takes one."""
        takes = {number: self.model.new_bool_var("") for number in self.problem.allowed(item)}
        self.model.add_exactly_one(takes.values())
        return takes

    def _taken(self) -> list[tuple[Literal, Option]]:
        """All open options with their literals."""
        return [
            (literal, self.problem.options[item][number])
            for item, takes in enumerate(self.takes)
            for number, literal in takes.items()
        ]

    def _joined(self, item: int, key: Callable[[Option, int], Key]) -> dict[Key, Literal]:
        """A literal for each key that the options of an item have on their cores."""
        groups: dict[Key, list[Literal]] = defaultdict(list)
        for number, literal in self.takes[item].items():
            option = self.problem.options[item][number]
            for core in option.cores:
                groups[key(option, core)].append(literal)
        return {one: self._any(literals) for one, literals in sorted(groups.items())}

    def _any(self, literals: Sequence[Literal]) -> Literal:
        """Whether one of literals that exclude each other is true."""
        if len(literals) == 1:
            return literals[0]
        joined = self.model.new_bool_var("")
        self.model.add(sum(literals) == joined)
        return joined

    def _fit_weights(self) -> None:
        for core, capacity in enumerate(self.problem.weight_capacity.tolist()):
            here = [(literal, o.weight_bytes) for literal, o in self._taken() if core in o.cores]
            self.model.add(sum(literal * size for literal, size in here) <= capacity)

    def _edge(self, producer: int, consumer: int, size: int) -> Edge:
        """Which transfers an edge makes: from every core of its source to every one of its target.

        Weighted by the cores of the source, the transfers to a target core add up to one, which
        also rules out cores without a route.
        """
        edge = Edge(producer, consumer)
        if size == 0:
            return edge
        sources = self._joined(producer, lambda option, core: (core, len(option.cores)))
        unit = lcm(*(parts for _, parts in sources))
        sends: dict[tuple[int, int], list[Literal]] = {source: [] for source in sources}
        for target, literal in self.on[consumer].items():
            made: list[Sum] = []
            for (core, parts), source in sources.items():
                share = -(-size // parts)
                route, cycles, moved_fj = transfer(self.problem, (core, target), share)
                if core != target and route is None:
                    continue
                sent = self.model.new_bool_var("")
                self.model.add_implication(sent, source)
                made.append(sent * (unit // parts))
                sends[core, parts].append(sent)
                if core != target:
                    edge.energy.append((sent, moved_fj))
                    for link in route or ():
                        edge.by_link[link].append((sent, cycles))
            self.model.add(sum(made) == unit * literal)
        for source_key, sent_to in sends.items():
            self.model.add_bool_or(sources[source_key].negated(), *sent_to)
        return edge

    def _latency(self) -> Sum:
        """Cycles of one iteration plus the interval for each of the others."""
        iteration, interval = self._time("iteration"), self._time("interval")
        for busy in (*self._core_loads(), *self._link_loads()):
            self.model.add(busy <= interval)
        core_free: dict[int, Sum] = {}
        link_free: dict[int, Sum] = {}
        edges: dict[int, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            edges[edge.consumer].append(edge)
        ends: list[Literal] = []
        for item, on in enumerate(self.on):
            start, end = self._time("start"), self._time("end")
            options = self.problem.options[item]
            cycles = [taken * options[n].cycles for n, taken in self.takes[item].items()]
            self.model.add(end == start + sum(cycles))
            self.model.add(end <= iteration)
            for edge in edges[item]:
                self._send(edge, ends[edge.producer], start, link_free)
            for core, literal in on.items():
                self._occupy(core_free, core, literal, start, end)
            ends.append(end)
        return iteration + (self.problem.iterations - 1) * interval

    def _send(self, edge: Edge, ready: Literal, start: Literal, link_free: dict[int, Sum]) -> None:
        """An edge's transfers leave together when their links are free; `start` awaits them."""
        leaves = self._time("leaves")
        self.model.add(leaves >= ready)
        self.model.add(start >= leaves)
        for link, transfers in edge.by_link.items():
            used = self.model.new_bool_var("")
            for literal, _ in transfers:
                self.model.add_implication(literal, used)
            end = leaves + sum(literal * cycles for literal, cycles in transfers)
            self.model.add(start >= end + self.problem.latency_cycles).only_enforce_if(used)
            self._occupy(link_free, link, used, leaves, end)

    def _occupy(
        self, free: dict[int, Sum], unit: int, literal: Literal, start: Literal, end: Sum
    ) -> None:
        """If `literal`, the unit is busy from `start`, when it must be free, to `end`."""
        before, after = free.get(unit), self._time("free")
        self.model.add(after >= end).only_enforce_if(literal)
        if before is not None:
            self.model.add(start >= before).only_enforce_if(literal)
            self.model.add(after >= before)
        free[unit] = after

    def _core_loads(self) -> list[Sum]:
        return [
            Sum.sum([literal * o.cycles for literal, o in self._taken() if core in o.cores])
            for core in range(len(self.problem.core_names))
        ]

    def _link_loads(self) -> list[Sum]:
        loads: dict[int, list[Sum]] = defaultdict(list)
        for edge in self.edges:
            for link, transfers in edge.by_link.items():
                loads[link] += [literal * cycles for literal, cycles in transfers]
        return [Sum.sum(terms) for terms in loads.values()]

    def _time(self, name: str) -> Literal:
        return self.model.new_int_var(0, self.horizon, name)

    @cached_property
    def horizon(self) -> int:
        """Cycles that no iteration exceeds: everything one after the other."""
        longest = [max(option.cycles for option in options) for options in self.problem.options]
        moves = [t for edge in self.edges for link in edge.by_link.values() for t in link]
        late = len(self.edges) * self.problem.latency_cycles
        return sum(longest) + sum(cycles for _, cycles in moves) + late
