"""Open dimensions of a model's inputs, and batch."""

from __future__ import annotations

import re

import pytest

from simulator.workload.errors import WorkloadError

RELU = [("Relu", "x", "y")]


def exactly(text):
    return f"^{re.escape(text)}$"


def elements(net):
    return net.tensors["x"].elements


@pytest.mark.parametrize("first", ["batch", "N", None])
def test_batch_fills_an_open_first_dimension(network_of, first):
    assert elements(network_of(RELU, {"x": (first, 6, 4)}, "y", batch=5)) == 5 * 6 * 4


def test_batch_is_one_unless_given(network_of):
    assert elements(network_of(RELU, {"x": ("batch", 6, 4)}, "y")) == 6 * 4


def test_named_dimension_takes_its_value(network_of):
    net = network_of(RELU, {"x": ("batch", "sequence", 4)}, "y", batch=2, dims={"sequence": 7})
    assert elements(net) == 2 * 7 * 4


def test_unnamed_dimension_is_given_by_input_and_axis(network_of):
    net = network_of(RELU, {"x": (1, None, 4)}, "y", dims={"x.1": 9})
    assert elements(net) == 9 * 4


def test_one_name_means_one_value_in_all_inputs(network_of):
    net = network_of(
        [("Add", "x z", "y")],
        {"x": ("n", "s", 4), "z": ("n", "s", 1)},
        "y",
        batch=2,
        dims={"s": 3},
    )
    assert net.tensors["z"].elements == 2 * 3


def test_name_of_the_batch_is_known_in_other_places(network_of):
    """A first dimension named as elsewhere another one."""
    net = network_of([("MatMul", "x z", "y")], {"x": ("n", 4), "z": (4, "n")}, "y", batch=3)
    assert net.macs == 3 * 4 * 3


def test_dims_win_over_batch(network_of):
    assert elements(network_of(RELU, {"x": ("tokens", 4)}, "y", dims={"tokens": 11})) == 11 * 4


def test_batch_that_the_model_fixes_may_be_given(network_of):
    assert elements(network_of(RELU, {"x": (8, 4)}, "y", batch=8)) == 8 * 4


def test_batch_that_is_not_given_is_that_of_the_model(network_of):
    assert elements(network_of(RELU, {"x": (8, 4)}, "y")) == 8 * 4


def test_another_batch_than_the_model_fixes(network_of):
    text = "tiny: batch must be 1, which the model fixes, not 4"
    with pytest.raises(WorkloadError, match=exactly(text)):
        network_of(RELU, {"x": (1, 4)}, "y", batch=4)


@pytest.mark.parametrize(("name", "given"), [("sequence", "sequence"), (None, "x.1")])
def test_open_dimension_without_a_value(network_of, name, given):
    text = f"tiny: input x: dimension 1 must be given a value, as in {given}=128"
    with pytest.raises(WorkloadError, match=exactly(text)):
        network_of(RELU, {"x": ("batch", name)}, "y")


@pytest.mark.parametrize("value", [0, -1, 1.5, "8", True])
def test_value_that_is_no_positive_int(network_of, value):
    text = f"tiny: sequence must be a positive int, not {value!r}"
    with pytest.raises(WorkloadError, match=exactly(text)):
        network_of(RELU, {"x": (1, "sequence")}, "y", dims={"sequence": value})


@pytest.mark.parametrize("value", [0, -2, True])
def test_batch_that_is_no_positive_int(network_of, value):
    text = f"tiny: batch must be a positive int, not {value!r}"
    with pytest.raises(WorkloadError, match=exactly(text)):
        network_of(RELU, {"x": ("n", 4)}, "y", batch=value)


def test_name_that_the_model_does_not_have(network_of):
    text = "tiny: sequnce must be a dimension that the model leaves open (did you mean sequence?)"
    with pytest.raises(WorkloadError, match=exactly(text)):
        network_of(RELU, {"x": (1, "sequence")}, "y", dims={"sequnce": 8})


def test_constant_that_is_listed_as_an_input_is_no_open_dimension(model_of, network_of):
    """Models of IR version 3 list their weights as inputs too."""
    net = network_of(
        [("MatMul", "x w", "y")], {"x": ("n", 4), "w": (4, 5)}, "y", {"w": (4, 5)}, batch=2
    )
    assert net.inputs == ("x",)
    assert net.layers[0].weight_is_constant
