"""Row-stationary array: rows of filter and ifmap stay in the PEs' scratch pads (Eyeriss).

A PE convolves one filter row with one ifmap row. A *set* of fy x e PEs makes e output rows: filter
rows run along its rows, ifmap rows along its diagonals, partial sums up its columns. A
*processing pass* loads the filters of r x t sets and runs n images through them. The mapping of
a tile (e, p, q, r, t) is the one with the fewest cycles; among equals, the one that moves the
fewest words (RS-9).
Rules: ARCHITECTURE.md RS-1 to RS-10. Source: Chen, Krishna, Emer, Sze, "Eyeriss", IEEE JSSC 52(1)
2017, sections IV-A, V; its letters are kept. The oracle of the kernels is
`hw_models.pe_array.row_stationary_plain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numba import njit
from pydantic import Field

from hw_models.pe_array.shapes import check_shapes
from hw_models.pe_array.timing import DenseArray, Int64s
from hw_models.pe_array.window import distinct_inputs
from hw_models.yaml_file import Strict

Size = Annotated[int, Field(ge=1, le=1 << 16)]


class Machine(NamedTuple):
    """The numbers of a `RowStationarySpec` as the kernels take them."""

    rows: int
    cols: int
    ifmap_spad_words: int
    filter_spad_words: int
    psum_spad_words: int
    ifmap_words_per_cycle: int
    filter_words_per_cycle: int
    psum_words_per_cycle: int
    psum_add_cycles: int
    pipeline_cycles: int


class _Tile(NamedTuple):
    """What no mapping of a tile changes.

    columns: output columns of all images. row_words: words of an ifmap row of all images.
    high, taps: filter rows of a set, filter columns of a PE; row_folds, column_folds: parts that
    the filter falls into for them (RS-3). p_most, q_most: what scratch pads hold of either alone.
    """

    g: int
    k: int
    c: int
    oy: int
    fy: int
    fx: int
    columns: int
    row_words: int
    stride_y: int
    dilation_y: int
    high: int
    taps: int
    row_folds: int
    column_folds: int
    p_most: int
    q_most: int
    machine: Machine


class _Strips(NamedTuple):
    """A tile cut into `number` strips of e output rows.

    stacked, beside: sets that fit above and next to each other. ifmap_rows: of a pass;
    all_ifmap_rows: of all strips and all parts of a tall filter.
    """

    e: int
    number: int
    stacked: int
    beside: int
    ifmap_rows: int
    all_ifmap_rows: int


class _Channels(NamedTuple):
    """The channels of a pass: q in each PE on each of r sets.

    rounds: that all channels take. p_most, t_most: what fits beside. filter_cycles: in which a PE
    computes one filter for all output columns.
    """

    q: int
    r: int
    rounds: int
    p_most: int
    t_most: int
    filter_cycles: int


_Row = tuple[int, int, int, int, int, int, int]
"""Cycles, words, e, p, q, r, t of a mapping; the least row is the best mapping (RS-9)."""

_NONE_YET: _Row = (2**63 - 1, 0, 0, 0, 0, 0, 0)


class RowStationarySpec(Strict):
    """A row-stationary array of rows x cols PEs.

    *_spad_words: words of the scratch pads of one PE. *_words_per_cycle: words that the network
    between global buffer and array moves a cycle, one word reaching all PEs that need it; psums go
    in and come out at psum_words_per_cycle each. psum_add_cycles: cycles in which a PE's adder
    takes in the partial sum of the PE below. pipeline_cycles: stages of a PE.
    """

    kind: Literal["row_stationary"]
    rows: Size
    cols: Size
    ifmap_spad_words: Size
    filter_spad_words: Size
    psum_spad_words: Size
    ifmap_words_per_cycle: Size
    filter_words_per_cycle: Size
    psum_words_per_cycle: Size
    psum_add_cycles: Annotated[int, Field(ge=0, le=64)]
    pipeline_cycles: Annotated[int, Field(ge=0, le=64)]

    @property
    def machine(self) -> Machine:
        """All numbers by their names."""
        return Machine(**self.model_dump(exclude={"kind"}))


@dataclass(frozen=True, slots=True, order=True)
class SetMapping:
    """How a tile lies on the array. Mappings are ordered by e, p, q, r, t.

    e: output rows of a set; p, q: filters and channels interleaved in a PE; r, t: sets side by
    side that work on different channels and on different filters.
    """

    e: int
    p: int
    q: int
    r: int
    t: int


class RowStationaryArray(DenseArray):
    """Timing of a row-stationary array."""

    def __init__(self, spec: RowStationarySpec) -> None:
        self.spec = spec

    @property
    def peak_macs_per_cycle(self) -> int:
        """One multiply-accumulate a PE and cycle."""
        return self.spec.rows * self.spec.cols

    @property
    def spatial_loops(self) -> dict[str, int]:
        """Filter rows run along the rows of the array and output rows along its columns."""
        return {"fy": self.spec.rows, "oy": self.spec.cols}

    def timing(self, shapes: Int64s, window: Int64s) -> Int64s:
        """Timing of tiles. shapes: (n, 8); window: (4,). Returns int64 (n, len(TIMING_COLUMNS)).

        Raises ValueError for a loop size below 1 or a tile whose counts may exceed 64 bits.
        """
        check_shapes(shapes, 16 * (self.spec.rows + self.spec.psum_add_cycles + 64))
        return row_stationary_timing(shapes, window, self.spec.machine)

    def mapping(self, shape: Int64s, window: Int64s) -> SetMapping:
        """The best mapping of one tile by rule RS-9. shape: (8,)."""
        best = best_mapping(_tile(shape, window, self.spec.machine))
        return SetMapping(*best[2:])

    def cycles_of(self, shape: Int64s, window: Int64s, mapping: SetMapping) -> int:
        """Cycles of one tile under a given mapping, which must fit the array and scratch pads."""
        m, tile = mapping, _tile(shape, window, self.spec.machine)
        strips = _strips(tile, m.e)
        return int(_cycles(tile, strips, _channels(tile, strips, m.q, m.r), m.p * m.t, m.p)[0])

    def active_pes(self, shape: Int64s, mapping: SetMapping) -> int:
        """PEs that belong to a set. shape: (8,)."""
        return int(_extent(shape[6], self.spec.rows)) * mapping.e * mapping.r * mapping.t


@njit(cache=True)
def _ceil(a: int, b: int) -> int:
    return (a + b - 1) // b


@njit(cache=True)
def _extent(size: int, most: int) -> int:
    """The smallest extent that cuts `size` into as few parts as `most` does; 0 for none."""
    return _ceil(size, _ceil(size, most)) if most > 0 else 0


@njit(cache=True)
def _tile(shape: Int64s, window: Int64s, machine: Machine) -> _Tile:
    """A tile on an array; a filter too high or wide for it falls into equal parts (RS-3)."""
    n, g, k, c, oy, ox, fy, fx = shape
    stride_y, stride_x, dilation_y, dilation_x = window
    ifmap_spad, filter_spad = machine.ifmap_spad_words, machine.filter_spad_words
    high = _extent(fy, machine.rows)
    taps = _extent(fx, min((ifmap_spad - 1) // dilation_x + 1, filter_spad))
    return _Tile(
        g,
        k,
        c,
        oy,
        fy,
        fx,
        columns=n * ox,
        row_words=n * distinct_inputs(ox, fx, stride_x, dilation_x),
        stride_y=stride_y,
        dilation_y=dilation_y,
        high=high,
        taps=taps,
        row_folds=_ceil(fy, high),
        column_folds=_ceil(fx, taps),
        p_most=min(k, machine.psum_spad_words, filter_spad // taps),
        q_most=min(c, ifmap_spad // ((taps - 1) * dilation_x + 1), filter_spad // taps),
        machine=machine,
    )


@njit(cache=True)
def _strips(tile: _Tile, e: int) -> _Strips:
    """Strips of e rows; a set wider than the array is cut into segments that are stacked."""
    segments = _ceil(e, tile.machine.cols)
    return _Strips(
        e,
        number=_ceil(tile.oy, e),
        stacked=tile.machine.rows // tile.high // segments,
        beside=tile.machine.cols // _ceil(e, segments),
        ifmap_rows=distinct_inputs(e, tile.high, tile.stride_y, tile.dilation_y),
        all_ifmap_rows=tile.oy // e * _ifmap_rows(tile, e) + _ifmap_rows(tile, tile.oy % e),
    )


@njit(cache=True)
def _ifmap_rows(tile: _Tile, outputs: int) -> int:
    """Ifmap rows that a strip needs, summed over the parts of a tall filter (RS-10)."""
    total = 0
    for top in range(0, tile.fy, tile.high):
        part = min(tile.high, tile.fy - top)
        total += distinct_inputs(outputs, part, tile.stride_y, tile.dilation_y)
    return total


@njit(cache=True)
def _channels(tile: _Tile, strips: _Strips, q: int, r: int) -> _Channels:
    return _Channels(
        q,
        r,
        rounds=_ceil(tile.c, q * r),
        p_most=min(tile.p_most, tile.machine.filter_spad_words // (q * tile.taps)),
        t_most=min(tile.k, strips.stacked // r * strips.beside),
        filter_cycles=tile.columns * (q * tile.taps + tile.machine.psum_add_cycles),
    )


@njit(cache=True)
def _cycles(
    tile: _Tile, strips: _Strips, channels: _Channels, filters: int, p: int
) -> tuple[int, int]:
    """Cycles of a tile under a mapping, and those of them that fill and drain (RS-5 to RS-8).

    filters: of a pass, p x t.
    """
    machine, in_pass = tile.machine, channels.q * channels.r
    rounds = _ceil(tile.k, filters) * channels.rounds
    passes = tile.g * strips.number * rounds * tile.row_folds * tile.column_folds
    ifmaps = _ceil(in_pass * tile.row_words * strips.ifmap_rows, machine.ifmap_words_per_cycle)
    psums = _ceil(tile.columns * strips.e * filters, machine.psum_words_per_cycle)
    weights = _ceil(filters * in_pass * tile.high * tile.taps, machine.filter_words_per_cycle)
    fill = passes * weights + tile.high * channels.r + machine.pipeline_cycles
    return passes * max(p * channels.filter_cycles, ifmaps, psums) + fill, fill


@njit(cache=True)
def _least_cycles(
    tile: _Tile, strips: _Strips, rounds: tuple[int, int], channels: int, compute: int
) -> int:
    """Cycles that no mapping with these strips and at least so many rounds can beat.

    rounds: of filters and of channels. channels: of all rounds, those of idle PEs too. compute:
    least cycles of computing a strip.
    """
    machine = tile.machine
    ifmap = channels * tile.row_words * strips.ifmap_rows
    ifmaps = rounds[0] * ifmap // machine.ifmap_words_per_cycle
    psums = rounds[1] * tile.k * strips.e * tile.columns // machine.psum_words_per_cycle
    weights = tile.k * channels * tile.high * tile.taps // machine.filter_words_per_cycle
    parts = tile.g * strips.number * tile.row_folds * tile.column_folds
    return parts * (weights + max(compute, ifmaps, psums))


@njit(cache=True)
def _least_cycles_of_strips(tile: _Tile, strips: _Strips) -> int:
    """Cycles that no mapping with these strips can beat: all PEs at work, scratch pads full."""
    sets = strips.stacked * strips.beside
    filter_rounds = _ceil(tile.k, tile.p_most * sets)
    channel_rounds = _ceil(tile.c, tile.q_most * strips.stacked)
    additions = _ceil(tile.c, tile.q_most) * tile.machine.psum_add_cycles
    compute = tile.columns * tile.k * (tile.c * tile.taps + additions) // sets
    return _least_cycles(tile, strips, (filter_rounds, channel_rounds), tile.c, compute)


@njit(cache=True)
def _moved(tile: _Tile, strips: _Strips, rounds: tuple[int, int]) -> tuple[int, int, int, int]:
    """Words of ifmaps, of filters, and of psums into and out of the array (RS-10).

    rounds: of filters and of channels.
    """
    ifmap = tile.g * tile.c * tile.row_words * strips.all_ifmap_rows
    weights = tile.g * tile.k * tile.c * tile.fy * tile.fx
    psums = tile.g * tile.k * tile.oy * tile.columns
    parts = rounds[1] * tile.row_folds * tile.column_folds
    inputs = rounds[0] * tile.column_folds * ifmap
    return inputs, strips.number * weights, psums * (parts - 1), psums * parts


@njit(cache=True)
def best_mapping(tile: _Tile) -> _Row:
    """The best mapping of a tile by rule RS-9: the least row (cycles, words, e, p, q, r, t).

    So it has the fewest cycles; of those, moves the fewest words (`_moved`); of those, has the
    smallest e, then p, q, r and t. Of the q that make as many rounds of channels only the
    smallest is tried: a larger one makes as many passes and moves no less in each. The same goes
    for p x t and rounds of filters.
    """
    best = _NONE_YET
    e = _next_lower(tile, tile.machine.rows // tile.high * tile.machine.cols + 1)
    while e:
        strips = _strips(tile, e)
        if _least_cycles_of_strips(tile, strips) <= best[0]:
            for r in range(1, min(strips.stacked, tile.c) + 1):
                best = _try_channels(tile, strips, r, best)
        e = _next_lower(tile, e)
    return best


@njit(cache=True)
def _next_lower(tile: _Tile, e: int) -> int:
    """The next smaller e to try, 0 for none.

    Of all e that make as many strips the smallest has the shortest passes, and all move as many
    words, unless a dilated filter lets a short last strip skip some rows.
    """
    if tile.stride_y % tile.dilation_y == 0:
        return _extent(tile.oy, e - 1)
    return min(tile.oy, e - 1)


@njit(cache=True)
def _try_channels(tile: _Tile, strips: _Strips, r: int, best: _Row) -> _Row:
    """The best of `best` and all mappings with these strips and r."""
    each = _ceil(tile.c, r)
    q = _extent(each, tile.q_most)
    while q:
        best = _try_filters(tile, strips, _channels(tile, strips, q, r), best)
        q = _extent(each, q - 1)
    return best


@njit(cache=True)
def _try_filters(tile: _Tile, strips: _Strips, channels: _Channels, best: _Row) -> _Row:
    """The best of `best` and all mappings with these strips and channels.

    More rounds of filters send the ifmap more often, so that the bound can only grow.
    """
    compute = channels.rounds * _ceil(tile.k, channels.t_most) * channels.filter_cycles
    padded = channels.rounds * channels.q * channels.r
    filters = _extent(tile.k, channels.p_most * channels.t_most)
    while filters:
        rounds = (_ceil(tile.k, filters), channels.rounds)
        if _least_cycles(tile, strips, rounds, padded, compute) > best[0]:
            break
        words = sum(_moved(tile, strips, rounds))
        best = _try_sets(tile, strips, channels, filters, words, best)
        filters = _extent(tile.k, filters - 1)
    return best


@njit(cache=True)
def _try_sets(
    tile: _Tile, strips: _Strips, channels: _Channels, filters: int, words: int, best: _Row
) -> _Row:
    """The best of `best` and the ways to have so many filters in a pass, and as few more as can be.

    None takes fewer cycles than one with the fewest p and no filter more. A mapping whose extra
    filters save a round gets too many `words` here, but was tried before with its own rounds.
    """
    p_least = _ceil(filters, channels.t_most)
    least = _cycles(tile, strips, channels, filters, p_least)[0]
    if (least, words) > best[:2]:
        return best
    for p in range(p_least, channels.p_most + 1):
        t = _ceil(filters, p)
        cycles = _cycles(tile, strips, channels, p * t, p)[0]
        row = (cycles, words, strips.e, p, channels.q, channels.r, t)
        if row < best:
            best = row
        if cycles == least:
            break
    return best


@njit(cache=True)
def row_stationary_timing(shapes: Int64s, window: Int64s, machine: Machine) -> Int64s:
    """Timing of tiles. shapes: int64 (n, 8); window: (4,). Returns int64 (n, 6)."""
    out = np.zeros((shapes.shape[0], 6), dtype=np.int64)
    for i in range(shapes.shape[0]):
        tile = _tile(shapes[i], window, machine)
        _, _, e, p, q, r, t = best_mapping(tile)
        strips = _strips(tile, e)
        rounds = (_ceil(tile.k, p * t), _ceil(tile.c, q * r))
        out[i, :2] = _cycles(tile, strips, _channels(tile, strips, q, r), p * t, p)
        out[i, 2:] = _moved(tile, strips, rounds)
    return out
