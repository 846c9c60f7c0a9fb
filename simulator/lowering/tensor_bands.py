"""When the rows of a tensor are there: SYNC tasks that its readers wait for. Rule: PROG-3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.lowering.builder import ProgramBuilder
from simulator.lowering.steps import Steps
from simulator.lowering.task_grid import Int64s
from simulator.mapping.part import Part
from simulator.program import DATA, SYNC

B, OY = 0, 4

Shape = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Bands:
    """The bands of rows in which one part of a layer makes its range of a tensor.

    first_b, first_oy: where the range begins; tile_b, tile_oy: extents of a band; tasks: (bands
    along b, bands along oy), the SYNC of each. all: the SYNC of the whole range.
    """

    first_b: int
    first_oy: int
    tile_b: int
    tile_oy: int
    tasks: Int64s
    all: int


@dataclass(frozen=True, slots=True)
class Made:
    """How a tensor comes to be there: by its parts, and as a whole.

    shape: (batch, rows, columns, channels). all: the SYNC of the whole tensor.
    """

    shape: Shape
    parts: tuple[Bands, ...]
    all: int


def add_bands(
    builder: ProgramBuilder, part: Part, steps: Steps, made: Int64s, final: Int64s
) -> Bands:
    """Add the SYNC tasks of a part. made: the tasks that complete it, at the steps `final`."""
    counts = steps.counts[B], steps.counts[OY]
    band = steps.index[final, B] * counts[1] + steps.index[final, OY]
    tasks = builder.add_tasks(int(counts[0] * counts[1]), {"kind": SYNC, "layer": part.index})
    builder.add_edges(made, tasks[band], DATA)
    tile_b, tile_oy = (int(steps.extent[:, loop].max()) for loop in (B, OY))
    grid = tasks.reshape(counts)
    whole = _join(builder, part.index, tasks)
    return Bands(part.first[B], part.first[OY], tile_b, tile_oy, grid, whole)


def join_parts(builder: ProgramBuilder, layer: int, shape: Shape, parts: Sequence[Bands]) -> Made:
    """The tensor that several parts made together."""
    return Made(shape, tuple(parts), _join(builder, layer, np.array([part.all for part in parts])))


def _join(builder: ProgramBuilder, layer: int, tasks: Int64s) -> int:
    """A SYNC task that ends with the last of some others; of a single one, itself."""
    if tasks.size == 1:
        return int(tasks[0])
    whole = builder.add_tasks(1, {"kind": SYNC, "layer": layer})
    builder.add_edges(tasks, whole, DATA)
    return int(whole[0])


def band_sources(made: Made, steps: Steps, at: Int64s, *, aligned: bool) -> tuple[Int64s, Int64s]:
    """SYNC tasks that the tiles of some steps need: (tasks, index into `at`), one pair an edge.

    aligned: the reader sees the tensor in the shape in which it was made; otherwise it needs all.
    """
    if not aligned or (len(made.parts) == 1 and made.parts[0].tasks.size == 1):
        return np.full(at.size, made.all), np.arange(at.size)
    pairs = [_part_sources(part, steps, at) for part in made.parts]
    sources, which = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return sources, which


def _part_sources(part: Bands, steps: Steps, at: Int64s) -> tuple[Int64s, Int64s]:
    """The bands of one part that the tiles of some steps touch."""
    batches, rows = part.tasks.shape
    first_row, last_row = steps.rows[0][at], np.maximum(steps.rows[1][at], steps.rows[0][at] + 1)
    first_b, last_b = steps.first[at, B], steps.first[at, B] + steps.extent[at, B]
    low_b, high_b = _touched(first_b, last_b, part.first_b, part.tile_b, batches)
    low_y, high_y = _touched(first_row, last_row, part.first_oy, part.tile_oy, rows)
    spans_y = high_y - low_y
    number = (high_b - low_b) * spans_y
    which = np.repeat(np.arange(at.size), number)
    nth = np.arange(which.size) - np.repeat(np.cumsum(number) - number, number)
    span = np.maximum(spans_y[which], 1)
    return part.tasks[low_b[which] + nth // span, low_y[which] + nth % span], which


def _touched(low: Int64s, high: Int64s, first: int, tile: int, bands: int) -> tuple[Int64s, Int64s]:
    """Bands [first, last) that ranges [low, high) touch."""
    from_band = np.clip((low - first) // tile, 0, bands)
    to_band = np.clip(-(-(high - first) // tile), from_band, bands)
    return from_band, to_band
