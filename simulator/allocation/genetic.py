"""Genetic allocation: (mu + lambda) evolution of choices, the baseline of the constraint search.

Genome: the option of every item. Two-point crossover of probability 0.3; mutation of probability
0.7, which in three of four cases moves every gene with probability 1 / items and otherwise
exchanges two. Source: the genetic allocation of Stream (arXiv 2212.10612), with one objective.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter

import numpy as np
import numpy.typing as npt

from simulator.allocation.feasibility import check_possible
from simulator.allocation.iteration import Tables, iterations, tables
from simulator.allocation.options import AllocationProblem, AllocationResult, Int64s, Objective
from simulator.allocation.steady_state import cost, lower_bound, steady_state
from traces.errors import InputError

POPULATION = 64
CROSSOVER, MUTATION, MOVE = 0.3, 0.7, 0.75


def genetic(
    problem: AllocationProblem,
    objective: Objective,
    seconds: float,
    seed: int = 0,
    patience: int | None = None,
) -> AllocationResult:
    """The best choice after that time, or sooner after `patience` generations without a better one.

    A search that its patience ends gives the same choice for the same seed. Ctrl-C ends it like
    the time limit. Raises InputError when no valid choice was met.
    """
    check_possible(problem)
    began, rng, arrays = perf_counter(), np.random.default_rng(seed), tables(problem)
    allowed = _allowed(problem)
    genes = _random_genes(allowed, rng, POPULATION)
    population, ranks = _survivors(genes, _ranks(genes, arrays, objective, problem.iterations))
    waited = 0
    with suppress(KeyboardInterrupt):
        while waited != patience and perf_counter() - began < seconds:
            children = _offspring(population, allowed, rng)
            both = np.concatenate((population, children))
            found = _ranks(children, arrays, objective, problem.iterations)
            before = ranks[0].tolist()
            population, ranks = _survivors(both, np.concatenate((ranks, found)))
            waited = 0 if ranks[0].tolist() < before else waited + 1
    return _result(problem, objective, population[0])


def _result(problem: AllocationProblem, objective: Objective, best: Int64s) -> AllocationResult:
    choice = tuple(best.tolist())
    figures = steady_state(problem, choice)
    if not figures.valid:
        wrong = f"{figures.excess_bytes} bytes too many, {figures.missing_routes} missing routes"
        place = "allocation: the genetic search must meet weights that fit and routes that exist"
        raise InputError(f"{place}, not at best {wrong}; a search with cp may")
    return AllocationResult(
        choice, cost(problem, choice, objective), lower_bound(problem, objective)
    )


def _allowed(problem: AllocationProblem) -> npt.NDArray[np.bool_]:
    """Which option numbers an item may take: bool (items, most options)."""
    allowed = np.zeros((len(problem.names), max(map(len, problem.options))), bool)
    for item in range(len(problem.names)):
        allowed[item, list(problem.allowed(item))] = True
    return allowed


def _random_genes(allowed: npt.NDArray[np.bool_], rng: np.random.Generator, count: int) -> Int64s:
    """Random allowed options: int64 (count, items)."""
    numbers = np.argsort(~allowed, axis=1, kind="stable")  # the allowed ones first
    lots = rng.random((count, len(allowed))) * allowed.sum(axis=1)
    return numbers[np.arange(len(allowed)), lots.astype(np.int64)]


def _offspring(
    population: Int64s, allowed: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Int64s:
    count, items = POPULATION, population.shape[1]
    parents = rng.integers(0, len(population), (2, count))
    children, others = population[parents[0]], population[parents[1]]
    cuts = np.sort(rng.integers(0, items + 1, (2, count)), axis=0)[:, :, None]
    places = np.arange(items)
    crossed = (rng.random((count, 1)) < CROSSOVER) & (cuts[0] <= places) & (places < cuts[1])
    children = np.where(crossed, others, children)
    mutated, moving = rng.random((count, 1)) < MUTATION, rng.random((count, 1)) < MOVE
    moved = mutated & moving & (rng.random((count, items)) < 1 / items)
    children = np.where(moved, _random_genes(allowed, rng, count), children)
    _exchange(children, np.flatnonzero(mutated & ~moving), allowed, rng)
    return children


def _exchange(
    children: Int64s, rows: Int64s, allowed: npt.NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """Exchange two genes of each of these rows where both items allow the other's option."""
    first, second = rng.integers(0, children.shape[1], (2, rows.size))
    a, b = children[rows, first], children[rows, second]
    good = allowed[first, b] & allowed[second, a]
    children[rows, first] = np.where(good, b, a)
    children[rows, second] = np.where(good, a, b)


def _ranks(
    choices: Int64s, arrays: Tables, objective: Objective, repeats: int
) -> npt.NDArray[np.float64]:
    """What to rank by, least first: violations, then the objective. float64 (count, 2)."""
    cycles, interval, energy, excess, missing = iterations(choices, arrays).T.astype(float)
    latency = cycles + (repeats - 1) * interval
    values = {"latency": latency, "energy": energy, "edp": latency * energy}
    return np.stack((excess + missing, values[objective]), axis=1)


def _survivors(
    choices: Int64s, ranks: npt.NDArray[np.float64]
) -> tuple[Int64s, npt.NDArray[np.float64]]:
    """The best ones, each genome once."""
    order = np.lexsort((ranks[:, 1], ranks[:, 0]))
    _, once = np.unique(choices[order], axis=0, return_index=True)
    kept = order[np.sort(once)[:POPULATION]]
    return choices[kept], ranks[kept]
