"""Model files as stored: read, checked, and freed of the data of their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
import onnx.checker
import onnx.inliner
from onnx import ModelProto, NodeProto, TensorProto, helper

from simulator.workload.errors import WorkloadError
from simulator.workload.nodes import in_running_order, read_node

OLDEST_OPSET = 13
UNKNOWN_DOMAIN = "unknown"
SMALL_ELEMENTS = 1024
"""Constants up to this size stay in the model, since shapes may depend on their values."""


@dataclass(frozen=True)
class ModelFile:
    """A model without the data of its weights.

    name: what errors call it. proto: the model, its weights turned into graph inputs.
    initializers: the constants by name, with their data where it was stored inline.
    inputs: names of the graph inputs that are not constants. folder: where external data lies.
    """

    name: str
    proto: ModelProto
    initializers: Mapping[str, TensorProto]
    inputs: tuple[str, ...]
    folder: Path | None


def source_name(source: str | Path | ModelProto) -> str:
    """What errors call a model: its file name, or the name of its graph."""
    model: ModelProto = source
    return Path(source).name if isinstance(source, str | Path) else model.graph.name or "model"


def read_model(source: str | Path | ModelProto) -> ModelFile:
    """Reads and checks a model; external data is not read.

    Raises: WorkloadError when the file is missing, is not ONNX, or breaks the rules of ONNX.
    """
    path = Path(source) if isinstance(source, str | Path) else None
    stored: ModelProto = source if path is None else _parse(path)
    _check_header(stored)
    initializers = {item.name: item for item in stored.graph.initializer}
    proto = _without_weights(stored)
    _sort_nodes(proto)
    _set_unknown_types_apart(proto)
    _check_rules(proto)
    if proto.functions:
        proto = onnx.inliner.inline_local_functions(proto)
    return ModelFile(
        name=source_name(source),
        proto=proto,
        initializers=initializers,
        inputs=tuple(x.name for x in stored.graph.input if x.name not in initializers),
        folder=path.parent if path else None,
    )


def _parse(path: Path) -> ModelProto:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WorkloadError(f"file must be readable: {error.strerror}: {path}") from error
    try:
        return onnx.load_model_from_string(data)
    except Exception as error:  # the parser's own error type is not part of onnx
        raise WorkloadError("file must be a whole ONNX model; it cannot be parsed") from error


def _check_header(model: ModelProto) -> None:
    if not model.ir_version or not model.HasField("graph"):
        raise WorkloadError("file must be an ONNX model; it has no version and graph")
    if not model.graph.node:
        raise WorkloadError("model must have nodes; its graph is empty")
    if model.graph.sparse_initializer:
        name = model.graph.sparse_initializer[0].values.name
        raise WorkloadError(f"constant {name} must be stored dense, not sparse")
    opset = opset_version(model)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise WorkloadError(f"opset must be {OLDEST_OPSET} to {newest}, not {opset}")


def opset_version(model: ModelProto) -> int:
    """Version of the standard operators that the model uses; 1 when it does not say."""
    versions = {item.domain: int(item.version) for item in model.opset_import}
    return versions.get("", versions.get("ai.onnx", 1))


def _without_weights(stored: ModelProto) -> ModelProto:
    """A copy whose constants are graph inputs of the same type, but for small inline ones."""
    lean = ModelProto(ir_version=max(stored.ir_version, 4), producer_name=stored.producer_name)
    lean.opset_import.extend(stored.opset_import)
    lean.functions.extend(stored.functions)
    graph, original = lean.graph, stored.graph
    graph.name = original.name or "graph"
    graph.node.extend(original.node)
    graph.value_info.extend(original.value_info)
    graph.output.extend(original.output)
    constant = {item.name for item in original.initializer}
    graph.input.extend(item for item in original.input if item.name not in constant)
    for item in original.initializer:
        if item.data_location != TensorProto.EXTERNAL and prod(item.dims) <= SMALL_ELEMENTS:
            graph.initializer.append(item)
        else:
            graph.input.append(
                helper.make_tensor_value_info(item.name, item.data_type, list(item.dims))
            )
    return lean


def _sort_nodes(proto: ModelProto) -> None:
    """Puts the nodes into an order in which they can run, as the rules ask for."""
    graph = proto.graph
    nodes = [read_node(item, index) for index, item in enumerate(graph.node)]
    available = [x.name for x in (*graph.input, *graph.initializer)]
    ordered = [node.proto for node in in_running_order(nodes, available) if node.proto]
    if ordered != [node.proto for node in nodes]:
        copies = [NodeProto.FromString(item.SerializeToString()) for item in ordered]
        del graph.node[:]
        graph.node.extend(copies)


def _set_unknown_types_apart(proto: ModelProto) -> None:
    """Moves nodes of a type that onnx does not know to a domain of their own.

    They are like custom nodes then: the checker lets them pass, the importer names them.
    """
    for node in proto.graph.node:
        if node.domain in ("", "ai.onnx") and not onnx.defs.has(node.op_type):
            node.domain = UNKNOWN_DOMAIN
            if UNKNOWN_DOMAIN not in {item.domain for item in proto.opset_import}:
                proto.opset_import.append(helper.make_opsetid(UNKNOWN_DOMAIN, 1))


def _check_rules(proto: ModelProto) -> None:
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        raise WorkloadError(f"model must follow the ONNX rules: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """The text of an onnx error on one line, without its context."""
    return " ".join(str(error).split("==> Context")[0].split()).rstrip(".")
