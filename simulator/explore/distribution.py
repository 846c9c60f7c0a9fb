"""Layers divided over equal cores: how much faster they get, and where DRAM stops it.

Every figure is a simulation of all cores at once with the memory they share. A layer may be divided
by output channels (k), output rows (oy), images (b), or input channels (c). The last is made of
partial layers, whose sums go through memory, and of additions that the cores divide by rows.
Source of the scheme: Maleki, Kamal, Afzali-Kusha, arXiv 2206.12605.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hw_models.chip_files import load_chip
from hw_models.noc_spec import WireSpec
from hw_models.spec import ChipSpec
from simulator.allocation.shares import Allocation, Share, split_layer
from simulator.run import simulate
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload
from traces.errors import InputError

DIVISIONS = ("b", "oy", "k", "c")
"""Ways to divide a layer, by loop."""

CORE_COUNTS = (2, 4, 8, 16)
CHANNELS = (1, 4, 16)
PARALLEL = 0.9
"""Part of the linear speed-up that counts as near it."""

_WEIGHT = ("g", "k", "c", "fy", "fx")


@dataclass(frozen=True, slots=True)
class Divided:
    """A layer divided over cores. loop: of DIVISIONS; cycles: of the run, all cores ended."""

    layer: str
    loop: str
    cores: int
    channels: int
    cycles: int
    speed_up: float

    @property
    def of_linear(self) -> float:
        """Part of the linear speed-up."""
        return self.speed_up / self.cores


def equal_cores(chip: ChipSpec, cores: int, channels: int) -> ChipSpec:
    """A chip with so many copies of its only core, each with its own link to shared DRAM.

    Raises InputError for a chip of several kinds of cores.
    """
    if len(chip.cores) != 1:
        raise InputError(f"{chip.name}: cores must be of one kind, not {len(chip.cores)}")
    link = WireSpec(kind="point_to_point", width_bytes=16, latency_cycles=2)
    core = chip.cores[0].model_copy(update={"count": cores})
    dram = chip.dram.model_copy(update={"channels": channels})
    return chip.model_copy(update={"cores": (core,), "dram": dram, "noc": link})


def convolution(name: str, dims: LoopDims) -> Workload:
    """A network of one convolution."""
    d = dims
    tensors = {
        "x": Tensor("x", d.b * d.g * d.c * d.iy * d.ix),
        "w": Tensor("w", d.g * d.k * d.c * d.fy * d.fx, parameter=True),
        "y": Tensor("y", d.b * d.g * d.k * d.oy * d.ox),
    }
    layer = Layer(name, LayerOp.CONV2D, dims, (Operand("x"),), "y", Operand("w", _WEIGHT))
    return Workload(name, tensors, (layer,), ("x",), ("y",))


def square(name: str, c: int, k: int, side: int, taps: int = 3, b: int = 1) -> Workload:
    """A network of one convolution of square maps with padding, so that sizes stay."""
    pad = taps // 2
    return convolution(
        name,
        LoopDims(
            b=b,
            k=k,
            c=c,
            oy=side,
            ox=side,
            fy=taps,
            fx=taps,
            iy=side,
            ix=side,
            pad_top=pad,
            pad_left=pad,
        ),
    )


LAYERS: tuple[Workload, ...] = (
    square("vgg16 conv1_2", 64, 64, 224),
    square("vgg16 conv3_2", 256, 256, 56),
    square("vgg16 conv5_1", 512, 512, 14),
    square("resnet50 1x1 512-2048", 512, 2048, 7, taps=1),
    square("resnet18 layer4, 16 images", 512, 512, 7, b=16),
    square("alexnet fc6, 1 image", 9216, 4096, 1, taps=1),
)
"""Layers that have work for 16 cores along some loop, and one that is nothing but weights."""


def divide(workload: Workload, loop: str, cores: int) -> tuple[Workload, Allocation]:
    """A one-layer network divided over cores along a loop, with who computes what.

    Raises ValueError when the loop has fewer iterations than there are cores.
    """
    layer = workload.layers[0]
    size = getattr(layer.dims, loop)
    if size < cores:
        raise ValueError(f"{loop} of {layer.name} must be at least {cores}, not {size}")
    if loop != "c":
        return workload, [split_layer(layer, [1] * cores, loop)]
    return _divide_inputs(workload, cores)


def _divide_inputs(workload: Workload, cores: int) -> tuple[Workload, Allocation]:
    """Partial layers of a range of input channels each, then additions in a tree."""
    layer = workload.layers[0]
    output = workload.tensors[layer.output].elements
    bounds = [layer.dims.c * core // cores for core in range(cores + 1)]
    tensors, layers = dict(workload.tensors), []
    allocation: list[list[Share]] = []
    for core, (low, high) in enumerate(pairwise(bounds)):
        weight = Operand(f"w{core}", _WEIGHT)
        elements = workload.tensors["w"].elements * (high - low) // layer.dims.c
        tensors |= {
            f"w{core}": Tensor(f"w{core}", elements, parameter=True),
            f"x{core}": Tensor(f"x{core}", tensors["x"].elements * (high - low) // layer.dims.c),
            f"sum{core}": Tensor(f"sum{core}", output),
        }
        dims = replace(layer.dims, c=high - low)
        own = (Operand(f"x{core}"),)
        part = replace(layer, name=f"part{core}", dims=dims, inputs=own, weight=weight)
        layers.append(replace(part, output=f"sum{core}"))
        allocation.append([Share(core)])
    layers += _additions(layer, cores)
    tensors |= {added.output: Tensor(added.output, output) for added in layers[cores:]}
    for added in layers[cores:]:
        loop = "oy" if added.dims.oy >= cores else "g"
        allocation.append(split_layer(added, [1] * cores, loop))
    kept = {name: tensor for name, tensor in tensors.items() if name not in ("x", "w")}
    inputs = tuple(f"x{core}" for core in range(cores))
    return Workload(workload.name, kept, tuple(layers), inputs, ("y",)), allocation


def _additions(layer: Layer, parts: int) -> list[Layer]:
    d = layer.dims
    dims = LoopDims(b=d.b, g=d.g * d.k, oy=d.oy, ox=d.ox, iy=d.oy, ix=d.ox)
    names, found = [f"sum{part}" for part in range(parts)], list[Layer]()
    while len(names) > 1:
        first, second, *rest = names
        output = f"{first}+" if rest else "y"
        inputs = (Operand(first), Operand(second))
        number = f"add{len(found)}"
        found.append(Layer(number, LayerOp.ELEMENTWISE, dims, inputs, output, function="add"))
        names = [*rest, output]
    return found


def divided_cycles(workload: Workload, chip: ChipSpec, loop: str, memory: str) -> int:
    """Cycles of a one-layer network on all cores of a chip."""
    network, allocation = divide(workload, loop, len(chip.core_names))
    return simulate(network, chip, allocation=allocation, memory=memory).result.cycles


def best_division(
    workload: Workload, chip: ChipSpec, cores: int, channels: int, memory: str = "simple"
) -> Divided:
    """The fastest way to divide a layer over so many copies of the chip's core.

    The speed-up is against one core with the same memory. Every loop is tried that has an iteration
    for each core and no dearer division than needed: input channels only where nothing else goes.
    """
    whole = simulate(workload, equal_cores(chip, 1, channels), memory=memory).result.cycles
    many, dims = equal_cores(chip, cores, channels), workload.layers[0].dims
    loops = [loop for loop in DIVISIONS[:-1] if getattr(dims, loop) >= cores] or ["c"]
    cycles, loop = min((divided_cycles(workload, many, loop, memory), loop) for loop in loops)
    return Divided(workload.name, loop, cores, channels, cycles, whole / cycles)


def speed_ups(
    chip: ChipSpec,
    layers: Sequence[Workload] = LAYERS,
    counts: Sequence[int] = CORE_COUNTS,
    channels: Sequence[int] = CHANNELS,
    memory: str = "simple",
) -> Iterator[Divided]:
    """The best division of every layer, for every number of DRAM channels and of cores."""
    for workload in layers:
        for number in channels:
            for cores in counts:
                yield best_division(workload, chip, cores, number, memory)


def speed_up_table(found: Sequence[Divided]) -> str:
    """Markdown: a line for each layer and memory, the speed-up and the loop for each core count."""
    counts = list(dict.fromkeys(one.cores for one in found))
    lines = [
        f"| layer | DRAM channels | {' | '.join(f'{n} cores' for n in counts)} |",
        f"|---|---|{'---|' * len(counts)}",
    ]
    for layer, channels in dict.fromkeys((one.layer, one.channels) for one in found):
        of = {o.cores: o for o in found if (o.layer, o.channels) == (layer, channels)}
        cells = [f"{_number(of[n])} ({of[n].loop})" for n in counts]
        lines.append(f"| {layer} | {channels} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(one: Divided) -> str:
    text = f"{one.speed_up:.2f}"
    return f"**{text}**" if one.of_linear >= PARALLEL else text


def main(chip: str = "edge_os_16x16") -> str:
    """The table of a preset; speed-ups of at least 90 % of the linear one in bold."""
    return speed_up_table(list(speed_ups(load_chip(chip))))
