"""Where and when the tiles of layers ran that take turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from traces.interval_stream import interval_batches
from traces.layers import LayerCycles
from traces.plots.bins import CycleBins, Int64s
from traces.schema import CAUSES, TASK_KIND

Work = Mapping[str, Int64s]
"""Columns of tasks: task, kind, layer (-1: none), unit, start, end."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """When layers ran.

    over_time: cycles of each layer on the unit that it runs on, (layers, causes, bins). computed:
    the layer that each unit computes longest in each bin, (units, bins); -1: none.
    """

    over_time: Int64s
    computed: Int64s


def tiles_of(
    folder: Path, work: Work, cycles: LayerCycles, bin_ends: Int64s
) -> tuple[Tiles, Int64s]:
    """When layers ran, and the cycles of each layer's tasks, (units, causes, layers)."""
    stream = interval_batches(folder)
    layers, causes = cycles.home.size, len(CAUSES)
    layer_of = np.full(int(work["task"].max(initial=-1)) + 2, -1, dtype=np.int64)
    layer_of[work["task"]] = work["layer"]
    by_unit = np.zeros((len(stream.units), causes, layers), dtype=np.int64)
    bins = CycleBins(layers * causes, bin_ends)
    for batch in stream.batches:
        # Of a run that died, intervals may name tasks that are not there.
        layer = layer_of[np.where(batch["task"] < layer_of.size, batch["task"], -1)]
        mine = layer >= 0
        at = batch["unit"][mine], batch["cause"][mine], layer[mine]
        np.add.at(by_unit, at, (batch["end"] - batch["start"])[mine])
        interval, of, _ = cycles.parts(batch, layer)
        row = of * causes + batch["cause"][interval]
        bins.add(row, batch["start"][interval], batch["end"][interval])
    over_time = bins.cycles().reshape(layers, causes, bin_ends.size - 1)
    return Tiles(over_time, _computed(work, len(stream.units), layers, bin_ends)), by_unit


def _computed(work: Work, units: int, layers: int, bin_ends: Int64s) -> Int64s:
    """The layer that a unit computes longest in each bin, (units, bins); -1: computes none."""
    found = np.full((units, bin_ends.size - 1), -1, dtype=np.int64)
    computing = (work["kind"] == TASK_KIND["COMPUTE"]) & (work["layer"] >= 0)
    for unit in np.unique(work["unit"][computing & (work["unit"] >= 0)]).tolist():
        mine = computing & (work["unit"] == unit)
        bins = CycleBins(layers, bin_ends)
        bins.add(work["layer"][mine], work["start"][mine], work["end"][mine])
        cycles = bins.cycles()
        found[unit] = np.where(cycles.any(axis=0), cycles.argmax(axis=0), -1)
    return found
