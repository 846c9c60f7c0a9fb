"""Functions and layer norms that models spell out with several nodes."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.workload.expressions import KNOWN, SAMPLES, TOLERANCE
from simulator.workload.functions import EXPRESSIONS, FUNCTIONS
from simulator.workload.graph import LayerOp, LoopDims

SHAPE = (2, 7, 16)
NUMBERS = {
    name: np.float32(value)
    for name, value in {
        "half": 0.5,
        "one": 1,
        "two": 2,
        "three": 3,
        "six": 6,
        "zero": 0,
        "sqrt2": np.sqrt(2),
        "rsqrt2": 1 / np.sqrt(2),
        "k": np.sqrt(2 / np.pi),
        "k3": 0.044715,
        "k17": 1.702,
        "eps": 1e-5,
    }.items()
}

SPELLINGS = {
    "gelu, factor last": ("gelu", [
        ("Div", "x sqrt2", "a"), ("Erf", "a", "b"), ("Add", "b one", "c"), ("Mul", "x c", "d"),
        ("Mul", "d half", "y"),
    ]),
    "gelu, factor first": ("gelu", [
        ("Mul", "x half", "h"), ("Mul", "x rsqrt2", "a"), ("Erf", "a", "b"), ("Add", "one b", "c"),
        ("Mul", "h c", "y"),
    ]),
    "gelu, factor on the bracket": ("gelu", [
        ("Mul", "x rsqrt2", "a"), ("Erf", "a", "b"), ("Add", "b one", "c"), ("Mul", "c half", "d"),
        ("Mul", "d x", "y"),
    ]),
    "gelu by tanh, power": ("gelu_tanh", [
        ("Pow", "x three", "p"), ("Mul", "p k3", "a"), ("Add", "x a", "b"), ("Mul", "b k", "c"),
        ("Tanh", "c", "t"), ("Add", "t one", "u"), ("Mul", "x half", "h"), ("Mul", "h u", "y"),
    ]),
    "gelu by tanh, products": ("gelu_tanh", [
        ("Mul", "x x", "s"), ("Mul", "s x", "p"), ("Mul", "p k3", "a"), ("Add", "x a", "b"),
        ("Mul", "b k", "c"), ("Tanh", "c", "t"), ("Add", "t one", "u"), ("Mul", "x u", "v"),
        ("Mul", "v half", "y"),
    ]),
    "gelu by sigmoid": ("gelu_sigmoid", [
        ("Mul", "x k17", "a"), ("Sigmoid", "a", "b"), ("Mul", "x b", "y"),
    ]),
    "silu": ("silu", [("Sigmoid", "x", "a"), ("Mul", "a x", "y")]),
    "hard swish, sigmoid": ("hard_swish", [
        ("HardSigmoid", "x", "a", {"alpha": 1 / 6, "beta": 0.5}), ("Mul", "x a", "y"),
    ]),
    "hard swish, clip": ("hard_swish", [
        ("Add", "x three", "a"), ("Clip", "a zero six", "b"), ("Mul", "x b", "c"),
        ("Div", "c six", "y"),
    ]),
    "mish": ("mish", [("Softplus", "x", "a"), ("Tanh", "a", "b"), ("Mul", "x b", "y")]),
    "square": ("square", [("Mul", "x x", "y")]),
    "cube": ("cube", [("Mul", "x x", "a"), ("Mul", "a x", "y")]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_every_spelling_is_one_activation(network_of, name):
    function, rows = SPELLINGS[name]
    net = network_of(rows, {"x": SHAPE}, "y", NUMBERS)
    (layer,) = net.layers
    assert (layer.op, layer.function) == (LayerOp.ACTIVATION, function)
    assert layer.output == "y"
    assert len(layer.source) == len(rows)


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_every_spelling_follows_a_product_as_its_epilogue(network_of, name):
    function, rows = SPELLINGS[name]
    rows = [("MatMul", "z w", "x"), *rows]
    (layer,) = network_of(rows, {"z": SHAPE}, "y", NUMBERS | {"w": (16, 16)}).layers
    assert layer.post_ops == (function,)


def test_spellings_cover_all_known_functions():
    assert {function for function, _ in SPELLINGS.values()} == set(KNOWN) == set(EXPRESSIONS)
    assert set(KNOWN) <= FUNCTIONS


def test_known_functions_differ_by_more_than_the_tolerance():
    values = {name: function(SAMPLES) for name, function in KNOWN.items()}
    for first in values:
        for second in values:
            if first != second:
                difference = np.abs(values[first] - values[second])
                assert difference.max() > 2 * TOLERANCE


def test_another_factor_is_no_gelu(network_of):
    rows = [*SPELLINGS["gelu, factor last"][1][:-1], ("Mul", "d three", "y")]
    layers = network_of(rows, {"x": SHAPE}, "y", NUMBERS).layers
    assert "gelu" not in {layer.function for layer in layers}


def test_sum_with_the_function_keeps_the_sum(network_of):
    """x + silu(x): the outer sum is no known function, the inner one is."""
    rows = [("Sigmoid", "x", "a"), ("Mul", "a x", "s"), ("Add", "x s", "y")]
    layers = network_of(rows, {"x": SHAPE}, "y", NUMBERS).layers
    assert [layer.function for layer in layers] == ["silu", "add"]


def test_gate_by_another_map_is_no_silu(network_of):
    rows = [("Sigmoid", "z", "a"), ("Mul", "a x", "y")]
    layers = network_of(rows, {"x": SHAPE, "z": SHAPE}, "y", NUMBERS).layers
    assert [layer.function for layer in layers] == ["sigmoid", "mul"]


def test_inner_value_that_is_read_elsewhere_keeps_its_layer(network_of):
    rows = [("Sigmoid", "x", "a"), ("Mul", "a x", "y")]
    layers = network_of(rows, {"x": SHAPE}, "y a", NUMBERS).layers
    assert [layer.function for layer in layers] == ["sigmoid", "mul"]


def test_spelling_by_constants_without_data_is_left_as_it_is(network_of):
    rows = SPELLINGS["gelu by sigmoid"][1]
    numbers = {name: value for name, value in NUMBERS.items() if name != "k17"}
    layers = network_of(rows, {"x": SHAPE}, "y", numbers | {"k17": (1,)}).layers
    assert [layer.function for layer in layers] == ["mul_scalar", "mul"]


# -- layer norms

AXES = {"axes": [-1]}
CENTRE = [("ReduceMean", "x", "mean", AXES), ("Sub", "x mean", "d")]
VARIANCE = [
    ("Pow", "d two", "p"),
    ("ReduceMean", "p", "var", AXES),
    ("Add", "var eps", "e"),
    ("Sqrt", "e", "r"),
]
AFFINE = [("Mul", "q scale", "m"), ("Add", "m shift", "y")]
VECTORS = {"scale": (16,), "shift": (16,)}
NORMS = {
    "quotient": [*CENTRE, *VARIANCE, ("Div", "d r", "q"), *AFFINE],
    "reciprocal": [
        *CENTRE, *VARIANCE, ("Reciprocal", "r", "i"), ("Mul", "d i", "q"), *AFFINE,
    ],
    "one over": [*CENTRE, *VARIANCE, ("Div", "one r", "i"), ("Mul", "i d", "q"), *AFFINE],
    "root as a power": [
        *CENTRE, *VARIANCE[:-1], ("Pow", "e half", "r"), ("Div", "d r", "q"), *AFFINE,
    ],
    "square as a product": [
        *CENTRE, ("Mul", "d d", "p"), *VARIANCE[1:], ("Div", "d r", "q"), *AFFINE,
    ],
    "difference twice": [
        *CENTRE, ("Sub", "x mean", "d2"), ("Pow", "d2 two", "p"), *VARIANCE[1:],
        ("Div", "d r", "q"), *AFFINE,
    ],
    "vectors first": [
        *CENTRE, *VARIANCE, ("Div", "d r", "q"), ("Mul", "scale q", "m"), ("Add", "shift m", "y"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NORMS))
def test_spelt_out_layer_norm_is_one_layer(network_of, name):
    net = network_of(NORMS[name], {"x": SHAPE}, "y", NUMBERS | VECTORS)
    (layer,) = net.layers
    assert (layer.op, layer.function) == (LayerOp.NORM, "layer_norm")
    assert layer.dims == LoopDims(g=16, ox=14, ix=14)
    assert [operand.tensor for operand in layer.inputs] == ["x", "scale", "shift"]
    assert len(layer.source) == len(NORMS[name])


def test_layer_norm_without_vectors_is_one_layer(network_of):
    rows = [*CENTRE, *VARIANCE, ("Div", "d r", "y")]
    (layer,) = network_of(rows, {"x": SHAPE}, "y", NUMBERS).layers
    assert [operand.tensor for operand in layer.inputs] == ["x"]


def test_norm_by_the_root_mean_square_is_one_layer(network_of):
    rows = [
        ("Pow", "x two", "p"),
        *VARIANCE[1:],
        ("Div", "x r", "q"),
        ("Mul", "q scale", "y"),
    ]
    (layer,) = network_of(rows, {"x": SHAPE}, "y", NUMBERS | VECTORS).layers
    assert layer.function == "rms_norm"


def test_mean_over_another_axis_is_no_layer_norm(network_of):
    rows = [
        (*row[:3], {"axes": [1]}) if row[0] == "ReduceMean" else row for row in NORMS["quotient"]
    ]
    layers = network_of(rows, {"x": SHAPE}, "y", NUMBERS | VECTORS).layers
    assert "layer_norm" not in {layer.function for layer in layers}


def test_variance_that_is_read_elsewhere_keeps_the_layers(network_of):
    net = network_of(NORMS["quotient"], {"x": SHAPE}, "y var", NUMBERS | VECTORS)
    assert "layer_norm" not in {layer.function for layer in net.layers}
    assert "var" in net.outputs
