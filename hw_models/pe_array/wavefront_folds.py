"""How a GEMM a group is cut into folds, each filling a systolic array: part of the oracle.

Rules: ARCHITECTURE.md SYS-1, SYS-3 and SYS-7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_models.pe_array.systolic import SystolicSpec
from hw_models.pe_array.timing import Int64s

EMPTY = -1
"""No place: a padded lane, or no word."""


@dataclass(frozen=True, slots=True)
class Fold:
    """What the array works on at a time, padded with zeros to all P rows and Q columns.

    streamed: (T, P), enters on the left. other: (P, Q) stationary words, or for output stationary
    (T, Q), which enters at the top. *_words: how many of them are no padding. group, out_col: (Q,)
    where the results of a column belong, EMPTY for padding. out_row: (P,) likewise for output
    stationary; else a result belongs to the row in whose turn it leaves.
    """

    streamed: Int64s
    other: Int64s
    streamed_words: int
    other_words: int
    group: Int64s
    out_col: Int64s
    out_row: Int64s


def cut_folds(a: Int64s, b: Int64s, spec: SystolicSpec) -> tuple[list[Fold], tuple[int, int, int]]:
    """The folds of a GEMM a group, and the shape of the results as they leave."""
    groups, m, n = len(a), a.shape[1], b.shape[2]
    if spec.dataflow == "os":
        return _cut_output_stationary(a, b, spec.rows, spec.cols), (groups, m, n)
    if spec.dataflow == "ws":
        return _cut_stationary(a, b, spec.rows, spec.cols), (groups, m, n)
    return (
        _cut_stationary(b.transpose(0, 2, 1), a.transpose(0, 2, 1), spec.rows, spec.cols),
        (groups, n, m),
    )


def _cut_output_stationary(a: Int64s, b: Int64s, rows: int, cols: int) -> list[Fold]:
    folds = []
    for group in range(len(a)):
        for left in range(0, b.shape[2], cols):
            for top in range(0, a.shape[1], rows):
                streamed, other = a[group, top : top + rows].T, b[group, :, left : left + cols]
                folds.append(
                    Fold(
                        streamed=_padded(streamed, len(streamed), rows),
                        other=_padded(other, len(other), cols),
                        streamed_words=streamed.size,
                        other_words=other.size,
                        group=np.full(cols, group),
                        out_col=_lanes(left, other.shape[1], cols),
                        out_row=_lanes(top, streamed.shape[1], rows),
                    )
                )
    return folds


def _cut_stationary(streamed: Int64s, fixed: Int64s, rows: int, cols: int) -> list[Fold]:
    """Folds of streamed (groups, T, height) times fixed (groups, height, width)."""
    groups, height, width = fixed.shape
    at_once = max(1, min(groups, rows // height, cols // width))
    return [
        _stationary_fold(streamed, fixed, members, top, left, (rows, cols))
        for members in (range(i, min(i + at_once, groups)) for i in range(0, groups, at_once))
        for left in range(0, width, cols)
        for top in range(0, height, rows)
    ]


def _stationary_fold(
    streamed: Int64s,
    fixed: Int64s,
    members: range,
    top: int,
    left: int,
    size: tuple[int, int],
) -> Fold:
    """One fold: the blocks of its groups along the diagonal of the array."""
    rows, cols = size
    moving = np.zeros((streamed.shape[1], rows), np.int64)
    held = np.zeros((rows, cols), np.int64)
    group, out_col = np.full(cols, EMPTY), np.full(cols, EMPTY)
    streamed_words = other_words = row = col = 0
    for member in members:
        block = fixed[member, top : top + rows, left : left + cols]
        part = streamed[member, :, top : top + rows]
        held[row : row + len(block), col : col + block.shape[1]] = block
        moving[:, row : row + len(block)] = part
        group[col : col + block.shape[1]] = member
        out_col[col : col + block.shape[1]] = left + np.arange(block.shape[1])
        streamed_words, other_words = streamed_words + part.size, other_words + block.size
        row, col = row + len(block), col + block.shape[1]
    nowhere = np.full(rows, EMPTY)
    return Fold(moving, held, streamed_words, other_words, group, out_col, nowhere)


def _padded(matrix: Int64s, rows: int, cols: int) -> Int64s:
    out = np.zeros((rows, cols), np.int64)
    out[: matrix.shape[0], : matrix.shape[1]] = matrix
    return out


def _lanes(start: int, used: int, lanes: int) -> Int64s:
    """Where each lane's results belong: start, start + 1, ... and EMPTY behind `used`."""
    index = np.arange(lanes)
    return np.where(index < used, start + index, EMPTY)
