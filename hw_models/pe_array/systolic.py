"""The systolic array: P x Q PEs in output-, weight- or input-stationary dataflow.

Rules: ARCHITECTURE.md SYS-1 to SYS-10. Source of the serial rules: SCALE-Sim v3.0.0 (its compute
model), of the overlapped ones: Jouppi et al., ISCA 2017, section 2 (a second weight tile hides the
cycles of shifting one in). The oracle of both is `hw_models.pe_array.wavefront`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit
from pydantic import Field

from hw_models.pe_array.shapes import check_shapes
from hw_models.pe_array.timing import TIMING_COLUMNS, DenseArray, Int64s
from hw_models.yaml_file import Strict

OUTPUT_STATIONARY, WEIGHT_STATIONARY, INPUT_STATIONARY = 0, 1, 2
"""Codes by which the kernel knows the dataflows."""

DATAFLOW_CODES = {
    "os": OUTPUT_STATIONARY,
    "ws": WEIGHT_STATIONARY,
    "is": INPUT_STATIONARY,
}

MOST_LANES = 1 << 14
"""Rows or columns beyond which a spec is taken for a slip of the pen."""

SPATIAL_LOOPS = {"os": ("ox", "k"), "ws": ("c", "k"), "is": ("c", "ox")}
"""Loops laid along rows and columns. Rule: ARCHITECTURE.md SYS-1."""


class SystolicSpec(Strict):
    """A systolic array as a chip file describes it.

    rows, cols: PEs from top to bottom and from left to right. dataflow: the operand that stays in
    the PEs: outputs, weights or inputs. fold_overlap: "serial" when a fold waits for the results
    of the one before, "double_buffered" when PEs have a second register for the next fold.
    """

    kind: Literal["systolic"]
    rows: int = Field(ge=1, le=MOST_LANES)
    cols: int = Field(ge=1, le=MOST_LANES)
    dataflow: Literal["os", "ws", "is"]
    fold_overlap: Literal["serial", "double_buffered"]


class SystolicArray(DenseArray):
    """Cycles and operand accesses of tiles on one systolic array (a `PEArray`)."""

    def __init__(self, spec: SystolicSpec) -> None:
        self.spec = spec

    @property
    def peak_macs_per_cycle(self) -> int:
        """One multiply-accumulate a PE and cycle."""
        return self.spec.rows * self.spec.cols

    @property
    def spatial_loops(self) -> dict[str, int]:
        """The loop along the rows with P, the loop along the columns with Q.

        "ox" stands for all of b, oy, ox and "c" for all of c, fy, fx: their products are folded.
        """
        row_loop, col_loop = SPATIAL_LOOPS[self.spec.dataflow]
        return {row_loop: self.spec.rows, col_loop: self.spec.cols}

    def timing(self, shapes: Int64s, window: Int64s) -> Int64s:
        """Timing of tiles. shapes: (n, 8) loop sizes. Returns int64 (n, len(TIMING_COLUMNS)).

        window: not used, the operands come as the im2col matrix whatever the stride.
        Raises ValueError for a loop size below 1 or a tile whose counts exceed 64 bits.
        """
        spec = self.spec
        check_shapes(shapes, 2 * spec.rows + spec.cols + 1)
        code, overlapped = DATAFLOW_CODES[spec.dataflow], spec.fold_overlap == "double_buffered"
        return systolic_timing(shapes, spec.rows, spec.cols, code, overlapped)

    def overlap_cycles(self, shapes: Int64s) -> Int64s:
        """Cycles by which the next tile may begin before the end, int64 (n,). Rule: SYS-10."""
        if self.spec.fold_overlap == "serial":
            return np.zeros(len(shapes), dtype=np.int64)
        rows, cols, dataflow = self.spec.rows, self.spec.cols, self.spec.dataflow
        b, _, n, c, oy, ox, fy, fx = shapes.T
        stream = {"os": c * fy * fx, "ws": b * oy * ox, "is": n}[dataflow]
        lead = rows + cols - 2 + (0 if dataflow == "os" else rows)
        return lead - np.maximum(rows - stream, 0)


@njit(cache=True)
def systolic_timing(
    shapes: Int64s, rows: int, cols: int, dataflow: int, overlapped: bool
) -> Int64s:
    """Timing of each tile shape in closed form.

    shapes: int64 (n, 8). rows, cols: P, Q. dataflow: a value of DATAFLOW_CODES. overlapped: whether
    folds are double buffered. Returns: int64 (n, len(TIMING_COLUMNS)).
    Rules: ARCHITECTURE.md SYS-1 to SYS-9.
    """
    out = np.empty((len(shapes), 6), np.int64)
    for i in range(len(shapes)):
        groups = shapes[i, 1]
        m = shapes[i, 0] * shapes[i, 4] * shapes[i, 5]
        n = shapes[i, 2]
        depth = shapes[i, 3] * shapes[i, 6] * shapes[i, 7]
        height, width, stream = depth, n, m
        if dataflow == OUTPUT_STATIONARY:
            height, stream = m, depth
        elif dataflow == INPUT_STATIONARY:
            width, stream = m, n
        row_folds = (height + rows - 1) // rows
        col_folds = (width + cols - 1) // cols
        folds = groups * row_folds * col_folds
        if dataflow != OUTPUT_STATIONARY and groups > 1 and row_folds * col_folds == 1:
            packed = min(groups, rows // height, cols // width)
            folds = (groups + packed - 1) // packed
        _fill_cycles(out[i], folds, stream, rows, cols, dataflow, overlapped)
        _fill_words(out[i], groups, m, n, depth, row_folds, col_folds, dataflow)
    return out


@njit(cache=True)
def _fill_cycles(
    out: Int64s, folds: int, stream: int, rows: int, cols: int, dataflow: int, overlapped: bool
) -> None:
    """Write cycles and fill_cycles of a sequence of equal folds. Rules: SYS-3 to SYS-6, SYS-8."""
    lead = rows + cols - 2
    if dataflow != OUTPUT_STATIONARY:
        lead += rows
    if overlapped:
        out[0] = (folds - 1) * max(stream, rows) + stream + lead
    else:
        out[0] = folds * (stream + lead)
    out[1] = out[0] - folds * stream


@njit(cache=True)
def _fill_words(
    out: Int64s,
    groups: int,
    m: int,
    n: int,
    depth: int,
    row_folds: int,
    col_folds: int,
    dataflow: int,
) -> None:
    """Write the words moved for all groups. Rule: ARCHITECTURE.md SYS-9."""
    input_passes, weight_passes, psum_passes = col_folds, 1, row_folds
    if dataflow == OUTPUT_STATIONARY:
        weight_passes, psum_passes = row_folds, 1
    elif dataflow == INPUT_STATIONARY:
        input_passes, weight_passes = 1, col_folds
    out[2] = groups * m * depth * input_passes
    out[3] = groups * n * depth * weight_passes
    out[4] = groups * m * n * (psum_passes - 1)
    out[5] = groups * m * n * psum_passes


def systolic_timing_plain(
    shapes: Int64s, rows: int, cols: int, dataflow: int, overlapped: bool
) -> Int64s:
    """Twin of `systolic_timing` that lays out one fold after another and counts its words."""
    found = [_tile_plain(shape, rows, cols, dataflow, overlapped) for shape in shapes.tolist()]
    return np.array(found, np.int64).reshape(-1, len(TIMING_COLUMNS))


def _tile_plain(
    shape: list[int], rows: int, cols: int, dataflow: int, overlapped: bool
) -> list[int]:
    """Timing of one tile: a clock that walks over the folds of all groups."""
    b, groups, n, c, oy, ox, fy, fx = shape
    m, depth = b * oy * ox, c * fy * fx
    extents = {0: (m, n, depth), 1: (depth, n, m), 2: (depth, m, n)}
    height, width, stream = extents[dataflow]
    load = 0 if dataflow == OUTPUT_STATIONARY else rows
    may_pack = dataflow != OUTPUT_STATIONARY and height <= rows and width <= cols
    at_once = min(rows // height, cols // width) if may_pack else 1
    folds = _folds_plain(groups, at_once, height, width, rows, cols)
    start = end = streaming = 0
    words = {"row side": 0, "column side": 0, "stationary": 0, "read": 0, "written": 0}
    for index, (members, used_rows, used_cols, first_of_column) in enumerate(folds):
        if index == 0 or not overlapped:
            start = end + load
        else:
            start = max(start + stream, start + rows)
        end = start + stream + (rows - 1) + (cols - 1)
        streaming += stream
        words["row side"] += members * stream * used_rows
        words["column side"] += members * stream * used_cols
        words["stationary"] += members * used_rows * used_cols
        words["written"] += members * used_cols * stream
        words["read"] += 0 if first_of_column else members * used_cols * stream
    roles = {
        OUTPUT_STATIONARY: ("row side", "column side", None, "stationary"),
        WEIGHT_STATIONARY: ("row side", "stationary", "read", "written"),
        INPUT_STATIONARY: ("stationary", "row side", "read", "written"),
    }
    moved = [words[role] if role else 0 for role in roles[dataflow]]
    return [end, end - streaming, *moved]


def _folds_plain(
    groups: int, at_once: int, height: int, width: int, rows: int, cols: int
) -> list[tuple[int, int, int, bool]]:
    """Folds in order: groups in it, rows and columns used by each, whether nothing is added to."""
    folds = []
    for first_group in range(0, groups, at_once):
        members = min(at_once, groups - first_group)
        for left in range(0, width, cols):
            for top in range(0, height, rows):
                used = min(rows, height - top), min(cols, width - left)
                folds.append((members, *used, top == 0))
    return folds
