"""What users are told when there is no allocation: the layer, the core, by how much."""

from __future__ import annotations

import re

import numpy as np
import pytest

from simulator.allocation.constraint import constraint
from simulator.allocation.genetic import genetic
from simulator.allocation.greedy import greedy
from simulator.allocation.options import Option, fixed_options
from tests.simulator.allocation.problems import bus_problem
from traces.errors import InputError

SEARCHES = {
    "greedy": lambda problem: greedy(problem, "latency"),
    "genetic": lambda problem: genetic(problem, "latency", 60.0, patience=2),
    "constraint": lambda problem: constraint(problem, "latency", 60.0),
}
ROOM = np.array([100, 60], np.int64)


def told(message):
    return pytest.raises(InputError, match=f"^{re.escape(message)}$")


def on(*cores, weights=0):
    return Option(cores, 10, weight_bytes=weights)


@pytest.mark.parametrize("search", SEARCHES)
def test_weights_that_fit_no_core_name_the_nearest(search):
    problem = bus_problem([[on(0, weights=130), on(0, 1, weights=65)]], weight_capacity=ROOM)
    with told("allocation: weights of i0 on c0+c1 must be at most 60 bytes a core, not 65"):
        SEARCHES[search](problem)


@pytest.mark.parametrize("search", SEARCHES)
def test_fixed_items_that_exceed_a_core_together_are_named(search):
    options = [[on(0, weights=70), on(1, weights=10)]] * 3
    problem = bus_problem(options, weight_capacity=ROOM, fixed={0: 0, 2: 0})
    with told("allocation: weights fixed on c0 (i0, i2) must be at most 100 bytes, not 140"):
        SEARCHES[search](problem)


@pytest.mark.parametrize("search", SEARCHES)
def test_fixed_items_without_a_route_are_named(search):
    problem = bus_problem([[on(0)], [on(1)]], [(0, 1, 5)], routes={}, fixed={0: 0, 1: 0})
    text = "allocation: i0 on c0 and i1 on c1 must have a route between their cores, not none"
    with told(text):
        SEARCHES[search](problem)


def test_items_that_do_not_fit_together_are_told_with_the_nearest_miss():
    options = [[on(0, weights=size), on(1, weights=size)] for size in (70, 55, 40)]
    problem = bus_problem(options, weight_capacity=ROOM)
    with told(
        "allocation: weights must fit the cores together, not at best with 10 bytes too many on "
        "c0 (i0, i2: 110 of 100 bytes)"
    ):
        SEARCHES["constraint"](problem)
    with told(
        "allocation: i2 must find a core with a route and room for 40 bytes of weights beside the "
        "items placed before it; a search with cp may find one"
    ):
        SEARCHES["greedy"](problem)
    with told(
        "allocation: the genetic search must meet weights that fit and routes that exist, not at "
        "best 10 bytes too many, 0 missing routes; a search with cp may"
    ):
        SEARCHES["genetic"](problem)


def test_items_that_no_route_can_join_are_told_by_constraint_too():
    problem = bus_problem([[on(0)], [on(1)]], [(0, 1, 5)], routes={(1, 0): (0,)})
    text = "allocation: i0 on c0 and i1 on c1 must have a route between their cores, not none"
    with told(text):
        SEARCHES["constraint"](problem)


def test_a_missing_core_an_unknown_option_and_a_backward_edge_are_refused():
    with told("allocation: i1 must have a core that runs it, not none"):
        bus_problem([[on(0)], []])
    with told("allocation: fixed option of i0 must be from 0 to 0, not 1"):
        bus_problem([[on(0)]], fixed={0: 1})
    with told("allocation: edges must go from item to later item, not 1 to 0"):
        bus_problem([[on(0)], [on(0)]], [(1, 0, 5)])


def test_users_fix_items_by_names_of_cores():
    options, cores = [[on(0), on(0, 1)], [on(1)]], ("big", "small")
    assert fixed_options(("a", "b"), options, cores, {"a": ("small", "big")}) == {0: 1}
    with told("allocation: b must be on one of small, not big"):
        fixed_options(("a", "b"), options, cores, {"b": ("big",)})
    with told("allocation: fixed item must be one of a, b, not c"):
        fixed_options(("a", "b"), options, cores, {"c": ("big",)})
