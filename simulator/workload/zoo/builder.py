"""Networks written down layer by layer, as ONNX models whose weights have shapes but no data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET = 20
IR_VERSION = 9
Shape = tuple[int, ...]
Pair = int | tuple[int, int]


class NetworkBuilder:
    """Builds a model node by node; every method takes and returns names of values.

    Values are (batch, channel, y, x) maps or (batch, position, feature) sequences. A name is made
    of the current scope, the kind of node and a number: "layer1.0.conv2".
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.shapes: dict[str, Shape] = {}
        self._scope: list[str] = []
        self._count: Counter[str] = Counter()
        self._nodes: list[NodeProto] = []
        self._inputs: list[ValueInfoProto] = []
        self._constants: list[TensorProto] = []

    def build(self, *outputs: str) -> ModelProto:
        """The model that computes these values."""
        made = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name])
            for name in outputs
        ]
        graph = helper.make_graph(self._nodes, self.name, self._inputs, made, self._constants)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Puts `name.` before the names of the nodes made inside."""
        self._scope.append(name)
        yield
        self._scope.pop()

    def channels(self, x: str) -> int:
        """Channels of a map."""
        return self.shapes[x][1]

    # -- values that are not computed

    def input(self, name: str, shape: Sequence[int], *, integer: bool = False) -> str:
        """An input of the network; integer: token numbers rather than features."""
        kind = TensorProto.INT64 if integer else TensorProto.FLOAT
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        self.shapes[name] = tuple(shape)
        return name

    def weight(self, kind: str, shape: Sequence[int]) -> str:
        """A parameter: a constant with a shape, its data in a file that is never read."""
        name = self._name(kind)
        stored = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT)
        stored.data_location = TensorProto.EXTERNAL
        stored.external_data.add(key="location", value="weights")
        self._constants.append(stored)
        self.shapes[name] = tuple(shape)
        return name

    def integers(self, *numbers: int) -> str:
        """A constant vector, such as the shape that a reshape wants."""
        name = self._name("integers")
        self._constants.append(numpy_helper.from_array(np.array(numbers, dtype=np.int64), name))
        self.shapes[name] = (len(numbers),)
        return name

    def number(self, value: float) -> str:
        """A constant scalar."""
        name = self._name("number")
        self._constants.append(numpy_helper.from_array(np.float32(value), name))
        self.shapes[name] = ()
        return name

    def filled(self, shape: Sequence[int], *, logical: bool = False) -> str:
        """A constant tensor that is no parameter (a mask); its values do not matter here."""
        kind = TensorProto.BOOL if logical else TensorProto.FLOAT
        value = helper.make_tensor("value", kind, [1], [0])
        return self.node("ConstantOfShape", [self.integers(*shape)], shape, value=value)

    # -- nodes

    def node(self, op: str, inputs: Sequence[str], shape: Sequence[int], **attributes: Any) -> str:
        """A node of any type with one output of the given shape."""
        name = self._name(_KINDS.get(op, op.lower()))
        self._nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.shapes[name] = tuple(shape)
        return name

    def like(self, op: str, x: str, *others: str, **attributes: Any) -> str:
        """A node whose output has the shape of its first input: activations and the like."""
        return self.node(op, [x, *others], self.shapes[x], **attributes)

    def conv(
        self,
        x: str,
        channels: int,
        kernel: Pair,
        *,
        stride: int = 1,
        padding: Pair | None = None,
        groups: int = 1,
        bias: bool = False,
    ) -> str:
        """A convolution; padding keeps the size of an odd kernel's map unless it is given."""
        taps = _pair(kernel)
        pads = _pair(padding) if padding is not None else tuple((k - 1) // 2 for k in taps)
        batch, inner, *size = self.shapes[x]
        weights = [self.weight("weight", (channels, inner // groups, *taps))]
        weights += [self.weight("bias", (channels,))] if bias else []
        rows, columns = (
            (n + 2 * p - k) // stride + 1 for n, p, k in zip(size, pads, taps, strict=True)
        )
        return self.node(
            "Conv",
            [x, *weights],
            (batch, channels, rows, columns),
            kernel_shape=taps,
            strides=[stride, stride],
            pads=[*pads, *pads],
            group=groups,
        )

    def batch_norm(self, x: str) -> str:
        """Batch normalisation: scale and shift are parameters, the statistics are not."""
        shape = (self.channels(x),)
        kinds = ("scale", "shift", "mean", "variance")
        return self.like("BatchNormalization", x, *(self.weight(kind, shape) for kind in kinds))

    def conv_bn(
        self, x: str, channels: int, kernel: Pair, *, activation: str = "Relu", **options: Any
    ) -> str:
        """Convolution without bias, batch norm, activation ("" for none)."""
        x = self.batch_norm(self.conv(x, channels, kernel, **options))
        return self.activation(x, activation)

    def activation(self, x: str, kind: str) -> str:
        """An activation by node type; "SiLU" and "ReLU6" as exporters write them, "" for none."""
        if kind == "SiLU":
            return self.like("Mul", x, self.like("Sigmoid", x))
        if kind == "ReLU6":
            return self.like("Clip", x, self.number(0), self.number(6))
        return self.like(kind, x) if kind else x

    def max_pool(
        self, x: str, kernel: int, stride: int, *, padding: int = 0, ceil: bool = False
    ) -> str:
        """Max pooling; ceil: a last, partly empty window counts."""
        return self._pool("MaxPool", x, kernel, stride, padding, ceil_mode=int(ceil))

    def avg_pool(self, x: str, kernel: int, stride: int, *, padding: int = 0) -> str:
        """Average pooling."""
        return self._pool("AveragePool", x, kernel, stride, padding, count_include_pad=1)

    def _pool(
        self, op: str, x: str, kernel: int, stride: int, padding: int, **attributes: int
    ) -> str:
        batch, channels, *size = self.shapes[x]
        extra = stride - 1 if attributes.get("ceil_mode") else 0
        rows, columns = ((n + 2 * padding - kernel + extra) // stride + 1 for n in size)
        return self.node(
            op,
            [x],
            (batch, channels, rows, columns),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[padding] * 4,
            **attributes,
        )

    def global_pool(self, x: str) -> str:
        """The mean over each channel's map, as a map of one pixel."""
        return self.node("GlobalAveragePool", [x], (*self.shapes[x][:2], 1, 1))

    def flatten(self, x: str) -> str:
        """A (batch, features) matrix."""
        shape = self.shapes[x]
        return self.node("Flatten", [x], (shape[0], prod(shape[1:])))

    def linear(self, x: str, features: int, *, bias: bool = True) -> str:
        """A fully connected layer over the last axis."""
        *rows, inner = self.shapes[x]
        if len(rows) == 1 and bias:
            weights = [self.weight("weight", (features, inner)), self.weight("bias", (features,))]
            return self.node("Gemm", [x, *weights], (*rows, features), transB=1)
        y = self.matmul(x, self.weight("weight", (inner, features)))
        return self.like("Add", y, self.weight("bias", (features,))) if bias else y

    def matmul(self, x: str, y: str) -> str:
        """A product of matrices, or of stacks of them."""
        return self.node("MatMul", [x, y], (*self.shapes[x][:-1], self.shapes[y][-1]))

    def add(self, x: str, y: str) -> str:
        """A sum; y may be broadcast."""
        return self.like("Add", x, y)

    def mul(self, x: str, y: str) -> str:
        """A product element by element; y may be broadcast."""
        return self.like("Mul", x, y)

    def concat(self, *xs: str, axis: int = 1) -> str:
        """Values one after the other along an axis, by default the channels of maps."""
        shape = list(self.shapes[xs[0]])
        shape[axis] = sum(self.shapes[x][axis] for x in xs)
        return self.node("Concat", xs, shape, axis=axis)

    def reshape(self, x: str, *shape: int) -> str:
        """The same elements in another shape."""
        return self.node("Reshape", [x, self.integers(*shape)], shape)

    def transpose(self, x: str, *order: int) -> str:
        """Axes in another order."""
        return self.node("Transpose", [x], [self.shapes[x][i] for i in order], perm=order)

    def slice(self, x: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        """A part of a value along one axis."""
        shape = list(self.shapes[x])
        shape[axis] = len(range(*slice(start, stop, step).indices(shape[axis])))
        bounds = [self.integers(number) for number in (start, stop, axis, step)]
        return self.node("Slice", [x, *bounds], shape)

    def split(self, x: str, axis: int, *sizes: int) -> list[str]:
        """A value cut into parts along an axis."""
        shape = list(self.shapes[x])
        name = self._name("split")
        parts = [f"{name}.{i}" for i in range(len(sizes))]
        inputs = [x, self.integers(*sizes)]
        self._nodes.append(helper.make_node("Split", inputs, parts, name=name, axis=axis))
        for part, size in zip(parts, sizes, strict=True):
            shape[axis] = size
            self.shapes[part] = tuple(shape)
        return parts

    def layer_norm(self, x: str) -> str:
        """Layer normalisation over the last axis."""
        shape = self.shapes[x][-1:]
        weights = (self.weight("scale", shape), self.weight("shift", shape))
        return self.like("LayerNormalization", x, *weights, axis=-1)

    def softmax(self, x: str) -> str:
        """Softmax over the last axis."""
        return self.like("Softmax", x, axis=-1)

    def gather(self, table: str, indices: str, *, axis: int = 0) -> str:
        """Rows of a table by number."""
        shape = self.shapes[table]
        result = (*shape[:axis], *self.shapes[indices], *shape[axis + 1 :])
        return self.node("Gather", [table, indices], result, axis=axis)

    def squeeze_excitation(
        self, x: str, squeezed: int, *, activation: str = "Relu", gate: str = "Sigmoid"
    ) -> str:
        """Scales each channel by a small network's view of all channels' means."""
        y = self.conv(self.global_pool(x), squeezed, 1, bias=True)
        y = self.conv(self.activation(y, activation), self.channels(x), 1, bias=True)
        return self.mul(x, self.activation(y, gate))

    def _name(self, kind: str) -> str:
        name = ".".join([*self._scope, kind])
        self._count[name] += 1
        return f"{name}{self._count[name]}"


_KINDS = {
    "AveragePool": "pool",
    "BatchNormalization": "bn",
    "ConvTranspose": "deconv",
    "Gemm": "fc",
    "GlobalAveragePool": "pool",
    "LayerNormalization": "norm",
    "MatMul": "matmul",
    "MaxPool": "pool",
}
"""How nodes are called in names, where it is not their type."""


def _pair(size: Pair) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
