"""What a layer does to its results on their way out: bias, batch norm and activations.

A layer that only changes the elements another has just made does not run on its own: it becomes
part of its producer, as in any deployment. Rule: ARCHITECTURE.md WORK-3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from simulator.workload.functions import AFFINE
from simulator.workload.graph import Layer, LayerOp, Operand

PER_CHANNEL = ("g",)
"""Loops of an operand that has one element for each channel."""


def operands_of(layer: Layer) -> tuple[Operand, ...]:
    """Everything that a layer reads."""
    return (*layer.inputs, *((layer.weight,) if layer.weight else ()))


def live_layers(layers: list[Layer], kept: Collection[str]) -> list[Layer]:
    """The layers whose results are used, directly or not, for the tensors in `kept`."""
    wanted, live = set(kept), []
    for layer in reversed(layers):
        if layer.output in wanted:
            live.append(layer)
            wanted.update(operand.tensor for operand in operands_of(layer))
    return live[::-1]


def absorb_epilogues(
    layers: list[Layer],
    elements: Mapping[str, int],
    parameters: Collection[str],
    kept: Collection[str],
) -> list[Layer]:
    """The layers with each epilogue as part of the layer before it.

    elements: sizes of the tensors. parameters: tensors that are constants of the model.
    kept: tensors that must be written, as outputs of the network.
    """
    reads = Counter(operand.tensor for layer in layers for operand in operands_of(layer))
    done: list[Layer] = []
    place: dict[str, int] = {}
    for layer in layers:
        source = layer.inputs[0].tensor
        index = place.get(source)
        merged = None
        if index is not None and reads[source] == 1 and source not in kept:
            merged = _merged(done[index], layer, elements[source], parameters)
        if merged is not None and index is not None:
            done[index] = merged
            place[layer.output] = index
        else:
            place[layer.output] = len(done)
            done.append(layer)
    return done


def _merged(
    producer: Layer, layer: Layer, elements: int, parameters: Collection[str]
) -> Layer | None:
    """Both layers as one, or None when the second must run on its own."""
    d = layer.dims
    if d.b * d.g * d.oy * d.ox != elements:
        return None
    source = (*producer.source, *layer.source)
    if layer.op is LayerOp.ACTIVATION:
        post_ops = (*producer.post_ops, layer.function, *layer.post_ops)
        return replace(producer, output=layer.output, post_ops=post_ops, source=source)
    if _folds_into_weights(producer, layer, parameters):
        adds = layer.function in ("add", "sub", "multiply_add")
        bias = producer.bias or (producer.is_mac and adds)
        return replace(
            producer, output=layer.output, bias=bias, post_ops=layer.post_ops, source=source
        )
    return None


def _folds_into_weights(producer: Layer, layer: Layer, parameters: Collection[str]) -> bool:
    """Whether a layer changes each channel by constants that its producer can take in."""
    others = layer.inputs[1:]
    return (
        layer.op is LayerOp.ELEMENTWISE
        and layer.function in AFFINE
        and bool(others)
        and all(x.dims == PER_CHANNEL and x.tensor in parameters for x in others)
        and not producer.post_ops
        and _has_constants_per_channel(producer)
        and producer.dims.g * producer.dims.k % layer.dims.g == 0
    )


def _has_constants_per_channel(layer: Layer) -> bool:
    """Whether a layer has a factor and a term for each channel that can be changed."""
    if layer.is_mac:
        return layer.weight_is_constant
    return layer.function == "multiply_add"
