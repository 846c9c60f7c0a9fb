"""Which cycles of which unit belong to each layer: the one place that says it.

Rules: ARCHITECTURE.md RESULT-1 (layers in turn), RESULT-3 (tiles of several layers interleaved).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from traces.schema import CAUSES, TASK_KIND

Int64s = NDArray[np.int64]
Columns = Mapping[str, Int64s]

INTERLEAVED = "granularity"
"""Key of the manifest of a run whose layers do not follow one another, and how finely they are
cut."""


class LayerCycles(Protocol):
    """Gives intervals of the ledger to layers."""

    @property
    def home(self) -> Int64s:
        """Unit that each layer runs on, -1: none."""
        ...

    def parts(self, intervals: Columns, layer: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Parts of intervals that belong to layers: (interval, layer, cycles).

        intervals: columns unit (counting as `home` does), start, end; layer: of the task of each.
        """
        ...


@dataclass(frozen=True, slots=True)
class InTurn:
    """Layers that follow one another: their spans tile the run. Rule: RESULT-1.

    ends: a layer ends with the last computation of it or of a layer before, the last one with the
    run, and begins where the layer before ended. home: the unit that ends it.
    """

    ends: Int64s
    home: Int64s

    @property
    def begins(self) -> Int64s:
        """Where each layer begins."""
        return np.append([0], self.ends[:-1])[: self.ends.size]

    def parts(self, intervals: Columns, layer: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """What of each interval of a home unit lies in the spans of its layers."""
        mine = np.flatnonzero(np.isin(intervals["unit"], self.home[self.home >= 0]))
        unit, start, end = (intervals[name][mine] for name in ("unit", "start", "end"))
        first = np.searchsorted(self.ends, start, side="right")
        last = np.minimum(np.searchsorted(self.ends, end, side="left") + 1, self.ends.size)
        count = np.maximum(last - first, 0)
        at = np.repeat(np.arange(mine.size), count)
        layer = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
        here = self.home[layer] == unit[at]
        at, layer = at[here], layer[here]
        cycles = np.minimum(end[at], self.ends[layer]) - np.maximum(start[at], self.begins[layer])
        there = cycles > 0
        return mine[at[there]], layer[there], cycles[there]


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Layers whose tiles take turns. Rule: RESULT-3. home: where a layer computes longest."""

    home: Int64s

    def parts(self, intervals: Columns, layer: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """The intervals of a layer's home in which it works or waits for a task of that layer."""
        home = np.append(self.home, -1)[layer]
        at = np.flatnonzero((layer >= 0) & (home == intervals["unit"]))
        return at, layer[at], (intervals["end"] - intervals["start"])[at]


def layer_cycles(tasks: Columns, layers: int, end_cycle: int, interleaved: bool) -> LayerCycles:
    """Which cycles belong to each of so many layers.

    tasks: columns kind (counting in TASK_KINDS), layer, unit, start, end, macs, -1 for none.
    """
    return _interleaved(tasks, layers) if interleaved else _in_turn(tasks, layers, end_cycle)


def is_interleaved(manifest: Mapping[str, Any]) -> bool:
    """Whether a run's manifest says that tiles of several layers take turns."""
    return INTERLEAVED in manifest


def _in_turn(tasks: Columns, layers: int, end_cycle: int) -> InTurn:
    computing = (tasks["kind"] == TASK_KIND["COMPUTE"]) & (tasks["layer"] >= 0)
    ends, has_macs = np.zeros(layers, dtype=np.int64), np.zeros(layers, dtype=bool)
    np.maximum.at(ends, tasks["layer"][computing], tasks["end"][computing])
    has_macs[tasks["layer"][computing & (tasks["macs"] > 0)]] = True
    plain = np.append(~has_macs, False)[tasks["layer"]]
    main = np.flatnonzero(computing & (tasks["unit"] >= 0) & ((tasks["macs"] > 0) | plain))
    home = np.full(layers, -1, dtype=np.int64)
    # Of several assignments to one place the last counts: the task that ends last, and of
    # those that end together the first.
    order = main[np.lexsort((-main, tasks["end"][main]))]
    home[tasks["layer"][order]] = tasks["unit"][order]
    # A layer without computations can only take time as the last: the unit before goes on.
    given = np.maximum.accumulate(np.where(home >= 0, np.arange(layers), -1))
    home = np.where(given >= 0, home[given], home)
    ends = np.maximum.accumulate(ends)
    ends[-1:] = end_cycle
    return InTurn(ends, home)


def _interleaved(tasks: Columns, layers: int) -> Interleaved:
    mine = (tasks["kind"] == TASK_KIND["COMPUTE"]) & (tasks["layer"] >= 0) & (tasks["unit"] >= 0)
    layer, unit = tasks["layer"][mine], tasks["unit"][mine]
    computed = np.zeros((layers, int(unit.max(initial=0)) + 1), dtype=np.int64)
    np.add.at(computed, (layer, unit), (tasks["end"] - tasks["start"])[mine])
    return Interleaved(np.where(computed.any(axis=1), computed.argmax(axis=1), -1))


def main_units(tasks: Columns) -> Int64s:
    """The units that do MACs, or where none does, those that compute at all."""
    macs = _computing(tasks) & (tasks["macs"] > 0)
    return np.unique(tasks["unit"][macs]) if macs.any() else computing_units(tasks)


def computing_units(tasks: Columns) -> Int64s:
    """The units that compute."""
    return np.unique(tasks["unit"][_computing(tasks)])


def _computing(tasks: Columns) -> NDArray[np.bool_]:
    return (tasks["kind"] == TASK_KIND["COMPUTE"]) & (tasks["unit"] >= 0)


def causes_by_layer(cycles: LayerCycles, intervals: Columns, layer: Int64s) -> Int64s:
    """Cycles by cause of each layer on its home, (layers, causes). intervals: cause too."""
    at, of, length = cycles.parts(intervals, layer)
    total = np.zeros((cycles.home.size, len(CAUSES)), dtype=np.int64)
    np.add.at(total, (of, intervals["cause"][at]), length)
    return total
