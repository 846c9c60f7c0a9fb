"""Greedy allocation: each item in turn on the option that costs least with those placed so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.allocation.feasibility import check_possible
from simulator.allocation.iteration import iteration, tables
from simulator.allocation.options import AllocationProblem, AllocationResult, Int64s, Objective
from simulator.allocation.steady_state import SteadyState, cost, lower_bound
from traces.errors import InputError


def greedy(problem: AllocationProblem, objective: Objective) -> AllocationResult:
    """Allocate in order of the items; if that leads nowhere, those of most weights first.

    Raises InputError when an item finds no place beside those placed before.
    """
    check_possible(problem)
    items = range(len(problem.names))
    try:
        choice = _place(problem, objective, items)
    except InputError:
        weights = [_lightest_bytes(problem, item) for item in items]
        choice = _place(problem, objective, sorted(items, key=lambda item: -weights[item]))
    value = cost(problem, choice.tolist(), objective)
    return AllocationResult(tuple(choice.tolist()), value, lower_bound(problem, objective))


def _place(problem: AllocationProblem, objective: Objective, order: Sequence[int]) -> Int64s:
    """An option for every item. Raises InputError for the first that finds no place."""
    arrays = tables(problem)
    choice = np.full(len(problem.names), -1, np.int64)
    for item in order:
        values: dict[int, int] = {}
        for number in problem.allowed(item):
            choice[item] = number
            figures = SteadyState.of(problem, iteration(choice, arrays))
            if figures.valid:
                values[number] = figures.value(objective)
        if not values:
            raise InputError(_no_place(problem, item))
        choice[item] = min(values, key=values.__getitem__)
    return choice


def _no_place(problem: AllocationProblem, item: int) -> str:
    room = f"room for {_lightest_bytes(problem, item)} bytes of weights"
    place = f"allocation: {problem.names[item]} must find a core with a route and {room}"
    return f"{place} beside the items placed before it; a search with cp may find one"


def _lightest_bytes(problem: AllocationProblem, item: int) -> int:
    return min(problem.options[item][number].weight_bytes for number in problem.allowed(item))
