"""Layers as matrix products of masks: im2col rows times weights, group by group.

Rule: ARCHITECTURE.md BORROW-8. The depth runs over filter rows, filter columns, then channels, so
that lanes are channels, as feature maps lie in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hw_models.pe_array.borrowing_groups import GroupLayout, block_diagonal
from hw_models.pe_array.borrowing_window import Core
from hw_models.sparsity.masks import Mask
from simulator.workload.graph import Layer, LoopDims


def weight_shape(layer: Layer) -> tuple[int, int, int, int]:
    """Shape of a layer's weight mask: (g * k, c, fy, fx), as ONNX has it."""
    d = layer.dims
    return d.g * d.k, d.c, d.fy, d.fx


def input_shape(layer: Layer) -> tuple[int, int, int, int]:
    """Shape of a layer's input mask: (b, g * c, iy, ix), as ONNX has it."""
    d = layer.dims
    rows, columns = (d.iy, d.ix) if layer.op.value == "conv2d" else (d.oy, d.ox)
    return d.b, d.g * d.c, rows, columns


def products(layer: Layer, inputs: Mask, weights: Mask, core: Core) -> Iterator[tuple[Mask, Mask]]:
    """Masks of A (M, K) and B (K, N) of every product of a layer.

    inputs: bool (b, g * c, iy, ix). weights: bool (g * k, c, fy, fx).
    """
    d = layer.dims
    taps = d.fy * d.fx
    groups = GroupLayout.of(d.g, taps * d.c, d.k, core).at_once
    maps = np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))
    filters = np.ascontiguousarray(
        weights.reshape(d.g, d.k, d.c, d.fy, d.fx).transpose(0, 3, 4, 2, 1)
    )
    for first in range(0, d.g, groups):
        some = filters[first : first + groups]
        channels = maps[..., first * d.c : (first + groups) * d.c]
        yield _im2col(d, channels), block_diagonal(some.reshape(len(some), taps, d.c, d.k))


def _im2col(d: LoopDims, maps: Mask) -> Mask:
    """Rows (b, oy, ox) of columns (fy, fx, channel); what the padding holds is zero."""
    if d.fy == d.fx == d.stride_y == d.stride_x == 1 and _same_place(d, maps):
        return maps.reshape(-1, maps.shape[3])
    rows = np.arange(d.oy)[:, None] * d.stride_y + np.arange(d.fy) * d.dilation_y
    columns = np.arange(d.ox)[:, None] * d.stride_x + np.arange(d.fx) * d.dilation_x
    below = max(0, int(rows.max()) + 1 - d.pad_top - maps.shape[1])
    right = max(0, int(columns.max()) + 1 - d.pad_left - maps.shape[2])
    padded = np.pad(maps, ((0, 0), (d.pad_top, below), (d.pad_left, right), (0, 0)))
    taken = padded[:, rows[:, None, :, None], columns[None, :, None, :]]
    return taken.reshape(d.b * d.oy * d.ox, -1)


def _same_place(d: LoopDims, maps: Mask) -> bool:
    """Whether every output position reads the input at its own place."""
    return maps.shape[1:3] == (d.oy, d.ox) and d.pad_top == d.pad_left == 0
