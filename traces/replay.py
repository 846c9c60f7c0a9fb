"""Replay: a recorded graph of tasks timed anew, unchanged or on a changed machine.

Unchanged it gives every start and end of the recording. Changed, durations follow from what each
task asked of the servers on its way; contention is kept as recorded or arbitrated anew.
Rules: ARCHITECTURE.md REPLAY-1 to REPLAY-5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from traces.replay_changes import Change, Machine, changed_machine, recorded_machine
from traces.replay_order import Durations, task_times
from traces.replay_shares import Work, shared_times
from traces.replay_slots import moved_credits
from traces.schema import CAUSE, TASK_KINDS
from traces.task_graph import TaskGraph

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]

CONTENTIONS = ("kept", "rearbitrated")
LOST_ON_SERVER = [CAUSE["stall/dram_row_miss"], CAUSE["stall/dram_refresh"]]
"""Time of a transfer in which its server is taken up but moves nothing."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Start and end of every task of a graph, timed anew."""

    graph: TaskGraph
    start: Int64s
    end: Int64s

    @property
    def end_cycle(self) -> int:
        """Length of the run."""
        return int(self.end.max(initial=0))

    @property
    def exact(self) -> int:
        """Tasks that start and end as recorded."""
        tasks = self.graph.tasks
        return int(((self.start == tasks["start"]) & (self.end == tasks["end"])).sum())


def replay(
    graph: TaskGraph, changes: Sequence[Change] = (), contention: str = "rearbitrated"
) -> Replay:
    """Time a graph anew. contention: of CONTENTIONS. Raises InputError for impossible changes.

    Without changes durations are those recorded, whatever `contention` says.
    """
    machine = changed_machine(graph, changes)
    if contention == "kept" or not changes:
        return _kept(graph, machine)
    return _rearbitrated(graph, machine)


def _kept(graph: TaskGraph, machine: Machine) -> Replay:
    durations = kept_durations(graph, machine)
    graph, lanes = _on(graph, machine)
    times = task_times(graph.tasks["unit"], *graph.predecessors(), durations, lanes)
    return Replay(graph, times.start, times.end)


def _on(graph: TaskGraph, machine: Machine) -> tuple[TaskGraph, Int64s]:
    """The graph with the credits, and the lanes, of a machine."""
    lanes = np.array([machine.lanes[unit] for unit in graph.units], dtype=np.int64)
    return moved_credits(graph, machine.slots), lanes


def kept_durations(graph: TaskGraph, machine: Machine) -> Durations:
    """What every task takes, with the waiting at servers that was recorded.

    A task lasts as long as it would alone, plus what it waited for, which is scaled with the speed
    of the server that it ended on last.
    """
    before = recorded_machine(graph)
    hidden = graph.hidden_cycles()
    recorded = graph.tasks["end"] - graph.tasks["start"] + hidden
    alone, changed = alone_cycles(graph, before), alone_cycles(graph, machine)
    scale = np.ones((len(graph.servers) + 1, 2), dtype=np.int64)
    for i, server in enumerate(graph.servers):
        ratio = machine.cycles_per_tick[server] / before.cycles_per_tick[server]
        scale[i] = ratio.numerator, ratio.denominator
    last = np.full(len(graph), -1, dtype=np.int64)
    last[graph.jobs["task"]] = graph.jobs["server"]
    last[graph.spent["task"]] = graph.spent["server"]
    lost = np.zeros(len(graph), dtype=np.int64)
    mine = np.isin(graph.spent["cause"], LOST_ON_SERVER)
    np.add.at(lost, graph.spent["task"][mine], graph.spent["cycles"][mine])
    waited = recorded - alone - lost
    waited = np.where(waited > 0, waited * scale[last, 0] // scale[last, 1], waited)
    # A task without jobs and cycles says nothing of what it is made of: it stays as it is.
    cycles = np.maximum(changed + lost + waited, 0)
    overlap = np.minimum(overlap_on(graph, machine), cycles)
    return Durations(cycles, overlap, graph.tasks["release"])


def overlap_on(graph: TaskGraph, machine: Machine) -> Int64s:
    """Cycles by which each task may begin before the last one of its unit ends."""
    overlap = _at_speed(graph, machine, graph.tasks["overlap_cycles"].clip(0))
    return np.minimum(overlap, computing_cycles(graph, machine))


def alone_cycles(graph: TaskGraph, machine: Machine) -> Int64s:
    """Cycles of every task that has all servers to itself."""
    cycles = computing_cycles(graph, machine)
    jobs, offsets = graph.jobs, offsets_on(graph, machine)
    ends = np.zeros(jobs["task"].size, dtype=np.int64)
    for i, server in enumerate(graph.servers):
        mine, rate = jobs["server"] == i, machine.cycles_per_tick[server]
        ends[mine] = offsets[mine] - (-jobs["ticks"][mine] * rate.numerator // rate.denominator)
    np.maximum.at(cycles, jobs["task"], ends)
    return cycles


def computing_cycles(graph: TaskGraph, machine: Machine) -> Int64s:
    """Cycles of computations with all operands at hand; 0 for other tasks."""
    tasks = graph.tasks
    computes = tasks["kind"] == TASK_KINDS.index("COMPUTE")
    given = tasks["cycles"] >= 0
    cycles = np.where(given, tasks["cycles"], tasks["end"] - tasks["start"])
    cycles = np.where(computes, cycles, 0)
    return _at_speed(graph, machine, cycles)


def _at_speed(graph: TaskGraph, machine: Machine, cycles: Int64s) -> Int64s:
    cycles = cycles.copy()
    for unit, speed in machine.speed.items():
        mine = graph.tasks["unit"] == graph.units.index(unit)
        rate = Fraction(0) if speed is None else 1 / speed
        cycles[mine] = -(-cycles[mine] * rate.numerator // rate.denominator)
    return cycles


def offsets_on(graph: TaskGraph, machine: Machine) -> Int64s:
    """Cycles from the start of a task to each of its jobs, with the latencies of a machine."""
    recorded = recorded_machine(graph).latency_cycles
    more = sum(n - recorded[name] for name, n in machine.latency_cycles.items())
    offsets = graph.jobs["offset"]
    return np.where(offsets > 0, np.maximum(offsets + more, 0), offsets)


def _rearbitrated(graph: TaskGraph, machine: Machine) -> Replay:
    tasks, jobs = graph.tasks, graph.jobs
    work, computing = job_cycles(graph, machine), computing_cycles(graph, machine)
    computes = tasks["kind"] == TASK_KINDS.index("COMPUTE")
    slowest = np.zeros(len(graph))
    np.maximum.at(slowest, jobs["task"], work)
    overlap = overlap_on(graph, machine)
    span = np.where(computes, computing - overlap, slowest)[jobs["task"]]
    has_jobs = np.zeros(len(graph), dtype=bool)
    has_jobs[jobs["task"]] = True
    unknown = ~has_jobs & ~computes
    fixed = np.where(unknown, tasks["end"] - tasks["start"], computing)
    pointers = graph.job_pointers()
    offsets = offsets_on(graph, machine) + first_data_cycles(graph, work, slowest)
    graph, lanes = _on(graph, machine)
    order = np.argsort(graph.edges["src"], kind="stable")
    counts = np.bincount(graph.edges["src"], minlength=len(graph))
    edge_pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    start, end = shared_times(
        Work(
            tasks["unit"], fixed, overlap, tasks["release"], pointers, jobs["server"], offsets,
            work, span.astype(np.float64), lanes, edge_pointers, graph.edges["dst"][order],
        ),
        len(graph.servers),
    )  # fmt: skip
    return Replay(graph, start, end)


def job_cycles(graph: TaskGraph, machine: Machine) -> Floats:
    """Cycles that each job takes up its server, including what the server lost on it.

    Transfers that are under way together see the same loss: each bears its part.
    """
    jobs, spent = graph.jobs, graph.spent
    rates = np.array([float(machine.cycles_per_tick[server]) for server in graph.servers] or [0.0])
    cycles: Floats = jobs["ticks"] * rates[jobs["server"]]
    mine = np.isin(spent["cause"], LOST_ON_SERVER)
    if mine.any():
        lost = np.zeros((len(graph), len(graph.servers)))
        np.add.at(lost, (spent["task"][mine], spent["server"][mine]), spent["cycles"][mine])
        lost /= _under_way(graph)
        cycles = cycles + lost[jobs["task"], jobs["server"]]
    return cycles


def _under_way(graph: TaskGraph) -> Floats:
    """Transfers that each server has on average while it has any, at least 1."""
    mean = np.ones(len(graph.servers))
    transfers = graph.tasks["kind"] != TASK_KINDS.index("COMPUTE")
    for i in range(mean.size):
        of_server = np.zeros(len(graph), dtype=bool)
        of_server[graph.jobs["task"][graph.jobs["server"] == i]] = True
        start, end = (graph.tasks[name][of_server & transfers] for name in ("start", "end"))
        order = np.argsort(start, kind="stable")
        start, end = start[order], end[order]
        until = np.concatenate([[0], np.maximum.accumulate(end)])[:-1]
        covered = np.maximum(end - np.maximum(start, until), 0).sum()
        if covered:
            mean[i] = (end - start).sum() / covered
    return mean


def first_data_cycles(graph: TaskGraph, work: Floats, slowest: Floats) -> Int64s:
    """Cycles by which jobs on DRAM start later than their offset, as rows have to be opened.

    Known of transfers that ended on DRAM and that it served at its own pace.
    """
    jobs, spent = graph.jobs, graph.spent
    latency = np.zeros((len(graph), len(graph.servers)), dtype=np.int64)
    mine = spent["cause"] == CAUSE["stall/dram_latency"]
    np.add.at(latency, (spent["task"][mine], spent["server"][mine]), spent["cycles"][mine])
    more = latency[jobs["task"], jobs["server"]] - jobs["offset"]
    return np.where(work >= slowest[jobs["task"]], np.maximum(more, 0), 0)
