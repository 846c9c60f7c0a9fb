"""Which tasks may start: counts of open predecessors, gates, and the times of all tasks.

Rules: ARCHITECTURE.md PROG-3 (dependences), LEDGER-3 (what a wait is explained with).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import numpy as np
import simpy

from hw_models.clock import CycleEnvironment
from hw_models.server import KernelServer
from simulator.engine.explain import JOB_COUNTS, Int64s, TaskTimes
from simulator.program import SYNC, TileProgram
from traces.ledger import WAIT, Ledger


class Scoreboard:
    """The dependence state of one run of a program, and the times of its tasks.

    ledger: gets the waits. on_end: called with each task as it ends, in order of time.
    """

    def __init__(
        self,
        env: CycleEnvironment,
        program: TileProgram,
        ledger: Ledger,
        on_end: Callable[[int], None],
    ) -> None:
        self.env, self.ledger = env, ledger
        self.left = len(program)
        pointers, destinations = program.successors()
        self._pointers, self._successors = pointers.tolist(), destinations.tolist()
        self._open = program.predecessor_counts().tolist()
        self._is_sync = (program.tasks["kind"] == SYNC).tolist()
        self._gates: dict[int, simpy.Event] = {}
        self._on_end = on_end
        self.ready_cycle = _column(self.left, 0)
        self.start_cycle, self.end_cycle = _column(self.left, -1), _column(self.left, -1)
        self.blocker, self.held_by = _column(self.left, -1), _column(self.left, -1)
        self._server = _column(self.left, -1)
        self._ticks = _column(self.left * JOB_COUNTS, 0)

    def begin(self) -> None:
        """End the SYNC tasks that wait for nothing. Call once, before the run."""
        for task, is_sync in enumerate(self._is_sync):
            if is_sync and not self._open[task]:
                self.start_cycle[task] = 0
                self.end(task)

    def gate(self, task: int) -> simpy.Event | None:
        """None when every predecessor of a task has ended, else an event of that moment."""
        if not self._open[task]:
            return None
        event = self._gates[task] = self.env.event()
        return event

    def gated(self) -> list[int]:
        """Tasks that a unit waits to start, for the report of a deadlock."""
        return sorted(self._gates)

    def start(self, task: int, unit: int, free_since: int, held_by: int) -> int:
        """A unit that was free since a cycle starts a task now; returns when it was ready."""
        now = self.env.now
        self.start_cycle[task] = now
        self.held_by[task] = held_by
        self.ledger.add(unit, free_since, now, WAIT, task)
        return self.ready_cycle[task]

    def moved(self, task: int, server: KernelServer, ticks: Sequence[int]) -> None:
        """Which server a transfer ended on last, and what its ticks there went into."""
        self._server[task] = server.units[0]
        at = task * JOB_COUNTS
        *first, self._ticks[at + JOB_COUNTS - 1] = ticks
        for i, n in enumerate(first):
            self._ticks[at + i] = n

    def end(self, task: int) -> None:
        """A task has ended now: its successors may become ready."""
        now, waits_for = self.env.now, self._open
        self.end_cycle[task] = now
        self._on_end(task)
        self.left -= 1
        for successor in self._successors[self._pointers[task] : self._pointers[task + 1]]:
            waits_for[successor] -= 1
            if not waits_for[successor]:
                self._release(successor, task, now)

    def times(self) -> TaskTimes:
        """What is known of the tasks now, as views that follow the run."""
        return TaskTimes(
            ready=_view(self.ready_cycle),
            start=_view(self.start_cycle),
            blocker=_view(self.blocker),
            held_by=_view(self.held_by),
            server=_view(self._server),
            ticks=_view(self._ticks).reshape(-1, JOB_COUNTS),
        )

    def _release(self, task: int, blocker: int, now: int) -> None:
        self.ready_cycle[task] = now
        self.blocker[task] = blocker
        if self._is_sync[task]:
            self.start_cycle[task] = now
            self.end(task)
        else:
            gate = self._gates.pop(task, None)
            if gate is not None:
                gate.succeed()


def _column(n: int, value: int) -> array[int]:
    """n integers, fast to set one by one and readable as a NumPy array."""
    return array("q", [value]) * n


def _view(column: array[int]) -> Int64s:
    return np.frombuffer(column, dtype=np.int64) if column else np.zeros(0, dtype=np.int64)
