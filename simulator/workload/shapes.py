"""Shapes of all values of a model, and which of them are constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference
from onnx import TensorProto, TypeProto, helper, numpy_helper

from simulator.workload.errors import WorkloadError
from simulator.workload.folding import Constants
from simulator.workload.model_file import SMALL_ELEMENTS, ModelFile, one_line, opset_version
from simulator.workload.nodes import Node, read_node

Shape = tuple[int, ...]

SHAPE_NODES = frozenset({"Shape", "Size"})
"""Nodes that read only the shape of their input, so that a constant takes their place."""

RANDOM_NODES = frozenset({"RandomNormal", "RandomUniform", "Bernoulli", "Multinomial"})
INDEX_TYPES = frozenset({TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL})


class ShapeInference:
    """Shapes and constants of a model whose inputs have known shapes.

    onnx's inference runs once over the whole model, with data propagation. What it leaves open
    (shapes that depend on values it does not propagate) is inferred node by node, with the values
    of constants at hand.
    """

    def __init__(self, model: ModelFile) -> None:
        self._opset = opset_version(model.proto)
        self._opset_imports = list(model.proto.opset_import)
        self.constants = Constants(model.initializers, model.folder, self._opset)
        graph = model.proto.graph
        self._declared = {x.name: _copy(x.type) for x in (*graph.value_info, *graph.output)}
        self._types: dict[str, TypeProto] = _infer_all(model)

    def run(self, nodes: Sequence[Node]) -> list[Node]:
        """Infers all shapes; returns the nodes that are left to run, without constant ones."""
        left = []
        for node in nodes:
            if self._is_constant(node):
                self._fold(node)
            else:
                self._infer(node)
                left.append(node)
        return left

    def shape(self, name: str) -> Shape:
        """The shape of a value.

        Raises: WorkloadError when it is not known or has a dimension below 1.
        """
        shape = self._static(name)
        if shape is None and name in self.constants:
            shape = self.constants.array(name).shape
            self._types[name] = _type_of(self.constants.array(name))
        if shape is None:
            raise WorkloadError(f"value {name} must have a shape that can be inferred")
        if name not in self.constants and min(shape, default=1) < 1:
            raise WorkloadError(f"value {name} must have positive dimensions, not {list(shape)}")
        return shape

    def _static(self, name: str) -> Shape | None:
        kind = self._types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        dims = kind.tensor_type.shape.dim
        if any(dim.WhichOneof("value") != "dim_value" for dim in dims):
            return None
        return tuple(int(dim.dim_value) for dim in dims)

    def _is_constant(self, node: Node) -> bool:
        if node.domain or node.op in RANDOM_NODES:
            return False
        if node.op in SHAPE_NODES:
            return self._static(node.inputs[0]) is not None
        if node.op == "CastLike":
            return node.inputs[0] in self.constants and node.outputs[0] in self._types
        given = [name for name in node.inputs if name]
        has_graph = any(hasattr(value, "node") for value in node.attributes.values())
        return (
            (bool(given) or node.op == "Constant")
            and not has_graph
            and all(name in self.constants for name in given)
        )

    def _fold(self, node: Node) -> None:
        if node.op == "CastLike":
            node = self._as_cast(node)
        if node.op not in SHAPE_NODES:
            self.constants.add_node(node)
            return
        shape = self.shape(node.inputs[0])
        part = shape[slice(node.attributes.get("start", 0), node.attributes.get("end"))]
        value = np.array(part if node.op == "Shape" else np.prod(shape), dtype=np.int64)
        self.constants.add_array(node.outputs[0], value)
        self._types[node.outputs[0]] = _type_of(value)

    def _as_cast(self, node: Node) -> Node:
        """A CastLike as the Cast that it is once types are known: its second input drops out."""
        kind = self._types[node.outputs[0]].tensor_type.elem_type
        proto = helper.make_node("Cast", node.inputs[:1], node.outputs, node.name, to=kind)
        return read_node(proto, 0)

    def _infer(self, node: Node) -> None:
        """Infers the outputs of one node, unless the run over the whole model has done so."""
        missing = [name for name in node.outputs if name and self._static(name) is None]
        if not missing:
            return
        if not node.domain and onnx.defs.has(node.op):
            self._types.update(self._infer_node(node))
        for name in missing:
            if self._static(name) is None and name in self._declared:
                self._types[name] = self._declared[name]

    def _infer_node(self, node: Node) -> dict[str, TypeProto]:
        given = [name for name in node.inputs if name]
        if any(self._static(name) is None and name not in self.constants for name in given):
            return {}  # whoever asks for this shape is told that it is not known
        for name in given:
            self.shape(name)
        try:
            return onnx.shape_inference.infer_node_outputs(
                onnx.defs.get_schema(node.op, self._opset, ""),
                node.proto,
                {name: self._types[name] for name in given},
                self._values(node.op, given),
                opset_imports=self._opset_imports,
            )
        except WorkloadError:
            raise
        except (onnx.shape_inference.InferenceError, onnx.defs.SchemaError, ValueError) as error:
            text = one_line(error).replace("[ShapeInferenceError] ", "")
            raise WorkloadError(f"{node.label}: shapes must fit its type: {text}") from error

    def _values(self, op: str, names: Sequence[str]) -> dict[str, TensorProto]:
        """The constants among the inputs on which the shape of the output can depend."""
        found = {}
        for name in names:
            kind = self._types[name].tensor_type
            if name not in self.constants or np.prod(self.shape(name)) > SMALL_ELEMENTS:
                continue
            if kind.elem_type in INDEX_TYPES or op == "Resize":
                found[name] = numpy_helper.from_array(self.constants.array(name), name)
        return found


def _infer_all(model: ModelFile) -> dict[str, TypeProto]:
    """Types of all values that onnx infers by itself."""
    for item in model.proto.graph.output:
        item.type.tensor_type.ClearField("shape")
    del model.proto.graph.value_info[:]
    try:
        graph = onnx.shape_inference.infer_shapes(model.proto, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError) as error:
        raise WorkloadError(f"shapes must be inferable: {one_line(error)}") from error
    types = {x.name: x.type for x in (*graph.value_info, *graph.input, *graph.output)}
    for name, item in model.initializers.items():
        types[name] = helper.make_tensor_type_proto(item.data_type, list(item.dims))
    return types


def _copy(kind: TypeProto) -> TypeProto:
    copy = TypeProto()
    copy.CopyFrom(kind)
    return copy


def _type_of(array: Any) -> TypeProto:
    return helper.make_tensor_type_proto(
        helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape)
    )
