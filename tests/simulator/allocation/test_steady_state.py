"""The cost model: the kernel against its twin, and figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.allocation.iteration import iteration, iteration_plain, tables
from simulator.allocation.options import OBJECTIVES, Option
from simulator.allocation.steady_state import cost, lower_bound, steady_state
from tests.simulator.allocation.problems import brute_force, bus_problem, small_problems


@given(small_problems(), st.data())
def test_the_kernel_gives_the_figures_of_its_twin(problem, data):
    choice = [data.draw(st.integers(0, len(options) - 1)) for options in problem.options]
    figures = iteration(np.array(choice, np.int64), tables(problem))
    assert tuple(int(figure) for figure in figures) == iteration_plain(problem, choice)


@given(small_problems(), st.sampled_from(OBJECTIVES))
def test_no_allocation_costs_less_than_the_bound(problem, objective):
    least = brute_force(problem, objective)
    if least is not None:
        assert lower_bound(problem, objective) <= least


FIRST, SECOND, BYTES = 30, 50, 20


def two_items(**others):
    options = [[Option((0,), FIRST, 1.0), Option((1,), FIRST)], [Option((0,), SECOND, 2.0)]]
    return bus_problem(options, [(0, 1, BYTES)], **others)


def test_items_on_one_core_follow_each_other_and_iterations_do_not_overlap():
    problem = two_items(iterations=10)
    assert cost(problem, (0, 0), "latency") == 10 * (FIRST + SECOND)


@pytest.mark.parametrize("link_bits", [3, 8])
def test_items_on_two_cores_overlap_by_what_the_busiest_leaves_idle(link_bits):
    problem = two_items(link_bits=(link_bits,), latency_cycles=7, iterations=10)
    transfer = -(-8 * BYTES // link_bits)
    alone = FIRST + transfer + 7 + SECOND
    interval = max(FIRST, SECOND, transfer)
    assert cost(problem, (1, 0), "latency") == 10 * alone - 9 * (alone - interval)


def test_energy_is_that_of_the_options_and_of_every_bit_on_every_link():
    problem = two_items(
        routes={(1, 0): (0, 1)}, link_bits=(8, 8), link_pj_per_bit=0.5, iterations=10
    )
    assert cost(problem, (0, 0), "energy") == 10 * 3000
    assert cost(problem, (1, 0), "energy") == 10 * (2000 + 500 * 8 * BYTES * 2)
    latency, energy = (cost(problem, (1, 0), one) for one in ("latency", "energy"))
    assert cost(problem, (1, 0), "edp") == latency * energy


def test_every_core_of_the_producer_sends_its_share_to_every_core_of_the_consumer():
    pair = Option((0, 1), 10)
    problem = bus_problem([[pair], [pair]], [(0, 1, BYTES)], iterations=1)
    crossing = 2 * (BYTES // 2)  # two half outputs, each needed by the other core, at 1 B a cycle
    assert cost(problem, (0, 0), "latency") == 10 + crossing + 10


def test_transfers_on_one_link_wait_for_each_other():
    near, far = Option((0,), 0), Option((1,), 0)
    edges = [(0, 1, BYTES), (0, 2, BYTES)]
    problem = bus_problem([[near], [far], [far]], edges, iterations=1)
    assert cost(problem, (0, 0, 0), "latency") == 2 * BYTES


def test_weights_beyond_the_capacity_and_missing_routes_are_counted():
    heavy = Option((0,), 1, weight_bytes=70)
    away = Option((1,), 1, weight_bytes=5)
    problem = bus_problem(
        [[heavy], [heavy], [away]],
        [(1, 2, 4)],
        routes={},
        weight_capacity=np.array([100, 5], np.int64),
    )
    figures = steady_state(problem, (0, 0, 0))
    assert (figures.excess_bytes, figures.missing_routes) == (2 * 70 - 100, 1)
