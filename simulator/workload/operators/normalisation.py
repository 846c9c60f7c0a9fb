"""Layers that reduce a row of elements and then change each: softmax and normalisations."""

from __future__ import annotations

from math import prod

from simulator.workload.draft import Draft
from simulator.workload.graph import LayerOp
from simulator.workload.loops import map_axes, row_dims
from simulator.workload.nodes import Node
from simulator.workload.values import Value


def softmax(draft: Draft, node: Node) -> None:
    """Softmax and LogSoftmax: g = the axis that adds up to 1."""
    value = draft.feature(node.inputs[0])
    axis = node.attributes.get("axis", -1) % max(len(value.shape), 1)
    dims, _ = map_axes(value.shape, axis)
    function = "softmax" if node.op == "Softmax" else "log_softmax"
    draft.emit(node, LayerOp.SOFTMAX, dims, [draft.operand(value)], function=function, channel=axis)


def layer_norm(draft: Draft, node: Node) -> None:
    """LayerNormalization and RMSNormalization: g = all axes from `axis` on."""
    value = draft.feature(node.inputs[0])
    axis = node.attributes.get("axis", -1) % len(value.shape)
    rows = (*value.shape[:axis], prod(value.shape[axis:]))
    dims, _ = map_axes(rows, len(rows) - 1)
    scale_and_shift = [draft.feature(name) for name in node.inputs[1:3] if name]
    draft.emit(
        node,
        LayerOp.NORM,
        dims,
        [draft.operand(value), *(draft.operand(x, _row_loops(x)) for x in scale_and_shift)],
        function=_ROW_NORMS[node.op],
    )


_ROW_NORMS = {
    "LayerNormalization": "layer_norm",
    "RMSNormalization": "rms_norm",
    "LpNormalization": "lp_norm",
    "LRN": "lrn",
}


def _row_loops(value: Value) -> tuple[str, ...]:
    return ("g",) if value.elements > 1 else ()


def over_channel(draft: Draft, node: Node) -> None:
    """LRN (over the channels of a map) and LpNormalization (over the named axis): g = that axis."""
    value = draft.feature(node.inputs[0])
    axis = 1 if node.op == "LRN" else node.attributes.get("axis", -1) % len(value.shape)
    dims, _ = map_axes(value.shape, axis)
    function = _ROW_NORMS[node.op]
    draft.emit(node, LayerOp.NORM, dims, [draft.operand(value)], function=function, channel=axis)


def group_norm(draft: Draft, node: Node) -> None:
    """GroupNormalization and InstanceNormalization. Rule: ARCHITECTURE.md WORK-6.

    A row holds all elements of a group: ox = groups, g = channels of a group times its pixels.
    Scale and shift, two per channel, are part of the layer's settings, not operands.
    """
    value = draft.feature(node.inputs[0])
    batch, channels, *spatial = value.shape
    instance = node.op == "InstanceNormalization"
    groups = channels if instance else node.attributes["num_groups"]
    dims = row_dims(b=batch, ox=groups, g=channels // groups * prod(spatial))
    draft.emit(
        node,
        LayerOp.NORM,
        dims,
        [draft.operand(value)],
        function="instance_norm" if instance else "group_norm",
        channel=1,
    )


HANDLERS = {
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "LayerNormalization": layer_norm,
    "RMSNormalization": layer_norm,
    "LpNormalization": over_channel,
    "LRN": over_channel,
    "GroupNormalization": group_norm,
    "InstanceNormalization": group_norm,
}
