"""Convolutions and matrix products: how each loop is filled."""

from __future__ import annotations

import pytest

from simulator.workload.graph import LayerOp, LoopDims

N, C, H, W, K = 2, 6, 10, 12, 8
DEFAULT = ("b", "g", "c", "oy", "ox")
WEIGHTS = ("g", "k", "c", "fy", "fx")


def only(workload):
    (layer,) = workload.layers
    return layer


def test_convolution_fills_every_loop(network_of):
    fy, fx, stride, pad = 3, 5, 2, 1
    attributes = {"strides": [stride, 1], "pads": [pad, 2, pad, 2], "kernel_shape": [fy, fx]}
    net = network_of(
        [("Conv", "x w b", "y", attributes)],
        {"x": (N, C, H, W)},
        "y",
        {"w": (K, C, fy, fx), "b": (K,)},
    )
    layer = only(net)
    oy, ox = (H + 2 * pad - fy) // stride + 1, W
    assert layer.op is LayerOp.CONV2D
    assert layer.dims == LoopDims(
        b=N, k=K, c=C, oy=oy, ox=ox, fy=fy, fx=fx, iy=H, ix=W, stride_y=stride, pad_top=pad,
        pad_left=2,
    )  # fmt: skip
    assert layer.bias
    assert layer.weight_is_constant
    assert net.macs == N * K * C * oy * ox * fy * fx
    assert net.parameters == K * C * fy * fx + K
    assert net.tensors["w"].elements == K * C * fy * fx + K  # the bias lies behind the weights
    assert net.tensors["x"].elements == N * C * H * W
    assert (net.inputs, net.outputs) == (("x",), ("y",))


@pytest.mark.parametrize("groups", [2, 3, C])
def test_grouped_convolution_has_channels_per_group(network_of, groups):
    filters = 2 * groups
    net = network_of(
        [("Conv", "x w", "y", {"group": groups})],
        {"x": (1, C, H, W)},
        "y",
        {"w": (filters, C // groups, 1, 1)},
    )
    dims = only(net).dims
    assert (dims.g, dims.k, dims.c) == (groups, 2, C // groups)
    assert net.macs == filters * (C // groups) * H * W


def test_dilated_convolution_keeps_its_taps(network_of):
    net = network_of(
        [("Conv", "x w", "y", {"dilations": [2, 3]})], {"x": (1, C, H, W)}, "y", {"w": (K, C, 3, 3)}
    )
    dims = only(net).dims
    assert (dims.dilation_y, dims.dilation_x) == (2, 3)
    assert (dims.oy, dims.ox) == (H - 2 * 2, W - 3 * 2)


@pytest.mark.parametrize(("mode", "before"), [("SAME_UPPER", 0), ("SAME_LOWER", 1), ("VALID", 0)])
def test_automatic_padding_puts_the_odd_zero_where_the_mode_says(network_of, mode, before):
    size, kernel, stride = 8, 3, 2
    net = network_of(
        [("Conv", "x w", "y", {"auto_pad": mode, "strides": [stride, stride]})],
        {"x": (1, C, size, size)},
        "y",
        {"w": (K, C, kernel, kernel)},
    )
    dims = only(net).dims
    valid = (size - kernel) // stride + 1
    assert dims.oy == (valid if mode == "VALID" else size // stride)
    assert (dims.pad_top, dims.pad_left) == (before, before)


def test_convolution_of_a_line_runs_along_x(network_of):
    length, taps = 16, 5
    net = network_of(
        [("Conv", "x w", "y", {"pads": [2, 2]})], {"x": (N, C, length)}, "y", {"w": (K, C, taps)}
    )
    dims = only(net).dims
    assert (dims.oy, dims.ox, dims.fy, dims.fx) == (1, length, 1, taps)
    assert (dims.iy, dims.ix, dims.pad_top, dims.pad_left) == (1, length, 0, 2)


def test_convolution_by_a_computed_filter_reads_two_maps(network_of):
    net = network_of([("Conv", "x w", "y")], {"x": (1, C, H, W), "w": (K, C, 1, 1)}, "y")
    layer = only(net)
    assert not layer.weight_is_constant
    assert net.inputs == ("x", "w")
    assert net.parameters == 0


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "extra", "taps", "size_after"),
    [
        (9, 2, 4, 1, 5, H),  # FSRCNN: each output of a pair sees 5 or 4 of the 9 taps
        (9, 4, 4, 3, 3, H),
        (2, 2, 0, 0, 1, H),  # U-Net: no overlap at all
        (4, 2, 1, 0, 2, H + 1),  # pads split a pair: one more position is needed
        (3, 1, 1, 0, 3, H),
    ],
)
def test_transposed_convolution_is_sub_pixel(
    network_of, kernel, stride, pad, extra, taps, size_after
):
    attributes = {
        "strides": [stride] * 2,
        "pads": [pad] * 4,
        "output_padding": [extra] * 2,
        "kernel_shape": [kernel] * 2,
    }
    net = network_of(
        [("ConvTranspose", "x w", "y", attributes)],
        {"x": (1, C, H, H)},
        "y",
        {"w": (C, K, kernel, kernel)},
    )
    dims = only(net).dims
    out = (H - 1) * stride - 2 * pad + kernel + extra
    assert (dims.k, dims.c) == (stride**2 * K, C)
    assert (dims.fy, dims.fx, dims.oy, dims.ox) == (taps, taps, size_after, size_after)
    assert dims.oy * stride >= out
    assert net.tensors["y"].elements == max(K * out**2, stride**2 * K * size_after**2)


def test_sub_pixel_padding_reaches_the_first_input_that_counts(network_of):
    """Output y sees inputs i with 0 <= y + pad - stride * i < kernel: for y = 0 from i = -2 on."""
    stride, kernel, pad = 2, 9, 4
    attributes = {"strides": [stride] * 2, "pads": [pad] * 4, "output_padding": [1, 1]}
    net = network_of(
        [("ConvTranspose", "x w", "y", attributes)],
        {"x": (1, C, H, H)},
        "y",
        {"w": (C, K, kernel, kernel)},
    )
    first = min(i for i in range(-kernel, H) if 0 <= pad - stride * i < kernel)
    assert only(net).dims.pad_top == -first == 2


def test_gemm_is_one_product_with_rows_in_ox(network_of):
    m, k, n = 4, 20, 30
    net = network_of(
        [("Gemm", "x w b", "y", {"transB": 1})], {"x": (m, k)}, "y", {"w": (n, k), "b": (n,)}
    )
    layer = only(net)
    assert layer.op is LayerOp.MATMUL
    assert layer.dims == LoopDims(k=n, c=k, ox=m, ix=m)
    assert layer.bias
    assert net.macs == m * k * n


def test_gemm_may_transpose_its_map(network_of):
    m, k, n = 4, 20, 30
    net = network_of([("Gemm", "x w", "y", {"transA": 1})], {"x": (k, m)}, "y", {"w": (k, n)})
    assert only(net).dims == LoopDims(k=n, c=k, ox=m, ix=m)


def test_gemm_adds_a_computed_matrix_after_the_product(network_of):
    m, k, n = 4, 20, 30
    net = network_of([("Gemm", "x w z", "y")], {"x": (m, k), "z": (m, n)}, "y", {"w": (k, n)})
    product, addition = net.layers
    assert (product.op, addition.function) == (LayerOp.MATMUL, "add")
    assert addition.inputs[0].tensor == product.output
    assert addition.inputs[1].tensor == "z"


def test_matmul_by_weights_folds_leading_axes_into_rows(network_of):
    batch, positions, inner, outer = 3, 7, 16, 24
    net = network_of(
        [("MatMul", "x w", "y")], {"x": (batch, positions, inner)}, "y", {"w": (inner, outer)}
    )
    layer = only(net)
    assert layer.dims == LoopDims(k=outer, c=inner, ox=batch * positions, ix=batch * positions)
    assert layer.weight.dims == WEIGHTS


def test_matmul_of_two_maps_has_a_group_per_matrix(network_of):
    batch, heads, rows, inner, columns = 2, 3, 5, 8, 7
    net = network_of(
        [("MatMul", "x z", "y")],
        {"x": (batch, heads, rows, inner), "z": (batch, heads, inner, columns)},
        "y",
    )
    layer = only(net)
    assert layer.dims == LoopDims(g=batch * heads, k=columns, c=inner, ox=rows, ix=rows)
    assert not layer.weight_is_constant
    assert layer.weight.tensor == "z"
    assert net.macs == batch * heads * rows * inner * columns


def test_matmul_of_a_shared_first_matrix_reads_it_once(network_of):
    heads, rows, inner, columns = 3, 5, 8, 7
    net = network_of(
        [("MatMul", "x z", "y")], {"x": (rows, inner), "z": (heads, inner, columns)}, "y"
    )
    layer = only(net)
    assert layer.dims.g == heads
    assert layer.inputs[0].dims == tuple(name for name in DEFAULT if name != "g")
    assert layer.weight.dims == WEIGHTS


def test_matmul_by_a_constant_from_the_left_swaps_the_sides(network_of):
    rows, inner, columns = 5, 8, 7
    net = network_of([("MatMul", "w x", "y")], {"x": (inner, columns)}, "y", {"w": (rows, inner)})
    layer = only(net)
    assert layer.dims == LoopDims(k=rows, c=inner, ox=columns, ix=columns)
    assert (layer.inputs[0].tensor, layer.weight.tensor) == ("x", "w")


def test_matmul_by_a_stack_of_constants_keeps_their_groups(network_of):
    heads, rows, inner, columns = 3, 5, 8, 7
    net = network_of(
        [("MatMul", "x w", "y")],
        {"x": (1, heads, rows, inner)},
        "y",
        {"w": (heads, inner, columns)},
    )
    layer = only(net)
    assert layer.dims.g == heads
    assert layer.weight_is_constant
    assert layer.weight_elements == heads * inner * columns


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [
        ("bhqd,bhkd->bhqk", (2, 3, 5, 8), (2, 3, 7, 8)),
        ("bqhd,bkhd->bhqk", (2, 5, 3, 8), (2, 7, 3, 8)),
        ("bhqd,bhdk->bqhk", (2, 3, 5, 8), (2, 3, 8, 7)),
    ],
)
def test_einsum_of_attention_is_a_stack_of_products(network_of, equation, left, right):
    batch, heads, queries, keys, width = 2, 3, 5, 7, 8
    net = network_of([("Einsum", "x z", "y", {"equation": equation})], {"x": left, "z": right}, "y")
    assert only(net).dims == LoopDims(g=batch * heads, k=keys, c=width, ox=queries, ix=queries)


def test_einsum_by_weights_has_no_groups(network_of):
    net = network_of(
        [("Einsum", "x w", "y", {"equation": "bsd,df->bsf"})], {"x": (2, 5, 8)}, "y", {"w": (8, 7)}
    )
    layer = only(net)
    assert layer.dims == LoopDims(k=7, c=8, ox=10, ix=10)
    assert layer.weight_is_constant


def test_einsum_by_weights_from_the_left_swaps_the_sides(network_of):
    net = network_of(
        [("Einsum", "w x", "y", {"equation": "fd,bsd->bsf"})], {"x": (2, 5, 8)}, "y", {"w": (7, 8)}
    )
    layer = only(net)
    assert layer.dims == LoopDims(k=7, c=8, ox=10, ix=10)
    assert (layer.inputs[0].tensor, layer.weight.tensor) == ("x", "w")


def test_attention_node_is_two_products_around_a_softmax(network_of):
    batch, heads, queries, keys, width = 1, 4, 6, 9, 8
    net = network_of(
        [("Attention", "q k v m", "y")],
        {
            "q": (batch, heads, queries, width),
            "k": (batch, heads, keys, width),
            "v": (batch, heads, keys, 2 * width),
            "m": (queries, keys),
        },
        "y",
        opset=23,
    )
    scores, mask, softmax, mix = net.layers
    assert scores.dims == LoopDims(g=heads, k=keys, c=width, ox=queries, ix=queries)
    assert scores.post_ops == ("mul_scalar",)
    assert mask.inputs[1].dims == ("g", "ox")  # the same mask for all heads
    assert (softmax.dims.g, softmax.dims.oy, softmax.dims.ox) == (keys, heads, queries)
    assert mix.dims == LoopDims(g=heads, k=2 * width, c=keys, ox=queries, ix=queries)
    assert not mix.weight_is_constant
    assert net.outputs == ("y",)
