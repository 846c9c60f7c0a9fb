"""The ledger: for every unit and every cycle of a run exactly one cause, checked as it is written.

Units append half-open intervals; a batch is checked when it is full (and at the end), so that the
check costs nothing per interval. Rules: ARCHITECTURE.md LEDGER-1 to LEDGER-4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from traces.recorder import BATCH_ROWS, RowBuffer
from traces.schema import CAUSE, CAUSES

Batch = Mapping[str, NDArray[np.int64]]
COLUMNS = ("unit", "start", "end", "cause", "task", "packed")
WAIT, WORK = -1, -2
"""In place of a cause: to be resolved when the batch is handed on. The unit waited to start the
task, or worked on it; what that means is for the one to say who knows the tasks."""


class LedgerError(Exception):
    """A gap, an overlap or a cycle without a cause: a defect of the simulator, not of its input."""


class Ledger:
    """The intervals of all units of a run.

    units: names, in code order. sink: called with each checked batch of columns. resolve: makes
    rows with causes of those with WAIT or WORK. keep: units whose intervals are also kept in
    memory, for the breakdown per layer.
    """

    def __init__(
        self,
        units: Sequence[str],
        sink: Callable[[Batch], None] | None = None,
        keep: Sequence[int] = (),
        resolve: Callable[[Batch], Batch] | None = None,
    ) -> None:
        self.units = tuple(units)
        self.cycles = np.zeros((len(self.units), len(CAUSES)), dtype=np.int64)
        self.intervals = 0
        self._rows = RowBuffer(COLUMNS)
        self._end = np.zeros(len(self.units), dtype=np.int64)
        self._sink, self._resolve = sink, resolve
        self._keep = np.isin(np.arange(len(self.units)), list(keep))
        self._kept: list[dict[str, NDArray[np.int64]]] = []

    def add(self, unit: int, start: int, end: int, cause: int, task: int = -1) -> None:
        """Give [start, end) of a unit its cause, WAIT or WORK. An empty interval is left out."""
        if end == start:
            return
        self._rows.extend((unit, start, end, cause, task, 0))
        if len(self._rows.data) >= BATCH_ROWS * len(COLUMNS):
            self.flush()

    def add_packed(
        self, unit: int, start: int, end: int, cycles: Sequence[tuple[int, int]], task: int = -1
    ) -> None:
        """Give a window in which a unit mixed causes: (cause, cycles) pairs that fill it."""
        parts = [(cause, n) for cause, n in cycles if n]
        packed = int(len(parts) > 1)
        at = start
        for cause, n in parts:
            self._rows.extend((unit, at, at + n, cause, task, packed))
            at += n
        if at != end:
            raise LedgerError(
                f"{self.units[unit]}: causes of [{start}, {end}) add up to {at - start} cycles"
            )
        if len(self._rows.data) >= BATCH_ROWS * len(COLUMNS):
            self.flush()

    def add_intervals(self, unit: int, intervals: Batch) -> None:
        """Give many intervals of a unit at once: columns start, end, cause, packed."""
        self.flush()
        n = intervals["start"].size
        no_task = np.full(n, -1, dtype=np.int64)
        self._accept({**intervals, "unit": np.full(n, unit, dtype=np.int64), "task": no_task})

    def finish(self, end: int) -> None:
        """Close the run at cycle `end`: units that ended earlier are idle from there on."""
        self.flush()
        for unit, last in enumerate(self._end.tolist()):
            self.add(unit, last, end, CAUSE["idle/no_work"])
        self.flush()
        late = np.flatnonzero(self._end != end)
        if late.size:
            unit = int(late[0])
            raise LedgerError(f"{self.units[unit]} ends at {self._end[unit]}, the run at {end}")

    def flush(self) -> None:
        """Check and hand on what has been added so far."""
        if len(self._rows):
            batch: Batch = self._rows.take()
            self._accept(self._resolve(batch) if self._resolve else batch)

    def _accept(self, batch: Batch) -> None:
        self._check(batch)
        np.add.at(self.cycles, (batch["unit"], batch["cause"]), batch["end"] - batch["start"])
        self.intervals += batch["unit"].size
        kept = self._keep[batch["unit"]]
        if kept.any():
            self._kept.append({name: column[kept] for name, column in batch.items()})
        if self._sink is not None:
            self._sink(batch)

    def kept(self) -> dict[str, NDArray[np.int64]]:
        """The intervals of the kept units, as columns."""
        if not self._kept:
            return {name: np.zeros(0, dtype=np.int64) for name in COLUMNS}
        return {name: np.concatenate([part[name] for part in self._kept]) for name in COLUMNS}

    def unit_cycles(self, unit: str) -> dict[str, int]:
        """Cycles per cause of one unit, zero ones left out."""
        row = self.cycles[self.units.index(unit)]
        return {cause: int(n) for cause, n in zip(CAUSES, row, strict=True) if n}

    def _check(self, batch: Batch) -> None:
        unit, start, end, cause = (batch[name] for name in ("unit", "start", "end", "cause"))
        wrong = (cause < 0) | (cause >= len(CAUSES)) | (end <= start)
        if wrong.any():
            self._fail(batch, int(np.flatnonzero(wrong)[0]), "has no cause or runs backwards")
        order = np.argsort(unit, kind="stable")
        unit, start, end = unit[order], start[order], end[order]
        first = np.ones(unit.size, dtype=bool)
        first[1:] = unit[1:] != unit[:-1]
        before = np.empty_like(start)
        before[1:] = end[:-1]
        before[first] = self._end[unit[first]]
        wrong = start != before
        if wrong.any():
            place = int(np.flatnonzero(wrong)[0])
            self._fail(batch, int(order[place]), f"must start at {before[place]}")
        last = np.ones(unit.size, dtype=bool)
        last[:-1] = first[1:]
        self._end[unit[last]] = end[last]

    def _fail(self, batch: Batch, row: int, problem: str) -> None:
        unit, start, end = (int(batch[name][row]) for name in ("unit", "start", "end"))
        raise LedgerError(f"{self.units[unit]}: interval [{start}, {end}) {problem}")
