"""Why there is no allocation, by name: weights that fit nowhere, fixed choices that conflict."""

from __future__ import annotations

from itertools import product

from simulator.allocation.options import AllocationProblem, Option
from traces.errors import InputError


def check_possible(problem: AllocationProblem) -> None:
    """Raise InputError for an item that fits no core and for fixed choices that can't all be."""
    for item in range(len(problem.names)):
        if not problem.allowed(item):
            raise InputError(_too_large(problem, item))
    fixed = {item: problem.options[item][number] for item, number in problem.fixed.items()}
    for core, capacity in enumerate(problem.weight_capacity.tolist()):
        here = {item: option for item, option in fixed.items() if core in option.cores}
        used = sum(option.weight_bytes for option in here.values())
        if used > capacity:
            names = ", ".join(problem.names[item] for item in sorted(here))
            place = f"allocation: weights fixed on {problem.core_names[core]} ({names})"
            raise InputError(f"{place} must be at most {capacity} bytes, not {used}")
    for producer, consumer, size in problem.edges.tolist():
        if producer in fixed and consumer in fixed:
            pair = missing_route(problem, fixed[producer], fixed[consumer], size)
            if pair:
                raise InputError(no_route(problem, producer, consumer, *pair))


def _too_large(problem: AllocationProblem, item: int) -> str:
    """The option that comes nearest to fitting, as an error."""
    capacity = problem.weight_capacity

    def lacks(option: Option) -> int:
        return option.weight_bytes - int(min(capacity[core] for core in option.cores))

    best = min(problem.options[item], key=lacks)
    least = best.weight_bytes - lacks(best)
    place = f"allocation: weights of {problem.names[item]} on {problem.cores_text(best)}"
    return f"{place} must be at most {least} bytes a core, not {best.weight_bytes}"


def missing_route(
    problem: AllocationProblem, source: Option, target: Option, size: int
) -> tuple[int, int] | None:
    """The first two cores that must exchange data and have no route."""
    pairs = [pair for pair in product(source.cores, target.cores) if pair[0] != pair[1] and size]
    return next((pair for pair in pairs if not problem.routes.get(pair)), None)


def no_route(problem: AllocationProblem, producer: int, consumer: int, a: int, b: int) -> str:
    """The error of two items on cores without a way between them."""
    first = f"{problem.names[producer]} on {problem.core_names[a]}"
    second = f"{problem.names[consumer]} on {problem.core_names[b]}"
    return f"allocation: {first} and {second} must have a route between their cores, not none"
