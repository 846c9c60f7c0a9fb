"""Design points: the file, Griffin's morphing rule, lists of designs, the sweep."""

import re

import pytest

from hw_models.pe_array.borrowing_window import Core
from hw_models.sparsity.designs import find_designs, named_designs, sweep
from traces.errors import InputError

OPERANDS = [(False, False), (True, False), (False, True), (True, True)]
"""(weights sparse, activations sparse)."""


def modes(name):
    design = named_designs()[name]
    return [
        design.configuration(sparse_weights=weights, sparse_activations=activations).name
        for weights, activations in OPERANDS
    ]


@pytest.mark.parametrize("name", sorted(named_designs()))
def test_every_design_fits_the_core_and_says_where_it_comes_from(name):
    design = named_designs()[name]
    design.check(Core())
    assert design.source
    assert design.approximated


def test_griffin_morphs_into_the_configuration_for_the_operands():
    assert modes("griffin") == ["dense", "B(8,0,1,on)", "A(2,1,1,on)", "AB(2,0,0,2,0,1,on)"]


def test_others_run_what_they_have_or_dense():
    b_star = "B(4,0,1,on)"
    ab_star = "AB(2,0,0,2,0,1,on)"
    assert modes("dense") == ["dense"] * 4
    assert modes("sparse_b_star") == ["dense", b_star, "dense", b_star]
    assert modes("sparse_ab_star") == ["dense", ab_star, ab_star, ab_star]


def test_edges_reach_the_configurations():
    (griffin,) = find_designs("griffin", "clamp")
    assert {borrowing.edge for borrowing in griffin.configurations} == {"clamp"}


def test_lists_of_designs():
    found = find_designs("griffin; B(4,0,1) griffin A(1,0,0,off)")
    assert [design.name for design in found] == ["griffin", "B(4,0,1,on)", "A(1,0,0,off)"]
    assert [design.name for design in find_designs("named")] == list(named_designs())


def test_the_sweep_has_hundreds_of_different_points_that_fit():
    points = list(sweep())
    assert len(points) > 200
    assert len({point.name for point in points}) == len(points)
    for point in points:
        point.check(Core())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "designs must name at least one design"),
        (
            "grifin",
            "design must be a name or a point like B(4,0,1), not 'grifin', did you mean griffin?",
        ),
        ("42", "design must be a name or a point like B(4,0,1), not '42'"),
        ("B(4,0)", "B(4,0): must have 3 distances, not 2"),
    ],
)
def test_bad_lists(text, rule):
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        find_designs(text)
