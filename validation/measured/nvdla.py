"""NVDLA with 2048 MACs against its vendor's analytical model of layers (not silicon).

The model takes the longer of MAC and DRAM cycles of each layer; what it counts is modelled as
layers that need as many MACs, weights, inputs and outputs (`workload_layer`):
- 3 x 3 at stride 1 by Winograd F(2 x 2, 3 x 3): 16 coefficients a filter and channel, 16 products
  for 4 outputs. So has a 2 x 2 convolution with stride 2 and four times the kernels.
- 1 x 1 at stride 2 fetches four times the weights and the whole input, like a 2 x 2 kernel, but
  counts a quarter of that kernel's products.
- An addition after a convolution takes its second operand as it comes: K / C further inputs.
- The weights of an FC layer count once a batch.
- An image of 3 channels: channels, kernel columns and up to two kernel rows share the 64 lanes
  (channel pre- and post-extension).
Order of computing: all of the input stays in the convolution buffer and kernels come in groups
where that fits, else all of the weights stay and rows come; images, FC layers and filters of more
than three rows are left to the mapping search. DRAM moves 32 bytes at least, as NVDLA keeps 32
channels of neighbouring pixels together.
Source: nvdla/hw perf/NVDLA_OpenSource_Performance.xlsx (its columns); NVDLA hardware manual, unit
description, sections on Winograd, image-input mode and the convolution buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from hw_models.chip_files import load_chip
from hw_models.pe_array.spatial import SpatialSpec
from hw_models.spec import ChipSpec
from simulator.mapping.mapping import LayerMappingSpec
from simulator.result import LayerResult
from simulator.run import simulate
from simulator.workload.graph import Layer, LoopDims
from validation.measured.layers import (
    MeasuredLayer,
    Ours,
    Shape,
    convolution,
    padded,
    workload_of,
)

CHIP = "NVDLA-full"

IMAGE_CHANNELS, IMAGE_LANES_OF_TWO_ROWS = 3, 32
KERNEL_GROUP = 32
"""Kernels that the MACs work on at once, and channels that NVDLA keeps together in DRAM."""


def simulate_layers(layers: Sequence[MeasuredLayer]) -> list[dict[str, Ours]]:
    """Simulated figures of each layer; networks run as a whole, their layers independent."""
    figures: list[dict[str, Ours]] = [{} for _ in layers]
    chip = _sheet_chip(layers)
    jobs = [(i, x.shape, _batch(x)) for i, x in enumerate(layers) if x.shape is not None]
    for (_, batch, image), group in groupby(
        jobs, key=lambda job: (layers[job[0]].network, job[2], _image(job[1]))
    ):
        numbers = [(index, shape) for index, shape, _ in group]
        run_on = chip if image is None else _image_chip(chip, image)
        for (index, shape), results in zip(
            numbers, _run(run_on, layers, numbers, batch), strict=True
        ):
            products = shape.stride**2 if _is_strided(shape) else 1
            figures[index] = _figures(results, batch, products, _why(layers[index], shape))
    return figures


def workload_layer(name: str, shape: Shape, batch: int, with_addition: bool) -> Layer:
    """A layer with the MACs, weights, inputs and outputs that the model counts."""
    further = shape.k // shape.c if with_addition else 0
    dims = padded(shape, batch)
    if shape.c == IMAGE_CHANNELS:
        return convolution(name, dims)
    if (shape.r, shape.s, shape.stride) == (3, 3, 1):
        dims = replace(dims, k=4 * dims.k, oy=-(-dims.oy // 2), ox=-(-dims.ox // 2))
        dims = replace(dims, fy=2, fx=2, stride_y=2, stride_x=2, pad_top=0, pad_left=0)
    elif _is_strided(shape):
        dims = replace(dims, fy=2, fx=2)
    return convolution(name, dims, further)


def _image(shape: Shape) -> Shape | None:
    return shape if shape.c == IMAGE_CHANNELS else None


def _is_strided(shape: Shape) -> bool:
    return (shape.r, shape.s, shape.stride) == (1, 1, 2)


def _run(
    chip: ChipSpec,
    layers: Sequence[MeasuredLayer],
    numbers: Sequence[tuple[int, Shape]],
    batch: int,
) -> list[list[LayerResult]]:
    """Results of each layer's parts."""
    parts = [
        _parts(chip, workload_layer(f"{index}", shape, batch, "elwise" in layers[index].dims))
        for index, shape in numbers
    ]
    given = {
        layer.name: mapping for part in parts for layer, mapping in part if mapping is not None
    }
    every = [layer for part in parts for layer, _ in part]
    # The model knows no first fetch that nothing hides: a copy of the first layer goes before.
    warm_up = convolution("warm_up", every[0].dims, len(every[0].inputs) - 1)
    if every[0].name in given:
        given[warm_up.name] = given[every[0].name]
    # The model knows nothing of DRAM but its bandwidth.
    network = workload_of("sheet", [warm_up, *every])
    done = simulate(network, chip, mappings=given, memory="simple")
    results = iter(done.result.layers[1:])
    return [[next(results) for _ in part] for part in parts]


def _figures(parts: Sequence[LayerResult], batch: int, products: int, why: str) -> dict[str, Ours]:
    moved = sum(part.dram_read_bytes + part.dram_write_bytes for part in parts)
    computing = sum(part.causes.get("busy/compute", 0) for part in parts) / products
    return {
        "mac_cycles_no_sram": Ours(computing / batch, why),
        "layer_cycles_no_sram": Ours(sum(part.cycles for part in parts) / batch, why),
        "dram_traffic_no_sram": Ours(moved / 1024 / batch, why),
    }


def _sheet_chip(layers: Sequence[MeasuredLayer]) -> ChipSpec:
    """The preset at the bandwidth with which the sheet itself turns KiB into cycles."""
    chip = load_chip("nvdla_large")
    for layer in layers:
        if {"dram_cycles_no_sram", "dram_traffic_no_sram"} <= layer.figures.keys():
            kib, cycles = (
                float(layer.figures[name])
                for name in ("dram_traffic_no_sram", "dram_cycles_no_sram")
            )
            rate = round(kib * 1024 / cycles * chip.clock_ghz, 2)
            changes = {"bandwidth_gb_per_s": rate, "granule_bytes": KERNEL_GROUP}
            dram = chip.dram.model_copy(update=changes)
            return chip.model_copy(update={"dram": dram})
    return chip


def _image_chip(chip: ChipSpec, shape: Shape) -> ChipSpec:
    """The chip in image-input mode: channels and kernel columns side by side on the lanes."""
    core = chip.cores[0]
    array = core.pe_array
    assert isinstance(array, SpatialSpec)
    rows = 2 if shape.c * shape.s <= IMAGE_LANES_OF_TWO_ROWS else 1
    unroll = array.unroll.model_copy(update={"c": shape.c, "fx": shape.s, "fy": rows})
    core = core.model_copy(update={"pe_array": array.model_copy(update={"unroll": unroll})})
    return chip.model_copy(update={"cores": (core,)})


def _batch(layer: MeasuredLayer) -> int:
    """Images that share the weights of an FC layer in the sheet's traffic."""
    shape, traffic = layer.shape, layer.figures.get("dram_traffic_no_sram")
    if shape is None or not layer.dims.endswith(" fc") or traffic is None:
        return 1
    return max(1, round(shape.weights / 1024 / float(traffic)))


def _parts(chip: ChipSpec, layer: Layer) -> list[tuple[Layer, LayerMappingSpec | None]]:
    """A layer with its mapping, in halves (quarters, ...) of its kernels where that must be."""
    if layer.dims.c == IMAGE_CHANNELS or layer.dims.b > 1 or layer.dims.fy > 3:
        return [(layer, None)]
    number = 1
    while True:
        d = replace(layer.dims, k=layer.dims.k // number)
        mapping = _mapping(chip, d, len(layer.inputs))
        if mapping is not None or d.k <= KERNEL_GROUP:
            further = len(layer.inputs) - 1
            names = [f"{layer.name}.{i}" for i in range(number)]
            return [(convolution(name, d, further), mapping) for name in names]
        number *= 2


def _mapping(chip: ChipSpec, d: LoopDims, inputs: int) -> LayerMappingSpec | None:
    """Kernels outermost and the input held, or rows outermost and the weights held, or None."""
    whole_input, room = inputs * d.c * d.iy * d.ix, chip.cores[0].buffer_of("weight").size_bytes
    tile = _tile(chip, d)
    for blocks in range(1, d.c // 64 + 1):
        c = -(-d.c // blocks)
        weights = (blocks + 1) * tile["k"] * c * d.fy * d.fx
        if whole_input + weights <= room:
            order, slots = ("k", "oy", "ox", "c"), {"weight": blocks + 1}
            return LayerMappingSpec(tile=tile | {"c": c}, order=order, slots=slots)
    strip = inputs * d.c * ((tile["oy"] - 1) * d.stride_y + d.fy) * d.ix
    if d.k * d.c * d.fy * d.fx + 2 * strip <= room:
        return LayerMappingSpec(tile=tile, order=("oy", "ox", "k"))
    return None


def _tile(chip: ChipSpec, d: LoopDims) -> dict[str, int]:
    """A kernel group, and as many output positions as the accumulators hold sums of."""
    sums, k = chip.cores[0].buffer_of("psum"), min(KERNEL_GROUP, d.k)
    positions = 8 * sums.size_bytes // (sums.slots * chip.precision.psum_bits * k)
    ox = min(d.ox, positions)
    strips = -(-d.oy // max(1, positions // ox))
    return {"k": k, "oy": -(-d.oy // strips), "ox": ox}


def _why(layer: MeasuredLayer, shape: Shape) -> str:
    """Known mechanism of a difference."""
    if shape.c == IMAGE_CHANNELS:
        return (
            "sheet: 3 or 4 channels x all taps packed without gaps on 64 lanes, K to 128, pooling "
            "fused; here: lanes hold channels x kernel columns x one or two kernel rows"
        )
    if shape.c % 64:
        return f"sheet: C rounded up to 16; here: {shape.c % 64} of 64 lanes work"
    if shape.k == 64:
        return "sheet: MAC cycles of 64 kernels are those of 128; here: of 64"
    if shape.r == 3 and shape.p % 2:
        return "here: Winograd tiles of 2 x 2 outputs cover odd maps with a rest; sheet: exactly"
    if layer.name == "Res5c_branch2c":
        return "sheet: the pooling that follows is fused and its input not stored"
    return "sheet: the longer of MAC and DRAM cycles; here: the first loads wait for room"
