"""Allocation by constraint optimisation (OR-tools CP-SAT): least cost, with a proof if time lets.

One worker and a fixed seed: a search that ends before its time limit gives the same choice each
time. Ctrl-C ends it with the best choice so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from random import Random
from time import perf_counter

from ortools.sat.python import cp_model

from simulator.allocation.constraint_model import ConstraintModel, Sum
from simulator.allocation.feasibility import check_possible
from simulator.allocation.genetic import genetic
from simulator.allocation.greedy import greedy
from simulator.allocation.infeasible import nearest_miss
from simulator.allocation.options import AllocationProblem, AllocationResult, Objective
from simulator.allocation.steady_state import SteadyState, cost, lower_bound, steady_state
from traces.errors import InputError

PATIENCE = 100
"""Generations in vain after which the genetic search that gives a hint ends."""
HINT_SHARE, NEIGHBOUR_SHARE, LATENCY_SHARE = 0.5, 0.6, 0.3
"""Most of the remaining time for hints, for neighbourhoods, and for the least latency of an EDP."""
FREE_ITEMS, FAILURES, NEIGHBOUR_WORK = 6, 12, 0.3
"""Items that a neighbourhood leaves open, neighbourhoods in vain before that search ends, and the
work in one, in CP-SAT's deterministic seconds."""
WEIGHT_BITS = 40
"""Precision of the weights of latency and energy on a tangent of their product."""


def constraint(
    problem: AllocationProblem,
    objective: Objective,
    seconds: float,
    hints: Sequence[Sequence[int]] = (),
) -> AllocationResult:
    """The best choice found in that time, never worse than greedy's or any valid one of the hints.

    A greedy and a short genetic search come first, within the time. Raises InputError when there
    is no valid choice (which layers or cores conflict) or none was found in time.
    """
    check_possible(problem)
    search = _Search(problem, objective, perf_counter() + seconds)
    search.offer(hints)
    with suppress(KeyboardInterrupt):
        search.offer_simple()
        search.improve()
        if search.best is None or search.left() > 0:
            search.prove()
    if search.best is None:
        raise InputError(f"allocation: cp must find a valid choice in {seconds} s, not none yet")
    return AllocationResult(search.best, search.least, min(search.bound, search.least))


@dataclass(slots=True)
class _Search:
    """A search under way. best: the choice that costs least, `least`; bound: none costs less."""

    problem: AllocationProblem
    objective: Objective
    deadline: float
    best: tuple[int, ...] | None = None
    least: int = 0
    bound: int = field(init=False)

    def __post_init__(self) -> None:
        self.bound = lower_bound(self.problem, self.objective)

    def offer(self, choices: Sequence[Sequence[int]]) -> None:
        """Keep the best of valid choices."""
        for choice in choices:
            value = cost(self.problem, choice, self.objective)
            valid = steady_state(self.problem, choice).valid
            if valid and (self.best is None or value < self.least):
                self.best, self.least = tuple(choice), value

    def offer_simple(self) -> None:
        """Offer what greedy and a short genetic search find, if they find anything."""
        with suppress(InputError):
            self.offer([greedy(self.problem, self.objective).choice])
        with suppress(InputError):
            seconds = HINT_SHARE * self.left()
            found = genetic(self.problem, self.objective, seconds, patience=PATIENCE)
            self.offer([found.choice])

    def improve(self) -> None:
        """Search around the best choice, with runs of items open, and random ones.

        Not for so few items that this would be the whole problem.
        """
        rng, items = Random(0), range(len(self.problem.names))
        if len(items) <= FREE_ITEMS:
            return
        until = perf_counter() + NEIGHBOUR_SHARE * self.left()
        failures = 0
        while self.best is not None and failures < FAILURES and perf_counter() < until:
            first = rng.randrange(len(items) - FREE_ITEMS + 1)
            run = items[first : first + FREE_ITEMS]
            free = rng.sample(items, FREE_ITEMS) if failures % 2 else run
            before = self.least
            self._search_around(free, self.best)
            failures = 0 if self.least < before else failures + 1

    def _search_around(self, free: Sequence[int], best: Sequence[int]) -> None:
        fixed = {item: number for item, number in enumerate(best) if item not in free}
        fixed |= self.problem.fixed
        around = replace(self.problem, fixed=fixed)
        model = ConstraintModel(around, timed=self.objective != "energy")
        figures = steady_state(self.problem, best)
        per_cycle, per_fj = self._weights(figures)
        goal = per_cycle * model.latency + per_fj * model.energy
        model.model.add(goal <= per_cycle * figures.latency_cycles + per_fj * figures.energy_fj)
        self._solve(model, goal, 1.0, NEIGHBOUR_WORK)

    def _weights(self, at: SteadyState) -> tuple[int, int]:
        """Of latency and energy in a sum that falls where the objective does; for EDP its tangent.

        A product of numbers whose sum weighted by each other has fallen has fallen too.
        """
        if self.objective != "edp":
            return int(self.objective == "latency"), int(self.objective == "energy")
        most = 2**WEIGHT_BITS
        return most // max(1, at.latency_cycles) + 1, most // max(1, at.energy_fj) + 1

    def prove(self) -> None:
        """Search the whole problem, for a better choice and for a bound."""
        if self.objective == "edp":
            self._minimise_product()
        else:
            self._minimise(self.objective)

    def _minimise(self, objective: Objective) -> None:
        """Minimise latency or energy, which are sums over the options."""
        model = ConstraintModel(self.problem, timed=objective == "latency")
        goal = {"latency": model.latency, "energy": model.energy}[objective]
        scale = self.problem.iterations if objective == "energy" else 1
        if self.best is not None:
            model.model.add(goal <= self.least // scale)
        found = self._solve(model, goal, 1.0)
        self.bound = max(self.bound, scale * (found or 0))

    def _minimise_product(self) -> None:
        """Minimise latency times energy, exactly: sweep the energies under a shrinking latency.

        If e is the least energy below a latency, a better choice has a latency below best / e; so
        that is the next limit, until it lies below the least latency there is.
        """
        model = ConstraintModel(self.problem, timed=True)
        least_cycles = self._solve(model, model.latency, LATENCY_SHARE) or 0
        least_fj = self._solve(model, model.energy, 1.0) or 0
        while self.best is not None:
            self._raise_bound(least_cycles * least_fj * self.problem.iterations)
            below = self.least // self.problem.iterations - 1
            most_cycles = below // max(least_fj, 1)
            if most_cycles < least_cycles:
                self._raise_bound(self.least)
            if self.bound == self.least or self.left() <= 0:
                return
            model.model.add(model.latency <= most_cycles)
            found = self._solve(model, model.energy, 1.0)
            if found is None:
                self._raise_bound(self.least)
            least_fj = max(least_fj, found or 0)

    def _raise_bound(self, bound: int) -> None:
        self.bound = min(max(self.bound, bound), self.least)

    def _solve(
        self, model: ConstraintModel, goal: Sum, share: float, work: float = inf
    ) -> int | None:
        """Offer the least that is found in a share of the time; its bound, None: there is none.

        work: most deterministic seconds.
        """
        if self.best is not None:
            model.hint(self.best)
        model.model.minimize(goal)
        solver, limit = cp_model.CpSolver(), max(0.0, share * self.left())
        solver.parameters.num_workers, solver.parameters.random_seed = 1, 0
        solver.parameters.max_time_in_seconds = limit
        solver.parameters.max_deterministic_time = work
        solver.parameters.cp_model_probing_level = 0
        solver.parameters.linearization_level = 2 if work == inf else 0
        solver.parameters.catch_sigint_signal = False  # it would leave Ctrl-C deadly afterwards
        status = self._run(solver, model.model)
        if status == cp_model.MODEL_INVALID:
            raise ValueError(model.model.validate())
        if status == cp_model.INFEASIBLE:
            if self.best is None:
                raise nearest_miss(self.problem)
            return None
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            self.offer([model.choice(solver)])
        return max(0, round(solver.best_objective_bound))

    def _run(self, solver: cp_model.CpSolver, model: cp_model.CpModel) -> int:
        """Solve in a thread, so that Ctrl-C arrives here; it also ends the whole search."""
        with ThreadPoolExecutor(1) as pool:
            status = pool.submit(solver.solve, model)
            try:
                return int(status.result())
            except KeyboardInterrupt:
                solver.stop_search()
                self.deadline = perf_counter()
                return int(status.result())

    def left(self) -> float:
        """Seconds to the deadline."""
        return self.deadline - perf_counter()
