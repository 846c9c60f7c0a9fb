"""The kernel server: a SimPy process that computes contention exactly, a few events a transfer.

The process owns the state of a kernel (port, DRAM channel, network, ...). It asks the kernel to
run until the first job completes, keeps a checkpoint of the state from before, and sleeps until
then. A newcomer wakes it earlier: the kernel goes from the checkpoint to that cycle only, takes the
newcomer in and looks ahead anew. Rules: ARCHITECTURE.md SERVER-1 to SERVER-4.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import simpy

from hw_models.clock import CycleEnvironment, TickClock
from hw_models.windows import window_intervals
from traces.ledger import Ledger

Done = Callable[[int, Sequence[int]], None]
"""Called at the cycle at which a job ends: its task, and its ticks by cause (ServerCauses.job)."""

WINDOWS = 1 << 14
"""Windows collected before they go to the ledger."""


@dataclass(frozen=True, slots=True)
class ServerCauses:
    """What the ledgers call the ticks of a kernel.

    window: of each tick of the server itself, in the order of the kernel's window counts.
    job: of a job's ticks, in the order of the kernel's counts per job; served ones first.
    """

    window: tuple[int, ...]
    job: tuple[int, ...]


class KernelServer:
    """A resource whose kernel arbitrates between the jobs under way.

    kernel: a module with `new_state`, `serve` and `beats_served` as in `hw_models.port`.
    owners: the core of each row; a row holds one job at a time. cycles_per_tick: chip cycles a
    tick. unit: its code in the ledger.
    """

    def __init__(
        self,
        env: CycleEnvironment,
        name: str,
        kernel: ModuleType,
        owners: Sequence[int],
        cycles_per_tick: Fraction,
        ledger: Ledger,
        unit: int,
        causes: ServerCauses,
    ) -> None:
        self.env, self.name, self.unit = env, name, unit
        self.clock = TickClock(cycles_per_tick)
        self.causes = causes
        self._ledger = ledger
        self._kernel = kernel
        self._state = kernel.new_state(owners, cycles_per_tick)
        self._ahead = self._state.copy()
        # Written as a Python array, which is many times faster item by item, and read as NumPy's.
        self._inbox = array("q", bytes(8 * 5 * len(owners)))
        self._arrivals = 0
        self._tasks = [-1] * (1 + len(owners))
        self._done: list[Done] = [_nobody] * (1 + len(owners))
        self._counts = 1 + len(causes.window)
        self._windows = array("q")
        self._first_tick = 0
        self._called = False
        self.process = env.process(self._serve())

    def connect(self, row: int, done: Done) -> None:
        """Give a row to a requester, which is told of the end of each of its jobs."""
        self._done[row] = done

    def submit(
        self, row: int, task: int, beats: int, release_cycle: int, pace: tuple[int, int]
    ) -> None:
        """Put a job into a free row: `beats` beats, none before `release_cycle`.

        pace: (num, den): beat i is available i * num / den ticks after the first; (0, 1): at once.
        """
        inbox, at = self._inbox, 5 * self._arrivals
        inbox[at] = row
        inbox[at + 1] = beats
        inbox[at + 2] = release_cycle
        inbox[at + 3], inbox[at + 4] = pace
        self._arrivals += 1
        self._tasks[row] = task
        if not self._called:
            self._called = True
            self.process.interrupt()

    @property
    def beats_served(self) -> int:
        """Beats moved so far."""
        return int(self._kernel.beats_served(self._state))

    def finish(self) -> None:
        """Hand the rest of the server's time to the ledger; what follows it is idle."""
        self._write_windows()

    def _serve(self) -> Generator[simpy.Event, Any, None]:
        """Sleep to the next completion or newcomer, then bring the kernel to that cycle."""
        env, kernel, never = self.env, self._kernel.serve, self._kernel.FOREVER
        state, ahead, windows = self._state, self._ahead, self._windows
        inbox = np.frombuffer(self._inbox, dtype=np.int64).reshape(-1, 5)
        end_at = self._counts
        row_at, ticks_at = end_at + 1, end_at + 2
        limit = WINDOWS * end_at
        next_end = never
        found: tuple[int, ...] = ()
        while True:
            try:
                if next_end == never:
                    yield env.event()
                else:
                    yield env.timeout(next_end - env.now)
            except simpy.Interrupt:
                self._called = False
            now = env.now
            while next_end <= now:
                row, spent = found[row_at], found[ticks_at:]
                found = kernel(state, ahead, now, True, inbox, 0)
                windows.extend(found[:end_at])
                next_end = found[end_at]
                self._done[row](self._tasks[row], spent)
            if self._arrivals:
                found = kernel(state, ahead, now, False, inbox, self._arrivals)
                self._arrivals = 0
                windows.extend(found[:end_at])
                next_end = found[end_at]
            if len(windows) > limit:
                self._write_windows()

    def _write_windows(self) -> None:
        if not self._windows:
            return
        table = np.array(self._windows, dtype=np.int64).reshape(-1, self._counts)
        del self._windows[:]
        ends, ticks = table[:, 0], table[:, 1:]
        causes = self.causes.window
        intervals = window_intervals(self._first_tick, ends, ticks, causes, self.clock)
        self._ledger.add_intervals(self.unit, intervals)
        self._first_tick = int(ends[-1])


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
