"""Eyeriss: AlexNet with the published mapping, VGG16 with what published counters tell of it.

Processing time is that of the array: computing, loading filters, and what its ports make it wait.
The silicon stores feature maps in DRAM run-length coded, the simulator does not: what it moves is
multiplied, operand by operand, by the code's ratio for the published share of zeros.
Source: Chen, Krishna, Emer, Sze, "Eyeriss", IEEE JSSC 52(1) 2017, sections III to VI.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import log

import numpy as np

from hw_models.chip_files import load_chip
from hw_models.pe_array.row_stationary import RowStationaryArray, RowStationarySpec
from hw_models.spec import OPERANDS, ChipSpec
from simulator.mapping.mapping import LayerMappingSpec
from simulator.run import Simulation, simulate
from simulator.workload.graph import Layer, LoopDims
from validation.measured.layers import (
    Mappings,
    MeasuredLayer,
    Ours,
    Shape,
    batch_of,
    convolution,
    padded,
    workload_of,
)

CHIP = "Eyeriss"

CODE_BITS, VALUES_A_CODE, VALUE_BITS = 64, 3, 16
"""Run-length code: a 64-bit word holds three values of 16 bits with a run of zeros each."""

PSUM_BYTES = 2
SETS, MOST_FILTERS = 4, 64
"""Where no mapping is published: sets side by side, and filters of a pass (16 a PE on 4 sets)."""


@dataclass(frozen=True, slots=True)
class PublishedMapping:
    """Letters as in the paper; see references/eyeriss_mapping.csv."""

    m: int
    n: int
    e: int
    p: int
    q: int
    r: int
    t: int


@lru_cache(maxsize=1)
def published_mappings() -> dict[tuple[str, str], PublishedMapping]:
    """(network, layer) -> mapping."""
    text = (files("validation") / "references" / "eyeriss_mapping.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    letters = PublishedMapping.__dataclass_fields__
    return {
        (row["network"], row["layer"]): PublishedMapping(**{x: int(row[x]) for x in letters})
        for row in rows
    }


def simulate_layers(layers: Sequence[MeasuredLayer]) -> list[dict[str, Ours]]:
    """Simulated figures of each layer; empty for rows that are no single layer."""
    chip = load_chip("eyeriss")
    return [
        _layer_figures(chip, layers, layer) if layer.shape is not None else {} for layer in layers
    ]


def rlc_ratio(zeros: float) -> float:
    """Coded bits per bit of a map with a share of zeros; runs are taken to be short enough."""
    return (1 - zeros) * CODE_BITS / (VALUES_A_CODE * VALUE_BITS)


def _layer_figures(
    chip: ChipSpec, layers: Sequence[MeasuredLayer], layer: MeasuredLayer
) -> dict[str, Ours]:
    shape, batch = layer.shape, batch_of(layers, layer.network)
    assert shape is not None
    mapping = published_mappings().get((layer.network, layer.name))
    if mapping is not None and shape.k // shape.groups % mapping.m == 0:
        parts, given = _published(layer.name, shape, batch, mapping)
        why = "published mapping"
    else:
        parts = [convolution(layer.name, padded(shape, batch))]
        given, why = _implied(chip, layer, parts[0])
    # The 60 MHz link is so much slower than any DRAM that banks and rows don't show.
    done = simulate(workload_of(layer.name, parts), chip, mappings=given, memory="simple")
    coded = _coded_bytes(done, *_zeros(layers, layer)) / 1e6
    return {
        "processing_latency": Ours(_processing_cycles(done) / (chip.clock_ghz * 1e6), why),
        "total_latency": Ours(
            done.result.milliseconds,
            "maps cross the link uncoded here, and no strip is stored while the next computes",
        ),
        "active_pes": Ours(_active_pes(chip, done, parts[0]), why),
        "dram_accesses": Ours(coded, why),
        "glb_accesses": Ours(_buffer_bytes(done) / 1e6, why),
        "power": Ours(_on_chip_mw(done), "no gating of zeros here"),
    }


def _implied(chip: ChipSpec, layer: MeasuredLayer, part: Layer) -> tuple[Mappings, str]:
    """A mapping as far as published counters tell of it; nothing where they don't.

    The sums of a layer cross the buffer once in and once out for each block of channels: traffic
    tells how many channels a pass takes. Active PEs tell how many rows a set has (4 sets). Filters
    are as many as the buffer then has room for sums of, of all images where those are 32 or more.
    """
    traffic, pes = layer.figures.get("glb_accesses"), layer.figures.get("active_pes")
    if traffic is None or pes is None:
        return {}, "mapping found by the search"
    d = part.dims
    rounds = float(traffic) * 1e6 / (2 * PSUM_BYTES * part.output_elements)
    channels = min(_divisors(d.c), key=lambda c: abs(log(d.c / c / rounds)))
    oy = min(d.oy, max(1, int(pes) // (d.fy * SETS)))
    room = chip.cores[0].buffer_of("psum").size_bytes
    ifmap = PSUM_BYTES * channels * ((oy - 1) * d.stride_y + d.fy) * (d.ix + 2 * d.pad_left)
    filters = chip.cores[0].buffer_of("weight")
    a_filter = filters.slots * PSUM_BYTES * channels * d.fy * d.fx
    for images in (d.b, 1):
        k = min(
            (room - images * ifmap) // (images * PSUM_BYTES * oy * d.ox),
            filters.size_bytes // a_filter,
        )
        if k >= MOST_FILTERS // 2:
            break
    tile = {"b": images, "k": max(1, min(d.k, MOST_FILTERS, k)), "c": channels, "oy": oy}
    why = f"{channels} channels a pass, from published buffer traffic"
    return {part.name: LayerMappingSpec(tile=tile, order=("b", "oy", "k", "c"))}, why


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


def _published(
    name: str, shape: Shape, batch: int, given: PublishedMapping
) -> tuple[list[Layer], Mappings]:
    """A layer as its blocks of m filters, whose sums stay in the global buffer.

    A tile is one processing pass; passes go on over filters, channels, rows and images.
    """
    m, of_group = given.m, shape.k // shape.groups
    dims = LoopDims(
        b=batch,
        k=m,
        c=shape.c,
        oy=shape.p,
        ox=shape.q,
        fy=shape.r,
        fx=shape.s,
        iy=shape.h,
        ix=shape.w,
        stride_y=shape.stride,
        stride_x=shape.stride,
    )
    tile = {"b": given.n, "k": given.p * given.t, "c": given.q * given.r, "oy": given.e}
    sums = -(-m // tile["k"])
    spec = LayerMappingSpec(tile=tile, order=("b", "oy", "c", "k"), slots={"psum": sums})
    blocks = shape.groups * (of_group // m)
    parts = [convolution(f"{name}.{block}", dims) for block in range(blocks)]
    return parts, {part.name: spec for part in parts}


def _processing_cycles(done: Simulation) -> int:
    """Cycles in which the array computes, fills, or waits for its ports."""
    causes = done.result.units["core.pe_array"]
    waits = ("stall/sram_bandwidth", "stall/bank_conflict")
    return sum(n for cause, n in causes.items() if cause.startswith("busy/") or cause in waits)


def _on_chip_mw(done: Simulation) -> float:
    """Mean power of the run without DRAM and the link to it."""
    energy = done.result.energy_by_component_pj
    on_chip_pj = sum(pj for component, pj in energy.items() if component not in ("dram", "noc"))
    return on_chip_pj / 1e9 / (done.result.milliseconds / 1e3)


def _active_pes(chip: ChipSpec, done: Simulation, layer: Layer) -> int:
    """PEs of a full tile under the array's own mapping of it."""
    spec = chip.cores[0].pe_array
    assert isinstance(spec, RowStationarySpec)
    array, d = RowStationaryArray(spec), layer.dims
    tile = done.lowered.plans[layer.name].mapping.tile
    shape = np.array([*tile.values(), d.fy, d.fx], dtype=np.int64)
    window = np.array([d.stride_y, d.stride_x, d.dilation_y, d.dilation_x], dtype=np.int64)
    return array.active_pes(shape, array.mapping(shape, window))


def _coded_bytes(done: Simulation, zeros_in: float | None, zeros_out: float) -> float:
    """DRAM bytes with maps coded; None for an input that isn't (the first layer's image)."""
    tasks = done.lowered.program.tasks
    ratio = dict.fromkeys(OPERANDS, 1.0) | {"output": rlc_ratio(zeros_out)}
    if zeros_in is not None:
        ratio["input"] = rlc_ratio(zeros_in)
    return sum(
        float(tasks["bytes"][tasks["operand"] == number].sum()) * ratio[operand]
        for number, operand in enumerate(OPERANDS)
    )


def _zeros(layers: Sequence[MeasuredLayer], layer: MeasuredLayer) -> tuple[float | None, float]:
    """Shares of zeros in a layer's input and output.

    The output's is that of the next layer's input (a pooling in between lowers it), for the last
    layer that of its own input.
    """
    of_network = [x for x in layers if x.network == layer.network and x.shape is not None]
    shares = [float(x.figures.get("zeros_in_ifmap", 0)) / 100 for x in of_network]
    place = of_network.index(layer)
    return (shares[place] if place else None), shares[min(place + 1, len(shares) - 1)]


def _buffer_bytes(done: Simulation) -> int:
    """Bytes in and out of the global buffer's part for maps and sums."""
    program = done.lowered.program
    by_array = program.trains["bytes"][program.trains["buffer"] == 0].sum()
    moved = (program.tasks["buffer"] == 0) & (program.tasks["bytes"] > 0)
    return int(by_array + program.tasks["bytes"][moved].sum())
