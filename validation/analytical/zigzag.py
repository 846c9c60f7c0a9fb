"""The ZigZag-style model on a chip of tilesim: a mapping as a nest over array, buffers and DRAM."""

from __future__ import annotations

from itertools import takewhile
from math import ceil

from hw_models.nest.hierarchy import OPERANDS, Direction, Loop, Machine, Memory, Nest, Port
from hw_models.nest.latency import nest_latency
from hw_models.pe_array.spatial import SpatialSpec
from hw_models.pe_array.systolic import SystolicSpec
from hw_models.spec import BufferSpec, ChipSpec, Operand
from simulator.mapping.mapping import Mapping
from simulator.mapping.streams import TILED_LOOPS
from simulator.workload.graph import LOOPS, Layer
from validation.analytical.prediction import DRAM, EMPTY, IDEAL, SRAM, Model, Prediction, of_causes
from validation.analytical.tiling import (
    compute_cycles,
    cores,
    counts,
    dram_bytes,
    dram_cycles,
    ideal_cycles,
    tile_of,
    unrolled,
)

REDUCED = ("c", "fx", "fy")
INNER = {
    "os": (*REDUCED, "ox", "oy", "b", "k", "g"),
    "ws": ("ox", "oy", "b", *REDUCED, "k", "g"),
    "is": ("k", *REDUCED, "ox", "oy", "b", "g"),
}
"""Loops inside a tile, innermost first, by what stays in the PEs."""

HOMES: dict[str, Operand] = {"I": "input", "W": "weight", "O": "psum"}
UNLIMITED = 1 << 40
EXTERNAL, REGISTERS = "dram", "registers"

WAYS = {
    "1rw": (tuple(Direction),),
    "2rw": (tuple(Direction),),
    "1r1w": (
        (Direction.TO_LOW, Direction.TO_HIGH),
        (Direction.FROM_HIGH, Direction.FROM_LOW),
    ),
}
"""Directions that each port of a buffer serves."""


def predict(layer: Layer, mapping: Mapping, chip: ChipSpec) -> Prediction:
    """Cycles and DRAM bytes of a layer."""
    moved, ideal = dram_bytes(layer, mapping, chip), ideal_cycles(layer, chip)
    if not layer.is_mac:
        busy = compute_cycles(layer, mapping, chip)
        return of_causes(
            {IDEAL: busy, DRAM: max(0.0, dram_cycles(moved, chip) - busy)}, None, moved
        )
    latency = nest_latency(nest_of(layer, mapping, chip).settled(), machine_of(chip))
    limit = DRAM if latency.slowest in ("", EXTERNAL) else SRAM
    causes = {IDEAL: ideal, EMPTY: latency.loop_cycles - ideal, DRAM: 0.0, SRAM: 0.0}
    causes[DRAM] += latency.onload_cycles + latency.offload_cycles
    causes[limit] += latency.stall_cycles
    return of_causes(causes, dram_bytes=moved)


def machine_of(chip: ChipSpec) -> Machine:
    """The memories that one core sees, with its part of DRAM."""
    core = chip.cores[0]
    ports = tuple(Port(UNLIMITED, 1, (("O", way),)) for way in Direction)
    registers = Memory(REGISTERS, UNLIMITED, ports)
    buffers = [_buffer(spec) for spec in core.buffers]
    every = tuple((operand, way) for operand in OPERANDS for way in Direction)
    share = float(chip.dram_bytes_per_cycle) * 8 / cores(chip)
    external = Memory(EXTERNAL, UNLIMITED, (Port(share, 1, every),))
    used = [memory for memory in buffers if memory.operands]
    return Machine((registers, *used, external))


def _buffer(spec: BufferSpec) -> Memory:
    held = [operand for operand in OPERANDS if HOMES[operand] in spec.holds]
    width = spec.bytes_per_cycle * 8 * (2 if spec.ports == "2rw" else 1)
    ports = tuple(
        Port(width, 1, tuple((operand, way) for operand in held for way in ways))
        for ways in WAYS[spec.ports]
    )
    return Memory(spec.name, spec.size_bytes * 8, ports)


def nest_of(layer: Layer, mapping: Mapping, chip: ChipSpec) -> Nest:
    """The loops of one core's share of a layer."""
    tile, unroll, bits = tile_of(layer, mapping), unrolled(layer, mapping, chip), chip.precision
    inner = _upper({loop: ceil(tile[loop] / unroll.get(loop, 1)) for loop in _inner(chip)})
    outer = _upper(_divided(counts(layer, mapping), mapping, cores(chip)))
    kept = list(takewhile(lambda loop: loop[0].lower() in REDUCED, inner))
    across = _upper({loop: n for loop, n in unroll.items() if loop not in REDUCED})
    summed = _upper({loop: n for loop, n in unroll.items() if loop in REDUCED})
    plain = [[*across, *summed], [], []]
    extents: dict[str, int] = {}
    for loop, factor in [*inner, *outer, *across, *summed]:
        extents[loop] = extents.get(loop, 1) * int(factor)
    return Nest(
        {loop.upper(): extents.get(loop.upper(), 1) for loop in LOOPS},
        {"I": plain, "W": plain, "O": [summed, across, [], []]},
        {"I": [inner, outer], "W": [inner, outer], "O": [kept, inner[len(kept) :], outer]},
        max(layer.dims.stride_x, layer.dims.stride_y),
        {"I": bits.input_bits, "W": bits.weight_bits, "O": bits.output_bits, "P": bits.psum_bits},
    )


def _inner(chip: ChipSpec) -> tuple[str, ...]:
    spec = chip.cores[0].pe_array
    if isinstance(spec, SystolicSpec):
        return INNER[spec.dataflow]
    return INNER["ws" if isinstance(spec, SpatialSpec) else "os"]


def _divided(tiles: dict[str, int], mapping: Mapping, parts: int) -> dict[str, int]:
    """Tiles of one core along each loop, innermost loop first; the most numerous are divided."""
    most = max(TILED_LOOPS, key=lambda loop: (tiles[loop], loop != "c"))
    order = [loop for loop in reversed(mapping.order) if loop in tiles]
    return {loop: ceil(tiles[loop] / (parts if loop == most else 1)) for loop in order}


def _upper(loops: dict[str, int]) -> list[Loop]:
    return [(loop.upper(), factor) for loop, factor in loops.items() if factor > 1]


MODEL = Model(
    "zigzag",
    predict,
    "L. Mei et al.: ZigZag, IEEE Trans. Computers 70(8), 2021; A Uniform Latency Model for DNN "
    "Accelerators, DATE 2022; the same code reproduces zigzag-dse 3.9.1 (`validate zigzag`)",
    (
        "ports deliver their width in every cycle that the double-buffering windows allow",
        "inside a tile loops run in the order of the dataflow, unrolled as the array unrolls them",
        "a transfer takes whole cycles of its port, even a few words in every cycle",
        "no latency, row misses, refresh, bank conflicts, hops, fill or drain",
        "every feature map comes from and goes to DRAM; several cores share layer and DRAM evenly",
        "layers of the vector unit: the longer of its lanes and DRAM",
    ),
)
