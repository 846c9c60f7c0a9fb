"""What layers compute, in exact integers, for checking that tiles read what they need.

Products and sums are those of the layer; everything else is replaced by exact integer arithmetic
that reads the same elements, so that one element too few or in the wrong place changes the result:

- pooling: a sum over the window with a weight of its own for each place;
- softmax and norms: the element minus the largest plus the sum of its row;
- element-wise functions and activations: a sum of the operands with different weights;
- resize: a weighted sum of the two nearest inputs along each axis (bilinear, half-pixel centres);
- tensors read through a view: their elements in reverse order, repeated or cut to fit.

Every result is mixed into -125..125, whatever the layer does on the way out, so that sums stay
exact in float64, where NaN marks elements that are not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from simulator.fusion.dependences import REARRANGING, Int64s, Shape, made_shape, seen_shape
from simulator.workload.graph import LOOPS, MAC_OPS, Layer, LayerOp, Operand

Floats = NDArray[np.float64]
Fetch = Callable[[str], Floats]
"""The tensor of a name: (batch, rows, columns, channels) as it was made, or flat if it wasn't."""

MIXED_TO = 251


class UnmadeElementError(ValueError):
    """A layer reads elements of a tensor that are not there."""

    def __init__(self, tensor: str) -> None:
        super().__init__(tensor)
        self.tensor = tensor


@dataclass(frozen=True, slots=True)
class Box:
    """Outputs of a layer. low, high: over b, g, k, oy, ox, half open."""

    layer: Layer
    low: tuple[int, ...]
    high: tuple[int, ...]

    @classmethod
    def whole(cls, layer: Layer) -> Box:
        """All outputs of a layer."""
        d = layer.dims
        return cls(layer, (0,) * 5, (d.b, d.g, d.k, d.oy, d.ox))

    @property
    def groups(self) -> tuple[int, int]:
        """Groups [low, high)."""
        return self.low[1], self.high[1]

    @property
    def filters(self) -> slice:
        """Output channels of each group."""
        return slice(self.low[2], self.high[2])

    @property
    def place(self) -> tuple[slice, ...]:
        """Where it lies in the tensor (batch, rows, columns, channels)."""
        size, (low, high) = self.layer.dims.k, self.groups
        channels = slice(low * size + self.low[2], (high - 1) * size + self.high[2])
        batch, rows, columns = (slice(self.low[i], self.high[i]) for i in (0, 3, 4))
        return batch, rows, columns, channels

    @property
    def shape(self) -> Shape:
        """Its extents: (batch, rows, columns, channels)."""
        batch, rows, columns, channels = (side.stop - side.start for side in self.place)
        return batch, rows, columns, channels


def outputs(box: Box, fetch: Fetch) -> Int64s:
    """The outputs in a box: (batch, rows, columns, channels).

    Raises: UnmadeElementError when an element that they follow from is NaN.
    """
    layer = box.layer
    compute = _COMPUTE.get(layer.op, _weighted_sum)
    found = np.broadcast_to(compute(box, fetch), box.shape)
    return _mixed(np.rint(found).astype(np.int64))


def _mixed(values: Int64s) -> Int64s:
    return (values * 37 + (values >> 3)) % MIXED_TO - MIXED_TO // 2


def _seen(layer: Layer, operand: Operand, shape: Shape, fetch: Fetch) -> Floats:
    """A tensor in the shape in which a layer sees it."""
    tensor = fetch(operand.tensor)
    if tensor.shape == shape and layer.function not in REARRANGING:
        return tensor
    return _fitted(tensor.reshape(-1)[::-1], shape)


def _fitted(flat: Floats, shape: Sequence[int]) -> Floats:
    size = prod(shape)
    return flat[:size].reshape(shape) if flat.size >= size else np.resize(flat, shape)


def _windows(box: Box, operand: Operand, channels: tuple[int, int], fetch: Fetch) -> Floats:
    """Elements under each output's window: (batch, rows, columns, taps y, taps x, channels)."""
    layer = box.layer
    seen = _seen(layer, operand, seen_shape(layer, operand), fetch)[..., slice(*channels)]
    seen = seen[box.low[0] : box.high[0]] if "b" in operand.dims else seen
    rows, columns = (_sources(box, operand, axis) for axis in "yx")
    down, across = rows[:, None, :, None], columns[None, :, None, :]
    height, width = seen.shape[1:3]
    inside = (down >= 0) & (down < height) & (across >= 0) & (across < width)
    found = seen[:, down.clip(0, height - 1), across.clip(0, width - 1)]
    return _known(np.where(inside[..., None], found, 0), operand)


def _known(values: Floats, operand: Operand) -> Floats:
    if np.isnan(values).any():
        raise UnmadeElementError(operand.tensor)
    return values


def _sources(box: Box, operand: Operand, axis: str) -> Int64s:
    """Row or column of each tap of each output; outside of the map in its padding."""
    d, loop = box.layer.dims, f"o{axis}"
    if loop not in operand.dims:
        return np.zeros((1, 1), np.int64)
    place = 3 if axis == "y" else 4
    output = np.arange(box.low[place], box.high[place])[:, None]
    sizes = (d.iy, d.oy, d.fy, d.stride_y, d.dilation_y, d.pad_top)
    if axis == "x":
        sizes = (d.ix, d.ox, d.fx, d.stride_x, d.dilation_x, d.pad_left)
    size, count, taps, stride, dilation, pad = sizes
    if box.layer.op is LayerOp.RESIZE:
        nearest = ((2 * output + 1) * size - count) // (2 * count)
        return (nearest + np.arange(2)).clip(0, size - 1)
    return output * stride - pad + np.arange(taps) * dilation


def _channels(box: Box, operand: Operand) -> tuple[int, int]:
    """Channels of an operand that the groups of a box read."""
    inner = box.layer.dims.c if "c" in operand.dims else 1
    low, high = box.groups if "g" in operand.dims else (0, 1)
    return low * inner, high * inner


def _products(box: Box, fetch: Fetch) -> Floats:
    """Convolution, matrix product or pooling."""
    d, operand = box.layer.dims, box.layer.inputs[0]
    groups = box.high[1] - box.low[1]
    taps = _windows(box, operand, _channels(box, operand), fetch)
    b, y, x, fy, fx, channels = taps.shape
    moving = taps.reshape(b * y * x, fy, fx, channels // d.c, d.c).transpose(3, 0, 4, 1, 2)
    weight = _weight(box, fetch)
    inner = d.c * fy * fx
    moving = np.broadcast_to(moving.reshape(-1, b * y * x, inner), (groups, b * y * x, inner))
    found = moving @ weight.reshape(weight.shape[0], -1, inner).transpose(0, 2, 1)
    return found.transpose(1, 0, 2).reshape(b, y, x, -1)


def _weight(box: Box, fetch: Fetch) -> Floats:
    """Weights of the groups and filters of a box: (groups or 1, filters, c, fy, fx)."""
    layer, d = box.layer, box.layer.dims
    if layer.op not in MAC_OPS or layer.weight is None:
        window = 1 + np.arange(d.c * d.fy * d.fx, dtype=np.float64) % 7
        return window.reshape(1, 1, d.c, d.fy, d.fx)
    sizes = dict(zip(LOOPS, d.loops, strict=True))
    loops = ("g", "k", "c", "fy", "fx")
    shape = [sizes[loop] if loop in layer.weight.dims else 1 for loop in loops]
    groups = slice(*box.groups) if "g" in layer.weight.dims else slice(None)
    flat = fetch(layer.weight.tensor).reshape(-1)
    if not layer.weight_is_constant:
        _known(flat, layer.weight)
    return _fitted(flat, shape)[groups, box.filters]


def _weighted_sum(box: Box, fetch: Fetch) -> Floats:
    """Element-wise functions, activations and resize: each operand and tap weighs differently."""
    total = np.zeros(box.shape)
    for place, operand in enumerate(box.layer.inputs):
        taps = _windows(box, operand, _channels(box, operand), fetch)
        weights = np.arange(1, 1 + taps.shape[3] * taps.shape[4]).reshape(taps.shape[3:5])
        total += (place + 1) * (taps * weights[..., None]).sum(axis=(3, 4))
    return total


def _row(box: Box, fetch: Fetch) -> Floats:
    """Softmax and norms: each element with its row; other operands scale and shift."""
    first, *others = box.layer.inputs
    row = _windows(box, first, _channels(box, first), fetch)[:, :, :, 0, 0]
    found: Floats = row - row.max(axis=-1, keepdims=True) + row.sum(axis=-1, keepdims=True)
    for place, operand in enumerate(others):
        taps = _windows(box, operand, _channels(box, operand), fetch)
        found = found + (place + 2) * taps[:, :, :, 0, 0]
    return found


def _copies(box: Box, fetch: Fetch) -> Floats:
    """Concat, pad and gather: each operand into its range of the channels."""
    (low, high), begin = box.groups, 0
    pieces = []
    for operand in box.layer.inputs:
        end = begin + operand.extent
        if min(end, high) > max(begin, low):
            channels = max(begin, low) - begin, min(end, high) - begin
            pieces.append(_windows(box, operand, channels, fetch)[:, :, :, 0, 0])
        begin = end
    shape = max(piece.shape[:3] for piece in pieces)
    full = [np.broadcast_to(piece, (*shape, piece.shape[3])) for piece in pieces]
    return np.concatenate(full, axis=-1)


def _lookup(box: Box, fetch: Fetch) -> Floats:
    """An embedding: rows of a table, by indices that are taken modulo its length."""
    indices, table = box.layer.inputs
    rows = fetch(table.tensor).reshape(-1, box.layer.dims.g)
    index = _windows(box, indices, (0, 1), fetch)[0, 0, :, 0, 0, 0]
    found = rows[index.astype(np.int64) % len(rows), slice(*box.groups)]
    return _known(found, table)[None, None]


_COMPUTE: dict[LayerOp, Callable[[Box, Fetch], Floats]] = {
    LayerOp.CONV2D: _products,
    LayerOp.MATMUL: _products,
    LayerOp.POOL: _products,
    LayerOp.SOFTMAX: _row,
    LayerOp.NORM: _row,
    LayerOp.CONCAT: _copies,
    LayerOp.EMBEDDING: _lookup,
}


def empty(layer: Layer) -> Floats:
    """The output of a layer of which no element is there."""
    return np.full(made_shape(layer), np.nan)
