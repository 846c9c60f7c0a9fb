"""Cuts of a network into stacks: the greedy rule, the exact one against all cuts, users' own."""

from __future__ import annotations

from itertools import combinations
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.allocation.stacks import best_cuts, greedy_cuts, stack_ranges
from traces.errors import InputError


def total(costs, cuts):
    return sum(costs[first][last] for first, last in stack_ranges(len(costs), cuts))


@given(st.data(), st.integers(1, 7))
def test_best_cuts_cost_as_little_as_any_and_are_as_few_as_they_can_be(data, layers):
    cost = st.one_of(st.integers(0, 9), st.just(inf))
    costs = [[data.draw(cost) for _ in range(layers)] for _ in range(layers)]
    ways = [c for n in range(layers) for c in combinations(range(1, layers), n)]
    least = min(total(costs, cuts) for cuts in ways)
    if least == inf:
        with pytest.raises(InputError, match=r"^stacks: layer \d must be part of a possible"):
            best_cuts(costs)
        return
    cuts = best_cuts(costs)
    assert total(costs, cuts) == least
    assert len(cuts) == min(len(way) for way in ways if total(costs, way) == least)


def test_best_cuts_are_exact_beyond_64_bits():
    huge = 2**80
    assert best_cuts([[huge, 2 * huge + 1], [0, huge]]) == (1,)
    assert best_cuts([[huge, 2 * huge], [0, huge]]) == ()


def test_the_layer_that_has_no_possible_stack_is_named():
    with pytest.raises(
        InputError, match=r"^stacks: layer 1 must be part of a possible stack, not none$"
    ):
        best_cuts([[1, inf], [inf, inf]])


def test_greedy_cuts_open_a_stack_when_weights_would_exceed_the_capacity():
    assert greedy_cuts([40, 60, 1, 99], 100) == (2,)
    assert greedy_cuts([40, 61, 1, 99], 100) == (1, 3)
    assert greedy_cuts([500, 10, 500], 100) == (1, 2)  # too large: alone
    assert greedy_cuts([], 100) == ()


def test_stacks_are_the_ranges_between_cuts():
    assert stack_ranges(5, ()) == ((0, 4),)
    assert stack_ranges(5, (1, 3)) == ((0, 0), (1, 2), (3, 4))


@pytest.mark.parametrize("cuts", [(0,), (3, 3), (4, 2), (5,)])
def test_cuts_that_do_not_rise_within_the_network_are_refused(cuts):
    text = ", ".join(map(str, cuts))
    with pytest.raises(
        InputError, match=rf"^stacks: cuts must be layer numbers .* at most 4, not {text}$"
    ):
        stack_ranges(5, cuts)
