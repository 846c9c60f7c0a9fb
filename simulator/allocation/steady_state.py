"""What an allocation costs: the steady state of a fused stack on many cores.

One iteration runs the items in their order. An item starts when its cores are free and its data
have arrived; data go to other cores over exclusive links. Iterations overlap by what the busiest
core or link leaves idle in one of them:

    latency = N * iteration - (N - 1) * idle_min = iteration + (N - 1) * busiest

Tiles of different iterations may interleave on a core, as the tile scheduler lets them, so idle
counts anywhere in the iteration and not only before the first and after the last item of a core.
Without a loop through the iterations an interval of the busiest resource can always be reached.
Source: Stream (arXiv 2212.10612), steady state and N * iteration - (N - 1) * idle_min; minimum
interval by resources: Rau, "Iterative modulo scheduling", MICRO 1994.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.allocation.iteration import energy_fj, iteration, tables
from simulator.allocation.options import AllocationProblem, Objective


@dataclass(frozen=True, slots=True)
class SteadyState:
    """Figures of an allocation. iteration_cycles: of one iteration alone; interval_cycles: from
    one to the next; energy_fj: of one. excess_bytes: of weights beyond the capacities, over all
    cores; missing_routes: transfers without a way. Only an allocation with none of these is valid.
    """

    iteration_cycles: int
    interval_cycles: int
    energy_fj: int
    excess_bytes: int
    missing_routes: int
    iterations: int

    @classmethod
    def of(cls, problem: AllocationProblem, figures: Iterable[int]) -> SteadyState:
        """From the figures that `iteration` returns."""
        cycles, interval, energy_fj, excess, missing = (int(figure) for figure in figures)
        return cls(cycles, interval, energy_fj, excess, missing, problem.iterations)

    @property
    def latency_cycles(self) -> int:
        """Of all iterations."""
        return self.iteration_cycles + (self.iterations - 1) * self.interval_cycles

    @property
    def valid(self) -> bool:
        """Whether all weights fit and all transfers have a route."""
        return self.excess_bytes == 0 and self.missing_routes == 0

    def value(self, objective: Objective) -> int:
        """Latency in cycles, energy in fJ, or their product."""
        energy_fj = self.iterations * self.energy_fj
        figures = {"latency": self.latency_cycles, "energy": energy_fj}
        return figures[objective] if objective in figures else self.latency_cycles * energy_fj


def steady_state(problem: AllocationProblem, choice: Sequence[int]) -> SteadyState:
    """Figures of the allocation that takes option `choice[i]` for item i."""
    figures = iteration(np.array(choice, np.int64), tables(problem))
    return SteadyState.of(problem, figures)


def cost(problem: AllocationProblem, choice: Sequence[int], objective: Objective) -> int:
    """What all searches minimise: cycles, fJ, or cycles * fJ. An exact integer."""
    return steady_state(problem, choice).value(objective)


def lower_bound(problem: AllocationProblem, objective: Objective) -> int:
    """No allocation costs less: every item on its best option, all cores equally busy."""
    allowed = [
        [problem.options[item][number] for number in problem.allowed(item)]
        for item in range(len(problem.names))
    ]
    least = [min(option.cycles for option in options) for options in allowed]
    work = sum(min(len(o.cores) * o.cycles for o in options) for options in allowed)
    used = {core for options in allowed for option in options for core in option.cores}
    ends = list(least)
    for producer, consumer, _ in sorted(problem.edges.tolist(), key=lambda edge: edge[1]):
        ends[consumer] = max(ends[consumer], ends[producer] + least[consumer])
    interval = max(*least, -(-work // len(used)), 0)
    total_fj = sum(min(energy_fj(option) for option in options) for options in allowed)
    figures = (max(*ends, interval), interval, total_fj, 0, 0)
    return SteadyState.of(problem, figures).value(objective)
