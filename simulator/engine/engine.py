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
from hw_models.spec import OPERANDS
from hw_models.unit import ComputeUnit
from simulator.engine.conservation import check_beats, check_slots
from simulator.engine.deadlock import DeadlockError, describe_deadlock
from simulator.engine.explain import Explainer
from simulator.engine.fabric.cycle import CycleFabric
from simulator.engine.fabric.fabric import Fabric
from simulator.engine.fabric.ideal import IdealFabric
from simulator.engine.fabric.simple import SimpleFabric
from simulator.engine.job_table import machine_facts, spent_columns
from simulator.engine.scoreboard import Scoreboard
from simulator.engine.wiring import ledger_names, wire
from simulator.program import Int64s, TileProgram
from traces.ledger import Batch, Ledger
from traces.recorder import Recorder
from traces.schema import CAUSES, DEPENDENCES, MACHINE, TASK_KINDS

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


FABRICS: dict[str, Callable[[Floorplan], Fabric]] = {
    "ideal": IdealFabric,
    "simple": SimpleFabric,
    "cycle": CycleFabric,
}
"""The models of the memory system by name."""


def words_of(plan: Floorplan, program: TileProgram, memory: str) -> dict[str, Sequence[str]]:
    """The words of the trace's dictionary columns, in the order of the program's codes."""
    fabric = FABRICS[memory](plan)
    return {
        "kind": TASK_KINDS,
        "unit": ledger_names(plan, fabric),
        "server": [resource.name for resource in fabric.resources],
        "layer": program.layers,
        "operand": OPERANDS,
        "buffer": plan.buffers,
        "cause": CAUSES,
        "dependence": DEPENDENCES,
    }


class Engine:
    """One run of a program on a chip. Build it, call `run` once."""

    def __init__(
        self,
        program: TileProgram,
        plan: Floorplan,
        recorder: Recorder | None = None,
        memory: str = "simple",
    ) -> None:
        self.program, self.plan, self.recorder = program, plan, recorder
        self.fabric = FABRICS[memory](plan)
        self.names = ledger_names(plan, self.fabric)
        self.env = CycleEnvironment()
        self.ledger = Ledger(
            self.names, self._write_intervals, keep=plan.compute_units, resolve=self._explain
        )
        self._ended: list[int] = []
        self.board = Scoreboard(self.env, program, self.ledger, self._ended.append)
        self.events = 0
        self._build()

    def run(self, progress: Progress | None = None) -> EngineRun:
        """Run to the end. Raises DeadlockError, ConservationError or LedgerError."""
        if self.recorder is not None:
            self._write_graph(self.recorder)
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
        check_beats({s.name: s.beats_served for s in self.servers.values()}, self.jobs.due())
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

    def _build(self) -> None:
        wiring = wire(self.program, self.plan, self.fabric, self.env, self.ledger)
        self.servers, self.jobs = wiring.servers, wiring.jobs
        self.explainer = Explainer(self.program.tasks, self.servers.values(), len(self.names))
        cycles = self.program.tasks["cycles"].tolist()
        overlap = self.program.tasks["overlap_cycles"].tolist()
        units = {}
        for unit in self.plan.compute_units:
            tasks = self.program.tasks_of(unit).tolist()
            units[unit] = ComputeUnit(
                self.env, unit, tasks, cycles, overlap, wiring.trains, self.board, self.ledger
            )
        for server, row, unit in wiring.listeners:
            server.connect(row, units[unit].train_is_through)
        release = self.program.tasks["release"].tolist()
        for unit, lanes in self.plan.lanes_of.items():
            tasks = self.program.tasks_of(unit).tolist()
            moves = wiring.moves[unit]
            DmaEngine(self.env, unit, tasks, lanes, release, moves, self.board, self.ledger)

    # -- recording

    def _write_graph(self, recorder: Recorder) -> None:
        jobs, resources = self.jobs.columns(), self.fabric.resources
        recorder.describe({MACHINE: machine_facts(self.plan, self.servers, resources, jobs)})
        recorder.write("edges", self.program.edges)
        recorder.write("jobs", jobs)
        self._server_of = np.full(len(self.names), -1, dtype=np.int64)
        for code, name in enumerate(self.jobs.servers):
            self._server_of[list(self.servers[name].units)] = code

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
            columns[name] = np.append(slots[column], -1)[filled]  # -1, no slot, is the last
        self.recorder.write("tasks", {"task": rows, **columns})
        end = np.array(self.board.end_cycle, dtype=np.int64)
        spent = spent_columns(rows, end, self.board.times(), self.explainer, self._server_of)
        self.recorder.write("spent", spent)

    def _explain(self, batch: Batch) -> Batch:
        return self.explainer.expand(batch, self.board.times())

    def _write_intervals(self, batch: Batch) -> None:
        if self.recorder is not None:
            self.recorder.write("intervals", batch)
