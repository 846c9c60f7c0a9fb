"""Pooling, element-wise layers, normalisations and movement of data: how each loop is filled."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.workload.functions import FUNCTIONS, UNARY
from simulator.workload.graph import LayerOp, LoopDims

N, C, H, W = 2, 6, 10, 12
MAP = (N, C, H, W)
EVERY = ("b", "g", "c", "oy", "ox")
ROWS_OF_MAP = LoopDims(b=N, g=C, oy=H, ox=W, iy=H, ix=W)


def only(workload):
    (layer,) = workload.layers
    return layer


def loops_of(layer, tensor):
    (found,) = [operand.dims for operand in layer.inputs if operand.tensor == tensor]
    return found


# -- pooling and reductions


@pytest.mark.parametrize(("op", "function"), [("MaxPool", "max"), ("AveragePool", "average")])
def test_pooling_walks_a_window_over_each_channel(network_of, op, function):
    kernel, stride = 3, 2
    attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [1] * 4}
    layer = only(network_of([(op, "x", "y", attributes)], {"x": MAP}, "y"))
    assert layer.function == function
    assert layer.macs == 0
    assert layer.dims == LoopDims(
        b=N, g=C, oy=(H + 2 - kernel) // stride + 1, ox=(W + 2 - kernel) // stride + 1, fy=kernel,
        fx=kernel, iy=H, ix=W, stride_y=stride, stride_x=stride, pad_top=1, pad_left=1,
    )  # fmt: skip


def test_pooling_in_ceil_mode_counts_the_partly_empty_window(network_of):
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}
    layer = only(network_of([("MaxPool", "x", "y", attributes)], {"x": MAP}, "y"))
    assert layer.dims.oy == -(-(H - 3) // 2) + 1


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pooling_has_a_window_of_the_map(network_of, op):
    dims = only(network_of([(op, "x", "y")], {"x": MAP}, "y")).dims
    assert dims == LoopDims(b=N, g=C, fy=H, fx=W, iy=H, ix=W)


def test_mean_over_rows_and_columns_is_global_pooling(network_of):
    layer = only(network_of([("ReduceMean", "x", "y", {"axes": [2, 3]})], {"x": MAP}, "y"))
    assert layer.op is LayerOp.POOL
    assert layer.function == "average"
    assert layer.dims == LoopDims(b=N, g=C, fy=H, fx=W, iy=H, ix=W)


@pytest.mark.parametrize(("op", "function"), [("ReduceSum", "sum"), ("ReduceMax", "max")])
def test_reduction_of_features_runs_over_c(network_of, op, function):
    positions, features = 7, 16
    axes = {"axes": np.array([-1])}
    net = network_of(
        [(op, "x axes", "y", {"keepdims": 0})], {"x": (N, positions, features)}, "y", axes, opset=18
    )
    layer = only(net)
    assert layer.function == function
    assert layer.dims == LoopDims(c=features, ox=N * positions, ix=N * positions)
    assert layer.output_elements == N * positions


def test_reduction_of_everything_has_one_result(network_of):
    layer = only(network_of([("ReduceMean", "x", "y", {"keepdims": 0})], {"x": MAP}, "y"))
    assert layer.output_elements == 1
    assert layer.dims.macs == N * C * H * W


def test_argmax_reduces_its_axis(network_of):
    net = network_of([("ArgMax", "x", "y", {"axis": 1, "keepdims": 0})], {"x": (N, 1000)}, "y")
    layer = only(net)
    assert (layer.function, layer.dims) == ("argmax", LoopDims(c=1000, ox=N, ix=N))


def test_mean_over_positions_keeps_features_as_channels(network_of):
    positions, features = 7, 16
    net = network_of(
        [("ReduceMean", "x", "y", {"axes": [1]})], {"x": (N, positions, features)}, "y"
    )
    assert only(net).dims == LoopDims(b=N, g=features, fx=positions, ix=positions)


# -- element by element


def test_addition_of_maps_reads_both_in_full(network_of):
    layer = only(network_of([("Add", "x z", "y")], {"x": MAP, "z": MAP}, "y"))
    assert (layer.op, layer.function) == (LayerOp.ELEMENTWISE, "add")
    assert layer.dims == ROWS_OF_MAP
    assert [operand.dims for operand in layer.inputs] == [EVERY, EVERY]


@pytest.mark.parametrize(
    ("shape", "loops"),
    [
        ((N, C, 1, 1), ("b", "g")),
        ((C, 1, 1), ("g",)),
        ((1, 1, H, W), ("oy", "ox")),
        ((W,), ("ox",)),
        ((N, 1, 1, 1), ("b",)),
        ((1, C, H, 1), ("g", "oy")),
    ],
)
def test_broadcast_operand_is_indexed_by_the_loops_it_has(network_of, shape, loops):
    layer = only(network_of([("Mul", "x z", "y")], {"x": MAP, "z": shape}, "y"))
    assert loops_of(layer, "x") == EVERY
    assert loops_of(layer, "z") == loops


def test_the_larger_operand_decides_the_loops_wherever_it_stands(network_of):
    layer = only(network_of([("Mul", "z x", "y")], {"x": MAP, "z": (N, C, 1, 1)}, "y"))
    assert layer.dims == ROWS_OF_MAP
    assert loops_of(layer, "z") == ("b", "g")


def test_sequences_have_all_rows_in_ox(network_of):
    shape = (N, 7, 16)
    layer = only(network_of([("Add", "x z", "y")], {"x": shape, "z": shape}, "y"))
    assert layer.dims == LoopDims(g=16, ox=N * 7, ix=N * 7)


def test_positions_added_to_a_batch_are_not_indexed_by_it(network_of):
    net = network_of([("Add", "x p", "y")], {"x": (N, 7, 16)}, "y", {"p": (1, 7, 16)})
    layer = only(net)
    assert layer.dims == LoopDims(b=N, g=16, ox=7, ix=7)
    assert loops_of(layer, "p") == ("g", "ox")
    assert net.tensors["p"].parameter


def test_window_mask_of_five_axes_is_read_once_per_head_and_batch(network_of):
    windows, heads, positions = 4, 3, 49
    net = network_of(
        [("Add", "x m", "y")],
        {"x": (1, windows, heads, positions, positions)},
        "y",
        {"m": (1, windows, 1, positions, positions)},
    )
    layer = only(net)
    assert layer.dims.loops == (windows, positions, 1, 1, heads, positions, 1, 1)
    assert loops_of(layer, "m") == ("b", "g", "ox")


def test_operand_broadcast_over_part_of_a_merged_loop_is_read_as_if_expanded(network_of):
    batch, windows, heads, positions = 2, 4, 3, 5
    net = network_of(
        [("Add", "x m", "y")],
        {"x": (batch, windows, heads, positions, positions)},
        "y",
        {"m": (1, windows, 1, positions, positions)},
    )
    layer = only(net)
    assert layer.dims.b == batch * windows
    assert loops_of(layer, "m") == ("b", "g", "ox")


def test_selection_by_a_constant_mask_reads_map_and_mask(network_of):
    net = network_of(
        [("Where", "m x low", "y")],
        {"x": (1, 12, 8, 8)},
        "y",
        {"m": np.ones((1, 1, 8, 8), dtype=bool), "low": np.float32(-1e4)},
    )
    layer = only(net)
    assert layer.function == "where"
    assert [operand.tensor for operand in layer.inputs] == ["x", "m"]


@pytest.mark.parametrize("op", ["Sum", "Max", "Min", "Mean"])
def test_arithmetic_takes_any_number_of_maps(network_of, op):
    layer = only(network_of([(op, "a b c", "y")], dict.fromkeys("abc", MAP), "y"))
    assert [operand.tensor for operand in layer.inputs] == ["a", "b", "c"]


UNARY_AT = {"Gelu": 20, "Swish": 24, "Mish": 18, "HardSwish": 14}
NEED_MORE_INPUTS = {"PRelu", "Not"}


@pytest.mark.parametrize("op", sorted(set(UNARY) - NEED_MORE_INPUTS))
def test_every_unary_type_is_an_activation(network_of, op):
    layer = only(network_of([(op, "x", "y")], {"x": MAP}, "y", opset=UNARY_AT.get(op, 17)))
    assert layer.op is LayerOp.ACTIVATION
    assert layer.function == UNARY[op]
    assert layer.function in FUNCTIONS
    assert layer.dims == ROWS_OF_MAP


@pytest.mark.parametrize(
    ("row", "constants", "function"),
    [
        (("Mul", "x c", "y"), {"c": np.float32(3)}, "mul_scalar"),
        (("Div", "x c", "y"), {"c": np.float32(3)}, "mul_scalar"),
        (("Div", "c x", "y"), {"c": np.float32(3)}, "reciprocal"),
        (("Sub", "c x", "y"), {"c": np.float32(3)}, "add_scalar"),
        (("Add", "x c", "y"), {"c": np.float32([[3]])}, "add_scalar"),
        (("Pow", "x c", "y"), {"c": np.float32(2)}, "square"),
        (("Pow", "x c", "y"), {"c": np.float32(0.5)}, "sqrt"),
        (("Pow", "x c", "y"), {"c": np.float32(7)}, "pow"),
        (("Max", "x c", "y"), {"c": np.float32(0)}, "relu"),
        (("Max", "x c", "y"), {"c": np.float32(1)}, "clip"),
        (("Clip", "x lo hi", "y"), {"lo": np.float32(0), "hi": np.float32(6)}, "relu6"),
        (("Clip", "x lo hi", "y"), {"lo": np.float32(0), "hi": np.float32(5)}, "clip"),
        (("Clip", "x lo", "y"), {"lo": np.float32(0)}, "relu"),
        (("Gelu", "x", "y", {"approximate": "tanh"}), {}, "gelu_tanh"),
    ],
)
def test_constant_scalars_are_part_of_the_function(network_of, row, constants, function):
    layer = only(network_of([row], {"x": MAP}, "y", constants, opset=20))
    assert (layer.op, layer.function) == (LayerOp.ACTIVATION, function)
    assert [operand.tensor for operand in layer.inputs] == ["x"]


def test_slopes_of_a_prelu_are_an_operand_per_channel(network_of):
    layer = only(network_of([("PRelu", "x s", "y")], {"x": MAP}, "y", {"s": (C, 1, 1)}))
    assert loops_of(layer, "s") == ("g",)


def test_batch_norm_alone_is_a_multiply_add_of_two_vectors(network_of):
    vectors = dict.fromkeys(("scale", "shift", "mean", "var"), (C,))
    net = network_of(
        [("BatchNormalization", "x scale shift mean var", "y")], {"x": MAP}, "y", vectors
    )
    layer = only(net)
    assert layer.function == "multiply_add"
    assert loops_of(layer, "scale") == loops_of(layer, "shift") == ("g",)
    assert net.parameters == 2 * C  # mean and variance are statistics


# -- normalisations


def test_softmax_of_scores_has_a_row_per_query(network_of):
    heads, queries, keys = 3, 5, 7
    layer = only(network_of([("Softmax", "x", "y")], {"x": (N, heads, queries, keys)}, "y"))
    assert layer.op is LayerOp.SOFTMAX
    assert layer.dims == LoopDims(b=N, g=keys, oy=heads, ox=queries, iy=heads, ix=queries)


def test_softmax_over_channels_of_a_map_has_them_in_g(network_of):
    layer = only(network_of([("Softmax", "x", "y", {"axis": 1})], {"x": MAP}, "y"))
    assert layer.dims == ROWS_OF_MAP


def test_layer_norm_has_its_features_in_g(network_of):
    net = network_of(
        [("LayerNormalization", "x s t", "y", {"axis": -1})],
        {"x": (N, 7, 16)},
        "y",
        {"s": (16,), "t": (16,)},
    )
    layer = only(net)
    assert (layer.op, layer.function) == (LayerOp.NORM, "layer_norm")
    assert layer.dims == LoopDims(g=16, ox=N * 7, ix=N * 7)
    assert loops_of(layer, "s") == loops_of(layer, "t") == ("g",)


def test_layer_norm_over_several_axes_joins_them(network_of):
    net = network_of(
        [("LayerNormalization", "x s", "y", {"axis": 1})], {"x": MAP}, "y", {"s": (C, H, W)}
    )
    layer = only(net)
    assert layer.dims == LoopDims(g=C * H * W, ox=N, ix=N)


def test_group_norm_has_a_row_per_group(network_of):
    groups = 3
    net = network_of(
        [("GroupNormalization", "x s t", "y", {"num_groups": groups})],
        {"x": MAP},
        "y",
        {"s": (C,), "t": (C,)},
        opset=21,
    )
    layer = only(net)
    assert layer.function == "group_norm"
    assert layer.dims == LoopDims(b=N, g=C // groups * H * W, ox=groups, ix=groups)


def test_instance_norm_has_a_row_per_channel(network_of):
    net = network_of(
        [("InstanceNormalization", "x s t", "y")], {"x": MAP}, "y", {"s": (C,), "t": (C,)}
    )
    assert only(net).dims == LoopDims(b=N, g=H * W, ox=C, ix=C)


def test_local_response_norm_runs_over_channels(network_of):
    layer = only(network_of([("LRN", "x", "y", {"size": 5})], {"x": MAP}, "y"))
    assert (layer.op, layer.function, layer.dims) == (LayerOp.NORM, "lrn", ROWS_OF_MAP)


# -- movement of data


def test_concat_of_channels_gives_each_input_its_part_of_g(network_of):
    net = network_of(
        [("Concat", "a b", "y", {"axis": 1})], {"a": (N, 4, H, W), "b": (N, 9, H, W)}, "y"
    )
    layer = only(net)
    assert layer.op is LayerOp.CONCAT
    assert layer.dims == LoopDims(b=N, g=4 + 9, oy=H, ox=W, iy=H, ix=W)
    assert [operand.extent for operand in layer.inputs] == [4, 9]


@pytest.mark.parametrize(
    ("axis", "inner", "outer"),
    [(2, W * C, N), (3, C, N * H), (0, H * W * C, 1)],
)
def test_concat_of_other_axes_counts_all_that_lies_inside(network_of, axis, inner, outer):
    other = list(MAP)
    other[axis] = 3
    net = network_of([("Concat", "a b", "y", {"axis": axis})], {"a": MAP, "b": other}, "y")
    layer = only(net)
    total = (MAP[axis] + 3) * inner
    assert layer.dims == LoopDims(g=total, ox=outer, ix=outer)
    assert [operand.extent for operand in layer.inputs] == [MAP[axis] * inner, 3 * inner]
    assert sum(operand.extent for operand in layer.inputs) == layer.dims.g


def test_concat_of_a_constant_token_with_positions(network_of):
    net = network_of(
        [("Concat", "token x", "y", {"axis": 1})], {"x": (1, 9, 16)}, "y", {"token": (1, 1, 16)}
    )
    layer = only(net)
    assert [operand.extent for operand in layer.inputs] == [16, 9 * 16]
    assert net.tensors["token"].parameter


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_keeps_both_sizes(network_of, mode):
    scales = np.array([1, 1, 2, 3], dtype=np.float32)
    net = network_of(
        [("Resize", "x - scales", "y", {"mode": mode})], {"x": MAP}, "y", {"scales": scales}
    )
    layer = only(net)
    assert (layer.op, layer.function) == (LayerOp.RESIZE, mode)
    assert layer.dims == LoopDims(b=N, g=C, oy=2 * H, ox=3 * W, iy=H, ix=W)
    assert net.parameters == 0


def test_resize_to_sizes_that_are_computed_from_a_shape(network_of):
    net = network_of(
        [
            ("Shape", "z", "zs"),
            ("Slice", "zs two four", "hw"),
            ("Shape", "x", "xs"),
            ("Slice", "xs zero two", "nc"),
            ("Concat", "nc hw", "sizes", {"axis": 0}),
            ("Resize", "x - - sizes", "y", {"mode": "linear"}),
            ("Add", "y z", "sum"),
        ],
        {"x": (1, C, H, W), "z": (1, C, 2 * H, 2 * W)},
        "sum",
        {name: np.array([i]) for name, i in (("zero", 0), ("two", 2), ("four", 4))},
    )
    resize, addition = net.layers
    assert (resize.dims.oy, resize.dims.ox) == (2 * H, 2 * W)
    assert addition.dims.ox == 2 * W


def test_embedding_reads_a_row_per_index(network_of):
    vocabulary, width, positions = 1000, 16, 7
    net = network_of(
        [("Gather", "table ids", "y")],
        {"ids": (N, positions)},
        "y",
        {"table": (vocabulary, width)},
        integer="ids",
    )
    layer = only(net)
    assert layer.op is LayerOp.EMBEDDING
    assert layer.dims == LoopDims(g=width, ox=N * positions, ix=N * positions)
    assert loops_of(layer, "ids") == ("ox",)
    assert loops_of(layer, "table") == ("g", "ox")
    assert net.tensors["table"].elements == vocabulary * width


def test_gather_of_scattered_parts_is_a_copy(network_of):
    net = network_of(
        [("Gather", "x i", "y", {"axis": 1})], {"x": (1, 9, 16)}, "y", {"i": np.array([0, 1, 5])}
    )
    layer = only(net)
    assert (layer.op, layer.function) == (LayerOp.CONCAT, "gather")
    assert layer.output_elements == 3 * 16
    assert layer.inputs[0].extent == layer.dims.g


def test_padding_by_reflection_is_a_copy(network_of):
    net = network_of(
        [("Pad", "x p", "y", {"mode": "reflect"})],
        {"x": MAP},
        "y",
        {"p": np.array([0, 0, 1, 2, 0, 0, 1, 2])},
    )
    layer = only(net)
    assert (layer.op, layer.function) == (LayerOp.CONCAT, "pad")
    assert layer.dims == LoopDims(b=N, g=C, oy=H + 2, ox=W + 4, iy=H, ix=W, pad_top=1, pad_left=2)
    assert layer.inputs[0].extent == C


def test_padding_of_channels_is_a_copy_of_all_of_them(network_of):
    widths = {"p": np.array([0, 1, 0, 0, 0, 2, 0, 0])}
    layer = only(network_of([("Pad", "x p", "y")], {"x": MAP}, "y", widths))
    assert layer.dims == LoopDims(b=N, g=C + 3, oy=H, ox=W, iy=H, ix=W)
    assert layer.inputs[0].extent == C + 3
