"""Address streams: which word of an operand the array asks for in which cycle.

A stream is one request a lane and line (a line is an array cycle), in the order of the lines and
inside a line of the lanes. Source: SCALE-Sim v3.0.0, operand matrices and demand matrices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from validation.scalesim.layer import ConvLayer, Folding

Int32s = NDArray[np.int32]
NO_WORD = -1


class Operand(NamedTuple):
    """The addresses of a matrix of words, as tables of its rows and columns.

    Word (i, j) is row_base[i] + col_base[j], unless it lies outside the feature map: that is looked
    up (row_y[i] + col_y[j] < limit_y, and x) only where row_edge[i] and col_edge[j] are set.
    words: size of the address space.
    """

    row_base: Int32s
    row_y: Int32s
    row_x: Int32s
    row_edge: NDArray[np.bool_]
    col_base: Int32s
    col_y: Int32s
    col_x: Int32s
    col_edge: NDArray[np.bool_]
    limit_y: int
    limit_x: int
    words: int

    @property
    def transposed(self) -> Operand:
        """The same words with rows and columns exchanged."""
        return Operand(*self[4:8], *self[:4], *self[8:])


class Stream(NamedTuple):
    """How the rows (time or array row) and columns (lanes) of an Operand are asked for.

    stationary: a tile of `load_lines` rows is loaded, bottom row first; otherwise row t of the
    operand enters lane j at line first_line + t + j. height: rows of the operand. lanes: columns
    taken at a time. by_row: the row fold chooses the columns, otherwise the column fold.
    """

    stationary: bool
    height: int
    width: int
    lanes: int
    load_lines: int
    first_line: int
    by_row: bool
    row_folds: int
    col_folds: int
    fold_cycles: int


def ifmap_operand(layer: ConvLayer) -> Operand:
    """The im2col matrix: pixels x taps, addresses (y * W + x) * C + c."""
    pixel_y, pixel_x = (part.ravel() for part in np.indices((layer.out_h, layer.out_w)))
    pixel_y, pixel_x = pixel_y * layer.stride_h, pixel_x * layer.stride_w
    window = (layer.filt_h, layer.filt_w, layer.channels)
    tap_y, tap_x, channel = (part.ravel() for part in np.indices(window))
    outside = (pixel_y + layer.filt_h > layer.ifmap_h) | (pixel_x + layer.filt_w > layer.ifmap_w)
    row_words = layer.ifmap_w * layer.channels
    return Operand(
        row_base=_int32(pixel_y * row_words + pixel_x * layer.channels),
        row_y=_int32(pixel_y),
        row_x=_int32(pixel_x),
        row_edge=outside,
        col_base=_int32(tap_y * row_words + tap_x * layer.channels + channel),
        col_y=_int32(tap_y),
        col_x=_int32(tap_x),
        col_edge=np.ones(layer.depth, bool),
        limit_y=layer.ifmap_h,
        limit_x=layer.ifmap_w,
        words=layer.ifmap_words,
    )


def filter_operand(layer: ConvLayer) -> Operand:
    """The filter matrix: taps x filters, addresses filter * K + tap."""
    taps, filters = np.arange(layer.depth), np.arange(layer.num_filters)
    nowhere = [np.zeros(size, np.int32) for size in (layer.depth, layer.num_filters)]
    inside = [np.zeros(size, bool) for size in (layer.depth, layer.num_filters)]
    return Operand(
        row_base=_int32(taps),
        row_y=nowhere[0],
        row_x=nowhere[0],
        row_edge=inside[0],
        col_base=_int32(filters * layer.depth),
        col_y=nowhere[1],
        col_x=nowhere[1],
        col_edge=inside[1],
        limit_y=1,
        limit_x=1,
        words=layer.filter_words,
    )


def _int32(values: NDArray[np.int64]) -> Int32s:
    return values.astype(np.int32)


def streams(
    layer: ConvLayer, dataflow: str, fold: Folding
) -> tuple[tuple[Operand, Stream], tuple[Operand, Stream]]:
    """The ifmap and the filter stream of a dataflow."""
    ifmap, filters = ifmap_operand(layer), filter_operand(layer)
    row_side = Stream(
        stationary=False,
        height=fold.stream,
        width=fold.height,
        lanes=fold.rows,
        load_lines=0,
        first_line=0 if fold.output_stationary else fold.rows,
        by_row=True,
        row_folds=fold.row_folds,
        col_folds=fold.col_folds,
        fold_cycles=fold.fold_cycles,
    )
    column_side = row_side._replace(
        stationary=not fold.output_stationary,
        height=fold.stream if fold.output_stationary else fold.height,
        width=fold.width,
        lanes=fold.cols,
        load_lines=0 if fold.output_stationary else fold.rows,
        first_line=0,
        by_row=False,
    )
    if dataflow == "os":
        return (ifmap.transposed, row_side), (filters, column_side)
    if dataflow == "ws":
        return (ifmap, row_side), (filters, column_side)
    return (ifmap.transposed, column_side), (filters.transposed, row_side)


@njit(cache=True)
def word_address(operand: Operand, i: int, j: int) -> int:
    """Address of word (i, j), NO_WORD outside the feature map."""
    if operand.row_edge[i] and operand.col_edge[j]:
        y = operand.row_y[i] + operand.col_y[j]
        x = operand.row_x[i] + operand.col_x[j]
        if y >= operand.limit_y or x >= operand.limit_x:
            return NO_WORD
    return operand.row_base[i] + operand.col_base[j]


@njit(cache=True)
def requests_per_fold(stream: Stream) -> int:
    """Most requests that one fold of a stream can make."""
    lines = stream.load_lines if stream.stationary else stream.height
    return lines * min(stream.lanes, stream.width)


@njit(cache=True)
def fold_requests(operand: Operand, stream: Stream, fold: int, lines: Int32s, words: Int32s) -> int:
    """Write the requests of one fold in order: line inside the fold and address of each.

    lines, words: at least requests_per_fold long. Returns how many there are.
    """
    row_fold, col_fold = fold % stream.row_folds, fold // stream.row_folds
    left = (row_fold if stream.by_row else col_fold) * stream.lanes
    lanes = min(stream.lanes, stream.width - left)
    if stream.stationary:
        return _load_requests(operand, stream, row_fold, left, lanes, lines, words)
    found = 0
    for wave in range(stream.height + lanes - 1):
        for lane in range(max(0, wave - stream.height + 1), min(lanes, wave + 1)):
            word = word_address(operand, wave - lane, left + lane)
            if word != NO_WORD:
                lines[found] = stream.first_line + wave
                words[found] = word
                found += 1
    return found


@njit(cache=True)
def _load_requests(
    operand: Operand,
    stream: Stream,
    row_fold: int,
    left: int,
    lanes: int,
    lines: Int32s,
    words: Int32s,
) -> int:
    """Requests of a stationary tile; the lines of missing rows stay empty."""
    found = 0
    for line in range(stream.load_lines):
        row = row_fold * stream.load_lines + stream.load_lines - 1 - line
        if row >= stream.height:
            continue
        for lane in range(lanes):
            word = word_address(operand, row, left + lane)
            if word != NO_WORD:
                lines[found] = line
                words[found] = word
                found += 1
    return found


def stream_plain(layer: ConvLayer, dataflow: str, fold: Folding, operand: str) -> list[list[int]]:
    """Twin of `fold_requests` for all folds: the addresses of each line of the whole layer.

    operand: "ifmap" or "filter". Written from the times at which single words are read.
    """
    lines: list[list[tuple[int, int]]] = [
        [] for _ in range(fold.row_folds * fold.col_folds * fold.fold_cycles)
    ]
    for col_fold in range(fold.col_folds):
        for row_fold in range(fold.row_folds):
            start = (col_fold * fold.row_folds + row_fold) * fold.fold_cycles
            for row, column in _words_plain(dataflow, fold, operand, row_fold, col_fold):
                line, lane = _place_plain(dataflow, fold, operand, row, column)
                word = address_plain(layer, dataflow, operand, row, column)
                if word != NO_WORD:
                    lines[start + line].append((lane, word))
    return [[word for _, word in sorted(line)] for line in lines]


def _words_plain(
    dataflow: str, fold: Folding, operand: str, row_fold: int, col_fold: int
) -> list[tuple[int, int]]:
    """Words of one fold as (time, lane) or (array row, array column) of the whole layer."""
    below = range(row_fold * fold.rows, min(fold.height, (row_fold + 1) * fold.rows))
    beside = range(col_fold * fold.cols, min(fold.width, (col_fold + 1) * fold.cols))
    if enters_on_rows(dataflow, operand):
        return [(t, r) for t in range(fold.stream) for r in below]
    if dataflow == "os":
        return [(t, c) for t in range(fold.stream) for c in beside]
    return [(r, c) for r in below for c in beside]


def _place_plain(
    dataflow: str, fold: Folding, operand: str, row: int, column: int
) -> tuple[int, int]:
    """Line inside the fold and lane of a word."""
    if enters_on_rows(dataflow, operand):
        lane = column % fold.rows
        return (0 if dataflow == "os" else fold.rows) + row + lane, lane
    lane = column % fold.cols
    return (row + lane if dataflow == "os" else fold.rows - 1 - row % fold.rows), lane


def enters_on_rows(dataflow: str, operand: str) -> bool:
    """Whether an operand ("ifmap" or "filter") is streamed along the rows of the array."""
    return operand == ("filter" if dataflow == "is" else "ifmap")


def address_plain(layer: ConvLayer, dataflow: str, operand: str, row: int, column: int) -> int:
    """Address by the text-book formula of the operand."""
    if operand == "filter":
        tap, filter_index = (column, row) if dataflow == "is" else (row, column)
        return filter_index * layer.depth + tap
    pixel, tap = (row, column) if dataflow == "ws" else (column, row)
    tap_y, rest = divmod(tap, layer.filt_w * layer.channels)
    tap_x, channel = divmod(rest, layer.channels)
    y = pixel // layer.out_w * layer.stride_h + tap_y
    x = pixel % layer.out_w * layer.stride_w + tap_x
    if y >= layer.ifmap_h or x >= layer.ifmap_w:
        return NO_WORD
    return (y * layer.ifmap_w + x) * layer.channels + channel
