"""Networks for tests of fusion: the three validation chips', random ones, a small ResNet-18."""

import csv
from dataclasses import replace
from math import prod
from pathlib import Path

from hypothesis import strategies as st

import validation
from hw_models.spec import PrecisionSpec
from simulator.fusion.granularity import Granularity
from simulator.fusion.graph import fused_graph
from simulator.workload.graph import ROW_OPS, Layer, LayerOp, LoopDims, Operand, Tensor
from tests.simulator.networks import WEIGHTS, NetworkBuilder

PRECISION = PrecisionSpec(input_bits=8, weight_bits=8, psum_bits=16, output_bits=8)
REFERENCES = Path(validation.__file__).parent / "references" / "multicore"

FEATURE = ("b", "g", "c", "oy", "ox")


def graph_of(workload, text="line", layers=None, **rest):
    return fused_graph(workload, Granularity.parse(text, layers), precision=PRECISION, **rest)


def reference_rows(file, **wanted):
    lines = (REFERENCES / file).read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


class Net(NetworkBuilder):
    """Adds the layers that the other tests don't need."""

    def window(self, x, k=None, taps=(1, 1), stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
        """A convolution to k channels, or with k = None a pooling."""
        b, iy, ix, channels = self.shapes[x]
        reach = [(t - 1) * d + 1 for t, d in zip(taps, dilation, strict=True)]
        sizes = zip((iy, ix), pad, reach, stride, strict=True)
        oy, ox = (max((size + 2 * p - r) // s + 1, 0) for size, p, r, s in sizes)
        if oy < 1 or ox < 1:
            return x
        groups = channels if k is None else groups
        dims = LoopDims(
            b=b, g=groups, k=1 if k is None else k // groups, c=channels // groups, oy=oy, ox=ox,
            fy=taps[0], fx=taps[1], iy=iy, ix=ix, stride_y=stride[0], stride_x=stride[1],
            dilation_y=dilation[0], dilation_x=dilation[1], pad_top=pad[0], pad_left=pad[1],
        )  # fmt: skip
        if k is None:
            return self.add_layer(LayerOp.POOL, dims, [Operand(x)], function="average")
        weight = self._parameter(f"w{len(self.layers)}", k * dims.c * prod(taps))
        return self.add_layer(LayerOp.CONV2D, dims, [Operand(x)], weight=Operand(weight, WEIGHTS))

    def resize(self, x, oy, ox):
        b, iy, ix, channels = self.shapes[x]
        dims = LoopDims(b=b, g=channels, oy=oy, ox=ox, iy=iy, ix=ix)
        return self.add_layer(LayerOp.RESIZE, dims, [Operand(x)], function="linear")

    def activation(self, x):
        dims = self._elementwise(self.shapes[x])
        return self.add_layer(LayerOp.ACTIVATION, dims, [Operand(x)], function="gelu")

    def norm(self, x):
        dims = self._elementwise(self.shapes[x])
        scale = self._parameter(f"scale{len(self.layers)}", dims.g)
        reads = [Operand(x), Operand(scale, ("g",))]
        return self.add_layer(LayerOp.NORM, dims, reads, function="layer_norm")

    def group_norm(self, x):
        b, rows, columns, channels = self.shapes[x]
        dims = LoopDims(b=b, g=rows * columns, ox=channels, ix=channels)
        shape = self.shapes[x]
        return self.add_layer(
            LayerOp.NORM, dims, [Operand(x)], shape=shape, function="instance_norm"
        )

    def scale_by_pooled(self, x):
        """Squeeze and excitation: a global pooling scales the channels."""
        _, rows, columns, _ = self.shapes[x]
        pooled = self.window(x, taps=(rows, columns))
        reads = [Operand(x), Operand(pooled, ("b", "g"))]
        dims = self._elementwise(self.shapes[x])
        return self.add_layer(LayerOp.ELEMENTWISE, dims, reads, function="mul")

    def add_constant(self, x):
        dims = self._elementwise(self.shapes[x])
        constant = self._parameter(f"constant{len(self.layers)}", prod(self.shapes[x][1:]))
        reads = [Operand(x), Operand(constant, ("g", "oy", "ox"))]
        return self.add_layer(LayerOp.ELEMENTWISE, dims, reads, function="add")

    def pad_copy(self, x, top, left):
        b, iy, ix, channels = self.shapes[x]
        dims = LoopDims(
            b=b, g=channels, oy=iy + 2 * top, ox=ix + left, iy=iy, ix=ix, pad_top=top, pad_left=left
        )
        return self.add_layer(LayerOp.CONCAT, dims, [Operand(x, extent=channels)], function="pad")

    def gather(self, x):
        dims = self._elementwise(self.shapes[x])
        reads = [Operand(x, extent=dims.g)]
        return self.add_layer(LayerOp.CONCAT, dims, reads, function="gather")

    def flat_product(self, x, n):
        """A classifier: reads the map as one row, which is a view of it."""
        b, rows, columns, channels = self.shapes[x]
        dims = LoopDims(k=n, c=rows * columns * channels, ox=b, ix=b)
        weight = self._parameter(f"w{len(self.layers)}", n * dims.c)
        return self.add_layer(LayerOp.MATMUL, dims, [Operand(x)], weight=Operand(weight, WEIGHTS))

    def heads(self, x, y, matrices):
        """Products of two feature maps, `matrices` at a time, of which x has rows in ox."""
        b, _, m, channels = self.shapes[x]
        inner = channels // matrices
        dims = LoopDims(g=matrices, k=2, c=inner, ox=b * m, ix=b * m)
        reads, side = [Operand(x)], Operand(y, WEIGHTS)
        return self.add_layer(LayerOp.MATMUL, dims, reads, weight=side, weight_is_constant=False)

    def embed(self, count, width):
        indices = self.input(1, 1, count)
        table = self._parameter(f"table{len(self.layers)}", 5 * width)
        dims = LoopDims(g=width, ox=count, ix=count)
        reads = [Operand(indices, ("ox",)), Operand(table, ("g", "ox"))]
        return self.add_layer(LayerOp.EMBEDDING, dims, reads, function="lookup")

    def add_layer(self, op, dims, inputs, shape=None, **rest):
        shape = shape or (dims.b, dims.oy, dims.ox, dims.g * dims.k)
        return self._layer(op, f"l{len(self.layers)}", dims, tuple(inputs), shape, **rest)


def chip_workload(chip):
    """The layers that a validation chip runs. Source: chip_workloads.csv."""
    net, made = Net(), {}
    for row in reference_rows("chip_workloads.csv", chip=chip):
        size = {key: int(row[key] or 1) for key in ("G", "K", "C", "OY", "OX", "FY", "FX")}
        before, after = (int(x) for x in (row["pad"].split(",") * 2)[:2])
        stride = int(row["stride"])
        iy, ix = (
            (size[o] - 1) * stride + size[f] - before - after
            for o, f in (("OY", "FY"), ("OX", "FX"))
        )
        dims = LoopDims(
            g=size["G"], k=size["K"], c=size["C"], oy=size["OY"], ox=size["OX"], fy=size["FY"],
            fx=size["FX"], iy=iy, ix=ix, stride_y=stride, stride_x=stride, pad_top=before,
            pad_left=before,
        )  # fmt: skip
        if row["pred"] == "input":
            made["input"] = net.input(dims.c, iy, ix)
        reads = [Operand(made[name]) for name in row["pred"].split("+")]
        op = {"conv": "conv2d", "maxpool": "pool", "add": "elementwise"}[row["op"]]
        rest = {}
        if op == "conv2d":
            elements = dims.k * dims.c * dims.fy * dims.fx
            weight = net._parameter(f"w{row['layer']}", elements)
            rest["weight"] = Operand(weight, WEIGHTS)
        made[row["layer"]] = net.add_layer(LayerOp(op), dims, reads, **rest)
    return net.build(chip)


DIANA_TILES = {"l0": (4, 1, 14), "l1": (1, 1, 14)}
"""Parts, rows and columns of a tile. Source: chip_workloads.csv, column tiling."""


def shrunk(workload, rows, columns):
    """A network of convolutions, poolings and additions on a smaller input map."""
    sizes = dict.fromkeys(workload.inputs, (rows, columns))
    tensors, layers = dict(workload.tensors), []
    for name in workload.inputs:
        first = next(x for x in workload.layers if x.inputs[0].tensor == name).dims
        tensors[name] = Tensor(name, first.b * first.c * rows * columns)
    for layer in workload.layers:
        dims = _shrunk_dims(layer, *sizes[layer.inputs[0].tensor])
        sizes[layer.output] = dims.oy, dims.ox
        layers.append(replace(layer, dims=dims))
        tensors[layer.output] = Tensor(layer.output, layers[-1].output_elements)
    return replace(workload, tensors=tensors, layers=tuple(layers))


def _shrunk_dims(layer: Layer, iy: int, ix: int) -> LoopDims:
    d = layer.dims
    fy, fx = (iy, ix) if d.fy == d.iy else (d.fy, d.fx)
    oy = (iy + 2 * d.pad_top - fy) // d.stride_y + 1
    ox = (ix + 2 * d.pad_left - fx) // d.stride_x + 1
    return replace(d, oy=oy, ox=ox, fy=fy, fx=fx, iy=iy, ix=ix)


@st.composite
def networks(draw, exact=False):
    """Small random networks. exact: without layers that depend on more than they read."""
    net, small = Net(), st.integers(1, 3)
    makers = [_convolution, _pooling, _addition, _joining, _normalisation, _product]
    makers += [] if exact else [_viewed, _resized]
    channels, size = draw(st.sampled_from([1, 2, 4])), _pair(draw, 1, 8)
    maps = [net.input(channels, *size, batch=draw(st.integers(1, 2)))]
    if draw(st.booleans()):
        maps.append(net.embed(draw(st.integers(1, 6)), draw(small)))
    for _ in range(draw(st.integers(1, 5))):
        make = draw(st.sampled_from(makers))
        made = make(draw, net, draw(st.sampled_from(maps)), maps, exact)
        if made not in maps:
            maps.append(made)
    if not net.layers:
        net.activation(maps[0])
    return net.build("random")


def _pair(draw, low, high):
    return draw(st.integers(low, high)), draw(st.integers(low, high))


def _convolution(draw, net, x, maps, exact):
    channels = net.shapes[x][3]
    groups = draw(st.sampled_from([n for n in (1, 2, channels) if channels % n == 0]))
    taps, most = _pair(draw, 1, 3), 1 if exact else 2
    stride = [draw(st.integers(1, t if exact else 3)) for t in taps]
    k = groups * draw(st.integers(1, 3))
    return net.window(x, k, taps, stride, _pair(draw, 0, 2), _pair(draw, 1, most), groups)


def _pooling(draw, net, x, maps, exact):
    if draw(st.booleans()):
        return net.scale_by_pooled(x)
    taps = _pair(draw, 1, 3)
    return net.window(x, None, taps, [draw(st.integers(1, t)) for t in taps], _pair(draw, 0, 1))


def _addition(draw, net, x, maps, exact):
    if draw(st.booleans()):
        return net.add_constant(x)
    return net.add(x, draw(st.sampled_from([y for y in maps if net.shapes[y] == net.shapes[x]])))


def _joining(draw, net, x, maps, exact):
    if draw(st.booleans()):
        return net.pad_copy(x, *_pair(draw, 0, 2))
    same = [y for y in maps if net.shapes[y][:3] == net.shapes[x][:3]]
    return net.concat(x, draw(st.sampled_from(same)))


def _normalisation(draw, net, x, maps, exact):
    return draw(st.sampled_from([net.norm, net.softmax, net.activation]))(x)


def _product(draw, net, x, maps, exact):
    sequences = [y for y in maps if net.shapes[y][1] == 1]
    if x not in sequences:
        return x
    if draw(st.booleans()):
        return net.matmul(x, draw(st.integers(1, 4)))
    if net.shapes[x][3] % 2 == 0 and not exact:
        return net.heads(x, draw(st.sampled_from(maps)), 2)
    return net.attend(x, draw(st.sampled_from(maps)), 3) if not exact else x


def _viewed(draw, net, x, maps, exact):
    choice = draw(st.sampled_from(["gather", "group_norm", "flat"]))
    if choice == "flat":
        return net.flat_product(x, draw(st.integers(1, 3)))
    return getattr(net, choice)(x)


def _resized(draw, net, x, maps, exact):
    return net.resize(x, *_pair(draw, 1, 12))


@st.composite
def part_counts(draw, workload):
    """How many parts some of the layers are cut into."""
    counts = {}
    for layer in workload.layers:
        groups, filters = layer.dims.g, layer.dims.k
        possible = [*range(1, groups + 1), *(groups * n for n in range(2, filters + 1))]
        if layer.op not in ROW_OPS and draw(st.booleans()):
            counts[layer.name] = draw(st.sampled_from(possible))
    return counts


def granularities():
    return st.one_of(
        st.sampled_from(["layer", "line"]),
        st.integers(1, 4).map("line:{}".format),
        st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda x: "tile:{}x{}".format(*x)),
    )


@st.composite
def stacks(draw, workload):
    """First and last layer of a stack."""
    first = draw(st.integers(0, len(workload.layers) - 1))
    return first, draw(st.integers(first, len(workload.layers) - 1))
