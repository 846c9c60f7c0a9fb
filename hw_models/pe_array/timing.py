"""What every PE array answers: cycles and operand accesses of tiles, one row per tile shape.

A tile shape is a row of eight loop sizes in the order b, g, k, c, oy, ox, fy, fx (see
`simulator.workload.graph.LoopDims`; the order is fixed, the meaning belongs to the loops).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hw_models.sparsity.layer_sparsity import LayerSparsity

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

    def for_layer(self, sparsity: LayerSparsity) -> PEArray:
        """The array as it runs layers of some sparsity."""

    @property
    def configuration(self) -> str:
        """What the array has chosen to be for its layers; empty where there is no choice."""

    @property
    def executed_share(self) -> Fraction:
        """Share of a layer's multiply-accumulates that are executed; the others are skipped."""

    def imbalance_cycles(self, shapes: Int64s) -> Int64s:
        """Of the cycles of tiles, those that lanes wait for the slowest, int64 (n,)."""

    def weight_ratio(self, shape: Int64s) -> Fraction:
        """Bytes of a tile's weights as stored, over those of dense ones. shape: (8,)."""


class DenseArray:
    """What holds for arrays that execute every product, one tile after another."""

    @property
    def configuration(self) -> str:
        """There is no choice."""
        return ""

    @property
    def executed_share(self) -> Fraction:
        """All of them."""
        return Fraction(1)

    def for_layer(self, _sparsity: LayerSparsity) -> Self:
        """Zeros change nothing."""
        return self

    def overlap_cycles(self, shapes: Int64s) -> Int64s:
        """Tiles follow one another with an idle array in between."""
        return np.zeros(len(shapes), dtype=np.int64)

    def imbalance_cycles(self, shapes: Int64s) -> Int64s:
        """Lanes work in step."""
        return np.zeros(len(shapes), dtype=np.int64)

    def weight_ratio(self, _shape: Int64s) -> Fraction:
        """Weights are stored as they are."""
        return Fraction(1)
