"""The engine: builds the processes of a chip, runs a tile program on them, and checks the books."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import simpy

from hw_models.clock import CycleEnvironment
from hw_models.dma import DmaEngine
from hw_models.floorplan import Floorplan
from hw_models.port import port_kernel
from hw_models.server import KernelServer
from hw_models.spec import OPERANDS
from hw_models.unit import ComputeUnit
from simulator.engine.conservation import check_beats, check_slots
from simulator.engine.deadlock import DeadlockError, describe_deadlock
from simulator.engine.explain import Explainer
from simulator.engine.scoreboard import Scoreboard
from simulator.engine.wiring import RoutePlan, TrainPlan, dma_routes, server_plans, transfer_beats
from simulator.program import Int64s, TileProgram
from traces.ledger import Batch, Ledger
from traces.recorder import Recorder
from traces.schema import CAUSES, DEPENDENCES, TASK_KINDS

PAUSE_EVENTS = 1 << 16
"""Events between two looks at the clock of the user: tasks are written and progress is shown."""

Progress = Callable[[int, int], None]
"""Called now and then with tasks ended and tasks in all."""


@dataclass(frozen=True, slots=True)
class EngineRun:
    """What a run of the engine leaves behind.

    cycles: length of the run. ready, start, end: cycles per task; blocker: the predecessor that
    ended last. ledger: closed. peak_bytes: per buffer. events: SimPy events processed. seconds:
    wall time of the event loop.
    """

    cycles: int
    ready: Int64s
    start: Int64s
    end: Int64s
    blocker: Int64s
    ledger: Ledger
    peak_bytes: Int64s
    events: int
    seconds: float


def words_of(plan: Floorplan, program: TileProgram) -> dict[str, Sequence[str]]:
    """The words of the trace's dictionary columns, in the order of the program's codes."""
    return {
        "kind": TASK_KINDS,
        "unit": plan.units,
        "layer": program.layers,
        "operand": OPERANDS,
        "buffer": plan.buffers,
        "cause": CAUSES,
        "dependence": DEPENDENCES,
    }


class Engine:
    """One run of a program on a chip. Build it, call `run` once."""

    def __init__(
        self, program: TileProgram, plan: Floorplan, recorder: Recorder | None = None
    ) -> None:
        self.program, self.plan, self.recorder = program, plan, recorder
        self.env = CycleEnvironment()
        self.ledger = Ledger(
            plan.units, self._write_intervals, keep=plan.compute_units, resolve=self._explain
        )
        self._ended: list[int] = []
        self.board = Scoreboard(self.env, program, self.ledger, self._ended.append)
        self.events = 0
        self._build()

    def run(self, progress: Progress | None = None) -> EngineRun:
        """Run to the end. Raises DeadlockError, ConservationError or LedgerError."""
        if self.recorder is not None:
            self.recorder.write("edges", self.program.edges)
        began = perf_counter()
        self.board.begin()
        try:
            self._loop(progress)
        finally:
            # What happened before an interruption belongs into the trace.
            self._write_tasks()
            self.ledger.flush()
        seconds = perf_counter() - began
        cycles = max(self.board.end_cycle, default=0)
        for server in self.servers.values():
            server.finish()
        self.ledger.finish(cycles)
        ready, start, end, blocker = (np.array(c, dtype=np.int64) for c in self._task_times())
        check_beats({s.name: s.beats_served for s in self.servers.values()}, self._beats_due)
        peak = check_slots(self.program, self.plan, start, end)
        return EngineRun(
            cycles, ready, start, end, blocker, self.ledger, peak, self.events, seconds
        )

    def _task_times(self) -> tuple[array[int], ...]:
        board = self.board
        return board.ready_cycle, board.start_cycle, board.end_cycle, board.blocker

    def _loop(self, progress: Progress | None) -> None:
        step, board, total = self.env.step, self.board, len(self.program)
        events = 0
        # The program stays as it is: let the garbage collector look at the run's own objects only.
        gc.freeze()
        try:
            while board.left:
                step()
                events += 1
                if not events % PAUSE_EVENTS:
                    self._write_tasks()
                    if progress is not None:
                        progress(total - board.left, total)
        except simpy.core.EmptySchedule:
            text = describe_deadlock(self.program, self.plan, board, self.env.now)
            raise DeadlockError(text) from None
        finally:
            gc.unfreeze()
            self.events = events

    # -- construction

    def _build(self) -> None:
        plans = server_plans(self.plan)
        routes = {
            (core.index, operand): dma_routes(self.plan, core, operand, plans)
            for core in self.plan.cores
            for operand in core.dma
        }
        trains = TrainPlan.claim(self.program, self.plan, plans)
        self.servers = {
            unit: KernelServer(
                self.env,
                self.plan.units[unit],
                port_kernel(server.owners, server.cycles_per_tick, server.causes),
                self.ledger,
                [unit],
            )
            for unit, server in plans.items()
        }
        self.explainer = Explainer(self.program, self.servers)
        self._beats_due = dict.fromkeys((s.name for s in self.servers.values()), 0)
        self._build_compute_units(trains)
        for core in self.plan.cores:
            for operand, unit in core.dma.items():
                self._build_dma(unit, core.spec.dma.outstanding, routes[core.index, operand])

    def _build_compute_units(self, plan: TrainPlan) -> None:
        cycles = self.program.tasks["cycles"].tolist()
        trains = plan.build(self.program, self.servers)
        for train in (train for several in trains.values() for train in several):
            self._beats_due[train.server.name] += train.beats
        units = {}
        for unit in self.plan.compute_units:
            tasks = self.program.tasks_of(unit).tolist()
            units[unit] = ComputeUnit(
                self.env, unit, tasks, cycles, trains, self.board, self.ledger
            )
        for (unit, _, _), (server, row) in plan.rows.items():
            self.servers[server.unit].connect(row, units[unit].train_is_through)

    def _build_dma(self, unit: int, lanes: int, plans: dict[tuple[int, int], RoutePlan]) -> None:
        tasks = self.program.tasks_of(unit)
        kinds = self.program.tasks["kind"][tasks].tolist()
        buffers = self.program.tasks["buffer"][tasks].tolist()
        built = {key: plan.build(self.servers) for key, plan in plans.items()}
        beats = {key: transfer_beats(self.program, tasks, r.legs) for key, r in plans.items()}
        moves = {
            task: (built[key], beats[key][i])
            for i, (task, key) in enumerate(
                zip(tasks.tolist(), zip(kinds, buffers, strict=True), strict=True)
            )
        }
        for route, counts in moves.values():
            for leg, count in zip(route.legs, counts, strict=True):
                self._beats_due[leg.server.name] += count
        DmaEngine(self.env, unit, tasks.tolist(), lanes, moves, self.board, self.ledger)

    # -- recording

    def _write_tasks(self) -> None:
        rows = np.array(self._ended, dtype=np.int64)
        self._ended.clear()
        if self.recorder is None or not rows.size:
            return
        tasks, slots = self.program.tasks, self.program.slots
        columns = {name: column[rows] for name, column in tasks.items()}
        for name, times in zip(
            ("ready", "start", "end", "blocker"), self._task_times(), strict=True
        ):
            columns[name] = np.array(times, dtype=np.int64)[rows]
        filled = columns["slot"]
        for name, column in (("buffer_offset", "offset"), ("buffer_bytes", "bytes")):
            columns[name] = np.where(filled >= 0, slots[column][filled], -1)
        self.recorder.write("tasks", {"task": rows, **columns})

    def _explain(self, batch: Batch) -> Batch:
        return self.explainer.expand(batch, self.board.times())

    def _write_intervals(self, batch: Batch) -> None:
        if self.recorder is not None:
            self.recorder.write("intervals", batch)
