"""Nodes that move data without computing: concat, pad, gather, embedding; and resize."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from simulator.workload.draft import Draft
from simulator.workload.errors import UnsupportedNodeError
from simulator.workload.folding import Array
from simulator.workload.graph import LayerOp, LoopDims
from simulator.workload.loops import EVERY_LOOP, border_dims, map_axes, row_dims
from simulator.workload.nodes import Node
from simulator.workload.operators.window import two
from simulator.workload.values import Padding, Value, channel_after_removal


def concat(draft: Draft, node: Node) -> None:
    """Concat: the loop g runs over the joined axis and all that lies inside it in memory.

    `Operand.extent` says how much of g each input covers. Rule: ARCHITECTURE.md WORK-4.
    """
    values = [draft.feature(name) for name in node.inputs]
    if len(values) == 1:
        draft.set(node.outputs[0], values[0])
        return
    shape = draft.shape_of(node.outputs[0])
    axis = node.attributes["axis"] % len(shape)
    channel = next((x.channel for x in values if x.constant is None), len(shape) - 1)
    if axis == channel:
        dims, inner = map_axes(shape, channel)[0], 1
    else:
        order = [*(i for i in range(len(shape)) if i != channel), channel]
        place = order.index(axis)
        inner = prod(shape[i] for i in order[place + 1 :])
        outer = prod(shape[i] for i in order[:place])
        dims = row_dims(g=shape[axis] * inner, ox=outer)
    inputs = [draft.operand(x, EVERY_LOOP, extent=x.shape[axis] * inner) for x in values]
    draft.emit(node, LayerOp.CONCAT, dims, inputs, function="concat", channel=channel)


def pad(draft: Draft, node: Node) -> None:
    """Pad: zeros around a map are left to its reader; anything else is a copy."""
    value = draft.value(node.inputs[0])
    before, after = _pad_widths(draft, node, len(value.shape))
    if not any((*before, *after)):
        draft.set(node.outputs[0], value)
    elif max((*before, *after)) <= 0:
        shape = draft.shape_of(node.outputs[0])
        draft.set(node.outputs[0], replace(draft.feature(node.inputs[0]), shape=shape))
    elif _is_zero_border(draft, node, before, after):
        _leave_to_reader(draft, node, value, before, after)
    else:
        _copy_with_border(draft, node, before, after)


def _copy_with_border(draft: Draft, node: Node, before: list[int], after: list[int]) -> None:
    value, shape = draft.feature(node.inputs[0]), draft.shape_of(node.outputs[0])
    if _is_spatial(before, after):
        dims, channel = border_dims(shape, value.shape[2:], before[2:]), 1
    else:
        dims, channel = map_axes(shape, value.channel)[0], value.channel
    operand = draft.operand(value, extent=dims.g)
    draft.emit(node, LayerOp.CONCAT, dims, [operand], function="pad", channel=channel)


def _leave_to_reader(
    draft: Draft, node: Node, value: Value, before: list[int], after: list[int]
) -> None:
    inner = value.padding
    if inner is not None:
        before = [a + b for a, b in zip(before, (0, 0, *inner.before), strict=True)]
        after = [a + b for a, b in zip(after, (0, 0, *inner.after), strict=True)]
    border = Padding(tuple(before[2:]), tuple(after[2:]), node)
    shape = draft.shape_of(node.outputs[0])
    draft.set(node.outputs[0], replace(value, shape=shape, padding=border))


def _pad_widths(draft: Draft, node: Node, rank: int) -> tuple[list[int], list[int]]:
    settings = [node.inputs[i] for i in (1, 3) if node.has_input(i)]
    if not all(draft.is_constant(name) for name in settings):
        raise UnsupportedNodeError(f"{node.label}: pads and axes must be constant")
    widths = [int(x) for x in draft.constants.array(node.inputs[1])]
    axes = list(range(rank))
    if node.has_input(3):
        axes = [int(x) % rank for x in draft.constants.array(node.inputs[3])]
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = widths[place], widths[place + len(axes)]
    return before, after


def _is_zero_border(draft: Draft, node: Node, before: list[int], after: list[int]) -> bool:
    if node.attributes.get("mode", "constant") != "constant":
        return False
    if node.has_input(2) and draft.constants.scalar(node.inputs[2]) != 0:
        return False
    return _is_spatial(before, after)


def _is_spatial(before: list[int], after: list[int]) -> bool:
    """Whether a border lies around the spatial axes of a map alone."""
    outside = (*before[:2], *after[:2])
    return len(before) in (3, 4) and not any(outside) and min((*before, *after)) >= 0


def resize(draft: Draft, node: Node) -> None:
    """Resize of the spatial axes: iy, ix hold the input size, oy, ox the output size."""
    value = draft.feature(node.inputs[0])
    shape = draft.shape_of(node.outputs[0])
    if shape == value.shape:
        draft.set(node.outputs[0], value)
        return
    spatial = [axis for axis in range(1, len(shape)) if axis != value.channel]
    changed = [axis for axis in range(len(shape)) if shape[axis] != value.shape[axis]]
    if len(spatial) not in (1, 2) or not set(changed) <= set(spatial):
        raise UnsupportedNodeError(f"{node.label}: axes must be one or two spatial ones")
    (oy, ox), (iy, ix) = (two([s[axis] for axis in spatial]) for s in (shape, value.shape))
    dims = LoopDims(b=shape[0], g=shape[value.channel], oy=oy, ox=ox, iy=iy, ix=ix)
    function = node.attributes.get("mode", "nearest")
    operand = draft.operand(value)
    draft.emit(node, LayerOp.RESIZE, dims, [operand], function=function, channel=value.channel)


def gather(draft: Draft, node: Node) -> None:
    """Gather: rows of a table by computed indices are an embedding; fixed parts are views."""
    value, indices = draft.feature(node.inputs[0]), draft.feature(node.inputs[1])
    axis = node.attributes.get("axis", 0) % len(value.shape)
    if indices.constant is None:
        _embedding(draft, node, value, indices, axis)
        return
    shape = draft.shape_of(node.outputs[0])
    channel = _channel_after_gather(value, indices, axis)
    if _evenly_spaced(draft.constants.array(node.inputs[1])):
        draft.set(node.outputs[0], value.viewed(shape, channel))
    else:
        dims, _ = map_axes(shape, channel)
        operand = draft.operand(value, extent=dims.g)
        draft.emit(node, LayerOp.CONCAT, dims, [operand], function="gather", channel=channel)


def _channel_after_gather(value: Value, indices: Value, axis: int) -> int:
    rank = len(value.shape)
    if not indices.shape:
        return channel_after_removal(value.channel, rank, (axis,))
    return value.channel + (len(indices.shape) - 1 if value.channel >= axis else 0)


def _evenly_spaced(indices: Array) -> bool:
    return len(np.unique(np.diff(indices.reshape(-1)))) <= 1


def _embedding(draft: Draft, node: Node, table: Value, indices: Value, axis: int) -> None:
    """One row of g elements for each of ox indices; inputs: indices, then the table."""
    if axis != 0:
        raise UnsupportedNodeError(f"{node.label}: axis must be 0 for computed indices, not {axis}")
    dims = row_dims(g=prod(table.shape[1:]), ox=indices.elements)
    inputs = [draft.operand(indices, ("ox",)), draft.operand(table, ("g", "ox"))]
    draft.emit(node, LayerOp.EMBEDDING, dims, inputs, function="lookup")


HANDLERS = {"Concat": concat, "Pad": pad, "Resize": resize, "Gather": gather}
