"""What a tile of a layer reads of each of its operands: exact intervals with their halo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.window import Window
from simulator.workload.graph import LOOPS, Layer, LayerOp, Operand, Workload

Int64s = NDArray[np.int64]
Shape = tuple[int, int, int, int]
Interval = tuple[Int64s, Int64s]

OFF_CHIP = -1
"""Maker of what no layer of the stack makes: constants, network inputs, tensors made before."""

LOOP_OF_AXIS = {"y": "oy", "x": "ox"}

REARRANGING = frozenset({"gather", "group_norm", "instance_norm"})
"""Functions that read elements from elsewhere than their own place, whatever the shapes say."""


@dataclass(frozen=True, slots=True)
class Read:
    """One operand of a layer of a stack.

    maker: number of the layer that makes it, or OFF_CHIP. whole: a tile needs all of the tensor,
    because the reader doesn't see it in the shape in which it was made (as through most views), or
    because it is one side of a product of two feature maps. channel: where the operand begins in
    the output channels of a concat, else 0. is_weight: the layer's weight operand.
    """

    layer: Layer
    operand: Operand
    maker: int
    whole: bool
    channel: int = 0
    is_weight: bool = False

    def uses(self, loop: str) -> bool:
        """Whether the operand is indexed by a loop of the layer."""
        return loop in self.operand.dims

    def span(self, axis: str, low: Int64s, high: Int64s) -> Interval:
        """Rows ("y") or columns ("x") of the tensor that outputs [low, high) read.

        Padding is left out; empty where a window sees nothing else.
        """
        if not self.uses(LOOP_OF_AXIS[axis]):
            return np.zeros_like(low), np.ones_like(low)
        return Window.of(self.layer, axis).inputs(low, high - low)

    def extents(self, axis: str, low: Int64s, high: Int64s) -> Int64s:
        """How many rows or columns a copy of what outputs [low, high) read has, padding included.

        Source: multicore_fusion.md, the traffic of DepFiN (5 x 964 elements a row of 960).
        """
        window = Window.of(self.layer, axis)
        if not self.uses(LOOP_OF_AXIS[axis]):
            return np.ones_like(low)
        if window.scaled:
            first, last = window.inputs(low, high - low)
            return last - first
        return (high - low - 1) * window.stride + (window.taps - 1) * window.dilation + 1

    def channels(self, parts: Int64s) -> Interval:
        """Channels of the tensor that parts of the layer read. parts: (n, 4) as in `Split`."""
        inner = self.layer.dims.c if self.uses("c") else 1
        low, high = parts[:, 0], parts[:, 1]
        if self.operand.extent:
            edge = self.operand.extent
            return np.clip(low - self.channel, 0, edge), np.clip(high - self.channel, 0, edge)
        if not self.uses("g"):
            return np.zeros_like(low), np.full_like(low, inner)
        return low * inner, high * inner

    def keys(self, parts: Int64s) -> Int64s:
        """Rows that are equal for parts of the layer that read the same; -1 for those of nothing.

        parts: (n, 4).
        """
        if not self.is_weight:
            low, high = self.channels(parts)
            return np.where(high > low, (low, high), -1).T
        uses = [self.uses(loop) for loop in ("g", "g", "k", "k")]
        return parts * np.array(uses)

    def weights(self, parts: Int64s) -> Int64s:
        """Elements of a weight operand that parts of the layer read. parts: (n, 4)."""
        d = self.layer.dims
        fixed = prod(size for loop, size in zip(LOOPS, d.loops, strict=True) if self._stays(loop))
        groups = parts[:, 1] - parts[:, 0] if self.uses("g") else 1
        filters = parts[:, 3] - parts[:, 2] if self.uses("k") else 1
        return np.broadcast_to(fixed * groups * filters, parts.shape[:1])

    def _stays(self, loop: str) -> bool:
        return loop not in ("g", "k") and self.uses(loop)


@dataclass(frozen=True, slots=True)
class Stack:
    """Consecutive layers of a workload that run fused.

    first, last: their numbers, both included. reads: the operands of each layer, by its number.
    final: numbers of the layers whose output leaves the stack.
    """

    workload: Workload
    first: int
    last: int
    reads: dict[int, tuple[Read, ...]]
    final: frozenset[int]

    @classmethod
    def of(cls, workload: Workload, first: int, last: int) -> Stack:
        """The stack of layers first..last."""
        numbers = range(first, last + 1)
        makers = {workload.layers[i].output: i for i in numbers}
        reads = {i: tuple(_reads(workload, i, makers)) for i in numbers}
        inner = {read.maker for found in reads.values() for read in found}
        later = {x.tensor for layer in workload.layers[last + 1 :] for x in _operands(layer)}
        leaving = later | set(workload.outputs)
        final = (i for i in numbers if i not in inner or workload.layers[i].output in leaving)
        return cls(workload, first, last, reads, frozenset(final))

    @property
    def numbers(self) -> range:
        """Numbers of its layers."""
        return range(self.first, self.last + 1)


def _operands(layer: Layer) -> tuple[Operand, ...]:
    return (*layer.inputs, layer.weight) if layer.weight else layer.inputs


def _reads(workload: Workload, number: int, makers: dict[str, int]) -> Iterator[Read]:
    layer, channel = workload.layers[number], 0
    for operand in _operands(layer):
        maker = makers.get(operand.tensor, OFF_CHIP)
        is_weight = operand is layer.weight
        read = Read(layer, operand, maker, False, channel, is_weight)
        whole = maker != OFF_CHIP and not _sees_as_made(read, workload.layers[maker])
        yield Read(layer, operand, maker, whole, channel, is_weight)
        channel += operand.extent


def _sees_as_made(read: Read, maker: Layer) -> bool:
    """Whether an operand is read in the shape in which its maker wrote it."""
    layer = read.layer
    looked_up = layer.op is LayerOp.EMBEDDING and read.operand is not layer.inputs[0]
    if read.is_weight or looked_up or layer.function in REARRANGING:
        return False
    return seen_shape(layer, read.operand) == made_shape(maker)


def made_shape(layer: Layer) -> Shape:
    """The output of a layer: (batch, rows, columns, channels)."""
    d = layer.dims
    return d.b, d.oy, d.ox, d.g * d.k


def seen_shape(layer: Layer, operand: Operand) -> Shape:
    """An input as its layer sees it: (batch, rows, columns, channels)."""
    d, has = layer.dims, operand.dims
    groups, inner = (d.g if "g" in has else 1), (d.c if "c" in has else 1)
    return (
        d.b if "b" in has else 1,
        d.iy if "oy" in has else 1,
        d.ix if "ox" in has else 1,
        operand.extent or groups * inner,
    )
