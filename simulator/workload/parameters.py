"""How many trainable parameters a model has, as papers count them."""

from __future__ import annotations

from math import prod

from onnx import TensorProto

from simulator.workload.model_file import ModelFile

FLOATS = frozenset(
    {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}
)

NOT_TRAINED = {
    "BatchNormalization": (3, 4),  # running mean and variance
    "Resize": (1, 2),  # region of interest, scales
    "QuantizeLinear": (1, 2),  # scale, zero point
    "DequantizeLinear": (1, 2),
}
"""Positions of constant inputs that are statistics or settings, by node type."""


def count_parameters(model: ModelFile) -> int:
    """Elements of the model's floating-point constants that training sets, each counted once.

    Batch-norm scale and shift count, its running statistics do not. Scalars (constants of no
    axis) and integers do not count, but for integers that are dequantised weights.
    """
    settings: set[str] = set()
    quantised: set[str] = set()
    for node in model.proto.graph.node:
        positions = NOT_TRAINED.get(node.op_type, ())
        settings.update(node.input[i] for i in positions if i < len(node.input))
        if node.op_type == "DequantizeLinear":
            quantised.add(node.input[0])
    return sum(
        prod(item.dims)
        for name, item in model.initializers.items()
        if name not in settings
        and item.dims
        and (item.data_type in FLOATS or (name in quantised and len(item.dims) > 1))
    )
