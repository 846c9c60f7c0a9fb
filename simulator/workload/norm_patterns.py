"""Layer norms that older exporters spell out: mean, difference, square, mean, root, quotient."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from simulator.workload.folding import Constants
from simulator.workload.nodes import Node
from simulator.workload.shapes import Shape
from simulator.workload.wiring import Wiring, merged_node, replace_regions


class _Match:
    """One spelt-out norm: its input and the names of the values on the way."""

    def __init__(self, source: str, centred: bool, values: set[str]) -> None:
        self.source = source
        self.centred = centred
        self.values = values
        self.parameters: list[str] = []


class NormPatterns:
    """Finds spelt-out layer norms and RMS norms over the last axis, and replaces each by a node."""

    def __init__(
        self,
        nodes: Sequence[Node],
        kept: Collection[str],
        constants: Constants,
        shape_of: Callable[[str], Shape],
    ) -> None:
        self._wiring = Wiring(nodes, kept)
        self._constants = constants
        self._shape_of = shape_of

    def replaced(self) -> list[Node]:
        """The nodes with each spelt-out norm as one LayerNormalization or RMSNormalization."""
        found = [self._match(index) for index in range(len(self._wiring.nodes))]
        return replace_regions(self._wiring.nodes, [item for item in found if item])

    def _match(self, index: int) -> tuple[set[int], Node] | None:
        node = self._wiring.nodes[index]
        match = self._quotient(node)
        if match is None:
            return None
        output = self._scale_and_shift(match, node.outputs[0])
        region = {self._wiring.maker[name] for name in match.values | {output}}
        if not self._wiring.is_closed(region, output):
            return None
        op = "LayerNormalization" if match.centred else "RMSNormalization"
        inputs = (match.source, *match.parameters)
        last = self._wiring.nodes[self._wiring.maker[output]]
        norm = Node(last.name, op, inputs, (output,), {"axis": -1})
        return region, merged_node(self._wiring.nodes, region, norm)

    def _quotient(self, node: Node) -> _Match | None:
        """x / root, or x * (1 / root), where root comes from the mean square of the same x."""
        if node.op == "Div":
            pairs = [node.inputs]
        elif node.op == "Mul":
            pairs = [node.inputs, node.inputs[::-1]]
        else:
            return None
        for top, factor in pairs:
            root, values = self._root(factor, inverse=node.op == "Mul")
            match = self._mean_square(root, top) if root else None
            if match:
                match.values |= values | {node.outputs[0]}
                return match
        return None

    def _root(self, name: str, *, inverse: bool) -> tuple[str | None, set[str]]:
        """What is under the root that makes a value, and the values in between."""
        values = {name}
        if inverse:
            maker = self._wiring.made_by(name, "Reciprocal", "Div", "Pow")
            if maker is None:
                return None, values
            if maker.op == "Pow":
                return self._power(maker, -0.5), values
            if maker.op == "Div" and self._number(maker.inputs[0]) != 1:
                return None, values
            name = maker.inputs[-1]
            values.add(name)
        maker = self._wiring.made_by(name, "Sqrt", "Pow")
        if maker is None:
            return None, values
        return (maker.inputs[0] if maker.op == "Sqrt" else self._power(maker, 0.5)), values

    def _power(self, node: Node, exponent: float) -> str | None:
        return node.inputs[0] if self._number(node.inputs[1]) == exponent else None

    def _number(self, name: str) -> float | None:
        return self._constants.scalar(name)

    def _mean_square(self, name: str, top: str) -> _Match | None:
        """Matches mean(y * y) + epsilon, where y = top, and then y = x - mean(x) if it is that."""
        values = {name}
        total = self._wiring.made_by(name, "Add")
        if total is None:
            return None
        mean_name = next((x for x in total.inputs if x not in self._constants), "")
        mean = self._row_mean(mean_name)
        if mean is None:
            return None
        square = self._wiring.made_by(mean.inputs[0], "Pow", "Mul")
        if square is None or not self._is_square(square):
            return None
        values |= {mean_name, mean.inputs[0]}
        return self._centred(top, square.inputs[0], values)

    def _is_square(self, node: Node) -> bool:
        if node.op == "Mul":
            return node.inputs[0] == node.inputs[1]
        return self._number(node.inputs[1]) == 2

    def _row_mean(self, name: str) -> Node | None:
        """The node that makes a value by taking the mean over the last axis."""
        node = self._wiring.made_by(name, "ReduceMean")
        if node is None:
            return None
        axes = node.attributes.get("axes")
        if node.has_input(1) and node.inputs[1] in self._constants:
            axes = self._constants.array(node.inputs[1]).tolist()
        rank = len(self._shape_of(node.inputs[0]))
        return node if axes is not None and [x % rank for x in axes] == [rank - 1] else None

    def _centred(self, top: str, squared: str, values: set[str]) -> _Match | None:
        """y is x - mean(x), possibly computed twice; or x itself, which makes an RMS norm."""
        first, second = (self._wiring.made_by(x, "Sub") for x in (top, squared))
        if first is not None and second is not None and first.inputs[0] == second.inputs[0]:
            means = {first.inputs[1], second.inputs[1]}
            nodes = [self._row_mean(name) for name in means]
            if all(node is not None and node.inputs[0] == first.inputs[0] for node in nodes):
                return _Match(first.inputs[0], True, values | {top, squared} | means)
        return _Match(top, False, values) if top == squared else None

    def _scale_and_shift(self, match: _Match, output: str) -> str:
        """Takes in the multiplication and addition of vectors that follow; returns the last."""
        width = self._shape_of(match.source)[-1]
        for op in ("Mul", "Add"):
            readers = self._wiring.readers.get(output, set())
            if len(readers) != 1 or output in self._wiring.kept:
                break
            node = self._wiring.nodes[next(iter(readers))]
            vector = next((x for x in node.inputs if x in self._constants), None)
            if node.op != op or vector is None or self._shape_of(vector) != (width,):
                break
            match.values.add(output)
            match.parameters.append(vector)
            output = node.outputs[0]
        return output
