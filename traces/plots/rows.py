"""Rows of pictures of units: many units that differ only in their number share one.

Of runs in which tiles of layers take turns, only what computes and what moves data between cores is
shown: a link and its queue as one row, and nothing that was idle all the time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from traces.plots.view import DRAM, RunView
from traces.schema import CAUSE

MOST_ALIKE = 16
"""Units of a kind (banks of a buffer, links of a network) that get a row each."""

NAMES_PX = 176
"""Room for the names of rows beside a wide picture."""

QUEUE = ".queue"
"""After the name of a link: the unit that gives it its transfers."""

Shown = Literal["cores", "links", "tasks"]

NUMBER = re.compile(r"\d+$")


@dataclass(frozen=True, slots=True)
class Rows:
    """names: of the rows. of_unit: the row of every unit, -1: none, int64 (units,). counts: the
    units whose values are those of their row. idle: units left out as they never had work."""

    names: tuple[str, ...]
    of_unit: NDArray[np.int64]
    counts: NDArray[np.bool_]
    idle: int = 0

    def mean(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Means over the units of every row. values: (units, ...); returns (rows, ...)."""
        row = self.of_unit[self.counts]
        total = np.zeros((len(self.names), *values.shape[1:]))
        np.add.at(total, row, values[self.counts])
        units = np.bincount(row, minlength=len(self.names))
        return total / units.reshape(-1, *[1] * (values.ndim - 1))


def rows_of(units: Sequence[str]) -> Rows:
    """Rows in the order of the units: `core.sram.bank0`, ... become `core.sram.bank x 32`."""
    kinds = [NUMBER.sub("", unit) for unit in units]
    alike = {kind: kinds.count(kind) for kind in kinds}
    names = [
        f"{kind} x {alike[kind]}" if alike[kind] > MOST_ALIKE and kind != unit else unit
        for kind, unit in zip(kinds, units, strict=True)
    ]
    return _rows(names, np.ones(len(names), dtype=bool))


def rows_of_run(view: RunView, what: Shown = "cores") -> Rows:
    """Rows of all units of a run; where layers take turns, of some of those that had work.

    what: "cores": what computes, and DRAM. "links": links between cores; their values are their
    own, which say when something moves. "tasks": what executes tasks; a link's values are those of
    its queue, which knows whom it works for.
    """
    if view.tiles is None:
        return rows_of(view.units)
    has_tasks = view.by_layer.sum(axis=(1, 2)) > 0
    idle_cycles = view.timeline[:, CAUSE["idle/no_work"]].sum(axis=1)
    worked = idle_cycles < view.end_cycle
    codes = {unit: code for code, unit in enumerate(view.units)}
    names, counts, idle = [], np.zeros(len(codes), dtype=bool), 0
    for unit, code in codes.items():
        name = unit.removesuffix(QUEUE)
        queue = codes.get(name + QUEUE, -1)
        owner = queue if queue >= 0 else code
        idle += code == owner and not worked[code]
        shown = {
            "cores": queue < 0 and (has_tasks[code] or (is_dram(unit) and worked[code])),
            "links": queue >= 0 and has_tasks[owner],
            "tasks": has_tasks[owner],
        }[what]
        names.append(name if shown else "")
        counts[code] = shown and code == (owner if what == "tasks" else codes.get(name, owner))
    return _rows(names, counts, idle)


def is_dram(unit: str) -> bool:
    """Whether a unit is DRAM or a channel of it."""
    return unit.partition(".")[0] == DRAM


def _rows(names: Sequence[str], counts: NDArray[np.bool_], idle: int = 0) -> Rows:
    """names: of the row of each unit, "" for none."""
    order = [name for name in dict.fromkeys(names) if name]
    of_unit = [order.index(name) if name else -1 for name in names]
    return Rows(tuple(order), np.array(of_unit, dtype=np.int64), counts, idle)
