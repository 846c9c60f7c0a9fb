"""Functions of single elements: activations, arithmetic with broadcasting, batch norm."""

from __future__ import annotations

from simulator.workload.draft import Draft
from simulator.workload.errors import UnsupportedNodeError
from simulator.workload.functions import BINARY, EXPRESSIONS, UNARY, WITH_SCALAR
from simulator.workload.graph import LayerOp
from simulator.workload.loops import map_axes
from simulator.workload.nodes import Node
from simulator.workload.values import Shape, Value


def unary(draft: Draft, node: Node) -> None:
    """An activation; the slopes of a PRelu are a second operand."""
    value = draft.feature(node.inputs[0])
    slopes = [draft.feature(name) for name in node.inputs[1:2] if node.op == "PRelu"]
    emit_activation(draft, node, value, _unary_function(draft, node), slopes)


def emit_activation(
    draft: Draft, node: Node, value: Value, function: str, others: list[Value] | None = None
) -> None:
    """Adds an ACTIVATION layer over a value; others: operands that come with it."""
    operands = [value, *(other for other in others or [] if other.elements > 1)]
    dims, loops = map_axes(value.shape, value.channel, [x.shape for x in operands])
    draft.emit(
        node,
        LayerOp.ACTIVATION,
        dims,
        [draft.operand(x, used) for x, used in zip(operands, loops, strict=True)],
        function=function,
        channel=value.channel,
    )


def _unary_function(draft: Draft, node: Node) -> str:
    if node.op == "Clip":
        return _clip_function(draft, node)
    if node.op == "Gelu" and node.attributes.get("approximate") == "tanh":
        return "gelu_tanh"
    return UNARY[node.op]


def _clip_function(draft: Draft, node: Node) -> str:
    """Clip from 0 to 6 is relu6, from 0 upwards relu."""
    bounds = [draft.constants.scalar(node.inputs[i]) if node.has_input(i) else None for i in (1, 2)]
    if bounds == [0, 6]:
        return "relu6"
    return "relu" if bounds[0] == 0 and not node.has_input(2) else "clip"


def expression(draft: Draft, node: Node) -> None:
    """A function that several nodes spelt out (see `expressions.py`)."""
    emit_activation(draft, node, draft.feature(node.inputs[0]), node.op)


def several(draft: Draft, node: Node) -> None:
    """Arithmetic on several values; constant scalars are part of the function, not operands."""
    function = BINARY[node.op]
    values = [draft.feature(name) for name in node.inputs]
    tensors = [x for x in values if x.constant is None or x.elements > 1]
    if function in _ANY_ORDER:
        tensors.sort(key=lambda x: x.constant is not None)
    output = draft.shape_of(node.outputs[0])
    if len(values) == 1:
        draft.set(node.outputs[0], values[0])
    elif len(tensors) == 1 and tensors[0].shape == output:
        emit_activation(draft, node, tensors[0], _scalar_function(draft, function, values))
    else:
        _emit_arithmetic(draft, node, function, tensors, output)


_ANY_ORDER = frozenset({"add", "sub", "mul", "max2", "min2", "mean", "logic", "where"})
"""Functions whose constant operands may come last: what they cost does not depend on the order."""


def _emit_arithmetic(
    draft: Draft, node: Node, function: str, tensors: list[Value], output: Shape
) -> None:
    whole = [x for x in tensors if x.shape == output]
    channel = whole[0].channel if whole else max(len(output) - 1, 0)
    dims, loops = map_axes(output, channel, [x.shape for x in tensors])
    draft.emit(
        node,
        LayerOp.ELEMENTWISE,
        dims,
        [draft.operand(x, used) for x, used in zip(tensors, loops, strict=True)],
        function=function,
        channel=channel,
    )


def _scalar_function(draft: Draft, function: str, values: list[Value]) -> str:
    """The unary function that remains when the other operands are constant scalars."""
    first_is_constant = values[0].constant is not None
    if function == "div" and first_is_constant:
        return "reciprocal"
    names = [x.constant for x in values if x.constant is not None]
    number = draft.constants.scalar(names[0]) if len(names) == 1 else None
    if function == "max2" and number == 0:
        return "relu"
    if function == "pow" and not first_is_constant and number in _POWERS:
        return _POWERS[number]
    return WITH_SCALAR[function]


_POWERS = {2.0: "square", 3.0: "cube", 0.5: "sqrt", -1.0: "reciprocal"}


def batch_norm(draft: Draft, node: Node) -> None:
    """BatchNormalization as it runs in inference: one multiply-add per element.

    The four constants per channel become two. The epilogue pass folds it into a convolution.
    """
    if node.attributes.get("training_mode"):
        raise UnsupportedNodeError(f"{node.label}: training_mode must be 0")
    value = draft.feature(node.inputs[0])
    scale, shift = draft.feature(node.inputs[1]), draft.feature(node.inputs[2])
    channel = min(1, len(value.shape) - 1)
    dims, _ = map_axes(value.shape, channel)
    operands = [draft.operand(value), draft.operand(scale, ("g",)), draft.operand(shift, ("g",))]
    draft.emit(node, LayerOp.ELEMENTWISE, dims, operands, function="multiply_add", channel=channel)


HANDLERS = {
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys(BINARY, several),
    **dict.fromkeys(EXPRESSIONS, expression),
    "BatchNormalization": batch_norm,
}
