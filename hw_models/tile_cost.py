"""What a tile takes on a core of its own: cycles, bytes through its buffers, energy, streams.

On a dataflow array a tile has the best order of its loops, by the latency model of ZigZag. Any
other array has its own timing, and no buffer moves more than the width of its ports.
Rules: ARCHITECTURE.md TILE-1 to TILE-5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod

import numpy as np

from hw_models.cost.energy import ACCESSES, action_energies_pj
from hw_models.pe_array.dataflow import DataflowSpec
from hw_models.pe_array.dataflow_cost import dataflow_cost
from hw_models.pe_array.registry import AnyPEArraySpec, pe_array
from hw_models.pe_array.tile import Stream, Tile, TileCost
from hw_models.pe_array.timing import TIMING_COLUMNS, Int64s
from hw_models.pe_array.vector import VectorExtent, vector_cycles, vector_operations
from hw_models.pe_array.window import distinct_inputs
from hw_models.spec import BufferSpec, ChipSpec, CoreSpec, Operand, PrecisionSpec, VectorSpec

__all__ = ["TileCost", "tile_cost", "tile_energy_pj"]

PRODUCTS = ("conv2d", "matmul")
"""Layers of multiply-accumulates."""

VECTOR_FUNCTIONS = {
    "pool": "max",
    "elementwise": "add",
    "activation": "sigmoid",
    "softmax": "softmax",
    "norm": "layer_norm",
}
"""What a vector unit is taken to compute for a type of layer; it moves the data of all others."""

MOVE = "copy"
ROW_OPS = ("softmax", "norm")


def tile_cost(
    core: CoreSpec,
    precision: PrecisionSpec,
    op: str,
    shape: Int64s,
    window: Int64s,
    *,
    streamed: frozenset[Operand] = frozenset(),
    stream_bits_per_cycle: int = 0,
    stream_ports: str = "1rw",
) -> TileCost:
    """Cost of a tile of a layer. op: a LayerOp value; shape: (8,); window: (4,).

    streamed: operands that stay off-chip, at so many bits a cycle over one port for reads and
    writes ("1rw") or one for each ("1r1w"). Raises ValueError for sizes or widths below 1,
    InputError for a tile that the array's registers can't hold in any order of its loops.
    """
    if streamed and stream_bits_per_cycle < 1:
        raise ValueError(f"stream_bits_per_cycle must be at least 1, not {stream_bits_per_cycle}")
    sizes, places = (tuple(int(n) for n in row) for row in (shape, window))
    if min(sizes) < 1:
        raise ValueError(f"loop sizes of a tile must be at least 1, not {min(sizes)}")
    if op == "elementwise" and "input" in streamed:
        streamed |= {"weight"}  # the second input of a sum goes where weights go
    stream = Stream(streamed, stream_bits_per_cycle, stream_ports)
    kind = _CoreKind(core.pe_array, core.vector_unit, core.buffers, core.runs, core)
    return _tile_cost(kind, Tile(op, sizes, places, precision, stream))


@dataclass(frozen=True, slots=True)
class _CoreKind:
    """What of a core matters for a tile; cores of several chips may be alike."""

    pe_array: AnyPEArraySpec
    vector_unit: VectorSpec
    buffers: tuple[BufferSpec, ...]
    runs: tuple[str, ...]
    core: CoreSpec = field(compare=False)


@lru_cache(maxsize=1 << 14)
def _tile_cost(kind: _CoreKind, tile: Tile) -> TileCost:
    core, spec = kind.core, kind.pe_array
    if isinstance(spec, DataflowSpec) and is_on_array(core, tile.op):
        return dataflow_cost(core, spec, tile)
    return _array_cost(core, tile)


def is_on_array(core: CoreSpec, op: str) -> bool:
    """Whether the array runs a layer: what isn't a product only where the core names it."""
    return op in PRODUCTS or (isinstance(core.pe_array, DataflowSpec) and op in core.runs)


def tile_energy_pj(chip: ChipSpec, core: CoreSpec, op: str, shape: Int64s, cost: TileCost) -> float:
    """Energy of a tile with this cost: that of its array's spec, else of the chip's energy tables.

    From tables it is operations, registers and bytes through the buffers.
    """
    if isinstance(core.pe_array, DataflowSpec) and is_on_array(core, op):
        return cost.energy_pj
    pj = action_energies_pj(chip)
    if op in PRODUCTS:
        energy = prod(int(n) for n in shape) * (pj["mac"] + pj[f"{core.name}.pe_store"])
    else:
        function, extent = _vector_work(op, tuple(int(n) for n in shape))
        energy = vector_operations(function, extent) * pj["vector_operation"]
    moved = ((f"{core.name}.{name}.{ACCESSES[way]}_byte", n) for name, way, n in cost.trains)
    return energy + sum(n * pj[action] for action, n in moved)


def _array_cost(core: CoreSpec, tile: Tile) -> TileCost:
    """The timing of an array or of the vector unit, and no more than the buffers can move."""
    once, stream = _operand_words(tile), tile.stream
    if tile.op in PRODUCTS:
        cycles, words = _product_timing(core, tile)
    else:
        cycles, words = _vector_timing(core, tile), once
    trains = _trains(core, tile.precision, words)
    moved = {o: _bytes(once[o], tile.precision.bits(o)) for o in once if o in stream.operands}
    written = moved.pop("output", 0)
    read = sum(moved.values())
    ways = (read + written,) if stream.ports == "1rw" else (read, written)
    streaming = max(-(-8 * n // max(1, stream.bits_per_cycle)) for n in ways)
    busy = max(cycles, streaming, *(_port_cycles(buffer, trains) for buffer in core.buffers))
    return TileCost(busy, cycles, trains, 0.0, read, written)


def _operand_words(tile: Tile) -> dict[Operand, int]:
    """Elements of each operand of a tile, once; the second input of a sum counts as weights."""
    b, g, k, c, oy, ox, fy, fx = tile.sizes
    stride_y, stride_x, dilation_y, dilation_x = tile.window
    rows = distinct_inputs(oy, fy, stride_y, dilation_y)
    columns = distinct_inputs(ox, fx, stride_x, dilation_x)
    outputs = b * g * k * oy * ox
    second = {"conv2d": g * k * c * fy * fx, "matmul": g * k * c, "elementwise": outputs}
    weights = second.get(tile.op, 0)
    return {"input": b * g * c * rows * columns, "weight": weights, "output": outputs}


def _product_timing(core: CoreSpec, tile: Tile) -> tuple[int, dict[Operand, int]]:
    shapes, window = np.array([tile.sizes], np.int64), np.array(tile.window, np.int64)
    row = pe_array(core.pe_array).timing(shapes, window)[0].tolist()
    timing = dict(zip(TIMING_COLUMNS, row, strict=True))
    words: dict[Operand, int] = {
        "input": timing["input_reads"],
        "weight": timing["weight_reads"],
        "psum": timing["psum_reads"],
        "output": timing["psum_writes"],
    }
    return timing["cycles"], words


def _vector_timing(core: CoreSpec, tile: Tile) -> int:
    function, extent = _vector_work(tile.op, tile.sizes)
    return vector_cycles(function, extent, core.vector_unit.lanes)


def _vector_work(op: str, sizes: tuple[int, ...]) -> tuple[str, VectorExtent]:
    b, g, k, _, oy, ox, fy, fx = sizes
    row, inputs = (g if op in ROW_OPS else 1), (2 if op == "elementwise" else 1)
    extent = VectorExtent(b * g * k * oy * ox, fy * fx, inputs, row)
    return VECTOR_FUNCTIONS.get(op, MOVE), extent


def _trains(
    core: CoreSpec, precision: PrecisionSpec, words: Mapping[Operand, int]
) -> tuple[tuple[str, int, int], ...]:
    """Bytes of every operand through its buffer; sums that are read again are written as wide."""
    found: dict[tuple[str, int], int] = {}
    for operand, count in words.items():
        key = core.buffer_of(operand).name, int(operand == "output")
        wide: Operand = "psum" if operand == "output" and words.get("psum") else operand
        found[key] = found.get(key, 0) + _bytes(count, precision.bits(wide))
    return tuple((name, write, n) for (name, write), n in found.items() if n)


def _bytes(words: int, bits: int) -> int:
    return -(-words * bits // 8)


def _port_cycles(buffer: BufferSpec, trains: Sequence[tuple[str, int, int]]) -> int:
    """Cycles of a buffer, its ports sharing the work as they may."""
    here = [(write, n) for name, write, n in trains if name == buffer.name]
    moved = [sum(n for write, n in here if write == way) for way in (0, 1)]
    asked = max(moved) if buffer.ports == "1r1w" else sum(moved)
    width = buffer.bytes_per_cycle * (2 if buffer.ports == "2rw" else 1)
    return -(-asked // width)
