"""Pooling over windows and reductions over whole axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from simulator.workload.draft import Draft
from simulator.workload.errors import UnsupportedNodeError
from simulator.workload.functions import REDUCTIONS
from simulator.workload.graph import LayerOp, LoopDims
from simulator.workload.loops import map_axes
from simulator.workload.nodes import Node
from simulator.workload.operators.window import window_dims
from simulator.workload.values import Shape, Value, channel_after_removal


def pool(draft: Draft, node: Node) -> None:
    """MaxPool and AveragePool: g = channels, the window in fy and fx."""
    value = draft.value(node.inputs[0])
    output = draft.shape_of(node.outputs[0])
    window = window_dims(node, value, output, node.attributes["kernel_shape"])
    dims = LoopDims(b=value.shape[0], g=value.shape[1], **window)
    function = "max" if node.op == "MaxPool" else "average"
    draft.emit(node, LayerOp.POOL, dims, [draft.operand(value)], function=function, channel=1)


def global_pool(draft: Draft, node: Node) -> None:
    """GlobalAveragePool and GlobalMaxPool: a window of the size of the map."""
    value = draft.feature(node.inputs[0])
    axes = tuple(range(2, len(value.shape)))
    function = "max" if node.op == "GlobalMaxPool" else "average"
    _reduce(draft, node, replace(value, channel=1), axes, function)


def reduce(draft: Draft, node: Node) -> None:
    """Reduce* and ArgMax: reduced channels are the loop c, other reduced axes the window."""
    value = draft.feature(node.inputs[0])
    axes = _axes(draft, node, len(value.shape))
    _reduce(draft, node, value, axes, REDUCTIONS[node.op])


def _axes(draft: Draft, node: Node, rank: int) -> Shape:
    """The axes that are reduced; all when none are named."""
    if node.op in ("ArgMax", "ArgMin"):
        axes: Sequence[int] = [node.attributes.get("axis", 0)]
    elif node.has_input(1):
        if not draft.is_constant(node.inputs[1]):
            raise UnsupportedNodeError(f"{node.label}: axes must be constant")
        axes = [int(axis) for axis in draft.constants.array(node.inputs[1]).reshape(-1)]
    else:
        axes = node.attributes.get("axes", [])
    if not axes and node.attributes.get("noop_with_empty_axes"):
        return ()
    return tuple(sorted(axis % rank for axis in axes or range(rank)))


def _reduce(draft: Draft, node: Node, value: Value, axes: Shape, function: str) -> None:
    shape, channel = value.shape, value.channel
    output = draft.shape_of(node.outputs[0])
    removed = axes if len(output) < len(shape) else ()
    channel_after = channel_after_removal(channel, len(shape), removed)
    reduced = [axis for axis in axes if shape[axis] > 1]
    if not reduced:
        draft.set(node.outputs[0], value.viewed(output, channel_after))
        return
    dims = _reduction_dims(shape, channel, reduced)
    draft.emit(
        node,
        LayerOp.POOL,
        dims,
        [draft.operand(value)],
        function=function,
        channel=channel_after,
    )


def _reduction_dims(shape: Shape, channel: int, reduced: list[int]) -> LoopDims:
    """Loops of a reduction: c for the channel, fy and fx for other axes, b for what is kept."""
    window = [shape[axis] for axis in reduced if axis != channel]
    if not window:
        rows, _ = map_axes(shape, channel)
        return replace(rows, g=1, c=rows.g)
    kept = [size for axis, size in enumerate(shape) if axis not in (*reduced, channel)]
    rows_of_window, columns = prod(window[:-1]), window[-1]
    return LoopDims(
        b=prod(kept),
        g=1 if channel in reduced else shape[channel],
        c=shape[channel] if channel in reduced else 1,
        fy=rows_of_window,
        fx=columns,
        iy=rows_of_window,
        ix=columns,
    )


HANDLERS = {
    "MaxPool": pool,
    "AveragePool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    **dict.fromkeys(REDUCTIONS, reduce),
}
