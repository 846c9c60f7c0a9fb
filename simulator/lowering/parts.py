"""Layers as the parts that are lowered one after another. Rule: ARCHITECTURE.md WORK-4.

Most layers are one part. A concatenation is one copy for each of its inputs, into its range of the
output channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.workload.graph import Layer, LayerOp, Workload


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a layer: a layer of its own that writes a range of the output channels.

    index: of the layer in the workload. first_channel: where it writes. channels: of the whole
    output.
    """

    index: int
    layer: Layer
    first_channel: int
    channels: int


def layer_parts(workload: Workload, index: int) -> list[Part]:
    """The parts of a layer in the order in which they run."""
    layer = workload.layers[index]
    channels = layer.dims.g * layer.dims.k
    if layer.op is not LayerOp.CONCAT:
        return [Part(index, layer, 0, channels)]
    parts, first = [], 0
    for operand in layer.inputs:
        copy = replace(layer, dims=replace(layer.dims, g=operand.extent), inputs=(operand,))
        parts.append(Part(index, copy, first, channels))
        first += operand.extent
    if first != channels:
        raise ValueError(f"layer {layer.name}: inputs have {first} channels, the output {channels}")
    return parts
