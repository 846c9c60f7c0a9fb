"""How each layer of a stack is cut into tiles: rows, columns and parts of its output channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from simulator.fusion.dependences import Int64s, Stack
from simulator.fusion.granularity import Granularity
from simulator.workload.graph import ROW_OPS, Layer
from traces.errors import InputError


@dataclass(frozen=True, slots=True)
class Axis:
    """The tiles of one layer along its rows or columns.

    low, high: outputs [low, high) of each tile. number: its number, ascending. count: of numbers.
    chained: a tile reads the tiles of the same number alone; the intervals may overlap. Otherwise
    they follow one another without a gap, and tiles read whichever they touch.
    """

    low: Int64s
    high: Int64s
    number: Int64s
    count: int
    chained: bool = False

    @classmethod
    def between(cls, bounds: Int64s) -> Axis:
        """Tiles between ascending bounds."""
        number = np.arange(bounds.size - 1)
        return cls(bounds[:-1], bounds[1:], number, number.size)

    @property
    def size(self) -> int:
        """Tiles along the axis."""
        return int(self.low.size)

    def touched(self, low: Int64s, high: Int64s, reader: Axis) -> tuple[Int64s, Int64s]:
        """Places [first, last) of the tiles that intervals [low, high) of a reader's tiles need."""
        if self.chained:
            first = np.searchsorted(self.number, reader.number)
            last = first + 1
        else:
            first = np.searchsorted(self.high, low, side="right")
            last = np.searchsorted(self.low, high, side="left")
        return first, np.where(high > low, last, first)


@dataclass(frozen=True, slots=True)
class Split:
    """The tiles of one layer: rows x columns x parts, in this order.

    parts: (n, 4), first and last (excluded) group and first and last output channel of a group.
    """

    layer: Layer
    rows: Axis
    columns: Axis
    parts: Int64s

    @property
    def shape(self) -> tuple[int, int, int]:
        """Tiles along rows, columns and parts."""
        return self.rows.size, self.columns.size, len(self.parts)

    @property
    def size(self) -> int:
        """Number of tiles."""
        return prod(self.shape)

    @property
    def made(self) -> tuple[Int64s, Int64s]:
        """Output channels [low, high) that each part makes, counted over all groups."""
        size = self.layer.dims.k
        low = self.parts[:, 0] * size + self.parts[:, 2]
        return low, (self.parts[:, 1] - 1) * size + self.parts[:, 3]


def axis_bounds(stack: Stack, axis: str, granularity: Granularity) -> dict[int, Int64s]:
    """Where the tiles of each layer of a stack begin and end along an axis, by layer number.

    With a granularity by rate, a layer has as many bounds as the last one; some may coincide.
    """
    layers, place = stack.workload.layers, "yx".index(axis)
    steps = {i: _tile_of(layers[i], granularity)[place] for i in stack.numbers}
    own = {i: _every(steps[i], _outputs(layers[i], axis)) for i in stack.numbers}
    if not granularity.by_rate:
        return own
    last = layers[stack.last]
    kept = {i for i in stack.numbers if layers[i].name in granularity.layers}
    return {
        i: own[i] if i in kept else shared(own[stack.last], last, layers[i], axis)
        for i in stack.numbers
    }


def shared(bounds: Int64s, last: Layer, layer: Layer, axis: str) -> Int64s:
    """Bounds of an earlier layer by the rate at which the last one takes its rows or columns."""
    return -(-bounds * _outputs(layer, axis) // _outputs(last, axis))


def channel_parts(layer: Layer, count: int, place: str = "parts") -> Int64s:
    """The output channels of a layer in `count` parts as equal as can be: (count, 4).

    Whole groups first; more parts than groups divide each group alike. Raises InputError.
    """
    d = layer.dims
    _check_parts(layer, count, place)
    if count <= d.g:
        bounds = np.arange(count + 1) * d.g // count
        whole = np.zeros(count, np.int64)
        return np.stack([bounds[:-1], bounds[1:], whole, whole + d.k], axis=1)
    each = count // d.g
    bounds = np.arange(each + 1) * d.k // each
    group = np.repeat(np.arange(d.g), each)
    inner = np.tile(np.stack([bounds[:-1], bounds[1:]], axis=1), (d.g, 1))
    return np.concatenate([group[:, None], group[:, None] + 1, inner], axis=1)


def part_counts(stack: Stack, granularity: Granularity, parts: Mapping[str, int]) -> dict[int, int]:
    """How many parts each layer of a stack has, by its number; `parts` goes before overrides."""
    names = {i: stack.workload.layers[i].name for i in stack.numbers}
    own = {i: granularity.layers.get(name, (1,))[0] for i, name in names.items()}
    return {i: parts.get(name, own[i]) for i, name in names.items()}


def _check_parts(layer: Layer, count: int, place: str) -> None:
    d, most = layer.dims, layer.dims.g * layer.dims.k
    if type(count) is not int or not 1 <= count <= most:
        raise InputError(f"{place}: {layer.name} must be an int from 1 to {most}, not {count!r}")
    if count > 1 and layer.op in ROW_OPS:
        raise InputError(
            f"{place}: {layer.name} must be 1, as a {layer.op} needs whole rows, not {count}"
        )
    if count > d.g and count % d.g:
        raise InputError(
            f"{place}: {layer.name} must be at most or a multiple of its {d.g} groups, not {count}"
        )


def _tile_of(layer: Layer, granularity: Granularity) -> tuple[int | None, int | None]:
    """Rows and columns of a tile of a layer, None for all."""
    if layer.name in granularity.layers:
        return granularity.layers[layer.name][1:]
    if layer.dims.oy == 1 and not granularity.by_rate:
        return None, granularity.rows
    return granularity.rows, granularity.columns


def _outputs(layer: Layer, axis: str) -> int:
    return layer.dims.oy if axis == "y" else layer.dims.ox


def _every(step: int | None, size: int) -> Int64s:
    return np.append(np.arange(0, size, step or size), size)
