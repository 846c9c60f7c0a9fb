"""Batches: the images of a batch as nodes of their own, one after another through the same cores.

Images share weights and nothing else, so the graph of a batch is that of one image repeated. The
scheduler then fills the time that one image leaves on a core with the next: a pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hw_models.spec import PrecisionSpec
from simulator.fusion.granularity import Granularity
from simulator.fusion.graph import FusedGraph, fused_graph
from simulator.fusion.overlap import Overlap
from simulator.program import Int64s
from simulator.workload.graph import Workload


def batch_graph(
    workload: Workload,
    granularity: Granularity,
    *,
    parts: Mapping[str, int] | None = None,
    overlap: Overlap = "full",
    precision: PrecisionSpec,
) -> FusedGraph:
    """The nodes of a network, those of each image apart if the granularity says so.

    Layers that fold images into other loops (attention) keep the batch as a whole.
    """
    images = separable_images(workload)
    if images == 1 or not granularity.by_image:
        return fused_graph(workload, granularity, parts=parts, overlap=overlap, precision=precision)
    one = fused_graph(
        one_image(workload), granularity, parts=parts, overlap=overlap, precision=precision
    )
    return repeated(one, workload, images)


def separable_images(workload: Workload) -> int:
    """Images of the batch, if every layer has them in its loop b; else 1."""
    batches = {layer.dims.b for layer in workload.layers}
    return batches.pop() if len(batches) == 1 else 1


def one_image(workload: Workload) -> Workload:
    """The network for one image of its batch."""
    images = separable_images(workload)
    tensors = {
        name: tensor if tensor.parameter else replace(tensor, elements=tensor.elements // images)
        for name, tensor in workload.tensors.items()
    }
    layers = tuple(
        replace(layer, dims=replace(layer.dims, b=layer.dims.b // images))
        for layer in workload.layers
    )
    return replace(workload, tensors=tensors, layers=layers)


def repeated(one: FusedGraph, workload: Workload, images: int) -> FusedGraph:
    """The graph of a batch from that of one image; workload: of the batch.

    Nodes stay in layer order, inside a layer image by image; weights are there once.
    """
    node, tensor = _node_numbers(one, images), _tensor_numbers(one, images)
    order = np.argsort(node.reshape(-1))  # places of (image, node) in the order of new numbers
    image, old = np.divmod(order, one.size)
    low, high = one.low[old].copy(), one.high[old].copy()
    low[:, 0] += image
    high[:, 0] += image
    counts = np.diff(one.need_pointers)[old]
    pointers = np.append(0, np.cumsum(counts))
    nth = np.arange(pointers[-1]) - np.repeat(pointers[:-1], counts)
    needs = one.needs[np.repeat(one.need_pointers[old], counts) + nth]
    made = _spread(one.tensor_maker, tensor)
    maker = np.where(made >= 0, node[_image_of(tensor), np.maximum(made, 0)], made)
    return FusedGraph(
        workload,
        layer=one.layer[old],
        tile=one.tile[old],
        part=one.part[old],
        low=low,
        high=high,
        shape=one.shape[old],
        tensor_bytes=_spread(one.tensor_bytes, tensor),
        tensor_maker=maker,
        tensor_is_weight=_spread(one.tensor_is_weight, tensor),
        tensor_is_final=_spread(one.tensor_is_final, tensor),
        need_pointers=pointers,
        needs=tensor[np.repeat(image, counts), needs],
        output_tensor=tensor[image, one.output_tensor[old]],
    )


def _node_numbers(one: FusedGraph, images: int) -> Int64s:
    """Number of each node of each image, int64 (images, nodes)."""
    counts = np.bincount(one.layer)
    first = (np.cumsum(counts) - counts)[one.layer]
    inside = np.arange(one.size) - first
    return first * images + np.arange(images)[:, None] * counts[one.layer] + inside


def _tensor_numbers(one: FusedGraph, images: int) -> Int64s:
    """Number of each tensor of each image, int64 (images, tensors): that of its node, if made."""
    tensors = one.tensor_bytes.size
    made, shared = one.tensor_maker >= 0, one.tensor_is_weight
    number = np.empty((images, tensors), dtype=np.int64)
    number[:, made] = _node_numbers(one, images)[:, one.tensor_maker[made]]
    brought = np.flatnonzero(~made)
    copies = np.where(shared[brought], 1, images)
    first = one.size * images + np.cumsum(copies) - copies
    number[:, brought] = first + np.arange(images)[:, None] * (copies > 1)
    return number


def _spread(column: np.ndarray, number: Int64s) -> np.ndarray:
    """A column of one image's tensors for those of all images."""
    out = np.empty(int(number.max()) + 1, dtype=column.dtype)
    out[number] = column
    return out


def _image_of(number: Int64s) -> Int64s:
    """The image of each tensor; of a shared one the last."""
    return _spread(np.arange(number.shape[0])[:, None] * np.ones_like(number), number)
