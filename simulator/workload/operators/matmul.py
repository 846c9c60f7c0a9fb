"""Matrix multiplications: Gemm, MatMul, Einsum and attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from simulator.workload.draft import WEIGHT_LOOPS, Draft
from simulator.workload.errors import UnsupportedNodeError
from simulator.workload.graph import LayerOp, LoopDims
from simulator.workload.loops import EVERY_LOOP, map_axes
from simulator.workload.nodes import Node
from simulator.workload.values import Shape, Value


@dataclass(frozen=True, slots=True)
class Product:
    """`matrices` products of a (rows x inner) by an (inner x columns) matrix.

    moving_shared, weight_shared: that side has one matrix for all products.
    """

    matrices: int
    rows: int
    inner: int
    columns: int
    moving_shared: bool = False
    weight_shared: bool = False

    @property
    def dims(self) -> LoopDims:
        """As loops: g = matrices, ox = rows, c = inner, k = columns."""
        return LoopDims(g=self.matrices, k=self.columns, c=self.inner, ox=self.rows, ix=self.rows)


def emit_product(
    draft: Draft,
    node: Node,
    product: Product,
    moving: Value,
    weight: Value,
    *,
    bias: bool = False,
    channel: int | None = None,
    output: str | None = None,
    shape: Shape | None = None,
) -> Value:
    """Adds the MATMUL layer of a product. moving: the feature map; weight: the other side."""
    dims = product.dims
    operand = draft.operand(moving, _without_g(EVERY_LOOP, product.moving_shared))
    side = draft.weight(weight)
    return draft.emit(
        node,
        LayerOp.MATMUL,
        dims,
        [operand],
        weight=replace(side, dims=_without_g(WEIGHT_LOOPS, product.weight_shared)),
        bias=bias,
        channel=channel,
        output=output,
        shape=shape,
    )


def _without_g(loops: tuple[str, ...], shared: bool) -> tuple[str, ...]:
    return tuple(name for name in loops if name != "g" or not shared)


def matmul(draft: Draft, node: Node) -> None:
    """MatMul: a constant side is the weight; else the second is. Rule: ARCHITECTURE.md WORK-7."""
    left, right = draft.feature(node.inputs[0]), draft.feature(node.inputs[1])
    (*left_batch, rows, inner) = left.shape if len(left.shape) > 1 else (1, *left.shape)
    (*right_batch, _, columns) = right.shape if len(right.shape) > 1 else (*right.shape, 1)
    output = draft.shape_of(node.outputs[0])
    if left.constant is not None:
        product = _product(right_batch, left_batch, columns, inner, rows)
        channel = max(len(output) - 2, 0)
        emit_product(draft, node, product, right, left, channel=channel)
    else:
        product = _product(left_batch, right_batch, rows, inner, columns)
        emit_product(draft, node, product, left, right)


def _product(
    moving_batch: list[int], weight_batch: list[int], rows: int, inner: int, columns: int
) -> Product:
    """The product of stacks of matrices; one weight matrix for all puts the stack into rows."""
    moving, weights = prod(moving_batch), prod(weight_batch)
    if weights == 1:
        return Product(1, moving * rows, inner, columns)
    rank = max(len(moving_batch), len(weight_batch))
    sides = ([1] * (rank - len(side)) + side for side in (moving_batch, weight_batch))
    matrices = prod(max(pair) for pair in zip(*sides, strict=True))
    return Product(matrices, rows, inner, columns, moving_shared=moving == 1)


def gemm(draft: Draft, node: Node) -> None:
    """Gemm: transpositions are views, a constant third input is the bias or is added after."""
    left, right = draft.feature(node.inputs[0]), draft.feature(node.inputs[1])
    rows, inner = left.shape[:: -1 if node.attributes.get("transA") else 1]
    columns = right.shape[0 if node.attributes.get("transB") else 1]
    third = draft.value(node.inputs[2]) if node.has_input(2) else None
    bias = third is not None and third.constant is not None and _is_row(third, columns)
    product = Product(1, rows, inner, columns)
    if third is None or bias:
        emit_product(draft, node, product, left, right, bias=bias)
        return
    shape = (rows, columns)
    inner_name = f"{node.outputs[0]}.product"
    made = emit_product(draft, node, product, left, right, output=inner_name, shape=shape)
    add(draft, node, made, draft.feature(node.inputs[2]))


def _is_row(value: Value, columns: int) -> bool:
    return value.elements == 1 or (value.elements == columns == value.shape[-1])


def add(draft: Draft, node: Node, left: Value, right: Value, output: str | None = None) -> Value:
    """Adds an element-wise addition whose output has the shape of `left`."""
    dims, loops = map_axes(left.shape, left.channel, [left.shape, right.shape])
    operands = [draft.operand(v, used) for v, used in zip((left, right), loops, strict=True)]
    return draft.emit(
        node,
        LayerOp.ELEMENTWISE,
        dims,
        operands,
        function="add",
        channel=left.channel,
        output=output,
        shape=left.shape,
    )


def einsum(draft: Draft, node: Node) -> None:
    """Einsum of two operands without repeated or summed-away indices: a batched product."""
    left, right, output = _einsum_terms(node)
    first, second = draft.feature(node.inputs[0]), draft.feature(node.inputs[1])
    size = dict(zip(left, first.shape, strict=True)) | dict(zip(right, second.shape, strict=True))
    both = set(left) & set(right)
    if first.constant is not None:
        left, right, first, second = right, left, second, first
    product = Product(
        matrices=prod(size[i] for i in both if i in output),
        rows=prod(size[i] for i in set(left) - both),
        inner=prod(size[i] for i in both if i not in output),
        columns=prod(size[i] for i in set(right) - both),
    )
    columns = [axis for axis, index in enumerate(output) if index in set(right) - both]
    emit_product(draft, node, product, first, second, channel=max(columns, default=None))


def _einsum_terms(node: Node) -> tuple[str, str, str]:
    """The indices of both operands and the output.

    Raises: UnsupportedNodeError when the equation is not a batched matrix product.
    """
    equation = node.attributes["equation"].replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    terms = inputs.split(",")
    plain = bool(arrow) and len(terms) == 2 and "." not in equation
    if plain:
        left, right = terms
        only_one = set(left) ^ set(right)
        plain = all(len(set(term)) == len(term) for term in (left, right, output))
        plain = plain and only_one <= set(output)
    if not plain:
        raise UnsupportedNodeError(
            f"{node.label}: equation must be a product of two operands, not {equation}"
        )
    return left, right, output


def attention(draft: Draft, node: Node) -> None:
    """Attention: two products with a scaling, a mask if given, and a softmax between them."""
    if any(node.has_input(i) for i in (4, 5)):
        raise UnsupportedNodeError(f"{node.label}: past keys and values must be concatenated")
    query, key, value = (draft.feature(name) for name in node.inputs[:3])
    batch, heads = query.shape[0], node.attributes.get("q_num_heads") or query.shape[1]
    positions, context = query.shape[-2], key.shape[-2]
    width, value_width = prod(query.shape[1:]) // (heads * positions), _head_width(node, value)
    name, shape = node.outputs[0], (batch, heads, positions, context)
    product = Product(batch * heads, positions, width, context)
    scores = emit_product(draft, node, product, query, key, output=f"{name}.product", shape=shape)
    scores = _row_layer(draft, node, LayerOp.ACTIVATION, "mul_scalar", scores, ".scaled")
    if node.has_input(3):
        scores = add(draft, node, scores, draft.feature(node.inputs[3]), f"{name}.masked")
    weights = _row_layer(draft, node, LayerOp.SOFTMAX, "softmax", scores, ".weights")
    product = Product(batch * heads, positions, context, value_width)
    emit_product(draft, node, product, weights, value)


def _head_width(node: Node, value: Value) -> int:
    heads = node.attributes.get("kv_num_heads") or value.shape[1]
    return prod(value.shape[1:]) // (heads * value.shape[-2])


def _row_layer(
    draft: Draft, node: Node, op: LayerOp, function: str, value: Value, suffix: str
) -> Value:
    dims, _ = map_axes(value.shape, value.channel)
    return draft.emit(
        node,
        op,
        dims,
        [draft.operand(value)],
        function=function,
        output=node.outputs[0] + suffix,
        shape=value.shape,
    )


HANDLERS = {"MatMul": matmul, "Gemm": gemm, "Einsum": einsum, "Attention": attention}
