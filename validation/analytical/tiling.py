"""What a mapping means for a model: unrolled and tiled loops, their cycles, and DRAM traffic.

A mapping is that of one core; where a chip has several, its layer is taken as divided evenly.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, prod

from hw_models.pe_array.registry import pe_array
from hw_models.pe_array.row_stationary import RowStationarySpec
from hw_models.pe_array.systolic import SystolicSpec
from hw_models.pe_array.vector import VectorExtent, post_op_passes, vector_cycles
from hw_models.spec import ChipSpec
from simulator.mapping.mapping import Mapping
from simulator.mapping.streams import OUTPUT_LOOPS, TILED_LOOPS
from simulator.workload.graph import LOOPS, ROW_OPS, Layer

FOLDED: dict[type, dict[str, tuple[str, ...]]] = {
    SystolicSpec: {"ox": ("ox", "oy", "b"), "c": ("c", "fx", "fy")},
    RowStationarySpec: {"fy": ("fy", "k")},
}
"""By type of array, loops that share the room of an unrolled one: a systolic array folds products,
the rows of a row-stationary one hold several sets."""


def cores(chip: ChipSpec) -> int:
    """Cores of a chip."""
    return sum(core.count for core in chip.cores)


def tile_of(layer: Layer, mapping: Mapping) -> dict[str, int]:
    """Extent of all eight loops in a tile."""
    return {**dict(zip(LOOPS, layer.dims.loops, strict=True)), **mapping.tile}


def unrolled(layer: Layer, mapping: Mapping, chip: ChipSpec) -> dict[str, int]:
    """How far the array of the first core unrolls each loop of a tile; 1s left out."""
    spec = chip.cores[0].pe_array
    tile, found = tile_of(layer, mapping), dict[str, int]()
    for loop, room in pe_array(spec).spatial_loops.items():
        names = FOLDED.get(type(spec), {}).get(loop, (loop,))
        _, factors = _fewest_steps(tuple(tile[name] for name in names), room)
        found |= dict(zip(names, factors, strict=True))
    return {loop: n for loop, n in found.items() if n > 1}


@lru_cache(maxsize=1 << 14)
def _fewest_steps(sizes: tuple[int, ...], room: int) -> tuple[int, tuple[int, ...]]:
    """The unrolling of loops over some PEs that leaves the fewest steps: steps, factors."""
    if not sizes:
        return 1, ()
    found = []
    for factor in range(1, min(room, sizes[0]) + 1):
        steps, others = _fewest_steps(sizes[1:], room // factor)
        found.append((-(-sizes[0] // factor) * steps, (factor, *others)))
    return min(found)


def counts(layer: Layer, mapping: Mapping) -> dict[str, int]:
    """Tiles along each tiled loop."""
    sizes = dict(zip(LOOPS, layer.dims.loops, strict=True))
    return {loop: ceil(sizes[loop] / mapping.tile[loop]) for loop in TILED_LOOPS}


def compute_cycles(layer: Layer, mapping: Mapping, chip: ChipSpec) -> float:
    """Steps of the unrolled loops, an edge taking as long as what is full; on all cores."""
    if not layer.is_mac:
        return vector_layer_cycles(layer, chip)
    tile, unroll = tile_of(layer, mapping), unrolled(layer, mapping, chip)
    steps = prod(ceil(tile[loop] / unroll.get(loop, 1)) for loop in LOOPS)
    return steps * prod(counts(layer, mapping).values()) / cores(chip)


def ideal_cycles(layer: Layer, chip: ChipSpec) -> float:
    """Cycles with every PE, or every lane, busy."""
    if layer.is_mac:
        return layer.macs / chip.peak_macs_per_cycle
    return vector_layer_cycles(layer, chip)


def vector_layer_cycles(layer: Layer, chip: ChipSpec) -> int:
    """Cycles of a vector layer on the lanes of all cores together."""
    d, lanes = layer.dims, chip.cores[0].vector_unit.lanes * cores(chip)
    row = d.g if layer.op in ROW_OPS else 1
    extent = VectorExtent(layer.output_elements, d.fy * d.fx, len(layer.inputs), row)
    passes = post_op_passes(layer.post_ops) if layer.post_ops else 0
    own = vector_cycles(layer.function, extent, lanes)
    return own + ceil(layer.output_elements / lanes) * passes


def least_bytes(layer: Layer, chip: ChipSpec) -> float:
    """Bytes of every operand once."""
    return sum(operand_bytes(layer, chip).values())


def operand_bytes(layer: Layer, chip: ChipSpec) -> dict[str, float]:
    """Bytes of each operand as a whole: input, weight, output."""
    d, bits = layer.dims, chip.precision
    rows = min(d.iy, (d.oy - 1) * d.stride_y + (d.fy - 1) * d.dilation_y + 1)
    columns = min(d.ix, (d.ox - 1) * d.stride_x + (d.fx - 1) * d.dilation_x + 1)
    sizes = {"b": d.b, "g": d.g, "c": d.c, "oy": rows, "ox": columns}
    read = sum(prod(sizes.get(loop, 1) for loop in x.dims) for x in layer.inputs)
    weight_bits = bits.weight_bits if layer.weight_is_constant else bits.input_bits
    return {
        "input": read * bits.input_bits / 8,
        "weight": layer.weight_elements * weight_bits / 8,
        "output": layer.output_elements * bits.output_bits / 8,
    }


def dram_bytes(layer: Layer, mapping: Mapping, chip: ChipSpec) -> float:
    """Bytes to and from DRAM: every operand as often as its tiles are loaded, halos left out."""
    if not layer.is_mac:
        return least_bytes(layer, chip)
    whole = operand_bytes(layer, chip)
    loops = {
        "input": layer.inputs[0].dims,
        "weight": layer.weight.dims if layer.weight else (),
    }
    read = sum(whole[name] * loads(layer, mapping, name, loops[name]) for name in loops)
    spills = 2 * (loads(layer, mapping, "psum", OUTPUT_LOOPS) - 1)
    psum_bytes = layer.output_elements * chip.precision.psum_bits / 8
    return read + whole["output"] + spills * psum_bytes


def loads(layer: Layer, mapping: Mapping, stream: str, loops: tuple[str, ...]) -> int:
    """How often each tile of an operand is loaded, given its slots and the order of the loops."""
    tiles, slots = counts(layer, mapping), mapping.slots.get(stream, 1)
    distinct = prod(tiles[loop] for loop in TILED_LOOPS if loop in loops)
    times, inside = 1, 1
    for loop in reversed(mapping.order):
        if loop in loops:
            inside *= tiles[loop]
        elif inside > max(1, slots - 1) and slots < distinct:
            times *= tiles[loop]
    return times


def dram_cycles(moved_bytes: float, chip: ChipSpec) -> float:
    """Cycles that bytes take at the peak of all DRAM channels."""
    return moved_bytes / float(chip.dram_bytes_per_cycle)
