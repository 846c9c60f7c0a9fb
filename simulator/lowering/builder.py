"""Collecting a tile program in blocks of arrays, one block a layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw_models.floorplan import Floorplan
from simulator.program import SLOT_COLUMNS, TASK_COLUMNS, TileProgram

Int64s = NDArray[np.int64]
Column = Int64s | int

EDGE_COLUMNS = ("src", "dst", "dependence")
USE_COLUMNS = ("task", "slot")
TRAIN_COLUMNS = ("task", "buffer", "write", "bytes", "offset")
DEFAULTS = dict.fromkeys(("unit", "layer", "operand", "slot", "buffer", "source_buffer"), -1)
"""Columns of a task that are not 0 unless said otherwise."""


class ProgramBuilder:
    """A program under construction; rows are numbered as they are added."""

    def __init__(self) -> None:
        self.task_count = 0
        self.slot_count = 0
        self._tables: dict[str, list[dict[str, Int64s]]] = {
            name: [] for name in ("tasks", "slots", "edges", "slot_uses", "trains")
        }

    def add_tasks(self, rows: int, columns: Mapping[str, Column]) -> Int64s:
        """Append `rows` tasks; columns left out get their default. Returns their numbers."""
        self._append(
            "tasks", rows, {name: DEFAULTS.get(name, 0) for name in TASK_COLUMNS} | {**columns}
        )
        first = self.task_count
        self.task_count += rows
        return np.arange(first, self.task_count, dtype=np.int64)

    def add_slots(self, rows: int, columns: Mapping[str, Column]) -> Int64s:
        """Append `rows` slots (columns buffer, offset, bytes). Returns their numbers."""
        self._append("slots", rows, columns)
        first = self.slot_count
        self.slot_count += rows
        return np.arange(first, self.slot_count, dtype=np.int64)

    def add_edges(self, src: ArrayLike, dst: ArrayLike, dependence: int) -> None:
        """Append edges; src and dst are broadcast against each other."""
        sources, targets = np.broadcast_arrays(np.atleast_1d(src), np.atleast_1d(dst))
        self._append(
            "edges", sources.size, {"src": sources, "dst": targets, "dependence": dependence}
        )

    def add_uses(self, task: ArrayLike, slot: ArrayLike) -> None:
        """Say that tasks hold slots until they end."""
        tasks, slots = np.broadcast_arrays(np.atleast_1d(task), np.atleast_1d(slot))
        self._append("slot_uses", tasks.size, {"task": tasks, "slot": slots})

    def add_trains(
        self, task: Int64s, buffer: int, write: int, moved: Int64s, offset: Int64s
    ) -> None:
        """Append operand trains of `moved` bytes each from `offset` on; empty ones are left out."""
        some = moved > 0
        self._append(
            "trains",
            int(some.sum()),
            {
                "task": task[some],
                "buffer": buffer,
                "write": write,
                "bytes": moved[some],
                "offset": offset[some],
            },
        )

    def build(self, plan: Floorplan, layers: tuple[str, ...]) -> TileProgram:
        """The finished program."""
        edges = self._table("edges", EDGE_COLUMNS)
        uses = self._table("slot_uses", USE_COLUMNS)
        slots = self._table("slots", tuple(SLOT_COLUMNS)[:-1])
        slots["uses"] = np.bincount(uses["slot"], minlength=self.slot_count).astype(np.int64)
        return TileProgram(
            plan.units,
            plan.buffers,
            layers,
            self._table("tasks", tuple(TASK_COLUMNS)),
            slots,
            edges,
            uses,
            self._table("trains", TRAIN_COLUMNS),
        )

    def _append(self, table: str, rows: int, columns: Mapping[str, Column]) -> None:
        if rows:
            block = {
                name: np.broadcast_to(np.asarray(column, dtype=np.int64), (rows,))
                for name, column in columns.items()
            }
            self._tables[table].append(block)

    def _table(self, table: str, columns: tuple[str, ...]) -> dict[str, Int64s]:
        blocks = self._tables[table]
        empty = np.zeros(0, dtype=np.int64)
        return {
            name: np.concatenate([empty, *(block[name] for block in blocks)]) for name in columns
        }
