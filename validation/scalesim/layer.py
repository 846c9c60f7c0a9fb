"""What SCALE-Sim is given (a layer, a machine) and how it folds the one onto the other."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np

from hw_models.pe_array.systolic import SystolicArray, SystolicSpec
from hw_models.pe_array.timing import TIMING_COLUMNS, WINDOW_COLUMNS


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """A convolution without padding, batch 1. A GEMM M x K times K x N is 1 x K windows of M rows.

    Source of the rounding in out_h and out_w: SCALE-Sim v3.0.0, topology_utils: a last window that
    is partly out of range counts when the stride does not divide H - R.
    """

    ifmap_h: int
    ifmap_w: int
    filt_h: int
    filt_w: int
    channels: int
    num_filters: int
    stride_h: int
    stride_w: int

    @property
    def out_h(self) -> int:
        """Output rows."""
        return ceil((self.ifmap_h - self.filt_h + self.stride_h) / self.stride_h)

    @property
    def out_w(self) -> int:
        """Output columns."""
        return ceil((self.ifmap_w - self.filt_w + self.stride_w) / self.stride_w)

    @property
    def m(self) -> int:
        """Output pixels: rows of the im2col matrix."""
        return self.out_h * self.out_w

    @property
    def n(self) -> int:
        """Filters: columns of the filter matrix."""
        return self.num_filters

    @property
    def depth(self) -> int:
        """Words of one window: the dimension K that both matrices share."""
        return self.filt_h * self.filt_w * self.channels

    @property
    def ifmap_words(self) -> int:
        """Words of the input feature map."""
        return self.ifmap_h * self.ifmap_w * self.channels

    @property
    def filter_words(self) -> int:
        """Words of all filters."""
        return self.depth * self.num_filters


@dataclass(frozen=True, slots=True)
class Machine:
    """An array with three SRAMs. Bandwidths are None in CALC mode, which works them out."""

    rows: int
    cols: int
    dataflow: str
    ifmap_sram_words: int
    filter_sram_words: int
    ofmap_sram_words: int
    ifmap_words_per_cycle: int | None = None
    filter_words_per_cycle: int | None = None
    ofmap_words_per_cycle: int | None = None

    @property
    def user_bandwidth(self) -> bool:
        """Whether bandwidths are given (USER mode)."""
        return self.ofmap_words_per_cycle is not None


class Folding(NamedTuple):
    """How a layer lies on the array: Sr = height, Sc = width and T = stream, cut into folds.

    The column fold is the outer loop, the row fold the inner one; every fold takes fold_cycles.
    """

    output_stationary: bool
    height: int
    width: int
    stream: int
    rows: int
    cols: int
    row_folds: int
    col_folds: int
    fold_cycles: int


def array_counts(layer: ConvLayer, machine: Machine) -> dict[str, int]:
    """Cycles and operand accesses of the whole layer on tilesim's own systolic array."""
    spec = SystolicSpec.model_validate(
        {
            "kind": "systolic",
            "rows": machine.rows,
            "cols": machine.cols,
            "dataflow": machine.dataflow,
            "fold_overlap": "serial",
        }
    )
    shape = [1, 1, layer.n, layer.channels, layer.out_h, layer.out_w, layer.filt_h, layer.filt_w]
    window = np.ones(len(WINDOW_COLUMNS), np.int64)
    found = SystolicArray(spec).timing(np.array([shape], np.int64), window)[0]
    return dict(zip(TIMING_COLUMNS, found.tolist(), strict=True))


def folding(layer: ConvLayer, machine: Machine, array_cycles: int) -> Folding:
    """The folds of a layer whose array cycles are known (`array_counts`)."""
    extents = {
        "os": (layer.m, layer.n, layer.depth),
        "ws": (layer.depth, layer.n, layer.m),
        "is": (layer.depth, layer.m, layer.n),
    }
    height, width, stream = extents[machine.dataflow]
    row_folds, col_folds = ceil(height / machine.rows), ceil(width / machine.cols)
    return Folding(
        output_stationary=machine.dataflow == "os",
        height=height,
        width=width,
        stream=stream,
        rows=machine.rows,
        cols=machine.cols,
        row_folds=row_folds,
        col_folds=col_folds,
        fold_cycles=array_cycles // (row_folds * col_folds),
    )
