"""The kernel server: a SimPy process that computes contention exactly, a few events a transfer.

The process owns the state of a kernel (port, DRAM channel, network, ...). It asks the kernel to
run until the first job completes, keeps a checkpoint of the state from before, and sleeps until
then. A newcomer wakes it earlier: the kernel goes from the checkpoint to that cycle only, takes the
newcomer in and looks ahead anew. Rules: ARCHITECTURE.md SERVER-1 to SERVER-4.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import simpy

from hw_models.clock import CycleEnvironment, TickClock
from hw_models.kernel import FOREVER, Kernel
from hw_models.windows import joined_windows, window_intervals
from traces.ledger import Ledger

Done = Callable[[int, Sequence[int]], None]
"""Called at the cycle at which a job ends: its task, and its ticks by cause (Kernel.job_causes)."""


class KernelServer:
    """A resource whose kernel arbitrates between the jobs under way.

    kernel: with its state at tick 0. units: the ledgers that its windows go to, one for each unit
    of the kernel.
    """

    def __init__(
        self,
        env: CycleEnvironment,
        name: str,
        kernel: Kernel,
        ledger: Ledger,
        units: Sequence[int],
    ) -> None:
        self.env, self.name, self.kernel, self.units = env, name, kernel, tuple(units)
        self.clock = TickClock(kernel.cycles_per_tick)
        self.beats_served = 0
        self._ledger = ledger
        self._log = kernel.new_log()
        self._first_ticks = [0] * kernel.units
        # Written as a Python array, which is many times faster item by item, and read as NumPy's.
        self._width = 1 + kernel.job_columns
        self._inbox = array("q", bytes(8 * self._width * kernel.rows))
        self._arrivals = 0
        self._tasks = [-1] * (1 + kernel.rows)
        self._done: list[Done] = [_nobody] * (1 + kernel.rows)
        self._called = False
        self.process = env.process(self._serve())

    def connect(self, row: int, done: Done) -> None:
        """Give a row to a requester, which is told of the end of each of its jobs."""
        self._done[row] = done

    def submit(self, row: int, task: int, job: Sequence[int]) -> None:
        """Put a job into a free row. job: the kernel's job columns."""
        at = self._width * self._arrivals
        self._inbox[at] = row
        for number in job:
            at += 1
            self._inbox[at] = number
        self._arrivals += 1
        self._tasks[row] = task
        if not self._called:
            self._called = True
            self.process.interrupt()

    def finish(self) -> None:
        """Hand the rest of the server's time to the ledger; what follows it is idle."""
        self._write_windows()

    def _serve(self) -> Generator[simpy.Event, Any, None]:
        """Sleep to the next completion or newcomer, then bring the kernel to that cycle."""
        env, serve, log = self.env, self.kernel.serve, self._log
        state, ahead = self.kernel.state, self.kernel.state.copy()
        inbox = np.frombuffer(self._inbox, dtype=np.int64).reshape(-1, self._width)
        windows_left = self.kernel.log_windows
        found: tuple[int, ...] = (FOREVER,)
        while True:
            try:
                if found[0] == FOREVER:
                    yield env.event()
                else:
                    yield env.timeout(found[0] - env.now)
            except simpy.Interrupt:
                self._called = False
            now = env.now
            while found[0] <= now:
                _, row, *spent = found
                found = serve(state, ahead, log, now, True, inbox, 0)
                windows_left -= 1
                if row:
                    self.beats_served += spent[0]
                    self._done[row](self._tasks[row], spent)
            if self._arrivals:
                found = serve(state, ahead, log, now, False, inbox, self._arrivals)
                self._arrivals = 0
                windows_left -= 1
            if windows_left <= 1 + self.kernel.rows:  # what one cycle can add at most
                self._write_windows()
                windows_left = self.kernel.log_windows

    def _write_windows(self) -> None:
        windows = self._log[1 : 1 + self._log[0, 0]]
        windows = windows[np.argsort(windows[:, 0], kind="stable")]
        bounds = np.searchsorted(windows[:, 0], np.arange(len(self.units) + 1)).tolist()
        for unit, ledger_unit in enumerate(self.units):
            mine = windows[bounds[unit] : bounds[unit + 1]]
            if len(mine):
                first = self._first_ticks[unit]
                ends, ticks = joined_windows(mine[:, 1], mine[:, 2:], self.kernel.window_ticks)
                causes = self.kernel.window_causes
                intervals = window_intervals(first, ends, ticks, causes, self.clock)
                self._ledger.add_intervals(ledger_unit, intervals)
                self._first_ticks[unit] = int(ends[-1])
        self._log[0, 0] = 0


def _nobody(task: int, _ticks: Sequence[int]) -> None:
    raise AssertionError(f"task {task} is in a row that was never connected")


def shares(ticks: Sequence[int], total_ticks: int, cycles: int) -> list[int]:
    """`cycles` divided in proportion to `ticks`, exactly used up: cumulative sums rounded down."""
    parts, before, done = [], 0, 0
    for n in ticks:
        done += n
        after = cycles * done // total_ticks if total_ticks else 0
        parts.append(after - before)
        before = after
    return parts
