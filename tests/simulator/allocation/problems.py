"""Allocation problems: small random ones for brute force, and drawn ones of realistic size."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
from hypothesis import strategies as st

from simulator.allocation.options import AllocationProblem, Objective, Option
from simulator.allocation.steady_state import steady_state


def bus_problem(options, edges=(), *, cores=2, **others) -> AllocationProblem:
    """Items i0, i1, ... on cores c0, c1, ... over one bus of 8 bits a cycle."""
    routes = {(a, b): (0,) for a in range(cores) for b in range(cores) if a != b}
    return AllocationProblem(
        **{
            "names": tuple(f"i{item}" for item in range(len(options))),
            "options": tuple(tuple(one) for one in options),
            "edges": np.array(edges, np.int64).reshape(-1, 3),
            "weight_capacity": np.full(cores, 10**6, np.int64),
            "routes": routes,
            "link_bits": (8,),
            "iterations": 10,
            "core_names": tuple(f"c{core}" for core in range(cores)),
            **others,
        }
    )


@st.composite
def small_problems(draw) -> AllocationProblem:
    """Up to 4 items with up to 3 options on up to 3 cores, random routes over up to 3 links."""
    items, cores, links = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    numbers = st.integers(0, 30)
    option = st.builds(
        Option,
        st.sampled_from([s for n in range(1, cores + 1) for s in combinations(range(cores), n)]),
        numbers,
        st.sampled_from((0.0, 1.5, 7.25, 20.0)),
        numbers,
    )
    pairs = [(a, b) for b in range(items) for a in range(b)]
    edges = [(a, b, draw(numbers)) for a, b in pairs if draw(st.booleans())]
    ways = [way for count in (1, 2) for way in permutations(range(links), count)]
    route = st.sampled_from([(), *ways, *ways])
    options = [[draw(option) for _ in range(draw(st.integers(1, 3)))] for _ in range(items)]
    fixed = {item: draw(st.integers(0, len(options[item]) - 1)) for item in range(items)}
    return bus_problem(
        options,
        edges,
        cores=cores,
        routes={(a, b): draw(route) for a, b in product(range(cores), repeat=2) if a != b},
        link_bits=tuple(draw(st.sampled_from((3, 8, 16))) for _ in range(links)),
        latency_cycles=draw(st.integers(0, 3)),
        link_pj_per_bit=draw(st.sampled_from((0.0, 0.5))),
        weight_capacity=np.array([draw(st.integers(20, 70)) for _ in range(cores)], np.int64),
        iterations=draw(st.sampled_from((1, 2, 100))),
        fixed={item: number for item, number in fixed.items() if draw(st.integers(0, 5)) == 0},
    )


def brute_force(problem: AllocationProblem, objective: Objective) -> int | None:
    """The least cost over all valid choices; None: there is none."""
    figures = (
        steady_state(problem, choice)
        for choice in product(*(range(len(options)) for options in problem.options))
        if all(choice[item] == number for item, number in problem.fixed.items())
    )
    return min((one.value(objective) for one in figures if one.valid), default=None)
