"""Units that execute tasks in program order: PE arrays, vector units and DMA engines.

They know tasks as numbers only; a `Scoreboard` tells when one may start and hears when it ended.
Rules: ARCHITECTURE.md UNIT-1 to UNIT-4.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import simpy

from hw_models.clock import CycleEnvironment
from hw_models.server import KernelServer
from traces.ledger import WORK, Ledger
from traces.schema import CAUSE

SRAM_BANDWIDTH, BANK_CONFLICT = CAUSE["stall/sram_bandwidth"], CAUSE["stall/bank_conflict"]


class Scoreboard(Protocol):
    """What units ask of the engine."""

    def gate(self, task: int) -> simpy.Event | None:
        """None when every predecessor of a task has ended, else an event of that moment."""

    def start(self, task: int, unit: int, free_since: int, held_by: int) -> int:
        """A unit that was free since a cycle starts a task now; returns when the task was ready.

        held_by: the task that kept the unit, or its lane, from starting it earlier (-1: none).
        """

    def end(self, task: int) -> None:
        """A task has ended now."""

    def moved(self, task: int, server: KernelServer, ticks: Sequence[int]) -> None:
        """Which server a transfer ended on last, and what its ticks there went into."""


@dataclass(frozen=True, slots=True)
class Train:
    """Operands that a computation moves through a port while it runs. job: without its release."""

    server: KernelServer
    row: int
    job: tuple[int, ...]


class ComputeUnit:
    """A PE array or vector unit: one task at a time, in program order.

    cycles: per task. overlap: per task, the cycles by which it may begin before the end of the one
    before; as far as it was ready, it needs so many cycles less. trains: those of each task that
    has any; the task ends when its cycles have passed and the last of its trains is through.
    """

    def __init__(
        self,
        env: CycleEnvironment,
        unit: int,
        tasks: Sequence[int],
        cycles: Sequence[int],
        overlap: Sequence[int],
        trains: Mapping[int, Sequence[Train]],
        board: Scoreboard,
        ledger: Ledger,
    ) -> None:
        self.env, self.unit, self.tasks = env, unit, tasks
        self.cycles, self.overlap, self.trains = cycles, overlap, trains
        self.board, self.ledger = board, ledger
        self._trains_left = 0
        self._last_train: Sequence[int] = ()
        self._late: simpy.Event | None = None
        env.process(self._execute())

    def _execute(self) -> Generator[simpy.Event, Any, None]:
        env, board = self.env, self.board
        free_since, previous = 0, -1
        for task in self.tasks:
            gate = board.gate(task)
            if gate is not None:
                yield gate
            start = env.now
            ready = board.start(task, self.unit, free_since, previous)
            hidden = 0
            if start == free_since:
                hidden = min(self.overlap[task], start - ready)
            self._send_trains(task, start)
            if self.cycles[task] > hidden:
                yield env.timeout(self.cycles[task] - hidden)
            computed = env.now
            if self._trains_left:
                self._late = env.event()
                yield self._late
                self._late = None
            free_since, previous = env.now, task
            self._record(task, start, computed, free_since)
            board.end(task)

    def _send_trains(self, task: int, start: int) -> None:
        trains = self.trains.get(task, ())
        self._trains_left = len(trains)
        for train in trains:
            train.server.submit(train.row, task, (start, *train.job))

    def train_is_through(self, _task: int, ticks: Sequence[int]) -> None:
        """Hear from a port that a train of the current task is through."""
        self._trains_left -= 1
        self._last_train = ticks
        if self._late is not None and not self._trains_left:
            self._late.succeed()

    def _record(self, task: int, start: int, computed: int, end: int) -> None:
        self.ledger.add(self.unit, start, computed, WORK, task)
        if end > computed:
            # Beats of others delayed the train by at most as many ticks as it was queued for.
            conflict = min(end - computed, sum(self._last_train[1:-1]))
            parts = ((BANK_CONFLICT, conflict), (SRAM_BANDWIDTH, end - computed - conflict))
            self.ledger.add_packed(self.unit, computed, end, parts, task)
