"""Small networks and chips for tests, built from scratch."""

import yaml

from hw_models.chip_files import parse_chip
from simulator.workload.graph import (
    Layer,
    LayerOp,
    LoopDims,
    Operand,
    Tensor,
    Workload,
)

SYSTOLIC = {"kind": "systolic", "rows": 8, "cols": 8, "dataflow": "ws", "fold_overlap": "serial"}

WEIGHTS = ("g", "k", "c", "fy", "fx")


def chip(
    array=None,
    *,
    on_chip=4096,
    weights=2048,
    slots=2,
    unified=True,
    ports="1r1w",
    cores=1,
    noc=None,
    **dram,
):
    """A small chip. unified: inputs and outputs share a buffer, so that feature maps can stay."""
    act = {"size_bytes": on_chip, "banks": 2, "width_bytes": 8, "ports": ports, "slots": slots}
    buffers = [{"name": "act", "holds": ["input", "output", "psum"], **act}]
    if not unified:
        buffers = [
            {"name": "in", "holds": ["input"], **act},
            {"name": "acc", "holds": ["psum", "output"], **act},
        ]
    buffers.append({"name": "weights", "holds": ["weight"], **act, "size_bytes": weights})
    data = {
        "name": "small",
        "description": "a chip for tests",
        "technology_nm": 28,
        "clock_ghz": 1.0,
        "precision": {"input_bits": 8, "weight_bits": 8, "psum_bits": 32, "output_bits": 8},
        "cores": [
            {
                "name": "core",
                "count": cores,
                "pe_array": array or SYSTOLIC,
                "vector_unit": {"lanes": 4},
                "buffers": buffers,
                "dma": {"outstanding": 2},
            }
        ],
        "noc": noc or {"kind": "bus", "width_bytes": 16, "latency_cycles": 2},
        "dram": {
            "channels": 1,
            "bandwidth_gb_per_s": 6.4,
            "latency_ns": 30,
            "granule_bytes": 32,
            "capacity_mib": 64,
            "pj_per_bit": 10,
        }
        | dram,
    }
    return parse_chip(yaml.safe_dump(data), "small.yaml")


class NetworkBuilder:
    """Collects layers; every method returns the name of the tensor that it makes."""

    def __init__(self):
        self.tensors, self.layers, self.inputs = {}, [], []
        self.shapes = {}

    def input(self, channels, rows, columns, batch=1):
        return self._tensor(f"x{len(self.inputs)}", (batch, rows, columns, channels), is_input=True)

    def conv(self, x, k, taps=1, stride=1, pad=0, groups=1, bias=True, post=("relu",), dilation=1):
        b, iy, ix, channels = self.shapes[x]
        reach = (taps - 1) * dilation + 1
        oy, ox = ((size + 2 * pad - reach) // stride + 1 for size in (iy, ix))
        dims = LoopDims(
            b=b, g=groups, k=k // groups, c=channels // groups, oy=oy, ox=ox, fy=taps, fx=taps,
            iy=iy, ix=ix, stride_y=stride, stride_x=stride, dilation_y=dilation,
            dilation_x=dilation, pad_top=pad, pad_left=pad,
        )  # fmt: skip
        name = f"conv{len(self.layers)}"
        weight = self._parameter(f"{name}.w", k * (channels // groups) * taps * taps)
        return self._layer(
            LayerOp.CONV2D, name, dims, (Operand(x),), (b, oy, ox, k),
            weight=Operand(weight, WEIGHTS), bias=bias, post_ops=post,
        )  # fmt: skip

    def pool(self, x, taps, stride):
        b, iy, ix, channels = self.shapes[x]
        oy, ox = ((size - taps) // stride + 1 for size in (iy, ix))
        dims = LoopDims(
            b=b, g=channels, oy=oy, ox=ox, fy=taps, fx=taps, iy=iy, ix=ix, stride_y=stride,
            stride_x=stride,
        )  # fmt: skip
        read = Operand(x, ("b", "g", "oy", "ox"))
        name = f"pool{len(self.layers)}"
        return self._layer(LayerOp.POOL, name, dims, (read,), (b, oy, ox, channels), function="max")

    def add(self, x, y):
        shape = self.shapes[x]
        name, dims = f"add{len(self.layers)}", self._elementwise(shape)
        reads = tuple(Operand(t, ("b", "g", "oy", "ox")) for t in (x, y))
        return self._layer(LayerOp.ELEMENTWISE, name, dims, reads, shape, function="add")

    def concat(self, *inputs):
        b, rows, columns, _ = self.shapes[inputs[0]]
        shape = (b, rows, columns, sum(self.shapes[x][3] for x in inputs))
        name, dims = f"concat{len(self.layers)}", self._elementwise(shape)
        reads = tuple(Operand(t, ("b", "g", "oy", "ox"), extent=self.shapes[t][3]) for t in inputs)
        return self._layer(LayerOp.CONCAT, name, dims, reads, shape, function="concat")

    def softmax(self, x):
        shape = self.shapes[x]
        name, dims = f"softmax{len(self.layers)}", self._elementwise(shape)
        reads = (Operand(x, ("b", "g", "oy", "ox")),)
        return self._layer(LayerOp.SOFTMAX, name, dims, reads, shape, function="softmax")

    def matmul(self, x, n, groups=1):
        b, _, m, channels = self.shapes[x]
        dims = LoopDims(b=b, g=groups, k=n // groups, c=channels // groups, ox=m, ix=m)
        name = f"fc{len(self.layers)}"
        weight = self._parameter(f"{name}.w", n * (channels // groups))
        return self._layer(
            LayerOp.MATMUL, name, dims, (Operand(x),), (b, 1, m, n), weight=Operand(weight, WEIGHTS)
        )

    def attend(self, x, y, n):
        """A product of two feature maps: (rows of x) times y, which has c * n elements."""
        b, _, m, channels = self.shapes[x]
        dims = LoopDims(b=b, k=n, c=channels, ox=m, ix=m)
        name = f"attend{len(self.layers)}"
        return self._layer(
            LayerOp.MATMUL, name, dims, (Operand(x),), (b, 1, m, n),
            weight=Operand(y, WEIGHTS), weight_is_constant=False,
        )  # fmt: skip

    def build(self, name="net"):
        read = {op.tensor for layer in self.layers for op in layer.inputs}
        read |= {layer.weight.tensor for layer in self.layers if layer.weight}
        outputs = tuple(layer.output for layer in self.layers if layer.output not in read)
        return Workload(name, self.tensors, tuple(self.layers), tuple(self.inputs), outputs)

    def _elementwise(self, shape):
        b, rows, columns, channels = shape
        return LoopDims(b=b, g=channels, oy=rows, ox=columns, iy=rows, ix=columns)

    def _tensor(self, name, shape, is_input=False):
        b, rows, columns, channels = shape
        self.tensors[name] = Tensor(name, b * rows * columns * channels)
        self.shapes[name] = shape
        if is_input:
            self.inputs.append(name)
        return name

    def _parameter(self, name, elements):
        self.tensors[name] = Tensor(name, elements, parameter=True)
        return name

    def _layer(self, op, name, dims, inputs, shape, **rest):
        output = self._tensor(f"{name}.out", shape)
        self.layers.append(Layer(name, op, dims, inputs, output, **rest))
        return output


def residual_network():
    """Convolutions with stride, padding, groups; a residual addition, poolings, a classifier."""
    n = NetworkBuilder()
    x = n.conv(n.input(3, 16, 16), 8, taps=3, stride=2, pad=1)
    y = n.conv(x, 8, taps=3, pad=1)
    y = n.conv(y, 8, taps=3, pad=1, groups=8)
    z = n.add(x, y)
    z = n.concat(z, n.pool(n.conv(z, 4, taps=1), 1, 1))
    z = n.pool(z, 2, 2)
    n.matmul(n.softmax(z), 10)
    return n.build("residual")
