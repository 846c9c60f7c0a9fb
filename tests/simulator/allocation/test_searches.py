"""Greedy, genetic and constraint search: against brute force and each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.allocation import genetic as genetic_module
from simulator.allocation.constraint import constraint
from simulator.allocation.genetic import genetic
from simulator.allocation.greedy import greedy
from simulator.allocation.options import OBJECTIVES, Option
from simulator.allocation.steady_state import cost, steady_state
from tests.simulator.allocation.problems import brute_force, bus_problem, small_problems
from traces.errors import InputError
from validation.bench.allocation import CASES, case

SECONDS = 10.0  # far more than the small problems take: they end with a proof
SHORT = 0.1


def check(problem, objective, result):
    """A result must be a valid choice of the fixed options, with its true cost and a bound."""
    assert steady_state(problem, result.choice).valid
    assert all(result.choice[item] == number for item, number in problem.fixed.items())
    assert cost(problem, result.choice, objective) == result.cost >= result.bound
    assert result.gap == ((result.cost - result.bound) / result.cost if result.cost else 0)
    assert result.proved == (result.cost == result.bound)


@settings(deadline=None, max_examples=100)
@given(small_problems(), st.sampled_from(OBJECTIVES))
def test_the_constraint_search_proves_what_brute_force_finds(problem, objective):
    least = brute_force(problem, objective)
    if least is None:
        with pytest.raises(InputError, match=r"^allocation: .* must "):
            constraint(problem, objective, SECONDS)
        return
    result = constraint(problem, objective, SECONDS)
    check(problem, objective, result)
    assert (result.cost, result.proved) == (least, True)


def test_the_constraint_search_knows_that_transfers_on_one_link_wait_for_each_other():
    near, far, size = Option((0,), 0), Option((1,), 0), 20
    edges = [(0, 1, size), (0, 2, size)]
    problem = bus_problem([[near], [far], [far]], edges, iterations=1)
    result = constraint(problem, "latency", SECONDS)
    assert (result.cost, result.bound) == (2 * size, 2 * size)


@settings(deadline=None)
@given(small_problems(), st.sampled_from(OBJECTIVES))
def test_greedy_and_genetic_choices_are_valid_and_their_bound_is_one(problem, objective):
    least = brute_force(problem, objective)
    for search in (greedy, lambda *of: genetic(*of, SECONDS, patience=3)):
        try:
            result = search(problem, objective)
        except InputError:
            continue  # they may miss the way into a tight problem
        check(problem, objective, result)
        assert result.bound <= least <= result.cost


@pytest.mark.parametrize("name", sorted(CASES))
def test_constraint_is_never_worse_than_greedy_and_genetic(name):
    problem = case(name)
    for objective in OBJECTIVES[:: 2 if len(problem.names) < 20 else 3]:
        evolved = genetic(problem, objective, SHORT, patience=20)
        best = constraint(problem, objective, SHORT, hints=[evolved.choice])
        check(problem, objective, best)
        assert best.cost <= min(evolved.cost, greedy(problem, objective).cost)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_search_that_ends_before_its_time_gives_the_same_choice_again(objective):
    problem = case("fsrcnn_8_hetero4_mesh")
    first, second = (constraint(problem, objective, SECONDS) for _ in range(2))
    assert first.proved
    assert first == second


def test_the_same_seed_evolves_the_same_choice():
    problem = case("mobilenet_24_homo4_bus")
    first, second, other = (genetic(problem, "edp", SECONDS, s, patience=5) for s in (1, 1, 2))
    assert first == second
    assert first.choice != other.choice


def test_an_interrupted_genetic_search_returns_its_best_so_far(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(genetic_module, "_offspring", interrupted)
    problem = case("fsrcnn_8_homo4_bus")
    check(problem, "latency", genetic(problem, "latency", SECONDS))


def test_an_interrupted_constraint_search_returns_its_best_so_far(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    problem = case("fsrcnn_8_homo4_bus")
    monkeypatch.setattr("simulator.allocation.constraint.ConstraintModel", interrupted)
    result = constraint(problem, "latency", SECONDS)
    check(problem, "latency", result)
    assert not result.proved


def test_fixing_an_item_costs_what_it_costs():
    slow, fast = Option((0,), 50), Option((1,), 10)
    free, bound = (bus_problem([[slow, fast]], fixed=fixed) for fixed in ({}, {0: 0}))
    for search in (greedy, lambda *of: genetic(*of, SHORT), lambda *of: constraint(*of, SHORT)):
        assert search(free, "latency").choice == (1,)
        assert search(bound, "latency").choice == (0,)


def test_greedy_places_the_heaviest_first_when_the_order_of_items_leads_nowhere():
    def on_either(cycles, weights):
        return [Option((core,), cycles, weight_bytes=weights) for core in (0, 1)]

    light_first = [on_either(1, 4), on_either(9, 5), on_either(9, 9)]
    problem = bus_problem(light_first, weight_capacity=np.array([9, 9], np.int64))
    check(problem, "latency", greedy(problem, "latency"))
