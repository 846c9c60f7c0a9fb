"""Which part of a tensor the tile of a stream is, as a box or as packed bytes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulator.lowering.addresses import FeatureBox, Int64s, packed_runs
from simulator.lowering.steps import Steps
from simulator.mapping.part import Part
from simulator.mapping.streams import TILED_LOOPS, Role, Stream

B, G, K, C, OY, OX = range(len(TILED_LOOPS))

Shape = tuple[int, int, int, int]


def tensor_shape(stream: Stream, part: Part) -> Shape:
    """The tensor of a stream as the layer sees it: (batch, rows, columns, channels)."""
    d = part.layer.dims
    if stream.role is not Role.READ:
        return d.b, d.oy, d.ox, part.channels
    has = set(stream.loops)
    return (
        d.b if "b" in has else 1,
        d.iy if "oy" in has else 1,
        d.ix if "ox" in has else 1,
        (d.g if "g" in has else 1) * (d.c if "c" in has else 1),
    )


def tile_runs(
    stream: Stream, part: Part, steps: Steps, bits: int, tile_bytes: Int64s, address: int
) -> Mapping[str, Int64s]:
    """The DRAM bytes of the tile of every step (addresses.RUN_COLUMNS).

    Operands that no window walks over (weights) are packed tile by tile.
    """
    if stream.role is Role.READ and stream.windows is None:
        return packed_runs(steps.keys(stream), tile_bytes, address + _packed_before(stream, part))
    box = _read_box(stream, part, steps) if stream.role is Role.READ else _made_box(part, steps)
    return FeatureBox(tensor_shape(stream, part), *box).runs(address, bits)


def _packed_before(stream: Stream, part: Part) -> int:
    """Bytes of the weights that other parts have packed in front of those of this one."""
    d = part.layer.dims
    filters = part.first[G] * d.k + part.first[K]
    elements = filters * d.c * stream.taps if "k" in stream.loops else 0
    return -(-(elements * stream.bits + filters * stream.bias_bits) // 8)


Corner = tuple[Int64s, Int64s, Int64s, Int64s]


def _read_box(stream: Stream, part: Part, steps: Steps) -> tuple[Corner, Corner]:
    has, d = set(stream.loops), part.layer.dims
    none = np.zeros(len(steps), dtype=np.int64)
    group = (steps.first[:, G], steps.extent[:, G]) if "g" in has else (none, none + 1)
    inner = (steps.first[:, C], steps.extent[:, C]) if "c" in has else (none, none + 1)
    size = d.c if "c" in has else 1
    batch = (steps.first[:, B], steps.extent[:, B]) if "b" in has else (none, none + 1)
    rows = steps.rows if "oy" in has else (none, none + 1)
    columns = steps.columns if "ox" in has else (none, none + 1)
    first = batch[0], rows[0], columns[0], group[0] * size + inner[0]
    extent = batch[1], rows[1] - rows[0], columns[1] - columns[0], group[1] * inner[1]
    return first, extent


def _made_box(part: Part, steps: Steps) -> tuple[Corner, Corner]:
    first, extent = steps.first, steps.extent
    channel = part.first_channel + first[:, G] * part.layer.dims.k + first[:, K]
    return (
        (first[:, B], first[:, OY], first[:, OX], channel),
        (extent[:, B], extent[:, OY], extent[:, OX], extent[:, G] * extent[:, K]),
    )
