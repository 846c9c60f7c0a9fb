"""Tiny ONNX models for the tests of the importer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from simulator.workload.graph import Workload
from simulator.workload.onnx_import import load_onnx

ModelMaker = Callable[..., ModelProto]
NetworkMaker = Callable[..., Workload]


def _constant(name, value):
    """A constant: an array, or a shape that stands for weights without data."""
    if isinstance(value, tuple):
        stored = TensorProto(name=name, dims=value, data_type=TensorProto.FLOAT)
        stored.data_location = TensorProto.EXTERNAL
        stored.external_data.add(key="location", value="weights.bin")
        return stored
    return numpy_helper.from_array(np.asarray(value), name)


def _node(op, inputs, outputs, attributes=None, *, name=None, domain=""):
    names = ["" if word == "-" else word for word in inputs.split()]
    made = outputs.split()
    name = name or f"{op.lower()}_{made[0]}"
    return helper.make_node(op, names, made, name=name, domain=domain, **(attributes or {}))


def make_model(
    nodes: Sequence[tuple],
    inputs: Mapping[str, Sequence[int | str | None]],
    outputs: str,
    constants: Mapping[str, object] | None = None,
    *,
    opset: int = 17,
    integer: str = "",
) -> ModelProto:
    """A model. nodes: (type, "inputs", "outputs", attributes); "-" is a missing input.

    outputs, integer: names of outputs and of integer inputs, separated by blanks.
    """
    kind = dict.fromkeys(integer.split(), TensorProto.INT64)
    graph = helper.make_graph(
        [_node(*row[:4], **(row[4] if len(row) > 4 else {})) for row in nodes],
        "tiny",
        [
            helper.make_tensor_value_info(name, kind.get(name, TensorProto.FLOAT), shape)
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ()) for x in outputs.split()],
        [_constant(name, value) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("custom", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.fixture
def model_of() -> ModelMaker:
    return make_model


@pytest.fixture
def network_of() -> NetworkMaker:
    """Builds a tiny model and imports it."""

    def network(*args, batch=1, dims=None, skip_unsupported=False, **kwargs):
        model = make_model(*args, **kwargs)
        return load_onnx(model, batch=batch, dims=dims, skip_unsupported=skip_unsupported)

    return network
