"""Layers as the parts that are lowered one after another. Rule: ARCHITECTURE.md WORK-4.

A concatenation is one copy for each of its inputs, into its range of the output channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.allocation.shares import Share
from simulator.mapping.part import Part
from simulator.mapping.streams import TILED_LOOPS
from simulator.workload.graph import Layer, LayerOp


def layer_parts(index: int, layer: Layer, shares: Sequence[Share]) -> list[Part]:
    """The parts of a layer in the order in which they are lowered.

    shares: which core computes which range of the loops (none of g for a concatenation).
    """
    channels = layer.dims.g * layer.dims.k
    if layer.op is not LayerOp.CONCAT:
        return [_part(index, layer, share, 0, channels) for share in shares]
    parts, first = [], 0
    for operand in layer.inputs:
        copy = replace(layer, dims=replace(layer.dims, g=operand.extent), inputs=(operand,))
        parts += [_part(index, copy, share, first, channels) for share in shares]
        first += operand.extent
    if first != channels:
        raise ValueError(f"layer {layer.name}: inputs have {first} channels, the output {channels}")
    return parts


def _part(index: int, layer: Layer, share: Share, first_channel: int, channels: int) -> Part:
    sizes = dict(zip(TILED_LOOPS, layer.dims.loops, strict=False))
    ranges = [share.ranges.get(loop, (0, sizes[loop])) for loop in TILED_LOOPS]
    first, extent = tuple(low for low, _ in ranges), tuple(high - low for low, high in ranges)
    return Part(index, layer, share.core, first, extent, first_channel, channels)
