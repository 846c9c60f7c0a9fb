"""Random networks of few and small layers: every type of layer, chained, joined and branching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload

MOST_LAYERS = 4
MOST_ELEMENTS = 4096
"""Of a feature map, so that an example takes milliseconds."""

Shape = tuple[int, int, int, int]
"""Of a feature map: batch, rows, columns, channels."""

WEIGHTS = ("g", "k", "c", "fy", "fx")
MAP = ("b", "g", "oy", "ox")
BROADCASTS = (MAP, ("g",), ("b", "g"), ("b", "oy", "ox"), ())
"""Loops that index an operand of an element-by-element layer: all, or some of them."""

EXTENTS = st.sampled_from((1, 2, 3, 4, 6, 9))
CHANNELS = st.sampled_from((1, 2, 3, 4, 8, 12, 17))
DENSITIES = st.sampled_from((1.0, 1.0, 0.5, 0.01, 0.0))
POST_OPS = st.sampled_from(((), (), ("relu",), ("gelu", "relu")))


@dataclass(slots=True)
class Draft:
    """A network in the making. shapes: of each feature map."""

    draw: DrawFn
    tensors: dict[str, Tensor] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    def feature(self, shape: Shape) -> str:
        """A new feature map that enters the network."""
        name = f"in{len(self.inputs)}"
        self.inputs.append(name)
        return self.map(name, shape)

    def map(self, name: str, shape: Shape) -> str:
        """A new feature map."""
        self.tensors[name], self.shapes[name] = Tensor(name, prod(shape)), shape
        return name

    def parameter(self, elements: int) -> str:
        """A new constant of the model."""
        name = f"w{len(self.tensors)}"
        self.tensors[name] = Tensor(name, elements, parameter=True)
        return name

    def layer(
        self, op: LayerOp, dims: LoopDims, reads: list[Operand], shape: Shape, **rest: Any
    ) -> None:
        """A new layer at the end."""
        name = f"{op}{len(self.layers)}"
        self.layers.append(
            Layer(name, op, dims, tuple(reads), self.map(f"{name}.out", shape), **rest)
        )

    def build(self) -> Workload:
        """The network; what no layer reads leaves it."""
        operands = [o for x in self.layers for o in (*x.inputs, *([x.weight] if x.weight else []))]
        read = {operand.tensor for operand in operands}
        outputs = tuple(layer.output for layer in self.layers if layer.output not in read)
        return Workload("random", self.tensors, tuple(self.layers), tuple(self.inputs), outputs)


@st.composite
def networks(draw: DrawFn) -> Workload:
    """A network of one to MOST_LAYERS layers, each reading any feature map that there is."""
    draft = Draft(draw)
    draft.feature((draw(st.integers(1, 2)), draw(EXTENTS), draw(EXTENTS), draw(CHANNELS)))
    for _ in range(draw(st.integers(1, MOST_LAYERS))):
        OPS[draw(st.sampled_from(sorted(OPS)))](draft, draw(st.sampled_from(sorted(draft.shapes))))
    return draft.build()


def _conv(draft: Draft, x: str) -> None:
    draw, (b, iy, ix, channels) = draft.draw, draft.shapes[x]
    (y, oy), (x_, ox) = (_axis(draft, size) for size in (iy, ix))
    groups = draw(st.sampled_from([n for n in (1, 1, 2, 3, channels) if channels % n == 0]))
    k = draw(st.sampled_from((1, 2, 5, 8)))
    dims = LoopDims(
        b=b, g=groups, k=k, c=channels // groups, oy=oy, ox=ox, fy=y["f"], fx=x_["f"], iy=iy, ix=ix,
        stride_y=y["stride"], stride_x=x_["stride"], dilation_y=y["dilation"],
        dilation_x=x_["dilation"], pad_top=y["pad"], pad_left=x_["pad"],
    )  # fmt: skip
    _product(draft, LayerOp.CONV2D, x, dims, (b, oy, ox, k * groups))


def _axis(draft: Draft, size: int) -> tuple[dict[str, int], int]:
    """Window along an axis of a map, and outputs along it."""
    draw = draft.draw
    f, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    reach = (f - 1) * dilation + 1
    pad = draw(st.integers(0, reach - 1))
    after = max(draw(st.integers(0, reach - 1)), reach - pad - size)
    stride = draw(st.integers(1, 3))
    window = {"f": f, "dilation": dilation, "pad": pad, "stride": stride}
    return window, (size + pad + after - reach) // stride + 1


def _matmul(draft: Draft, x: str) -> None:
    b, iy, ix, channels = draft.shapes[x]
    n = draft.draw(st.sampled_from((1, 3, 8, 20)))
    dims = LoopDims(b=b, k=n, c=channels, ox=iy * ix, ix=iy * ix)
    _product(draft, LayerOp.MATMUL, x, dims, (b, 1, iy * ix, n))


def _product(draft: Draft, op: LayerOp, x: str, dims: LoopDims, shape: Shape) -> None:
    draw, elements = draft.draw, dims.g * dims.k * dims.c * dims.fy * dims.fx
    draft.layer(
        op, dims, [Operand(x)], shape,
        weight=Operand(draft.parameter(elements), WEIGHTS),
        bias=draw(st.booleans()),
        post_ops=draw(POST_OPS),
        weight_density=draw(DENSITIES),
        input_density=draw(DENSITIES),
    )  # fmt: skip


def _attend(draft: Draft, x: str) -> None:
    """A product of two feature maps, for each of g heads."""
    b, iy, ix, channels = draft.shapes[x]
    g = draft.draw(st.sampled_from([n for n in (1, 2, 4) if channels % n == 0]))
    n = draft.draw(st.sampled_from((1, 3, 8)))
    dims = LoopDims(b=b, g=g, k=n, c=channels // g, ox=iy * ix, ix=iy * ix)
    other = draft.feature((1, 1, channels, n))
    draft.layer(
        LayerOp.MATMUL, dims, [Operand(x)], (b, 1, iy * ix, n * g),
        weight=Operand(other, WEIGHTS), weight_is_constant=False,
    )  # fmt: skip


def _pool(draft: Draft, x: str) -> None:
    b, iy, ix, channels = draft.shapes[x]
    function = draft.draw(st.sampled_from(("max", "average")))
    (y, oy), (x_, ox) = (_axis(draft, size) for size in (iy, ix))
    fy, fx = y["f"], x_["f"]
    if draft.draw(st.booleans()):
        fy, fx, oy, ox = iy, ix, 1, 1
        y, x_ = ({"dilation": 1, "pad": 0, "stride": 1} for _ in range(2))
    dims = LoopDims(
        b=b, g=channels, oy=oy, ox=ox, fy=fy, fx=fx, iy=iy, ix=ix, stride_y=y["stride"],
        stride_x=x_["stride"], dilation_y=y["dilation"], dilation_x=x_["dilation"],
        pad_top=y["pad"], pad_left=x_["pad"],
    )  # fmt: skip
    draft.layer(LayerOp.POOL, dims, [Operand(x, MAP)], (b, oy, ox, channels), function=function)


def _pointwise(op: LayerOp, functions: tuple[str, ...], others: int) -> Callable[..., None]:
    """Layers that keep the shape. others: the most further operands, perhaps broadcast."""

    def add(draft: Draft, x: str) -> None:
        draw, shape = draft.draw, draft.shapes[x]
        reads = [Operand(x, MAP)]
        for _ in range(draw(st.integers(min(others, 1), others))):
            loops = draw(st.sampled_from(BROADCASTS))
            sizes = dict(zip(("b", "oy", "ox", "g"), shape, strict=True))
            read = tuple(size if loop in loops else 1 for loop, size in sizes.items())
            reads.append(Operand(draft.feature(_shape(read)), loops))
        function = draw(st.sampled_from(functions))
        draft.layer(op, _same(shape), reads, shape, function=function)

    return add


def _norm(draft: Draft, x: str) -> None:
    shape = draft.shapes[x]
    scales = draft.draw(st.integers(0, 2))
    reads = [Operand(draft.parameter(shape[3]), ("g",)) for _ in range(scales)]
    function = draft.draw(st.sampled_from(("layer_norm", "rms_norm", "group_norm", "lrn")))
    draft.layer(
        LayerOp.NORM, _same(shape), [Operand(x, MAP), *reads], shape, function=function
    )  # fmt: skip


def _concat(draft: Draft, x: str) -> None:
    b, rows, columns, channels = draft.shapes[x]
    more = draft.draw(st.lists(CHANNELS, max_size=2))
    reads = [(x, channels), *((draft.feature((b, rows, columns, n)), n) for n in more)]
    shape = (b, rows, columns, channels + sum(more))
    operands = [Operand(name, MAP, extent=extent) for name, extent in reads]
    draft.layer(LayerOp.CONCAT, _same(shape), operands, shape, function="concat")


def _resize(draft: Draft, x: str) -> None:
    b, iy, ix, channels = draft.shapes[x]
    oy, ox = (draft.draw(EXTENTS) for _ in range(2))
    dims = LoopDims(b=b, g=channels, oy=oy, ox=ox, iy=iy, ix=ix)
    function = draft.draw(st.sampled_from(("nearest", "linear", "cubic")))
    draft.layer(LayerOp.RESIZE, dims, [Operand(x, MAP)], (b, oy, ox, channels), function=function)


def _embedding(draft: Draft, x: str) -> None:
    b, rows, columns, channels = draft.shapes[x]
    indices, width = b * rows * columns * channels, draft.draw(CHANNELS)
    table = draft.parameter(width * draft.draw(st.sampled_from((1, 5, 1000))))
    dims = LoopDims(g=width, ox=indices, ix=indices)
    reads = [Operand(x, ("ox",)), Operand(table, ("g", "ox"))]
    draft.layer(LayerOp.EMBEDDING, dims, reads, (1, 1, indices, width), function="lookup")


def _same(shape: Shape) -> LoopDims:
    b, rows, columns, channels = shape
    return LoopDims(b=b, g=channels, oy=rows, ox=columns, iy=rows, ix=columns)


def _shape(sizes: tuple[int, ...]) -> Shape:
    b, rows, columns, channels = sizes
    return b, rows, columns, channels


OPS: dict[str, Callable[[Draft, str], None]] = {
    "attend": _attend,
    "conv2d": _conv,
    "matmul": _matmul,
    "pool": _pool,
    "elementwise": _pointwise(LayerOp.ELEMENTWISE, ("add", "mul", "where", "pow"), 2),
    "activation": _pointwise(LayerOp.ACTIVATION, ("relu", "gelu", "sigmoid"), 0),
    "softmax": _pointwise(LayerOp.SOFTMAX, ("softmax", "log_softmax"), 0),
    "norm": _norm,
    "concat": _concat,
    "resize": _resize,
    "embedding": _embedding,
}
"""Every type of layer, and products of two feature maps."""
