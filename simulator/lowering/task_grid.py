"""Tasks of a block as a grid: steps times kinds of task, of which only some exist."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simulator.lowering.builder import DEFAULTS

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]


class TaskGrid:
    """Numbers the tasks of a block step by step and collects their columns.

    present: for each kind of task, in the order within a step, at which of the n steps it exists.
    first: number of the first task.
    """

    def __init__(self, present: Mapping[str, Bools], first: int) -> None:
        grid = np.stack(list(present.values()), axis=1)
        ids = np.full(grid.shape, -1, dtype=np.int64)
        self.count = int(grid.sum())
        self.first = first
        ids[grid] = first + np.arange(self.count)
        self._ids = {name: ids[:, i] for i, name in enumerate(present)}
        self._absent = np.full(grid.shape[0], -1, dtype=np.int64)
        self.columns: dict[str, Int64s] = {}

    def __getitem__(self, kind: str) -> Int64s:
        """Task numbers of a kind over the steps, -1 where there is none."""
        return self._ids.get(kind, self._absent)

    def set(self, task: str, /, **values: Int64s | int) -> None:
        """Set columns of the tasks of a kind; arrays are over the steps."""
        ids = self[task]
        there = ids >= 0
        rows = ids[there] - self.first
        for name, value in values.items():
            if name not in self.columns:
                self.columns[name] = np.full(self.count, DEFAULTS.get(name, 0), dtype=np.int64)
            self.columns[name][rows] = np.broadcast_to(value, ids.shape)[there]
