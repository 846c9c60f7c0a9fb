"""Convolutions: one and two spatial axes, groups, dilation, and transposed ones."""

from __future__ import annotations

from simulator.workload.draft import Draft
from simulator.workload.errors import UnsupportedNodeError, WorkloadError
from simulator.workload.graph import LayerOp, LoopDims
from simulator.workload.nodes import Node
from simulator.workload.operators.window import check_spatial_axes, two, window_dims
from simulator.workload.values import Shape


def conv(draft: Draft, node: Node) -> None:
    """Conv: g groups of k output and c input channels."""
    value, weight = draft.value(node.inputs[0]), draft.value(node.inputs[1])
    output = draft.shape_of(node.outputs[0])
    groups = node.attributes.get("group", 1)
    _check_channels(node, value.shape[1], weight.shape[1] * groups)
    _check_groups(node, weight.shape[0], groups)
    bias = _has_constant_bias(draft, node)
    dims = LoopDims(
        b=value.shape[0],
        g=groups,
        k=weight.shape[0] // groups,
        c=weight.shape[1],
        **window_dims(node, value, output, weight.shape[2:]),
    )
    draft.emit(
        node,
        LayerOp.CONV2D,
        dims,
        [draft.operand(value)],
        weight=draft.weight(weight),
        bias=bias,
        channel=1,
    )


def conv_transpose(draft: Draft, node: Node) -> None:
    """ConvTranspose as a sub-pixel convolution. Rule: ARCHITECTURE.md WORK-5.

    Each input position yields the stride_y x stride_x outputs around it as channels, with filters
    of ceil(kernel / stride) taps (the missing taps are zeros); the shuffle to pixels is a view.
    """
    value, weight = draft.feature(node.inputs[0]), draft.value(node.inputs[1])
    check_spatial_axes(node, value.shape)
    output = draft.shape_of(node.outputs[0])
    groups = node.attributes.get("group", 1)
    _check_channels(node, value.shape[1], weight.shape[0])
    _check_groups(node, weight.shape[0], groups)
    bias = _has_constant_bias(draft, node)
    strides = two(node.attributes.get("strides", [1] * (len(value.shape) - 2)))
    dims = LoopDims(
        b=value.shape[0],
        g=groups,
        k=strides[0] * strides[1] * weight.shape[1],
        c=weight.shape[0] // groups,
        **_sub_pixel_window(node, value.shape, weight.shape, output),
    )
    draft.emit(
        node,
        LayerOp.CONV2D,
        dims,
        [draft.operand(value)],
        weight=draft.weight(weight),
        bias=bias,
        channel=1,
    )


def _sub_pixel_window(node: Node, shape: Shape, weight: Shape, output: Shape) -> dict[str, int]:
    """Window of the sub-pixel convolution, per axis from kernel, stride and padding."""
    axes = len(shape) - 2
    if any(step != 1 for step in node.attributes.get("dilations", [])):
        raise UnsupportedNodeError(f"{node.label}: dilations must be 1")
    strides = two(node.attributes.get("strides", [1] * axes))
    crops = two(_crop_before(node, shape[2:], weight[2:], output[2:]), 0)
    sizes, kernel, outputs = two(shape[2:]), two(weight[2:]), two(output[2:])
    fields: dict[str, int] = {}
    for i, (axis, edge) in enumerate((("y", "pad_top"), ("x", "pad_left"))):
        taps = -(-kernel[i] // strides[i])
        first, last = crops[i] // strides[i], (crops[i] + outputs[i] - 1) // strides[i]
        fields |= {f"i{axis}": sizes[i], f"o{axis}": last - first + 1, f"f{axis}": taps}
        fields[edge] = max(taps - 1 - first, 0)
    return fields


def _crop_before(node: Node, sizes: Shape, kernel: Shape, output: Shape) -> tuple[int, ...]:
    """Rows and columns that the transposed convolution drops before its output."""
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", "") and "output_shape" not in node.attributes:
        return tuple(node.attributes.get("pads", [0] * 2 * len(sizes))[: len(sizes)])
    strides = node.attributes.get("strides", [1] * len(sizes))
    found = []
    for size, taps, stride, out in zip(sizes, kernel, strides, output, strict=True):
        total = max((size - 1) * stride + taps - out, 0)
        found.append((total + (mode == "SAME_LOWER")) // 2)
    return tuple(found)


def _check_channels(node: Node, given: int, expected: int) -> None:
    if given != expected:
        raise WorkloadError(
            f"{node.label}: input channels must be {expected}, as the weights have it, not {given}"
        )


def _check_groups(node: Node, channels: int, groups: int) -> None:
    if groups < 1 or channels % groups:
        raise WorkloadError(f"{node.label}: group must divide {channels} channels, not {groups}")


def _has_constant_bias(draft: Draft, node: Node) -> bool:
    if not node.has_input(2):
        return False
    if not draft.is_constant(node.inputs[2]):
        raise UnsupportedNodeError(f"{node.label}: bias must be a constant")
    return True


HANDLERS = {"Conv": conv, "ConvTranspose": conv_transpose}
