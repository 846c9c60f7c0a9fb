"""When the rows of a tensor are there: SYNC tasks that its readers wait for. Rule: PROG-3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.lowering.builder import ProgramBuilder
from simulator.lowering.steps import Steps
from simulator.lowering.task_grid import Int64s
from simulator.program import DATA, SYNC

B, OY = 0, 4


@dataclass(frozen=True, slots=True)
class Bands:
    """The bands of rows in which a tensor was made.

    shape: of the tensor, (batch, rows, columns, channels). tile_b, tile_oy: extents of a band.
    tasks: (bands along b, bands along oy), the SYNC of each. all: the SYNC of the whole tensor.
    """

    shape: tuple[int, int, int, int]
    tile_b: int
    tile_oy: int
    tasks: Int64s
    all: int


def add_bands(
    builder: ProgramBuilder,
    layer: int,
    shape: tuple[int, int, int, int],
    steps: Steps,
    made: Int64s,
    final: Int64s,
) -> Bands:
    """Add the SYNC tasks of a tensor. made: the tasks that complete it, at the steps `final`."""
    counts = steps.counts[B], steps.counts[OY]
    band = steps.index[final, B] * counts[1] + steps.index[final, OY]
    total = int(counts[0] * counts[1])
    columns = {"kind": SYNC, "layer": layer}
    tasks = builder.add_tasks(total, columns)
    builder.add_edges(made, tasks[band], DATA)
    whole = int(tasks[0])
    if total > 1:
        whole = int(builder.add_tasks(1, columns)[0])
        builder.add_edges(tasks, whole, DATA)
    tile_b, tile_oy = (int(steps.extent[:, loop].max()) for loop in (B, OY))
    return Bands(shape, tile_b, tile_oy, tasks.reshape(counts), whole)


def join_bands(builder: ProgramBuilder, layer: int, parts: list[Bands]) -> Bands:
    """The bands of a tensor that several parts made: only as a whole."""
    if len(parts) == 1:
        return parts[0]
    whole = builder.add_tasks(1, {"kind": SYNC, "layer": layer})
    builder.add_edges([part.all for part in parts], whole, DATA)
    batch, rows = parts[0].shape[:2]
    return Bands(parts[0].shape, batch, rows, whole.reshape(1, 1), int(whole[0]))


def band_sources(bands: Bands, steps: Steps, at: Int64s, *, aligned: bool) -> tuple[Int64s, Int64s]:
    """SYNC tasks that the tiles of some steps need: (tasks, index into `at`), one pair an edge.

    aligned: the reader sees the tensor in the shape in which it was made; otherwise it needs all.
    """
    everything = np.full(at.size, bands.all), np.arange(at.size)
    if not aligned or bands.tasks.size == 1:
        return everything
    low_b = steps.first[at, B] // bands.tile_b
    high_b = (steps.first[at, B] + steps.extent[at, B] - 1) // bands.tile_b
    low_y = steps.rows[0][at] // bands.tile_oy
    high_y = (np.maximum(steps.rows[1][at], steps.rows[0][at] + 1) - 1) // bands.tile_oy
    spans_y = high_y - low_y + 1
    number = (high_b - low_b + 1) * spans_y
    which = np.repeat(np.arange(at.size), number)
    nth = np.arange(which.size) - np.repeat(np.cumsum(number) - number, number)
    rows = np.minimum(low_y[which] + nth % spans_y[which], bands.tasks.shape[1] - 1)
    batches = low_b[which] + nth // spans_y[which]
    return bands.tasks[batches, rows], which
