"""What does not become a layer of its own: constants, views, padding, bias, norms, activations."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from simulator.workload.graph import LayerOp, LoopDims
from simulator.workload.onnx_import import load_onnx

C, H, K = 6, 10, 8
MAP = (1, C, H, H)
CONV = ("Conv", "x w", "c", {"pads": [1] * 4})
WEIGHTS = {"w": (K, C, 3, 3)}
BN = ("BatchNormalization", "c scale shift mean var", "n")
BN_WEIGHTS = dict.fromkeys(("scale", "shift", "mean", "var"), (K,))


def only(workload):
    (layer,) = workload.layers
    return layer


# -- batch norm, bias and activations


def test_batch_norm_after_a_convolution_becomes_its_bias(network_of):
    net = network_of([CONV, BN], {"x": MAP}, "n", WEIGHTS | BN_WEIGHTS)
    layer = only(net)
    assert layer.op is LayerOp.CONV2D
    assert layer.bias
    assert layer.output == "n"
    assert layer.source == ("conv_c", "batchnormalization_n")
    assert net.tensors["w"].elements == K * C * 9 + K
    assert net.parameters == K * C * 9 + 2 * K
    assert set(net.tensors) == {"x", "w", "n"}


def test_batch_norm_stays_where_the_convolution_has_another_reader(network_of):
    net = network_of([CONV, BN, ("Add", "c n", "y")], {"x": MAP}, "y", WEIGHTS | BN_WEIGHTS)
    assert [layer.function for layer in net.layers] == ["", "multiply_add", "add"]
    assert not net.layers[0].bias


def test_batch_norm_stays_where_the_convolution_is_an_output(network_of):
    net = network_of([CONV, BN], {"x": MAP}, "c n", WEIGHTS | BN_WEIGHTS)
    assert [layer.output for layer in net.layers] == ["c", "n"]
    assert net.outputs == ("c", "n")


def test_batch_norm_behind_an_activation_stays(network_of):
    rows = [("Conv", "x w", "r0"), ("Relu", "r0", "c"), BN]
    net = network_of(rows, {"x": MAP}, "n", {"w": (K, C, 1, 1)} | BN_WEIGHTS)
    convolution, norm = net.layers
    assert convolution.post_ops == ("relu",)
    assert norm.function == "multiply_add"


def test_batch_norm_in_front_takes_the_activation(network_of):
    """Pre-activation networks (DenseNet): norm and ReLU run before the convolution."""
    vectors = dict.fromkeys(("scale", "shift", "mean", "var"), (C,))
    rows = [
        ("BatchNormalization", "x scale shift mean var", "n"),
        ("Relu", "n", "r"),
        ("Conv", "r w", "y"),
    ]
    norm, convolution = network_of(rows, {"x": MAP}, "y", {"w": (K, C, 1, 1)} | vectors).layers
    assert (norm.function, norm.post_ops) == ("multiply_add", ("relu",))
    assert not convolution.bias


def test_norm_as_caffe_writes_it_is_one_layer(network_of):
    """Batch norm, then a factor and a term per channel as nodes of their own."""
    vectors = dict.fromkeys(("scale", "shift", "mean", "var"), (C,))
    rows = [
        ("BatchNormalization", "x scale shift mean var", "n"),
        ("Mul", "n f", "m"),
        ("Add", "m t", "y"),
    ]
    net = network_of(rows, {"x": MAP}, "y", vectors | {"f": (C, 1, 1), "t": (C, 1, 1)})
    assert only(net).function == "multiply_add"


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_constant_vector_after_a_product_is_its_bias(network_of, op):
    net = network_of(
        [("MatMul", "x w", "m"), (op, "m b", "y")],
        {"x": (2, 7, 16)},
        "y",
        {"w": (16, 24), "b": (24,)},
    )
    layer = only(net)
    assert layer.bias
    assert layer.weight_elements == 16 * 24 + 24


def test_bias_before_its_product_in_the_sum_is_found_too(network_of):
    net = network_of(
        [("MatMul", "x w", "m"), ("Add", "b m", "y")],
        {"x": (7, 16)},
        "y",
        {"w": (16, 24), "b": (24,)},
    )
    assert only(net).bias


def test_factor_per_channel_folds_into_weights_without_a_bias(network_of):
    net = network_of(
        [("Conv", "x w", "c"), ("Mul", "c f", "y")],
        {"x": MAP},
        "y",
        {"w": (K, C, 1, 1), "f": (K, 1, 1)},
    )
    layer = only(net)
    assert not layer.bias
    assert layer.source == ("conv_c", "mul_y")


def test_quotient_of_a_constant_and_a_product_does_not_fold(network_of):
    net = network_of(
        [("MatMul", "x w", "m"), ("Div", "f m", "y")],
        {"x": (7, 16)},
        "y",
        {"w": (16, 24), "f": (24,)},
    )
    assert [layer.function for layer in net.layers] == ["", "div"]


def test_vector_along_rows_is_no_bias(network_of):
    net = network_of(
        [("MatMul", "x w", "m"), ("Add", "m b", "y")],
        {"x": (7, 16)},
        "y",
        {"w": (16, 24), "b": (7, 1)},
    )
    assert [layer.op for layer in net.layers] == [LayerOp.MATMUL, LayerOp.ELEMENTWISE]


def test_product_of_two_maps_takes_no_bias(network_of):
    net = network_of(
        [("MatMul", "x z", "m"), ("Add", "m b", "y")],
        {"x": (2, 7, 16), "z": (2, 16, 24)},
        "y",
        {"b": (24,)},
    )
    assert len(net.layers) == 2


def test_activations_line_up_behind_any_producer(network_of):
    rows = [
        ("Add", "x z", "a"),
        ("Relu", "a", "r"),
        ("Mul", "r two", "m"),
        ("Sigmoid", "m", "y"),
    ]
    net = network_of(rows, {"x": MAP, "z": MAP}, "y", {"two": np.float32(2)})
    layer = only(net)
    assert layer.post_ops == ("relu", "mul_scalar", "sigmoid")
    assert layer.source == ("add_a", "relu_r", "mul_m", "sigmoid_y")


def test_activation_of_a_shared_value_runs_on_its_own(network_of):
    net = network_of([CONV, ("Relu", "c", "r"), ("Add", "c r", "y")], {"x": MAP}, "y", WEIGHTS)
    assert [layer.op for layer in net.layers] == [
        LayerOp.CONV2D,
        LayerOp.ACTIVATION,
        LayerOp.ELEMENTWISE,
    ]


def test_activation_of_a_part_runs_on_its_own(network_of):
    rows = [CONV, ("Split", "c", "p q", {"axis": 1}), ("Sigmoid", "p", "s"), ("Mul", "q s", "y")]
    convolution, gate, product = network_of(rows, {"x": MAP}, "y", WEIGHTS).layers
    assert convolution.post_ops == ()
    assert gate.dims.g == K // 2
    assert [operand.tensor for operand in product.inputs] == ["c", "s"]


@pytest.mark.parametrize(
    ("row", "constants"),
    [
        (("Slice", "c a b d", "v"), {"a": [1], "b": [4], "d": [1]}),
        (("Expand", "c s", "v"), {"s": [3, K, H, H]}),
    ],
)
def test_activation_of_another_size_than_its_source_runs_on_its_own(network_of, row, constants):
    arrays = {name: np.array(numbers) for name, numbers in constants.items()}
    rows = [CONV, row, ("Relu", "v", "y")]
    convolution, activation = network_of(rows, {"x": MAP}, "y", WEIGHTS | arrays).layers
    assert convolution.output_elements == K * H * H
    assert activation.function == "relu"


def test_activation_folds_through_views(network_of):
    rows = [CONV, ("Transpose", "c", "t", {"perm": [0, 2, 3, 1]}), ("Relu", "t", "y")]
    assert only(network_of(rows, {"x": MAP}, "y", WEIGHTS)).post_ops == ("relu",)


# -- padding


ZEROS = {"p": np.array([0, 0, 1, 2, 0, 0, 3, 4])}


@pytest.mark.parametrize(
    ("row", "constants"),
    [
        (("Conv", "z w", "y"), {"w": (K, C, 3, 3)}),
        (("MaxPool", "z", "y", {"kernel_shape": [3, 3]}), {}),
    ],
)
def test_zeros_around_a_map_are_left_to_its_window(network_of, row, constants):
    net = network_of([("Pad", "x p", "z"), row], {"x": MAP}, "y", ZEROS | constants)
    dims = only(net).dims
    assert (dims.iy, dims.ix, dims.pad_top, dims.pad_left) == (H, H, 1, 2)
    assert (dims.oy, dims.ox) == (H + 1 + 3 - 2, H + 2 + 4 - 2)


def test_paddings_add_up(network_of):
    rows = [("Pad", "x p", "z"), ("Pad", "z p", "zz"), ("Conv", "zz w", "y", {"pads": [1] * 4})]
    dims = only(network_of(rows, {"x": MAP}, "y", ZEROS | WEIGHTS)).dims
    assert (dims.pad_top, dims.pad_left) == (2 * 1 + 1, 2 * 2 + 1)
    assert (dims.iy, dims.ix) == (H, H)


def test_padding_of_a_line_is_left_to_its_window(network_of):
    rows = [("Pad", "x p", "z"), ("Conv", "z w", "y")]
    constants = {"p": np.array([0, 0, 4, 0, 0, 0]), "w": (K, C, 5)}
    dims = only(network_of(rows, {"x": (1, C, 20)}, "y", constants)).dims
    assert (dims.pad_left, dims.ix, dims.ox) == (4, 20, 20)


def test_padded_map_is_written_for_a_reader_without_a_window(network_of):
    rows = [("Pad", "x p", "z"), ("Conv", "z w", "c"), ("Relu", "z", "r")]
    net = network_of(rows, {"x": MAP}, "c r", ZEROS | WEIGHTS)
    convolution, copy = net.layers
    assert convolution.dims.pad_top == 1
    assert (copy.op, copy.function, copy.post_ops) == (LayerOp.CONCAT, "pad", ("relu",))
    assert copy.output_elements == C * (H + 4) * (H + 6)
    assert (copy.dims.iy, copy.dims.ix, copy.dims.pad_top, copy.dims.pad_left) == (H, H, 1, 2)


@pytest.mark.parametrize(
    ("widths", "value"), [([0, 1, 0, 0, 0, 1, 0, 0], 0), ([0, 0, 1, 1, 0, 0, 1, 1], -9)]
)
def test_padding_of_channels_or_by_other_values_is_a_copy(network_of, widths, value):
    rows = [("Pad", "x p v", "z"), ("Relu", "z", "y")]
    net = network_of(rows, {"x": MAP}, "y", {"p": np.array(widths), "v": np.float32(value)})
    assert only(net).function == "pad"


def test_negative_padding_is_a_part_of_the_map(network_of):
    rows = [("Pad", "x p", "z"), ("Relu", "z", "y")]
    constants = {"p": np.array([0, 0, -1, -1, 0, 0, 0, -1])}
    net = network_of(rows, {"x": MAP}, "y", constants)
    assert only(net).dims == LoopDims(g=C, oy=H - 1, ox=H - 2, iy=H - 1, ix=H - 2)


# -- views


RELU = ("Relu", "v", "y")


@pytest.mark.parametrize(
    ("row", "constants"),
    [
        (("Identity", "x", "v"), {}),
        (("Dropout", "x", "v"), {}),
        (("Flatten", "x", "v"), {}),
        (("Cast", "x", "v", {"to": 10}), {}),
        (("Reshape", "x s", "v"), {"s": np.array([C, -1])}),
        (("Unsqueeze", "x s", "v"), {"s": np.array([0])}),
        (("Squeeze", "x s", "v"), {"s": np.array([0])}),
        (("Transpose", "x", "v", {"perm": [0, 2, 3, 1]}), {}),
        (("SpaceToDepth", "x", "v", {"blocksize": 2}), {}),
        (("QuantizeLinear", "x one", "v"), {"one": np.float32(1)}),
    ],
)
def test_views_move_no_data(network_of, row, constants):
    rows = [row, ("Cast", "v", "vf", {"to": 1}), ("Relu", "vf", "y")]
    layer = only(network_of(rows, {"x": MAP}, "y", constants))
    assert layer.inputs[0].tensor == "x"
    assert layer.output_elements == C * H * H


@pytest.mark.parametrize(
    ("row", "constants", "part"),
    [
        (
            ("Slice", "x a b d", "v"),
            {"a": np.array([1]), "b": np.array([4]), "d": np.array([1])},
            3 * H * H,
        ),
        (("Gather", "x i", "v", {"axis": 1}), {"i": np.array(2)}, H * H),
        (("Gather", "x i", "v", {"axis": 1}), {"i": np.array([0, 2, 4])}, 3 * H * H),
        (("Expand", "x s", "v"), {"s": np.array([4, C, H, H])}, 4 * C * H * H),
        (("Tile", "x s", "v"), {"s": np.array([1, 1, 2, 1])}, 2 * C * H * H),
    ],
)
def test_parts_and_repetitions_read_the_tensor_where_it_lies(network_of, row, constants, part):
    layer = only(network_of([row, RELU], {"x": MAP}, "y", constants))
    assert layer.inputs[0].tensor == "x"
    assert layer.output_elements == part


def test_channels_are_followed_through_a_shuffle(network_of):
    """ShuffleNet: (2, C/2) channels transposed; they stay the innermost axis."""
    rows = [
        ("Reshape", "x five", "v"),
        ("Transpose", "v", "t", {"perm": [0, 2, 1, 3, 4]}),
        ("Reshape", "t four", "u"),
        ("Relu", "u", "y"),
    ]
    constants = {"five": np.array([1, 2, C // 2, H, H]), "four": np.array(MAP)}
    assert only(network_of(rows, {"x": MAP}, "y", constants)).dims == LoopDims(
        g=C, oy=H, ox=H, iy=H, ix=H
    )


def test_channels_are_followed_to_the_last_axis_and_back(network_of):
    """ConvNeXt: (N, C, H, W) to (N, H, W, C), a product, and back."""
    rows = [
        ("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}),
        ("MatMul", "t w", "m"),
        ("Transpose", "m", "u", {"perm": [0, 3, 1, 2]}),
        ("Add", "u r", "y"),
    ]
    product, addition = network_of(
        rows, {"x": (1, C, H, 4), "r": (1, K, H, 4)}, "y", {"w": (C, K)}
    ).layers
    assert product.dims == LoopDims(k=K, c=C, ox=H * 4, ix=H * 4)
    assert addition.dims == LoopDims(g=K, oy=H, ox=4, iy=H, ix=4)


def test_patches_become_a_sequence_with_channels_last(network_of):
    """ViT: (N, C, H, W) to (N, C, H*W) to (N, H*W, C)."""
    rows = [
        ("Reshape", "x s", "v"),
        ("Transpose", "v", "t", {"perm": [0, 2, 1]}),
        ("Softplus", "t", "y"),
    ]
    layer = only(network_of(rows, {"x": MAP}, "y", {"s": np.array([1, C, -1])}))
    assert layer.dims == LoopDims(g=C, ox=H * H, ix=H * H)


# -- constants


def test_scalars_are_no_parameters(network_of):
    numbers = {"two": np.float32(2), "w": (C, K)}
    net = network_of([("Mul", "x two", "m"), ("MatMul", "m w", "y")], {"x": (5, C)}, "y", numbers)
    assert net.parameters == C * K


def test_part_of_a_shape(network_of):
    rows = [
        ("Shape", "x", "s", {"start": 1, "end": -1}),
        ("ReduceProd", "s", "rows"),  # not propagated by onnx: computed from the folded shape
        ("Concat", "rows rest", "t", {"axis": 0}),
        ("Reshape", "x t", "v"),
        ("Softmax", "v", "y"),
    ]
    net = network_of(rows, {"x": (2, 3, 4, 5)}, "y", {"rest": np.array([-1])})
    assert only(net).dims == LoopDims(g=2 * 5, ox=3 * 4, ix=3 * 4)


def test_shape_chain_of_an_exporter_is_folded(network_of):
    """x.view(x.size(0), -1, 4) as exporters spell it, with a division in the chain."""
    rows = [
        ("Shape", "x", "s"),
        ("Gather", "s zero", "n"),
        ("Gather", "s one", "c"),
        ("Div", "c two", "half"),
        ("Unsqueeze", "n axis", "n1"),
        ("Unsqueeze", "half axis", "h1"),
        ("Cast", "h1", "h2", {"to": 7}),
        ("Concat", "n1 h2 rest", "shape", {"axis": 0}),
        ("Reshape", "x shape", "v"),
        ("Relu", "v", "y"),
    ]
    constants = {
        "zero": np.array(0),
        "one": np.array(1),
        "two": np.array(2),
        "axis": np.array([0]),
        "rest": np.array([-1]),
    }
    net = network_of(rows, {"x": (2, C, H, H)}, "y", constants)
    layer = only(net)
    assert layer.dims == LoopDims(g=2 * H * H, ox=2 * C // 2, ix=2 * C // 2)
    assert layer.inputs[0].tensor == "x"
    assert net.parameters == 0


def test_shape_that_onnx_does_not_propagate_is_computed(network_of):
    rows = [
        ("Constant", "", "four", {"value_ints": [4]}),
        ("Shape", "x", "s"),
        ("ReduceProd", "s", "all"),
        ("Div", "all four", "quarter"),
        ("Concat", "four quarter", "shape", {"axis": 0}),
        ("Reshape", "x shape", "v"),
        ("MatMul", "v w", "y"),
    ]
    net = network_of(rows, {"x": (1, C, H, 4)}, "y", {"w": (C * H, K)})
    assert only(net).dims == LoopDims(k=K, c=C * H, ox=4, ix=4)


def test_transposed_weights_are_the_same_tensor(network_of):
    """GPT-2: the embedding table is the weight of the last layer too."""
    rows = [
        ("Gather", "table ids", "e"),
        ("Transpose", "table", "t", {"perm": [1, 0]}),
        ("MatMul", "e t", "y"),
    ]
    net = network_of(rows, {"ids": (1, 5)}, "y", {"table": (100, 16)}, integer="ids")
    lookup, product = net.layers
    assert lookup.inputs[1].tensor == product.weight.tensor == "table"
    assert net.parameters == 100 * 16
    assert product.dims == LoopDims(k=100, c=16, ox=5, ix=5)


def test_constant_arithmetic_makes_a_parameter_without_being_done(network_of):
    """The weights have no data at all: nothing but their shape may be asked for."""
    rows = [("Add", "a b", "w"), ("MatMul", "x w", "y")]
    net = network_of(rows, {"x": (5, 16)}, "y", {"a": (16, 4096), "b": (1, 4096)})
    layer = only(net)
    assert layer.weight.tensor == "w"
    assert net.tensors["w"].parameter


def test_results_that_nobody_reads_are_not_computed(network_of):
    rows = [CONV, ("Relu", "x", "r"), ("Shape", "r", "s"), ("Reshape", "c s2", "y")]
    net = network_of(rows, {"x": MAP}, "y", WEIGHTS | {"s2": np.array([K, -1])})
    assert [layer.op for layer in net.layers] == [LayerOp.CONV2D]


def test_external_weights_are_not_read(tmp_path, model_of):
    path = tmp_path / "external.onnx"
    model = model_of([CONV], {"x": MAP}, "c", WEIGHTS)
    onnx.save(model, path)  # the data file does not exist
    assert only(load_onnx(path)).weight_elements == K * C * 9


def test_external_shape_is_read_when_it_is_needed(tmp_path, model_of):
    path = tmp_path / "external.onnx"
    model = model_of(
        [("Reshape", "x s", "v"), ("Softmax", "v", "y")],
        {"x": MAP},
        "y",
        {"s": np.array([C, H * H])},
    )
    onnx.save_model(model, path, save_as_external_data=True, location="data", size_threshold=0)
    assert only(load_onnx(path)).dims == LoopDims(g=H * H, ox=C, ix=C)


def test_import_leaves_the_model_as_it_was(model_of):
    model = model_of([CONV, BN], {"x": ("n", C, H, H)}, "n", WEIGHTS | BN_WEIGHTS)
    before = model.SerializeToString()
    load_onnx(model, batch=3)
    assert model.SerializeToString() == before


def test_same_model_gives_the_same_workload(network_of):
    first, second = (
        network_of([CONV, BN], {"x": MAP}, "n", WEIGHTS | BN_WEIGHTS) for _ in range(2)
    )
    assert first == second
    assert list(first.tensors) == list(second.tensors)
