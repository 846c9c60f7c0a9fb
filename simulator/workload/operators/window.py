"""Windows that walk over a feature map: kernel, stride, dilation and padding of a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.workload.errors import UnsupportedNodeError
from simulator.workload.nodes import Node
from simulator.workload.values import Shape, Value


def two(sizes: Sequence[int], fill: int = 1) -> tuple[int, int]:
    """Sizes along y and x; a map with one spatial axis has it along x."""
    y, x = (fill, *sizes) if len(sizes) == 1 else sizes
    return int(y), int(x)


def check_spatial_axes(node: Node, shape: Shape) -> None:
    """Raises UnsupportedNodeError unless a map has one or two spatial axes."""
    if len(shape) not in (3, 4):
        raise UnsupportedNodeError(
            f"{node.label}: spatial axes must be 1 or 2, not {max(len(shape) - 2, 0)}"
        )


def window_dims(node: Node, value: Value, output: Shape, kernel: Sequence[int]) -> dict[str, Any]:
    """The fields of LoopDims that say how the window of a node walks over a map.

    value: the map (batch, channel, [y,] x). output: shape of the node's output.
    """
    check_spatial_axes(node, value.shape)
    axes = len(kernel)
    strides = node.attributes.get("strides", [1] * axes)
    dilations = node.attributes.get("dilations", [1] * axes)
    before = _pad_before(node, value.shape[2:], output[2:], kernel, strides, dilations)
    pads = two([own + view for own, view in zip(before, value.pad_before, strict=True)], 0)
    pairs = {
        "o": two(output[2:]),
        "f": two(kernel),
        "i": two(value.stored_spatial),
        "stride_": two(strides),
        "dilation_": two(dilations),
    }
    fields = {f"{name}{axis}": pair[i] for name, pair in pairs.items() for i, axis in _AXES}
    return fields | {"pad_top": pads[0], "pad_left": pads[1]}


_AXES = ((0, "y"), (1, "x"))


def _pad_before(
    node: Node,
    sizes: Shape,
    output: Shape,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[int, ...]:
    """Zeros before each spatial axis, from `pads` or `auto_pad`."""
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        return tuple(node.attributes.get("pads", [0] * 2 * len(kernel))[: len(kernel)])
    if mode == "VALID":
        return (0,) * len(kernel)
    found = []
    for size, out, taps, stride, dilation in zip(
        sizes, output, kernel, strides, dilations, strict=True
    ):
        total = max((out - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
        found.append((total + (mode == "SAME_LOWER")) // 2)
    return tuple(found)
