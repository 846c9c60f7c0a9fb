"""Models that cannot be used: one line each, that names the file, the place and the rule."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from simulator.workload.errors import UnsupportedNodeError, WorkloadError
from simulator.workload.onnx_import import load_onnx

C, H, K = 6, 10, 8
MAP = (1, C, H, H)
WEIGHTS = {"w": (K, C, 3, 3)}
CONV = ("Conv", "x w", "c")
RELU = ("Relu", "x", "y")


def exactly(text):
    return f"^{re.escape(text)}$"


# -- files


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "file must be an ONNX model; it has no version and graph"),
        (b"name, M, N, K,\nL0, 1, 2, 3,\n", "file must be a whole ONNX model; it cannot be parsed"),
        (b"\x89PNG\r\n\x1a\n", "file must be a whole ONNX model; it cannot be parsed"),
    ],
)
def test_file_that_is_not_onnx(tmp_path, data, rule):
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(WorkloadError, match=exactly(f"net.onnx: {rule}")):
        load_onnx(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_file(tmp_path, model_of, share):
    data = model_of([CONV], {"x": MAP}, "c", {"w": np.ones((K, C, 3, 3), "f4")}).SerializeToString()
    path = tmp_path / "net.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    rule = "file must be a whole ONNX model; it cannot be parsed"
    with pytest.raises(WorkloadError, match=exactly(f"net.onnx: {rule}")):
        load_onnx(path)


def test_missing_file(tmp_path):
    path = tmp_path / "net.onnx"
    text = f"net.onnx: file must be readable: No such file or directory: {path}"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(path)


def test_folder_instead_of_a_file(tmp_path):
    text = f"{tmp_path.name}: file must be readable: Is a directory: {tmp_path}"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(tmp_path)


def test_model_without_nodes(model_of):
    model = model_of([], {"x": MAP}, "x")
    with pytest.raises(
        WorkloadError, match=exactly("tiny: model must have nodes; its graph is empty")
    ):
        load_onnx(model)


@pytest.mark.parametrize("opset", [1, 12, 999])
def test_opset_out_of_range(model_of, opset):
    newest = onnx.defs.onnx_opset_version()
    text = f"tiny: opset must be 13 to {newest}, not {opset}"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model_of([RELU], {"x": MAP}, "y", opset=opset))


def test_oldest_opset_that_is_allowed(model_of):
    assert len(load_onnx(model_of([RELU], {"x": MAP}, "y", opset=13)).layers) == 1


def test_sparse_constants(model_of):
    model = model_of([CONV], {"x": MAP, "w": (K, C, 3, 3)}, "c")
    values = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    index = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, index, [4]))
    with pytest.raises(
        WorkloadError, match=exactly("tiny: constant v must be stored dense, not sparse")
    ):
        load_onnx(model)


# -- graphs


def test_cycle(model_of):
    model = model_of([("Add", "x b", "a"), ("Relu", "a", "b")], {"x": MAP}, "b")
    text = "tiny: nodes must not form a cycle, as these do: add_a, relu_b"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model)


def test_value_that_nobody_makes(model_of):
    model = model_of([("Add", "x ghost", "y")], {"x": MAP}, "y")
    text = "tiny: node add_y (Add): input ghost must be made by some node"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model)


def test_nodes_in_the_wrong_order_are_sorted(model_of):
    model = model_of([("Relu", "c", "y"), CONV], {"x": MAP}, "y", WEIGHTS)
    assert [layer.post_ops for layer in load_onnx(model).layers] == [("relu",)]


def test_value_that_two_nodes_make(model_of):
    model = model_of([RELU, ("Tanh", "x", "y")], {"x": MAP}, "y")
    with pytest.raises(
        WorkloadError, match=r"^tiny: model must follow the ONNX rules: Graph must .+$"
    ):
        load_onnx(model)


def test_attribute_of_the_wrong_type(model_of):
    model = model_of([("Conv", "x w", "c", {"group": 1.5})], {"x": MAP}, "c", WEIGHTS)
    with pytest.raises(WorkloadError, match=r"^tiny: model must follow the ONNX rules: .*group.*$"):
        load_onnx(model)


def test_missing_required_attribute(model_of):
    model = model_of([("Concat", "x x", "y")], {"x": MAP}, "y")
    with pytest.raises(WorkloadError, match=r"^tiny: model must follow the ONNX rules: .*axis.*$"):
        load_onnx(model)


def test_model_of_views_alone(model_of):
    model = model_of([("Flatten", "x", "y")], {"x": MAP}, "y")
    text = "tiny: model must have a layer that computes something"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model)


# -- shapes


def test_channels_that_do_not_fit_the_weights(model_of):
    model = model_of([CONV], {"x": (1, C + 1, H, H)}, "c", WEIGHTS)
    text = (
        f"tiny: node conv_c (Conv): input channels must be {C}, as the weights have it, not {C + 1}"
    )
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model)


def test_groups_that_do_not_divide_the_filters(model_of):
    model = model_of(
        [("Conv", "x w", "c", {"group": 3})], {"x": MAP}, "c", {"w": (K, C // 3, 1, 1)}
    )
    text = f"tiny: node conv_c (Conv): group must divide {K} channels, not 3"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model)


def test_window_larger_than_its_map(model_of):
    model = model_of([CONV], {"x": (1, C, 2, 2)}, "c", WEIGHTS)
    text = f"tiny: value c must have positive dimensions, not [1, {K}, 0, 0]"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model)


def test_negative_padding_of_a_convolution(model_of):
    model = model_of([("Conv", "x w", "c", {"pads": [-1, 0, 0, 0]})], {"x": MAP}, "c", WEIGHTS)
    with pytest.raises(WorkloadError, match=r"^tiny: node conv_c \(Conv\): .*pad.*$"):
        load_onnx(model)


def test_matrices_that_do_not_fit(model_of):
    model = model_of([("MatMul", "x w", "y")], {"x": (4, 5)}, "y", {"w": (6, 7)})
    pattern = r"^tiny: node matmul_y \(MatMul\): shapes must fit its type: .*Incompatible.*$"
    with pytest.raises(WorkloadError, match=pattern):
        load_onnx(model)


def test_reshape_to_another_number_of_elements(model_of):
    rows = [("Reshape", "x s", "v"), ("Relu", "v", "y")]
    model = model_of(rows, {"x": MAP}, "y", {"s": np.array([7, -1])})
    with pytest.raises(WorkloadError, match=r"^tiny: node reshape_v \(Reshape\): shapes must .+$"):
        load_onnx(model)


@pytest.mark.parametrize("size", [0, -3])
@pytest.mark.parametrize("axis", [0, 2])
def test_dimension_that_is_not_positive(model_of, size, axis):
    shape = list(MAP)
    shape[axis] = size
    text = f"tiny: input x: dimension {axis} must be positive, not {size}"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model_of([RELU], {"x": shape}, "y"))


def test_input_without_a_shape(model_of):
    model = model_of([RELU], {"x": MAP}, "y")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(WorkloadError, match=r"^tiny: .*shape.*$"):
        load_onnx(model)


def test_input_that_is_no_tensor(model_of):
    model = model_of([("SequenceLength", "x", "y")], {"x": MAP}, "y")
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    model.graph.input[0].CopyFrom(
        helper.make_value_info("x", helper.make_sequence_type_proto(kind))
    )
    with pytest.raises(WorkloadError, match=exactly("tiny: input x must be a tensor")):
        load_onnx(model)


def test_shape_that_depends_on_the_data(model_of):
    rows = [("NonZero", "x", "i"), ("Cast", "i", "f", {"to": 1}), ("Relu", "f", "y")]
    text = "tiny: node nonzero_i (NonZero) must be of a type that can be simulated; "
    with pytest.raises(
        UnsupportedNodeError, match=exactly(text + "skip_unsupported leaves it out")
    ):
        load_onnx(model_of(rows, {"x": MAP}, "y"))


def test_shape_whose_values_are_not_there(model_of):
    rows = [("Cast", "s", "i", {"to": 7}), ("Reshape", "x i", "v"), ("Relu", "v", "y")]
    model = model_of(rows, {"x": MAP}, "y", {"s": (2,)})
    text = "tiny: constant s must have its values in the model"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model)


def test_external_shape_whose_file_is_missing(tmp_path, model_of):
    rows = [("Reshape", "x s", "v"), ("Softmax", "v", "y")]
    path = tmp_path / "net.onnx"
    model = model_of(rows, {"x": MAP}, "y", {"s": np.array([C, H * H])})
    onnx.save_model(model, path, save_as_external_data=True, location="data", size_threshold=0)
    (tmp_path / "data").unlink()
    with pytest.raises(
        WorkloadError, match=exactly("net.onnx: constant s must have readable values")
    ):
        load_onnx(path)


def test_constant_that_cannot_be_computed(model_of):
    rows = [("Concat", "a b", "s", {"axis": 0}), ("Reshape", "x s", "v"), ("Relu", "v", "y")]
    model = model_of(rows, {"x": MAP}, "y", {"a": np.array([2]), "b": np.array([[3]])})
    with pytest.raises(WorkloadError, match=r"^tiny: node concat_s \(Concat\): constant must .+$"):
        load_onnx(model)


def test_constant_with_too_little_data(model_of):
    model = model_of(
        [("Reshape", "x s", "v"), ("Relu", "v", "y")], {"x": MAP}, "y", {"s": np.array([C, H * H])}
    )
    model.graph.initializer[0].raw_data = b"\x01\x00\x00"
    with pytest.raises(WorkloadError, match=r"^tiny: .+$") as caught:
        load_onnx(model)
    assert "\n" not in str(caught.value)


# -- nodes that cannot be simulated


@pytest.mark.parametrize(
    ("row", "shape", "text"),
    [
        (("Det", "x", "y"), (5, 5), "must be of a type that can be simulated"),
        (("NoSuchType", "x", "y"), MAP, "must be of a type that can be simulated"),
        (
            ("Det", "x", "y", {}, {"domain": "custom"}),
            MAP,
            "must be of a type that can be simulated",
        ),
    ],
)
def test_unknown_type(model_of, row, shape, text):
    name = f"node {row[0].lower()}_y ({row[0]})"
    text = f"tiny: {name} {text}; skip_unsupported leaves it out"
    with pytest.raises(UnsupportedNodeError, match=exactly(text)):
        load_onnx(model_of([row], {"x": shape}, "y"))


@pytest.mark.parametrize(
    ("row", "inputs", "constants", "rule"),
    [
        (("Conv", "x w", "y"), {"x": (1, C, 5, 5, 5)}, {"w": (K, C, 3, 3, 3)},
         "spatial axes must be 1 or 2, not 3"),
        (("ConvTranspose", "x w", "y"), {"x": (1, C, 5, 5, 5)}, {"w": (C, K, 3, 3, 3)},
         "spatial axes must be 1 or 2, not 3"),
        (("MaxPool", "x", "y", {"kernel_shape": [2, 2, 2]}), {"x": (1, C, 5, 5, 5)}, {},
         "spatial axes must be 1 or 2, not 3"),
        (("ConvTranspose", "x w", "y", {"dilations": [2, 2]}), {"x": MAP}, {"w": (C, K, 3, 3)},
         "dilations must be 1"),
        (("Conv", "x w b", "y"), {"x": MAP, "b": (K,)}, WEIGHTS, "bias must be a constant"),
        (("Einsum", "x", "y", {"equation": "ij->ji"}), {"x": (3, 4)}, {},
         "equation must be a product of two operands, not ij->ji"),
        (("Einsum", "x x", "y", {"equation": "ij,ik->j"}), {"x": (3, 4)}, {},
         "equation must be a product of two operands, not ij,ik->j"),
        (("Gather", "x i", "y", {"axis": 1}), {"x": (3, 4), "i": (2,)}, {},
         "axis must be 0 for computed indices, not 1"),
        (("Pad", "x i", "y"), {"x": (3,), "i": (2,)}, {}, "pads and axes must be constant"),
        (("Resize", "x - s", "y"), {"x": MAP}, {"s": np.array([1, 2, 1, 1], dtype="f4")},
         "axes must be one or two spatial ones"),
    ],
)  # fmt: skip
def test_unsupported_use_of_a_known_type(model_of, row, inputs, constants, rule):
    model = model_of([row], inputs, "y", constants, integer="i", opset=18)
    if row[0] == "Pad":  # the shape of its output depends on the values of an input
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, [5]))
    text = f"tiny: node {row[0].lower()}_y ({row[0]}): {rule}"
    with pytest.raises(UnsupportedNodeError, match=exactly(text)):
        load_onnx(model)


def test_second_output_that_is_read(model_of):
    attributes = {"kernel_shape": [2, 2]}
    rows = [
        ("MaxPool", "x", "p i", attributes),
        ("Cast", "i", "f", {"to": 1}),
        ("Add", "p f", "y"),
    ]
    text = "tiny: value i must be the first output of its node"
    with pytest.raises(UnsupportedNodeError, match=exactly(text)):
        load_onnx(model_of(rows, {"x": MAP}, "y"))


def test_training_batch_norm(model_of):
    vectors = dict.fromkeys("abmv", (C,))
    rows = [("BatchNormalization", "x a b m v", "y mm vv", {"training_mode": 1})]
    text = "tiny: node batchnormalization_y (BatchNormalization): training_mode must be 0"
    with pytest.raises(UnsupportedNodeError, match=exactly(text)):
        load_onnx(model_of(rows, {"x": MAP}, "y", vectors))


# -- leaving nodes out


def test_left_out_node_parts_the_network(network_of):
    rows = [
        ("Conv", "x w", "c", {"pads": [1] * 4}),
        ("Relu", "c", "r"),
        ("CumSum", "r axis", "s"),
        ("Sigmoid", "s", "y"),
    ]
    net = network_of(rows, {"x": MAP}, "y", WEIGHTS | {"axis": np.array(1)}, skip_unsupported=True)
    assert net.skipped == ("cumsum_s (CumSum)",)
    assert net.inputs == ("x", "s")
    assert net.outputs == ("y", "r")
    assert [layer.function or layer.op for layer in net.layers] == ["conv2d", "sigmoid"]
    assert net.tensors["s"].elements == K * H * H


def test_left_out_custom_node_takes_its_shape_from_the_file(model_of):
    rows = [("Magic", "x", "m", {}, {"domain": "custom"}), ("Relu", "m", "y")]
    model = model_of(rows, {"x": ("n", C)}, "y")
    model.graph.value_info.append(helper.make_tensor_value_info("m", 1, ["n", 99]))
    net = load_onnx(model, batch=4, skip_unsupported=True)
    assert net.inputs == ("m",)
    assert net.tensors["m"].elements == 4 * 99


def test_left_out_custom_node_without_a_shape(model_of):
    rows = [("Magic", "x", "m", {}, {"domain": "custom"}), ("Relu", "m", "y")]
    text = "tiny: value m must have a shape that can be inferred"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_onnx(model_of(rows, {"x": MAP}, "y"), skip_unsupported=True)


def test_reader_of_a_second_output_can_be_left_out(network_of):
    rows = [
        ("MaxPool", "x", "p i", {"kernel_shape": [2, 2]}),
        ("Cast", "i", "f", {"to": 1}),
        ("Add", "p f", "y"),
    ]
    net = network_of(rows, {"x": MAP}, "y", skip_unsupported=True)
    assert net.skipped == ("cast_f (Cast)",)
    assert net.inputs == ("x", "f")


def test_left_out_last_node_leaves_its_input_as_the_output(network_of):
    rows = [("Conv", "x w", "c"), ("Det", "c", "y")]
    net = network_of(rows, {"x": MAP}, "y", WEIGHTS, skip_unsupported=True)
    assert (net.outputs, net.skipped) == (("c",), ("det_y (Det)",))


def test_nothing_is_skipped_in_a_model_that_is_supported(network_of):
    net = network_of([RELU], {"x": MAP}, "y", skip_unsupported=True)
    assert net.skipped == ()
