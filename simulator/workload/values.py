"""Values of a model as layers see them: where their elements lie and which axis is the channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from simulator.workload.nodes import Node

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Padding:
    """Zeros around the spatial axes of a map, which its reader is to add.

    before, after: how many, per spatial axis. node: the Pad node that asks for them.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    node: Node


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the model as a view of a tensor. Rule: ARCHITECTURE.md WORK-2.

    tensor: the tensor of the workload in which its elements lie (all of it, or a part).
    shape: as the model sees it, padding included. channel: the axis that is innermost in memory.
    constant: the name of the model's constant that it is, or None.
    padding: zeros that are part of the shape but not of the tensor, or None.
    """

    tensor: str
    shape: Shape
    channel: int
    constant: str | None = None
    padding: Padding | None = None

    @property
    def elements(self) -> int:
        """Number of elements, padding included."""
        return prod(self.shape)

    @property
    def stored_spatial(self) -> Shape:
        """Sizes of the spatial axes of a map (batch, channel, ...) without its padding."""
        sizes = self.shape[2:]
        if self.padding is None:
            return sizes
        edges = zip(sizes, self.padding.before, self.padding.after, strict=True)
        return tuple(size - before - after for size, before, after in edges)

    @property
    def pad_before(self) -> Shape:
        """Zeros before each spatial axis of a map (batch, channel, ...)."""
        return self.padding.before if self.padding else (0,) * len(self.shape[2:])

    def viewed(self, shape: Shape, channel: int) -> Value:
        """The same elements, or a part of them, seen in another shape."""
        return replace(self, shape=shape, channel=channel)


def first_channel(shape: Shape) -> int:
    """The channel axis of a value that comes from outside: ONNX keeps maps as (N, C, y, x)."""
    return 1 if len(shape) == 4 else max(len(shape) - 1, 0)


def channel_after_reshape(shape: Shape, channel: int, new_shape: Shape) -> int:
    """The axis of `new_shape` that holds the innermost steps of the channel axis of `shape`."""
    if not shape or shape[channel] == 1:
        return first_channel(new_shape)
    step = prod(shape[channel + 1 :])
    inner = 1
    for axis in range(len(new_shape) - 1, -1, -1):
        inner *= new_shape[axis]
        if step < inner:
            return axis
    return max(len(new_shape) - 1, 0)


def channel_after_removal(channel: int, rank: int, axes: tuple[int, ...]) -> int:
    """The channel axis once `axes` are gone; the last one when the channel itself is gone."""
    left = [axis for axis in range(rank) if axis not in axes]
    return left.index(channel) if channel in left else max(len(left) - 1, 0)
