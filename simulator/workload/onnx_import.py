"""Networks from ONNX models."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from simulator.workload.dimensions import bind_dimensions
from simulator.workload.draft import Draft
from simulator.workload.epilogue import absorb_epilogues, live_layers, operands_of
from simulator.workload.errors import UnsupportedNodeError, WorkloadError
from simulator.workload.expressions import Expressions
from simulator.workload.graph import Layer, Tensor, Workload
from simulator.workload.model_file import ModelFile, opset_version, read_model, source_name
from simulator.workload.nodes import Node, read_node
from simulator.workload.norm_patterns import NormPatterns
from simulator.workload.operators import OPERATORS
from simulator.workload.parameters import count_parameters
from simulator.workload.shapes import ShapeInference


def load_onnx(
    source: str | Path | ModelProto,
    *,
    batch: int = 1,
    dims: Mapping[str, int] | None = None,
    skip_unsupported: bool = False,
) -> Workload:
    """The workload of an ONNX model of opset 13 or later. Rules: ARCHITECTURE.md WORK-1 to WORK-8.

    batch: value of open first dimensions of inputs. dims: values of other open dimensions by name
    ("sequence"), or as "input.axis" where the model gives no name. skip_unsupported: leave out
    nodes that cannot be simulated; what they make becomes an input of the rest, and they are
    listed in `Workload.skipped`. The data of weights is not read.
    Raises: WorkloadError, one line with the file name first; UnsupportedNodeError for a node that
    `skip_unsupported` would leave out.
    """
    try:
        model = read_model(source)
        bind_dimensions(model.proto.graph, model.inputs, batch, dims or {})
        return _Import(model, skip_unsupported).run()
    except WorkloadError as error:
        raise type(error)(f"{source_name(source)}: {error}") from error


def _check_type(node: Node) -> None:
    if node.domain or node.op not in OPERATORS:
        raise UnsupportedNodeError(
            f"{node.label} must be of a type that can be simulated; skip_unsupported leaves it out"
        )


class _Import:
    """One import: nodes to layers, then layers to a workload."""

    def __init__(self, model: ModelFile, skip_unsupported: bool) -> None:
        self._model = model
        self._skip = skip_unsupported
        self._skipped: list[str] = []
        self._shapes = ShapeInference(model)
        self._draft = Draft(self._shapes.shape, self._shapes.constants)
        self._outputs = [item.name for item in model.proto.graph.output]

    def run(self) -> Workload:
        """The workload of the model."""
        for name in self._model.inputs:
            self._draft.add_input(name)
        nodes = self._nodes()
        read = {name for node in nodes for name in node.inputs} | set(self._outputs)
        for node in nodes:
            self._convert(node, read)
        return self._workload()

    def _nodes(self) -> list[Node]:
        """The nodes that do not only compute constants, spelt-out functions as one node each."""
        stored = enumerate(self._model.proto.graph.node)
        nodes = self._shapes.run([read_node(item, index) for index, item in stored])
        if not self._skip:
            for node in nodes:
                _check_type(node)
        shape_of, constants = self._shapes.shape, self._shapes.constants
        nodes = NormPatterns(nodes, self._outputs, constants, shape_of).replaced()
        opset = opset_version(self._model.proto)
        return Expressions(nodes, self._outputs, constants, shape_of, opset).replaced()

    def _convert(self, node: Node, read: Collection[str]) -> None:
        try:
            _check_type(node)
            for name in filter(None, node.outputs[:1]):
                self._shapes.shape(name)
            OPERATORS[node.op](self._draft, node)
        except UnsupportedNodeError:
            if not self._skip:
                raise
            self._leave_out(node, read)
        except WorkloadError:
            raise
        except ValueError as error:
            raise WorkloadError(f"{node.label}: {error}") from error

    def _leave_out(self, node: Node, read: Collection[str]) -> None:
        """What the node makes becomes an input, what it reads an output."""
        self._skipped.append(f"{node.name} ({node.op})")
        for name in node.inputs:
            if self._draft.has(name) and not self._draft.is_constant(name):
                self._draft.kept.append(self._draft.feature(name).tensor)
        for name in node.outputs:
            if name in read and name not in self._outputs:
                self._draft.add_input(name)

    def _workload(self) -> Workload:
        draft = self._draft
        kept = [*self._output_tensors(), *draft.kept]
        layers = live_layers(draft.layers, kept)
        layers = absorb_epilogues(layers, draft.elements, draft.parameters, kept)
        if not layers:
            raise WorkloadError("model must have a layer that computes something")
        made = {layer.output for layer in layers}
        read = {operand.tensor for layer in layers for operand in operands_of(layer)}
        return Workload(
            name=Path(self._model.name).stem,
            tensors=self._tensors(layers),
            layers=tuple(layers),
            inputs=tuple(name for name in draft.inputs if name in read),
            outputs=tuple(dict.fromkeys(name for name in kept if name in made)),
            parameters=count_parameters(self._model),
            skipped=tuple(self._skipped),
        )

    def _output_tensors(self) -> Iterable[str]:
        """Tensors that hold the model's outputs, those of left-out nodes apart."""
        for name in self._outputs:
            if not self._draft.is_constant(name) and self._draft.has(name):
                yield self._draft.feature(name).tensor

    def _tensors(self, layers: Sequence[Layer]) -> dict[str, Tensor]:
        """The tensors that the layers read and write.

        A weight tensor holds the bias too; a map is as large as what its layer writes, which for
        a sub-pixel convolution can be a little more than what is read.
        """
        sizes: dict[str, int] = {}
        for layer in layers:
            for operand in operands_of(layer):
                sizes.setdefault(operand.tensor, self._draft.elements[operand.tensor])
            if layer.weight and layer.weight_is_constant:
                weight = layer.weight.tensor
                sizes[weight] = max(sizes[weight], layer.weight_elements)
            sizes[layer.output] = max(self._draft.elements[layer.output], layer.output_elements)
        parameters = self._draft.parameters
        return {name: Tensor(name, size, name in parameters) for name, size in sizes.items()}
