"""What every PE array answers: cycles and operand accesses of tiles, one row per tile shape.

A tile shape is a row of eight loop sizes in the order b, g, k, c, oy, ox, fy, fx (see
`simulator.workload.graph.LoopDims`; the order is fixed, the meaning belongs to the loops).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

SHAPE_COLUMNS = ("b", "g", "k", "c", "oy", "ox", "fy", "fx")
WINDOW_COLUMNS = ("stride_y", "stride_x", "dilation_y", "dilation_x")
TIMING_COLUMNS = (
    "cycles",
    "fill_cycles",
    "input_reads",
    "weight_reads",
    "psum_reads",
    "psum_writes",
)
"""cycles: array cycles from the first operand to the last result, all operands present and every
port wide enough. fill_cycles: the part of them in which stationary operands are loaded, the skew
builds up or the array drains. *_reads, *_writes: words moved between the array and the buffer of
that operand; a partial sum that the array adds to an earlier one is read once and written once.
"""


class PEArray(Protocol):
    """A type of PE array with its parameters. One instance per core type."""

    @property
    def peak_macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle when every PE works."""

    @property
    def spatial_loops(self) -> dict[str, int]:
        """Extent by which the array unrolls each loop; tiles that are multiples of it fill it."""

    def timing(self, shapes: Int64s, window: Int64s) -> Int64s:
        """Timing of tiles. shapes: (n, 8); window: (4,). Returns int64 (n, len(TIMING_COLUMNS))."""

    def overlap_cycles(self, shapes: Int64s) -> Int64s:
        """Cycles before the end of a tile from which on the next may begin, int64 (n,)."""
