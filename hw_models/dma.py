"""DMA engines: transfers in program order, several under way, each over a route of servers.

A transfer is one job on every server of its route, all at once: data flow through them like
through a pipe, and the transfer ends when its last job does. Rules: ARCHITECTURE.md DMA-1 to DMA-4.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import simpy

from hw_models.clock import CycleEnvironment
from hw_models.server import KernelServer
from hw_models.unit import Scoreboard
from traces.ledger import Ledger
from traces.schema import CAUSE

TRANSFER = CAUSE["busy/transfer"]


@dataclass(frozen=True, slots=True)
class Leg:
    """One server of a route.

    first_row: the row of the engine's lane 0 there. offset_cycles: from the start of a transfer to
    its first beat there.
    """

    server: KernelServer
    first_row: int
    offset_cycles: int


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a transfer; without legs it takes no time."""

    legs: tuple[Leg, ...]


_LastLeg = tuple[int, int, Any, Sequence[int]]
"""Cycle, number, server and ticks of the leg on which a transfer ended last so far."""
_NOTHING_YET: _LastLeg = (-1, 0, None, ())


class DmaEngine:
    """Moves the tiles of one operand: up to `lanes` transfers at a time, started in program order.

    release: per task, the cycle before which it isn't issued. moves: per task, its route and the
    job on each leg of the route, without its release.
    """

    def __init__(
        self,
        env: CycleEnvironment,
        unit: int,
        tasks: Sequence[int],
        lanes: int,
        release: Sequence[int],
        moves: Mapping[int, tuple[Route, Sequence[Sequence[int]]]],
        board: Scoreboard,
        ledger: Ledger,
    ) -> None:
        self.env, self.unit, self.tasks = env, unit, tasks
        self.release, self.moves, self.board, self.ledger = release, moves, board, ledger
        self._lanes = list(range(lanes))[::-1]
        self._legs_left = [0] * lanes
        self._last = [_NOTHING_YET] * lanes
        self._lane_freed: simpy.Event | None = None
        self._freed_by = -1
        self._busy_since = -1
        self._free_since = 0
        self._in_flight = 0
        self._connect(lanes)
        env.process(self._issue())

    def _connect(self, lanes: int) -> None:
        """Ask every server on the way to say when a transfer is through there."""
        routes = {id(route): route for route, _ in self.moves.values()}
        for route in routes.values():
            for number, leg in enumerate(route.legs):
                for lane in range(lanes):
                    leg.server.connect(
                        leg.first_row + lane, partial(self._leg_is_done, lane, number, leg.server)
                    )

    def _issue(self) -> Generator[simpy.Event, Any, None]:
        board, held_by = self.board, -1
        for task in self.tasks:
            gate = board.gate(task)
            if gate is not None:
                yield gate
            if not self._lanes:
                self._lane_freed = self.env.event()
                yield self._lane_freed
                self._lane_freed = None
                held_by = self._freed_by
            if self.env.now < self.release[task]:
                yield self.env.timeout(self.release[task] - self.env.now)
                held_by = -1
            self._start(task, held_by)
            held_by = task

    def _start(self, task: int, held_by: int) -> None:
        now, lane = self.env.now, self._lanes.pop()
        self.board.start(task, self.unit, self._free_since if not self._in_flight else now, held_by)
        if not self._in_flight:
            self._busy_since = now
        self._in_flight += 1
        route, jobs = self.moves[task]
        self._legs_left[lane] = len(route.legs)
        self._last[lane] = _NOTHING_YET
        for leg, job in zip(route.legs, jobs, strict=True):
            leg.server.submit(leg.first_row + lane, task, (now + leg.offset_cycles, *job))
        if not route.legs:
            self._end(lane, task)

    def _leg_is_done(
        self, lane: int, leg: int, server: KernelServer, task: int, ticks: Sequence[int]
    ) -> None:
        now = self.env.now
        last = self._last[lane]
        if now > last[0] or leg < last[1]:
            # Of legs that end together the first of the route (the DRAM end) is held responsible.
            last = self._last[lane] = (now, leg, server, ticks)
        self._legs_left[lane] -= 1
        if not self._legs_left[lane]:
            self.board.moved(task, last[2], last[3])
            self._end(lane, task)

    def _end(self, lane: int, task: int) -> None:
        self._lanes.append(lane)
        self._in_flight -= 1
        if not self._in_flight:
            now = self.env.now
            self.ledger.add(self.unit, self._busy_since, now, TRANSFER, task)
            self._free_since = now
        self._freed_by = task
        if self._lane_freed is not None and not self._lane_freed.triggered:
            self._lane_freed.succeed()
        self.board.end(task)
