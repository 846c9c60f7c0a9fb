"""Layers of a file of published figures, and how they become layers of a workload."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from simulator.mapping.mapping import LayerMappingSpec
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload

WEIGHT_LOOPS = ("g", "k", "c", "fy", "fx")


class Shape(NamedTuple):
    """A convolution as the file's column `dims` writes it; h and w without padding."""

    c: int
    h: int
    w: int
    k: int
    r: int
    s: int
    stride: int
    p: int
    q: int
    groups: int

    @property
    def weights(self) -> int:
        """Weights of all groups; c is per group."""
        return self.k * self.c * self.r * self.s


@dataclass(slots=True)
class MeasuredLayer:
    """One layer (or a whole network) of the file.

    figures: metric -> value as printed. told: metric -> unit and flag.
    """

    chip: str
    network: str
    name: str
    dims: str
    line: int
    figures: dict[str, Decimal] = field(default_factory=dict)
    told: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def shape(self) -> Shape | None:
        """The layer's shape; None for rows that are no single layer. Raises ValueError."""
        return shape_of(self.dims)


def shape_of(dims: str) -> Shape | None:
    """The shape that a cell of the column `dims` gives, None for one that gives none.

    P and Q may be left out where padding is told, as in pad1, or none. Raises ValueError.
    """
    found = dict(re.findall(r"\b([CHWKRSPQ]|stride|groups)(\d+)\b", dims))
    if not found.keys() & set("CHWKRS"):
        return None
    missing = [name for name in ("C", "H", "W", "K", "R", "S", "stride") if name not in found]
    if missing:
        raise ValueError(f"dims must give {missing[0]}, as in stride2, not {dims!r}")
    size = {name: int(value) for name, value in found.items()}
    if not all(size.values()):
        raise ValueError(f"dims must have sizes of at least 1, not {dims!r}")
    pad = re.search(r"\bpad(\d+)", dims)
    p, q = (
        size.get(name, (size[a] + 2 * int(pad[1] if pad else 0) - size[f]) // size["stride"] + 1)
        for name, a, f in (("P", "H", "R"), ("Q", "W", "S"))
    )
    c, h, w, k, r, s, stride = (size[x] for x in ("C", "H", "W", "K", "R", "S", "stride"))
    shape = Shape(c, h, w, k, r, s, stride, p, q, size.get("groups", 1))
    if min(shape) < 1:
        raise ValueError(f"dims must make an output of at least one row, not {dims!r}")
    if k % shape.groups:
        raise ValueError(f"dims must have K as a multiple of groups, not {dims!r}")
    return shape


class Ours(NamedTuple):
    """A simulated figure. note: what explains its distance from the published one."""

    value: float
    note: str = ""


def convolution(name: str, dims: LoopDims, further_inputs: int = 0) -> Layer:
    """A convolution followed by ReLU that reads `further_inputs` more maps of its input's shape."""
    names = [f"{name}.in", *(f"{name}.in{i}" for i in range(further_inputs))]
    return Layer(
        name,
        LayerOp.CONV2D,
        dims,
        tuple(Operand(tensor) for tensor in names),
        f"{name}.out",
        weight=Operand(f"{name}.weight", WEIGHT_LOOPS),
        post_ops=("relu",),
    )


def padded(shape: Shape, batch: int) -> LoopDims:
    """Loops of a layer; the padding is what its output needs, half of it (rounded up) before."""
    tops = (
        max(0, -(-((outputs - 1) * shape.stride + taps - inputs) // 2))
        for outputs, taps, inputs in ((shape.p, shape.r, shape.h), (shape.q, shape.s, shape.w))
    )
    pad_top, pad_left = tops
    return LoopDims(
        b=batch,
        g=shape.groups,
        k=shape.k // shape.groups,
        c=shape.c,
        oy=shape.p,
        ox=shape.q,
        fy=shape.r,
        fx=shape.s,
        iy=shape.h,
        ix=shape.w,
        stride_y=shape.stride,
        stride_x=shape.stride,
        pad_top=pad_top,
        pad_left=pad_left,
    )


def workload_of(name: str, layers: Sequence[Layer]) -> Workload:
    """Layers one after another, each on inputs of its own that lie in DRAM."""
    tensors: dict[str, Tensor] = {}
    for layer in layers:
        d = layer.dims
        for operand in layer.inputs:
            tensors[operand.tensor] = Tensor(operand.tensor, d.b * d.g * d.c * d.iy * d.ix)
        weight = f"{layer.name}.weight"
        tensors[weight] = Tensor(weight, layer.weight_elements, parameter=True)
        tensors[layer.output] = Tensor(layer.output, layer.output_elements)
    inputs = tuple(dict.fromkeys(o.tensor for layer in layers for o in layer.inputs))
    return Workload(name, tensors, tuple(layers), inputs, tuple(x.output for x in layers))


def batch_of(layers: Iterable[MeasuredLayer], network: str) -> int:
    """The batch that a network's whole-network rows tell in their dims; 1 where none does."""
    for layer in layers:
        told = re.search(r"\bbatch (\d+)", layer.dims)
        if layer.network == network and layer.name.startswith("TOTAL") and told:
            return int(told[1])
    return 1


Mappings = dict[str, LayerMappingSpec]
