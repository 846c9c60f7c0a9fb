"""How the rows or columns of an input follow from those of the output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.workload.graph import Layer, LayerOp

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """The window of a layer along one axis.

    size, outputs: input and output extent. scaled: a resize, which maps by proportion with a
    neighbour on each side for interpolation, instead of a strided window.
    """

    size: int
    outputs: int
    taps: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    scaled: bool = False

    @classmethod
    def of(cls, layer: Layer, axis: str) -> Window:
        """The window of a layer along "y" or "x"."""
        d, scaled = layer.dims, layer.op is LayerOp.RESIZE
        if axis == "y":
            return cls(d.iy, d.oy, d.fy, d.stride_y, d.dilation_y, d.pad_top, scaled)
        return cls(d.ix, d.ox, d.fx, d.stride_x, d.dilation_x, d.pad_left, scaled)

    def inputs(self, start: Int64s, outputs: Int64s) -> tuple[Int64s, Int64s]:
        """Inputs [first, last) that outputs [start, start + outputs) need, padding left out."""
        if self.scaled:
            first = start * self.size // self.outputs - 1
            last = -(-(start + outputs) * self.size // self.outputs) + 1
        else:
            first = start * self.stride - self.pad
            reach = (self.taps - 1) * self.dilation + 1
            last = (start + outputs - 1) * self.stride - self.pad + reach
        low = np.clip(first, 0, self.size)
        return low, np.maximum(np.clip(last, 0, self.size), low)

    def extent(self, outputs: Int64s) -> Int64s:
        """Inputs that `outputs` neighbouring outputs need away from the edges."""
        if self.scaled:
            return np.minimum(self.size, -(-outputs * self.size // self.outputs) + 2)
        reach = (self.taps - 1) * self.dilation + 1
        return np.minimum(self.size, (outputs - 1) * self.stride + reach)

    def sums(self, tile: int, begin: int, outputs: int) -> tuple[int, int]:
        """Largest and summed input extent of the tiles that cut `outputs` from `begin` on."""
        start = np.arange(begin, begin + outputs, tile)
        first, last = self.inputs(start, np.minimum(tile, begin + outputs - start))
        extents = last - first
        return int(extents.max()), int(extents.sum())
