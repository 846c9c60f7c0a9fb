"""What a kernel server asks of its kernel: the contract of ports, DRAM channels and networks.

A kernel counts its own ticks and keeps all of its state in one int64 array, so that the server can
put it aside and come back to it. Rules: ARCHITECTURE.md SERVER-1 to SERVER-4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

FOREVER = int(np.iinfo(np.int64).max) // 4
"""Later than any cycle or tick of a run."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel with its state.

    state: int64, any shape, everything that the kernel remembers. rows: places for jobs, numbered
    from 1. job_columns: numbers that describe a job, after its row; the first is the chip cycle
    from which on it may be served. cycles_per_tick: chip cycles.
    window_causes: causes of the ticks of a unit, in the order of the counts in the log; job_causes:
    of the ticks of a job, in the order in which `serve` returns them. units: ledgers (banks, links,
    channels) that the kernel keeps. window_ticks: windows are joined up to this length, so that
    traces of many units stay small.

    serve: a compiled function of (state, ahead, log, cycle, commit, inbox, arrivals). It makes the
    past certain, admits newcomers and looks ahead to the next completion:
    - state is the checkpoint, before any completion that is not certain; ahead is the state at the
      completion found last. With `commit` that completion has come true and ahead becomes the
      checkpoint; otherwise the kernel goes from the checkpoint to chip cycle `cycle`, and the
      completion lies beyond.
    - inbox, int64 (n, 1 + job_columns): of which the first `arrivals` rows are admitted.
    - log, int64 (1 + units * log_windows, 2 + window_causes): log[0, 0] windows follow, from row 1
      on, as unit, last tick + 1, and ticks by cause since that unit's window before.
    It returns the chip cycle of the next completion (FOREVER: none), its row, and the job's ticks
    by cause, the first of which are those in which it was served. A kernel need not look ahead so
    far: row 0 and a cycle say that nothing completes before that cycle, when it wants to be asked
    again (with `commit`).
    """

    state: Int64s
    rows: int
    job_columns: int
    cycles_per_tick: Fraction
    window_causes: tuple[int, ...]
    job_causes: tuple[int, ...]
    serve: Callable[..., tuple[Any, ...]]
    units: int = 1
    window_ticks: int = 1

    @property
    def log_windows(self) -> int:
        """Calls of `serve` after which the log may be full."""
        return 1024 + 4 * self.rows

    def new_log(self) -> Int64s:
        """An empty log."""
        windows = self.units * self.log_windows
        return np.zeros((1 + windows, 2 + len(self.window_causes)), dtype=np.int64)
