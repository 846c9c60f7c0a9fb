"""What the tiles of a layer cost on array and vector unit: cycles and bytes through ports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw_models.floorplan import CorePlan
from hw_models.pe_array.timing import TIMING_COLUMNS
from hw_models.pe_array.vector import VectorExtent, post_op_passes, vector_cycles
from hw_models.spec import PrecisionSpec
from simulator.mapping.layer_array import layer_array
from simulator.mapping.streams import TILED_LOOPS, Stream
from simulator.workload.graph import MAC_OPS, ROW_OPS, Layer

Int64s = NDArray[np.int64]

PORT_READ, PORT_WRITE = 0, 1


@dataclass(frozen=True, slots=True)
class TileCosts:
    """Costs of n tiles, each an array (n,).

    cycles: on the unit that computes them, all operands present; fill_cycles: of them in which
    the array fills or drains; overlap_cycles: those before its end from which the next tile may
    begin. post_cycles: on the vector unit, to finish an output tile of a MAC
    layer. port_bytes: (buffer, PORT_READ or PORT_WRITE) -> bytes that the computation moves;
    post_port_bytes: those of finishing the output.
    """

    cycles: Int64s
    fill_cycles: Int64s
    overlap_cycles: Int64s
    post_cycles: Int64s
    port_bytes: dict[tuple[int, int], Int64s]
    post_port_bytes: dict[tuple[int, int], Int64s]


def tile_costs(
    layer: Layer,
    core: CorePlan,
    precision: PrecisionSpec,
    streams: tuple[Stream, ...],
    extents: Int64s,
    rows: Int64s,
    columns: Int64s,
) -> TileCosts:
    """Costs of tiles. extents: (n, 6) tiled loops; rows, columns: (n,) input extents."""
    if layer.op in MAC_OPS:
        return _mac_costs(layer, core, precision, extents)
    return _vector_costs(layer, core, streams, extents, rows, columns)


def _mac_costs(
    layer: Layer, core: CorePlan, precision: PrecisionSpec, extents: Int64s
) -> TileCosts:
    d = layer.dims
    window = np.array([d.stride_y, d.stride_x, d.dilation_y, d.dilation_x], dtype=np.int64)
    shapes = _shapes(layer, extents)
    array = layer_array(core.spec, layer)
    timing = array.timing(shapes, window)
    overlap = array.overlap_cycles(shapes)
    t = {name: timing[:, i] for i, name in enumerate(TIMING_COLUMNS)}
    buffers = {o: core.buffer_of(o).index for o in ("input", "weight", "psum", "output")}
    outputs = _output_elements(extents)
    moved = (
        (buffers["input"], PORT_READ, t["input_reads"], precision.input_bits),
        (buffers["weight"], PORT_READ, t["weight_reads"], precision.weight_bits),
        (buffers["psum"], PORT_READ, t["psum_reads"], precision.psum_bits),
        (buffers["psum"], PORT_WRITE, t["psum_writes"], precision.psum_bits),
    )
    finished = (
        (buffers["psum"], PORT_READ, outputs, precision.psum_bits),
        (buffers["output"], PORT_WRITE, outputs, precision.output_bits),
    )
    post = -(-outputs // core.spec.vector_unit.lanes) * post_op_passes(layer.post_ops)
    return TileCosts(t["cycles"], t["fill_cycles"], overlap, post, _ports(moved), _ports(finished))


def imbalance_cycles(layer: Layer, core: CorePlan, extents: Int64s) -> Int64s:
    """Of the cycles of tiles, those that lanes wait for the slowest. extents: (n, 6)."""
    if layer.op not in MAC_OPS:
        return np.zeros(len(extents), dtype=np.int64)
    different, which = np.unique(_shapes(layer, extents), axis=0, return_inverse=True)
    return layer_array(core.spec, layer).imbalance_cycles(different)[which.reshape(-1)]


def _shapes(layer: Layer, extents: Int64s) -> Int64s:
    """Tiles as an array is asked for them: (n, 8)."""
    taps = np.broadcast_to(
        np.array([layer.dims.fy, layer.dims.fx], dtype=np.int64), (extents.shape[0], 2)
    )
    return np.ascontiguousarray(np.concatenate([extents, taps], axis=1))


def _vector_costs(
    layer: Layer,
    core: CorePlan,
    streams: tuple[Stream, ...],
    extents: Int64s,
    rows: Int64s,
    columns: Int64s,
) -> TileCosts:
    cycles = _vector_cycles(layer, _output_elements(extents), core.spec.vector_unit.lanes)
    moved = tuple(
        (s.buffer, PORT_READ if s.name != "output" else PORT_WRITE, elements, s.bits)
        for s in streams
        for elements in [s.bytes_of(extents, rows, columns) * 8 // s.bits]
    )
    none = np.zeros_like(cycles)
    return TileCosts(cycles, none, none, none, _ports(moved), {})


def _vector_cycles(layer: Layer, outputs: Int64s, lanes: int) -> Int64s:
    """Cycles of tiles of a vector layer by their output elements; few sizes differ."""
    window, inputs = layer.dims.fy * layer.dims.fx, len(layer.inputs)
    row = layer.dims.g if layer.op in ROW_OPS else 1
    passes = post_op_passes(layer.post_ops) if layer.post_ops else 0
    sizes, which = np.unique(outputs, return_inverse=True)
    cycles = [
        vector_cycles(layer.function, VectorExtent(n, window, inputs, row), lanes)
        + -(-n // lanes) * passes
        for n in sizes.tolist()
    ]
    return np.array(cycles, dtype=np.int64)[which]


def _output_elements(extents: Int64s) -> Int64s:
    places = [TILED_LOOPS.index(loop) for loop in ("b", "g", "k", "oy", "ox")]
    product: Int64s = extents[:, places].prod(axis=1)
    return product


def _ports(moved: tuple[tuple[int, int, Int64s, int], ...]) -> dict[tuple[int, int], Int64s]:
    """Bytes by (buffer, direction); operands that share a port are added up."""
    total: dict[tuple[int, int], Int64s] = {}
    for buffer, direction, words, bits in moved:
        moved_bytes = -(-words * bits // 8)
        key = (buffer, direction)
        total[key] = total[key] + moved_bytes if key in total else moved_bytes
    return total
