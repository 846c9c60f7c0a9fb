"""Why items that fit one by one don't fit together: the nearest miss, found by CP-SAT."""

from __future__ import annotations

from itertools import product

from ortools.sat.python import cp_model

from simulator.allocation.feasibility import missing_route, no_route
from simulator.allocation.iteration import excess_bytes
from simulator.allocation.options import AllocationProblem
from traces.errors import InputError

SECONDS = 5.0


def nearest_miss(problem: AllocationProblem) -> InputError:
    """The error of a problem without solution: the fewest missing routes, then excess bytes."""
    model = cp_model.CpModel()
    takes = [
        {number: model.new_bool_var("") for number in problem.allowed(item)}
        for item in range(len(problem.names))
    ]
    for options in takes:
        model.add_exactly_one(options.values())
    excess = [_excess(problem, model, takes, core) for core in range(len(problem.core_names))]
    broken = [_broken(problem, model, takes, *edge) for edge in problem.edges.tolist()]
    heaviest = [max(option.weight_bytes for option in options) for options in problem.options]
    most = 1 + len(problem.core_names) * sum(heaviest)
    model.minimize(sum(excess) + most * sum(broken))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.max_time_in_seconds = 1, SECONDS
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return InputError("allocation: weights and routes must allow a choice, not none")
    choice = [next(n for n, lit in options.items() if solver.value(lit)) for options in takes]
    return _told(problem, choice)


def _excess(
    problem: AllocationProblem,
    model: cp_model.CpModel,
    takes: list[dict[int, cp_model.IntVar]],
    core: int,
) -> cp_model.IntVar:
    sizes = [
        literal * problem.options[item][number].weight_bytes
        for item, options in enumerate(takes)
        for number, literal in options.items()
        if core in problem.options[item][number].cores
    ]
    excess = model.new_int_var(0, 2**50, "")
    model.add(excess >= sum(sizes) - int(problem.weight_capacity[core]))
    return excess


def _broken(
    problem: AllocationProblem,
    model: cp_model.CpModel,
    takes: list[dict[int, cp_model.IntVar]],
    producer: int,
    consumer: int,
    size: int,
) -> cp_model.IntVar:
    broken = model.new_bool_var("")
    for (a, first), (b, second) in product(takes[producer].items(), takes[consumer].items()):
        source, target = problem.options[producer][a], problem.options[consumer][b]
        if missing_route(problem, source, target, size):
            model.add_bool_or(first.negated(), second.negated(), broken)
    return broken


def _told(problem: AllocationProblem, choice: list[int]) -> InputError:
    chosen = [options[number] for options, number in zip(problem.options, choice, strict=True)]
    for producer, consumer, size in problem.edges.tolist():
        pair = missing_route(problem, chosen[producer], chosen[consumer], size)
        if pair:
            return InputError(no_route(problem, producer, consumer, *pair))
    over = []
    for core, capacity in enumerate(problem.weight_capacity.tolist()):
        here = [item for item, option in enumerate(chosen) if core in option.cores]
        used = sum(chosen[item].weight_bytes for item in here)
        if used > capacity:
            names = ", ".join(problem.names[item] for item in here)
            over.append(f"{problem.core_names[core]} ({names}: {used} of {capacity} bytes)")
    place = "allocation: weights must fit the cores together"
    more = f"{excess_bytes(problem, choice)} bytes too many"
    return InputError(f"{place}, not at best with {more} on {', '.join(over)}")
