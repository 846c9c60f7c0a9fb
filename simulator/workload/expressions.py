"""Functions of one tensor that models spell out with several nodes, such as GELU.

Which function it is, is told by its values: the nodes are evaluated at sample points and compared
with each function known here. So any spelling is recognised, and none by mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import erf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from simulator.workload.errors import WorkloadError
from simulator.workload.folding import Constants
from simulator.workload.functions import BINARY, UNARY
from simulator.workload.nodes import Node
from simulator.workload.shapes import Shape
from simulator.workload.wiring import Wiring, merged_node, replace_regions

Floats = NDArray[np.float64]
SAMPLES = np.linspace(-5, 5, 41)
TOLERANCE = 1e-4
"""Below the largest difference of GELU and its tanh form, 5e-4."""


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


KNOWN: dict[str, Callable[[Floats], Floats]] = {
    "gelu": lambda x: 0.5 * x * (1 + np.vectorize(erf)(x / np.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "gelu_sigmoid": lambda x: x * _sigmoid(1.702 * x),
    "silu": lambda x: x * _sigmoid(x),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
}
"""Functions that are recognised."""


@dataclass(frozen=True, slots=True)
class _Step:
    """How a value follows from another: nodes in between, and whether paths join in them."""

    source: str
    region: frozenset[int]
    joins: bool


class Expressions:
    """Finds groups of nodes that compute a known function of one value."""

    def __init__(
        self,
        nodes: Sequence[Node],
        kept: Collection[str],
        constants: Constants,
        shape_of: Callable[[str], Shape],
        opset: int,
    ) -> None:
        self._wiring = Wiring(nodes, kept)
        self._constants = constants
        self._shape_of = shape_of
        self._opset = opset
        self._steps: dict[str, _Step] = {}
        self._names: dict[Any, str | None] = {}

    def replaced(self) -> list[Node]:
        """The nodes with each spelt-out function as one node of the function's name."""
        for index, node in enumerate(self._wiring.nodes):
            self._add_step(index, node)
        found: list[tuple[Collection[int], Node]] = []
        taken: set[int] = set()
        for index in reversed(range(len(self._wiring.nodes))):
            step = self._candidate(self._wiring.nodes[index])
            if step is None or step.region & taken:
                continue
            merged = self._recognise(self._wiring.nodes[index], step)
            if merged is not None:
                taken |= step.region
                found.append((step.region, merged))
        return replace_regions(self._wiring.nodes, found)

    def _add_step(self, index: int, node: Node) -> None:
        """Records from which single value the node's output follows, if there is one."""
        if node.op not in UNARY and node.op not in BINARY:
            return
        varying = [name for name in node.inputs if name and name not in self._constants]
        fixed = [name for name in node.inputs if name and name in self._constants]
        if not varying or any(np.prod(self._shape_of(name)) != 1 for name in fixed):
            return
        source = self._common_source(varying)
        if source is None:
            return
        region = frozenset({index}).union(*(self._region(name, source) for name in varying))
        self._steps[node.outputs[0]] = _Step(source, region, joins=len(varying) > 1)

    def _ancestors(self, name: str) -> list[str]:
        found = [name]
        while found[-1] in self._steps:
            found.append(self._steps[found[-1]].source)
        return found

    def _common_source(self, names: Sequence[str]) -> str | None:
        chains = [self._ancestors(name) for name in names]
        return next((x for x in chains[0] if all(x in chain for chain in chains[1:])), None)

    def _region(self, name: str, source: str) -> frozenset[int]:
        region: frozenset[int] = frozenset()
        while name != source:
            region |= self._steps[name].region
            name = self._steps[name].source
        return region

    def _candidate(self, node: Node) -> _Step | None:
        """The nodes from the last join of paths on; a factor may follow the join."""
        name = node.outputs[0]
        step = self._steps.get(name)
        region: frozenset[int] = frozenset()
        while step is not None:
            region |= step.region
            if step.joins:
                closed = self._wiring.is_closed(region, node.outputs[0])
                return _Step(step.source, region, True) if closed else None
            step = self._steps.get(step.source)
        return None

    def _recognise(self, node: Node, step: _Step) -> Node | None:
        name = self._function(step)
        if name is None:
            return None
        merged = Node(node.name, name, (step.source,), node.outputs)
        return merged_node(self._wiring.nodes, step.region, merged)

    def _function(self, step: _Step) -> str | None:
        """Name of the function that the nodes compute; the same spelling is judged once."""
        nodes = [self._wiring.nodes[i] for i in sorted(step.region)]
        spelling = self._spelling(nodes, step.source)
        if spelling not in self._names:
            self._names[spelling] = self._judge(nodes, step.source)
        return self._names[spelling]

    def _spelling(self, nodes: Sequence[Node], source: str) -> Any:
        """Types, attributes and constants of the nodes, with values numbered in order."""
        number = {source: 0}
        lines = []
        for node in nodes:
            inputs = tuple(
                ("value", number[x]) if x in number else x and self._constants.scalar(x)
                for x in node.inputs
            )
            number[node.outputs[0]] = len(number)
            lines.append((node.op, str(sorted(node.attributes.items())), inputs))
        return tuple(lines)

    def _judge(self, nodes: Sequence[Node], source: str) -> str | None:
        try:
            values = self._evaluate(nodes, source)
        except WorkloadError:
            return None
        for name, function in KNOWN.items():
            if np.allclose(values, function(SAMPLES), rtol=0, atol=TOLERANCE):
                return name
        return None

    def _evaluate(self, nodes: Sequence[Node], source: str) -> Floats:
        """The values of the last node's output at the sample points of the source."""
        from onnx.reference import ReferenceEvaluator  # only models with such nodes pay for it

        output = nodes[-1].outputs[0]
        fixed = {x for node in nodes for x in node.inputs if x and x in self._constants}
        graph = helper.make_graph(
            [node.proto for node in nodes],
            "expression",
            [helper.make_tensor_value_info(source, TensorProto.FLOAT, [len(SAMPLES)])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(self._constants.array(x).astype("f4"), x) for x in fixed],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._opset)])
        feeds = {source: SAMPLES.astype(np.float32)}
        with np.errstate(all="ignore"):
            return np.asarray(ReferenceEvaluator(model).run(None, feeds)[0], dtype=np.float64)
