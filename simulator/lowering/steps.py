"""The steps of a part of a layer: its tiles in loop order, as arrays over the steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.mapping import Mapping
from simulator.mapping.part import Part
from simulator.mapping.streams import TILED_LOOPS, Stream
from simulator.mapping.window import Window

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Steps:
    """n steps. index, first, extent: (n, 6) tile number in the part, first iteration and extent
    per loop.

    counts: (6,) tiles per loop. rows, columns: first and last + 1 input row and column of a step.
    """

    counts: Int64s
    index: Int64s
    first: Int64s
    extent: Int64s
    rows: tuple[Int64s, Int64s]
    columns: tuple[Int64s, Int64s]

    def __len__(self) -> int:
        return int(self.index.shape[0])

    def keys(self, stream: Stream) -> Int64s:
        """Number of the tile of a stream that each step uses."""
        places = [i for i, loop in enumerate(TILED_LOOPS) if loop in stream.loops]
        key = np.zeros(len(self), dtype=np.int64)
        for place in places:
            key = key * self.counts[place] + self.index[:, place]
        return key

    def tile_bytes(self, stream: Stream) -> Int64s:
        """Bytes of the tile of a stream that each step uses."""
        return stream.bytes_of(self.extent, *self.input_extents, self.first[:, 3] == 0)

    def slot_bytes(self, stream: Stream) -> int:
        """Room of the largest tile of a stream."""
        return int(stream.room_of(self.extent, *self.input_extents).max())

    @property
    def input_extents(self) -> tuple[Int64s, Int64s]:
        """Input rows and columns of each step."""
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]


def part_steps(part: Part, mapping: Mapping) -> Steps:
    """The steps of a part of a layer under a mapping."""
    layer, begin, sizes = part.layer, np.array(part.first), np.array(part.extent)
    tile = np.array([mapping.tile[loop] for loop in TILED_LOOPS], dtype=np.int64)
    counts = -(-sizes // tile)
    order = [TILED_LOOPS.index(loop) for loop in mapping.order]
    n = int(counts.prod())
    index = np.zeros((n, 6), dtype=np.int64)
    unraveled = np.unravel_index(np.arange(n), counts[order])
    for place, numbers in zip(order, unraveled, strict=True):
        index[:, place] = numbers
    first = begin + index * tile
    extent = np.minimum(tile, begin + sizes - first)
    rows = Window.of(layer, "y").inputs(first[:, 4], extent[:, 4])
    columns = Window.of(layer, "x").inputs(first[:, 5], extent[:, 5])
    return Steps(counts, index, first, extent, rows, columns)
