"""Layers as products: im2col against a loop over every window, groups as a block diagonal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.pe_array.borrowing_groups import GroupLayout
from hw_models.pe_array.borrowing_window import Core
from simulator.sparsity.gemms import input_shape, products, weight_shape
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand

CORE = Core(4, 4, 2)


@st.composite
def convolutions(draw):
    size = st.integers(1, 3)
    b, g, k, c, oy, ox, fy, fx = (draw(size) for _ in range(8))
    stride, dilation, pad = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, 2)),
        draw(st.integers(0, 2)),
    )
    dims = LoopDims(
        *(b, g, k, c, oy, ox, fy, fx),
        iy=draw(st.integers(1, 5)),
        ix=draw(st.integers(1, 5)),
        stride_y=stride,
        stride_x=stride,
        dilation_y=dilation,
        dilation_x=dilation,
        pad_top=pad,
        pad_left=pad,
    )
    return Layer("conv", LayerOp.CONV2D, dims, (Operand("x"),), "y", Operand("w"))


def effectual_plain(d, inputs, weights):
    """Products of two nonzeros, counted for every output (b, y, x, channel)."""
    found = np.zeros((d.b, d.oy, d.ox, d.g * d.k), int)
    for b, y, x, out in np.ndindex(found.shape):
        for c, i, j in np.ndindex(d.c, d.fy, d.fx):
            row = y * d.stride_y + i * d.dilation_y - d.pad_top
            column = x * d.stride_x + j * d.dilation_x - d.pad_left
            if 0 <= row < d.iy and 0 <= column < d.ix:
                channel = out // d.k * d.c + c
                found[b, y, x, out] += inputs[b, channel, row, column] & weights[out, c, i, j]
    return found


@given(convolutions(), st.integers(0, 2**32))
def test_products_multiply_what_the_layer_does(layer, seed):
    generator = np.random.default_rng(seed)
    inputs = generator.random(input_shape(layer)) < 0.6
    weights = generator.random(weight_shape(layer)) < 0.6
    d = layer.dims
    columns = [a.astype(int) @ b.astype(int) for a, b in products(layer, inputs, weights, CORE)]
    found = np.concatenate(columns, axis=1).reshape(d.b, d.oy, d.ox, d.g * d.k)
    np.testing.assert_array_equal(found, effectual_plain(d, inputs, weights))


def test_lanes_are_channels():
    d = LoopDims(k=2, c=3, oy=1, ox=1, fy=2, fx=1, iy=2, ix=1)
    layer = Layer("conv", LayerOp.CONV2D, d, (Operand("x"),), "y", Operand("w"))
    inputs = np.zeros(input_shape(layer), bool)
    inputs[0, 2, 1, 0] = True
    ((a, b),) = products(layer, inputs, np.ones(weight_shape(layer), bool), CORE)
    assert np.nonzero(a[0])[0].tolist() == [1 * 3 + 2]
    assert b.shape == (6, 2)


def test_a_matrix_product_has_its_rows_along_ox():
    d = LoopDims(g=2, k=5, c=3, ox=7, ix=7)
    layer = Layer("fc", LayerOp.MATMUL, d, (Operand("x"),), "y", Operand("w"))
    shapes = [
        (a.shape, b.shape)
        for a, b in products(
            layer, np.ones(input_shape(layer), bool), np.ones(weight_shape(layer), bool), CORE
        )
    ]
    assert shapes == [((7, 3), (3, 5))] * 2


@pytest.mark.parametrize(
    ("groups", "depth", "columns", "at_once", "products_of_it"),
    [
        (32, 9, 1, 16, 2),  # depthwise: 9 steps of 16 channels instead of 16 products
        (20, 9, 1, 16, 2),
        (1, 576, 64, 1, 1),
        (12, 64, 128, 1, 12),  # attention: groups fill the core by themselves
        (32, 36, 4, 4, 8),
    ],
)
def test_groups_side_by_side_when_that_takes_fewer_cycles(
    groups, depth, columns, at_once, products_of_it
):
    layout = GroupLayout.of(groups, depth, columns, Core())
    assert (layout.at_once, layout.products) == (at_once, products_of_it)
    assert (layout.depth, layout.columns) == (at_once * depth, at_once * columns)
