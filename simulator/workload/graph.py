"""The workload graph: layers as loop nests over tensors, in an order in which they can run.

Every layer, whatever its type, has the same eight loops (`LoopDims`), so that one tiler, one
cost function and one lowering serve all of them. Feature maps are laid out (batch, y, x, channel)
with the channel innermost; a channel index is `group * channels_per_group + channel`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from math import prod

LOOPS = ("b", "g", "k", "c", "oy", "ox", "fy", "fx")
"""Names of the loops, outermost first by convention; also the column order of tile-shape arrays."""


class LayerOp(StrEnum):
    """The layer types that can be simulated. Rule: ARCHITECTURE.md WORK-1."""

    CONV2D = "conv2d"
    MATMUL = "matmul"
    POOL = "pool"
    ELEMENTWISE = "elementwise"
    ACTIVATION = "activation"
    SOFTMAX = "softmax"
    NORM = "norm"
    CONCAT = "concat"
    RESIZE = "resize"
    EMBEDDING = "embedding"


MAC_OPS = frozenset({LayerOp.CONV2D, LayerOp.MATMUL})
"""Layers that run on a PE array; all others run on the vector unit."""

ROW_OPS = frozenset({LayerOp.SOFTMAX, LayerOp.NORM})
"""Vector layers that reduce over the whole channel loop `g`, which therefore is never tiled."""


@dataclass(frozen=True, slots=True)
class LoopDims:
    """Sizes of the eight loops of a layer, and how the window walks over the input.

    b: batch; g: groups (independent channels); k, c: output and input channels of one group;
    oy, ox: output rows and columns; fy, fx: filter rows and columns. A depthwise convolution or a
    pooling has k = c = 1 and g = channels; a matmul (M x K) times (K x N) has ox = M, c = K, k = N
    and g = number of independent matrices; an element-wise layer has g = channels.

    iy, ix: rows and columns of the input as stored (without padding). Padding is before/after.
    """

    b: int = 1
    g: int = 1
    k: int = 1
    c: int = 1
    oy: int = 1
    ox: int = 1
    fy: int = 1
    fx: int = 1
    iy: int = 1
    ix: int = 1
    stride_y: int = 1
    stride_x: int = 1
    dilation_y: int = 1
    dilation_x: int = 1
    pad_top: int = 0
    pad_left: int = 0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            least = 0 if item.name.startswith("pad") else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{item.name} must be an int of at least {least}, not {value!r}")

    @property
    def loops(self) -> tuple[int, ...]:
        """Sizes in the order of LOOPS."""
        return (self.b, self.g, self.k, self.c, self.oy, self.ox, self.fy, self.fx)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a MAC layer; window operations of a vector layer."""
        return prod(self.loops)


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor as one layer reads it: `dims` are the loops that index it.

    An input indexed by ("b", "g", "c", "oy", "ox") is an ordinary feature map; one that lacks
    "oy" and "ox" is broadcast over rows and columns (squeeze-and-excitation scales, biases kept
    as tensors); one that lacks all of them is a scalar.

    extent: in a concat or copy, how many of the loop `g` this input covers; else 0.
    An operand may read a part of its tensor only (a slice is a view, so no tensor of its own).
    """

    tensor: str
    dims: tuple[str, ...] = ("b", "g", "c", "oy", "ox")
    extent: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: its loops, the tensors it reads and the one it writes.

    inputs: feature maps (one for most layers, two for an addition, several for concat).
    weight: the operand with dims ("g", "k", "c", "fy", "fx"): a constant of the model
        (`weight_is_constant`), or the second feature map of a matmul of two activations.
    bias: True when a bias vector of g * k elements comes with the weights.
    post_ops: unary functions applied to each output on its way out ("relu", "gelu", ...).
    function: what a vector layer computes ("max", "add", "gelu", "layer_norm", "nearest", ...);
        empty for MAC layers.
    source: node names of the model that this layer stands for.
    weight_density, input_density: share of the operand's elements that are not zero.
    """

    name: str
    op: LayerOp
    dims: LoopDims
    inputs: tuple[Operand, ...]
    output: str
    weight: Operand | None = None
    weight_is_constant: bool = True
    bias: bool = False
    post_ops: tuple[str, ...] = ()
    function: str = ""
    source: tuple[str, ...] = ()
    weight_density: float = 1.0
    input_density: float = 1.0

    @property
    def is_mac(self) -> bool:
        """Whether the layer runs on a PE array."""
        return self.op in MAC_OPS

    @property
    def macs(self) -> int:
        """Multiply-accumulates; 0 for layers of the vector unit."""
        return self.dims.macs if self.is_mac else 0

    @property
    def output_elements(self) -> int:
        """Elements of the output tensor."""
        d = self.dims
        return d.b * d.g * d.k * d.oy * d.ox

    @property
    def weight_elements(self) -> int:
        """Elements of the weight operand that the layer reads, bias included."""
        if self.weight is None:
            return 0
        sizes = dict(zip(LOOPS, self.dims.loops, strict=True))
        per_operand = prod(sizes[dim] for dim in self.weight.dims)
        return per_operand + (self.dims.g * self.dims.k if self.bias else 0)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the graph. elements: number of elements; parameter: a constant of the model."""

    name: str
    elements: int
    parameter: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """A network: tensors and layers, layers in topological order.

    inputs, outputs: names of the tensors that enter and leave. parameters: trainable parameters
    of the model as published (before batch-norm folding), 0 when unknown.
    skipped: nodes left out on request, as "name (type)".
    """

    name: str
    tensors: dict[str, Tensor]
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int = 0
    skipped: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        known = set(self.inputs) | {t.name for t in self.tensors.values() if t.parameter}
        for layer in self.layers:
            for operand in (*layer.inputs, *([layer.weight] if layer.weight else [])):
                if operand.tensor not in self.tensors:
                    raise ValueError(f"layer {layer.name}: unknown tensor {operand.tensor}")
                if operand.tensor not in known:
                    raise ValueError(f"layer {layer.name} reads {operand.tensor} before it exists")
            known.add(layer.output)
        repeated = [name for name, n in Counter(x.name for x in self.layers).items() if n > 1]
        if repeated:
            raise ValueError(f"layer names must be unique, not repeated: {', '.join(repeated)}")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)

    def consumers(self) -> dict[str, list[int]]:
        """Indices of the layers that read each tensor, in layer order."""
        found: dict[str, list[int]] = {name: [] for name in self.tensors}
        for index, layer in enumerate(self.layers):
            for name in {operand.tensor for operand in _operands(layer)}:
                found[name].append(index)
        return found

    def producer(self) -> dict[str, int]:
        """Index of the layer that writes each feature map."""
        return {layer.output: index for index, layer in enumerate(self.layers)}

    def slice(self, first: int, last: int) -> Workload:
        """Layers first..last (both included) as a workload of their own.

        Tensors made by the layers before become inputs; those read after, outputs.
        """
        kept = self.layers[first : last + 1]
        made = {layer.output for layer in kept}
        read = {op.tensor for layer in kept for op in _operands(layer)}
        used_later = {op.tensor for layer in self.layers[last + 1 :] for op in _operands(layer)}
        tensors = {n: t for n, t in self.tensors.items() if n in made | read}
        return replace(
            self,
            tensors=tensors,
            layers=kept,
            inputs=tuple(n for n in tensors if n not in made and not tensors[n].parameter),
            outputs=tuple(n for n in tensors if n in made and n in used_later | set(self.outputs)),
        )


def _operands(layer: Layer) -> Iterator[Operand]:
    yield from layer.inputs
    if layer.weight is not None:
        yield layer.weight
