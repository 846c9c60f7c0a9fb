"""Masks of an ONNX model itself: its pruned weights, and its activations on given inputs.

Layers whose matrices are several (attention products) keep generated masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw_models.sparsity.mask_files import MaskKey
from hw_models.sparsity.masks import Mask, magnitude_mask
from simulator.sparsity.gemms import input_shape, weight_shape
from simulator.workload.graph import Layer, LayerOp, Workload
from traces.errors import InputError


def weight_masks(path: Path, workload: Workload, density: float) -> dict[MaskKey, Mask]:
    """Masks of constant weights, pruned by magnitude layer by layer to a share of nonzeros."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for layer, node in _single_products(workload, model):
        tensor = constants.get(node.input[1])
        if tensor is None:
            continue
        weights = numpy_helper.to_array(tensor)
        if layer.op is LayerOp.MATMUL and not _is_transposed(node):
            weights = weights.T
        if weights.size == np.prod(weight_shape(layer)):
            mask = magnitude_mask(weights, density)
            found[layer.name, "weight"] = mask.reshape(weight_shape(layer))
    return found


def activation_masks(path: Path, workload: Workload, inputs: Path) -> dict[MaskKey, Mask]:
    """Masks of the feature maps that layers read, computed with onnxruntime.

    inputs: .npz with an array for every input of the model. Raises InputError.
    """
    import onnx

    model = onnx.load(str(path))
    wanted = {layer.name: node.input[0] for layer, node in _single_products(workload, model)}
    values = _run(model, sorted(set(wanted.values())), _load_inputs(inputs))
    found = {}
    for layer in workload.layers:
        if layer.name not in wanted:
            continue
        mask = values[wanted[layer.name]] != 0
        shape = input_shape(layer)
        if layer.op is LayerOp.MATMUL:
            mask = mask.reshape(-1, shape[1]).T
        if mask.size != np.prod(shape):
            raise InputError(
                f"{inputs}: arrays must have the shapes that {path} is simulated with; "
                f"{layer.name} reads {np.prod(shape)} elements, not {mask.size}"
            )
        found[layer.name, "input"] = mask.reshape(shape)
    return found


def _single_products(workload: Workload, model: Any) -> Iterator[tuple[Layer, Any]]:
    """Layers of one matrix or convolution, with the node of the model that they stand for."""
    nodes = {node.name: node for node in model.graph.node}
    for layer in workload.layers:
        node = next((nodes[name] for name in layer.source if name in nodes), None)
        if node is None or not layer.is_mac or not layer.weight_is_constant:
            continue
        if layer.op is LayerOp.CONV2D or layer.dims.g == 1:
            yield layer, node


def _is_transposed(node: Any) -> bool:
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def _load_inputs(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: can't be read as .npz: {error}") from None


def _run(model: Any, names: list[str], inputs: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Values of some tensors of a model. Raises InputError without onnxruntime or on bad inputs."""
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError:
        raise InputError("--inputs needs onnxruntime: pip install onnxruntime") from None
    needed = {value.name for value in model.graph.input} - {
        tensor.name for tensor in model.graph.initializer
    }
    if needed != set(inputs):
        told = ", ".join(sorted(inputs)) or "nothing"
        raise InputError(f"inputs must be named {', '.join(sorted(needed))}, not {told}")
    known = {output.name for output in model.graph.output} | needed
    for name in names:
        if name not in known:
            model.graph.output.add().name = name
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    asked = [name for name in names if name not in needed]
    return {**inputs, **dict(zip(asked, session.run(asked, inputs), strict=True))}
