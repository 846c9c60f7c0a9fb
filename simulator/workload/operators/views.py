"""Nodes that move no data: other names or shapes for elements that are there already.

The address generators of the DMA engines absorb them. Rule: ARCHITECTURE.md WORK-2.
"""

from __future__ import annotations

from dataclasses import replace

from simulator.workload.draft import Draft
from simulator.workload.nodes import Node
from simulator.workload.values import channel_after_reshape


def same(draft: Draft, node: Node) -> None:
    """Identity, Cast and the like: padding still to be added stays so."""
    draft.set(node.outputs[0], draft.value(node.inputs[0]))


def reshape(draft: Draft, node: Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: the same elements in the same order."""
    value = draft.feature(node.inputs[0])
    shape = draft.shape_of(node.outputs[0])
    channel = channel_after_reshape(value.shape, value.channel, shape)
    draft.set(node.outputs[0], value.viewed(shape, channel))


def transpose(draft: Draft, node: Node) -> None:
    """Transpose: the channel axis goes where the permutation puts it."""
    value = draft.feature(node.inputs[0])
    backwards = list(range(len(value.shape)))[::-1]
    order = list(node.attributes.get("perm", backwards))
    channel = order.index(value.channel) if order else 0
    draft.set(node.outputs[0], value.viewed(draft.shape_of(node.outputs[0]), channel))


def part(draft: Draft, node: Node) -> None:
    """Slice and Split: a part of a tensor, its axes unchanged."""
    value = draft.feature(node.inputs[0])
    for name in filter(None, node.outputs):
        draft.set(name, replace(value, shape=draft.shape_of(name)))


def expand(draft: Draft, node: Node) -> None:
    """Expand and Tile: elements that are read several times."""
    value = draft.feature(node.inputs[0])
    shape = draft.shape_of(node.outputs[0])
    channel = value.channel + len(shape) - len(value.shape)
    draft.set(node.outputs[0], value.viewed(shape, min(channel, len(shape) - 1)))


def pixels(draft: Draft, node: Node) -> None:
    """DepthToSpace and SpaceToDepth: channels to pixels and back."""
    value = draft.feature(node.inputs[0])
    draft.set(node.outputs[0], value.viewed(draft.shape_of(node.outputs[0]), 1))


HANDLERS = {
    **dict.fromkeys(("Identity", "Dropout", "Cast", "CastLike"), same),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), same),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    "Transpose": transpose,
    **dict.fromkeys(("Slice", "Split"), part),
    **dict.fromkeys(("Expand", "Tile"), expand),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), pixels),
}
