"""Random small networks import with the sizes that onnx infers, and with their MACs."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from simulator.workload.graph import LayerOp
from simulator.workload.onnx_import import load_onnx

SIZES = st.integers(7, 20)
MOST_LAYERS = 5


@st.composite
def windows(draw):
    """Attributes of a convolution or pooling whose window fits a map of 7 and more."""
    kernel = [draw(st.integers(1, 3)) for _ in range(2)]
    attributes = {
        "kernel_shape": kernel,
        "strides": [draw(st.integers(1, 2)) for _ in range(2)],
        "dilations": [draw(st.integers(1, 2)) for _ in range(2)],
    }
    mode = draw(st.sampled_from(["pads", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if mode == "pads":
        attributes["pads"] = [draw(st.integers(0, k - 1)) for k in (*kernel, *kernel)]
    else:
        attributes["auto_pad"] = mode
    return attributes


def weights(name, shape):
    return numpy_helper.from_array(np.zeros(shape, dtype=np.float32), name)


@st.composite
def networks(draw):
    """A chain of convolutions, poolings, activations and additions on a map of (N, C, y, x)."""
    shape = [draw(st.integers(1, 2)), 2 * draw(st.integers(1, 3)), draw(SIZES), draw(SIZES)]
    nodes, constants, value, channels = [], [], "x", shape[1]
    for index in range(draw(st.integers(1, MOST_LAYERS))):
        made = f"v{index}"
        kind = draw(st.sampled_from(["Conv", "MaxPool", "Relu", "Add", "Pad", "Transpose"]))
        if kind == "Conv":
            groups = draw(st.sampled_from([1, 2, channels]))
            filters = groups * draw(st.integers(1, 2))
            filters += filters % 2 * groups
            attributes = draw(windows()) | {"group": groups}
            taps = attributes["kernel_shape"]
            constants.append(weights(f"w{index}", (filters, channels // groups, *taps)))
            nodes.append(helper.make_node(kind, [value, f"w{index}"], [made], **attributes))
            channels = filters
        elif kind == "MaxPool":
            ceil = draw(st.integers(0, 1))
            attributes = draw(windows())
            if "auto_pad" not in attributes:
                attributes["ceil_mode"] = ceil
            nodes.append(helper.make_node(kind, [value], [made], **attributes))
        elif kind == "Add":
            nodes.append(helper.make_node(kind, [value, value], [made]))
        elif kind == "Pad":
            widths = np.array([0, 0, *draw(st.tuples(*[st.integers(0, 2)] * 2))] * 2)
            constants.append(numpy_helper.from_array(widths, f"p{index}"))
            nodes.append(helper.make_node(kind, [value, f"p{index}"], [made]))
        elif kind == "Transpose":
            nodes.append(helper.make_node(kind, [value], [made], perm=[0, 1, 3, 2]))
        else:
            nodes.append(helper.make_node(kind, [value], [made]))
        value = made
    nodes.append(helper.make_node("Sqrt", [value], ["y"]))
    return shape, nodes, constants


def build(shape, nodes, constants):
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def inferred_shapes(model):
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    return {
        x.name: [dim.dim_value for dim in x.type.tensor_type.shape.dim]
        for x in (*graph.input, *graph.value_info, *graph.output)
    }


def expected_macs(nodes, constants, shapes):
    filters = {item.name: list(item.dims) for item in constants}
    return sum(
        prod(shapes[node.output[0]]) * prod(filters[node.input[1]][1:])
        for node in nodes
        if node.op_type == "Conv"
    )


@settings(max_examples=150, deadline=None)
@given(networks())
def test_sizes_equal_those_that_onnx_infers(network):
    shape, nodes, constants = network
    model = build(*network)
    shapes = inferred_shapes(model)
    if any(min(sizes) < 1 for sizes in shapes.values()):
        return
    workload = load_onnx(model)
    for layer in workload.layers:
        made = layer.output.removesuffix(".padded")
        assert layer.output_elements == prod(shapes[made])
        assert workload.tensors[layer.output].elements == prod(shapes[made])
        if layer.op is LayerOp.CONV2D:
            batch, channels, rows, columns = shapes[made]
            assert (layer.dims.b, layer.dims.g * layer.dims.k) == (batch, channels)
            assert {layer.dims.oy, layer.dims.ox} == {rows, columns}
    assert workload.tensors["x"].elements == prod(shape)
    assert workload.macs == expected_macs(nodes, constants, shapes)


@st.composite
def padded_convolutions(draw):
    """A convolution whose filter has a single 1, on a map of distinct numbers, maybe padded."""
    attributes = draw(windows())
    rows, columns = draw(SIZES), draw(SIZES)
    tap = [draw(st.integers(0, size - 1)) for size in attributes["kernel_shape"]]
    border = draw(st.tuples(*[st.integers(0, 2)] * 4))
    return (rows, columns), tap, border, attributes


def padded_model(size, tap, border, attributes):
    filters = np.zeros((1, 1, *attributes["kernel_shape"]), dtype=np.float32)
    filters[0, 0, tap[0], tap[1]] = 1
    widths = np.array([0, 0, *border[:2], 0, 0, *border[2:]])
    nodes = [
        helper.make_node("Pad", ["x", "p"], ["z"]),
        helper.make_node("Conv", ["z", "w"], ["y"], **attributes),
    ]
    constants = [numpy_helper.from_array(filters, "w"), numpy_helper.from_array(widths, "p")]
    return build([1, 1, *size], nodes, constants)


@settings(max_examples=60, deadline=None)
@given(padded_convolutions())
def test_window_reads_the_elements_that_onnx_reads(case):
    """A filter with a single 1 shows which element each output position reads at that tap."""
    size, tap, *_ = case
    model = padded_model(*case)
    numbers = np.arange(1, 1 + prod(size), dtype=np.float32).reshape(size)
    (read,) = ReferenceEvaluator(model).run(None, {"x": numbers[None, None]})
    (layer,) = load_onnx(model).layers
    d = layer.dims
    rows = np.arange(d.oy) * d.stride_y + tap[0] * d.dilation_y - d.pad_top
    columns = np.arange(d.ox) * d.stride_x + tap[1] * d.dilation_x - d.pad_left
    inside = ((rows >= 0) & (rows < d.iy))[:, None] & ((columns >= 0) & (columns < d.ix))
    found = numbers[np.clip(rows, 0, d.iy - 1)][:, np.clip(columns, 0, d.ix - 1)] * inside
    assert (d.iy, d.ix) == size
    np.testing.assert_array_equal(found, read[0, 0])


@given(
    size=st.integers(3, 12),
    kernel=st.integers(1, 9),
    stride=st.integers(1, 4),
    pad=st.integers(0, 4),
    extra=st.integers(0, 3),
)
@settings(deadline=None)
def test_sub_pixel_window_holds_all_inputs_of_its_outputs(size, kernel, stride, pad, extra):
    """Output y sees the inputs i with 0 <= y + pad - stride * i < kernel.

    Where padding crops whole inputs at the start, the window starts that many inputs later.
    """
    outputs = (size - 1) * stride - 2 * pad + kernel + extra
    if outputs < 1 or pad >= kernel or extra >= stride:
        return
    node = helper.make_node(
        "ConvTranspose",
        ["x", "w"],
        ["y"],
        strides=[1, stride],
        pads=[0, pad, 0, pad],
        output_padding=[0, extra],
    )
    model = build([1, 1, 1, size], [node], [weights("w", (1, 1, 1, kernel))])
    (layer,) = load_onnx(model).layers
    d = layer.dims
    assert d.k == stride
    cropped = max(pad // stride - (d.fx - 1), 0)
    for y in range(outputs):
        position = (y + pad) // stride - pad // stride
        assert position < d.ox
        seen = {i for i in range(size) if 0 <= y + pad - stride * i < kernel}
        start = position - d.pad_left + cropped
        assert seen <= set(range(start, start + d.fx))
