"""A network under construction: the layers so far, and the values that nodes read and write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from simulator.workload.errors import UnsupportedNodeError
from simulator.workload.folding import Constants
from simulator.workload.functions import FUNCTIONS
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand
from simulator.workload.loops import EVERY_LOOP, border_dims
from simulator.workload.nodes import Node
from simulator.workload.values import Shape, Value, first_channel

WEIGHT_LOOPS = ("g", "k", "c", "fy", "fx")


class Draft:
    """Collects layers in the order of the nodes that they come from.

    shape_of: shape of each value of the model. elements: size of each tensor of the workload.
    """

    def __init__(self, shape_of: Callable[[str], Shape], constants: Constants) -> None:
        self.shape_of = shape_of
        self.constants = constants
        self.layers: list[Layer] = []
        self.elements: dict[str, int] = {}
        self.parameters: set[str] = set()
        self.inputs: list[str] = []
        self.kept: list[str] = []
        self._values: dict[str, Value] = {}
        self._names: set[str] = set()

    def add_input(self, name: str) -> None:
        """Makes a value an input of the workload."""
        shape = self.shape_of(name)
        self.inputs.append(name)
        self.elements[name] = prod(shape)
        self._values[name] = Value(name, shape, first_channel(shape))

    def set(self, name: str, value: Value) -> None:
        """Says which view of which tensor a value of the model is."""
        self._values[name] = value

    def has(self, name: str) -> bool:
        """Whether the value has been made."""
        return name in self._values

    def value(self, name: str) -> Value:
        """A value as its producer left it, with padding still to be added.

        Raises: UnsupportedNodeError when its producer does not make it.
        """
        if name not in self._values and name in self.constants:
            shape = self.shape_of(name)
            origin = self.constants.origin(name)
            self._values[name] = Value(origin, shape, first_channel(shape), constant=name)
        if name not in self._values:
            raise UnsupportedNodeError(f"value {name} must be the first output of its node")
        return self._values[name]

    def feature(self, name: str) -> Value:
        """A value whose elements are all in memory: padding is written out if need be."""
        value = self.value(name)
        if value.padding is None:
            return value
        plain = self._write_padding(value)
        self._values[name] = plain
        return plain

    def is_constant(self, name: str) -> bool:
        """Whether a value is known before the network runs."""
        return name in self.constants

    def operand(self, value: Value, dims: Sequence[str] = EVERY_LOOP, extent: int = 0) -> Operand:
        """A value as a layer reads it; the tensor of a constant becomes a parameter."""
        if value.constant is not None:
            self.parameters.add(value.tensor)
            size = prod(self.shape_of(value.tensor))
            self.elements[value.tensor] = max(size, self.elements.get(value.tensor, 0))
        return Operand(value.tensor, tuple(dims), extent)

    def weight(self, value: Value) -> Operand:
        """The weights of a layer."""
        return self.operand(value, WEIGHT_LOOPS)

    def emit(
        self,
        node: Node,
        op: LayerOp,
        dims: LoopDims,
        inputs: Sequence[Operand],
        *,
        function: str = "",
        channel: int | None = None,
        weight: Operand | None = None,
        bias: bool = False,
        output: str | None = None,
        shape: Shape | None = None,
    ) -> Value:
        """Adds a layer that writes a tensor of its own and returns the view that nodes see.

        channel: innermost axis of that view, the last one when not given. output, shape: name
        and shape of the value that is written, those of the node's first output when not given.
        """
        if function and function not in FUNCTIONS:
            raise UnsupportedNodeError(f"{node.label}: function {function} must be a known one")
        output = output or node.outputs[0]
        shape = self.shape_of(output) if shape is None else shape
        layer = Layer(
            name=self._unique(node.name),
            op=op,
            dims=dims,
            inputs=tuple(inputs),
            output=output,
            weight=weight,
            weight_is_constant=weight is None or weight.tensor in self.parameters,
            bias=bias,
            function=function,
            source=node.sources,
        )
        self.layers.append(layer)
        self.elements[output] = prod(shape)
        last = max(len(shape) - 1, 0)
        self._values[output] = Value(output, shape, last if channel is None else channel)
        return self._values[output]

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique)
        return unique

    def _write_padding(self, value: Value) -> Value:
        """Adds the layer that writes a padded copy of a map."""
        pad = value.padding
        assert pad is not None
        dims = border_dims(value.shape, value.stored_spatial, pad.before)
        return self.emit(
            pad.node,
            LayerOp.CONCAT,
            dims,
            [self.operand(value, extent=dims.g)],
            function="pad",
            channel=1,
            output=f"{pad.node.outputs[0]}.padded",
            shape=value.shape,
        )
