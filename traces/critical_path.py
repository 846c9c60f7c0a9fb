# mypy: disable-error-code="no-untyped-def"
"""The critical path: the tasks and waits that determine a run's end, and the slack of all others.

Rules: ARCHITECTURE.md PATH-1 to PATH-3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from traces.interval_stream import interval_batches
from traces.replay_order import Durations, task_times
from traces.schema import CAUSE, CAUSES, TASK_KINDS
from traces.task_graph import TaskGraph

Int64s = NDArray[np.int64]

OPERAND_STALLS = (CAUSE["stall/sram_bandwidth"], CAUSE["stall/bank_conflict"])
"""What a computation can lose while it runs."""
WAIT = CAUSE["stall/dependency"]


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """What determines the end of a run.

    rows: tasks on the path in order of time. cycles: (rows + 1, causes) of each, and of waits that
    no recorded task explains; they add up to the run's length. slack: (tasks,) cycles by which a
    task could end later, durations and order kept, without a longer run.
    """

    graph: TaskGraph
    rows: Int64s
    cycles: Int64s
    slack: Int64s

    def by(self, what: str) -> list[dict[str, Any]]:
        """Cycles per word of `layer` or `unit`, most first: keys name, cycles, causes, tasks."""
        words = {"layer": self.graph.layers, "unit": self.graph.units}[what]
        codes = np.append(self.graph.tasks[what][self.rows], -1)
        groups = []
        for code in np.unique(codes).tolist():
            mine = codes == code
            cycles = self.cycles[mine].sum(axis=0)
            if cycles.any():
                name = words[code] if code >= 0 else "(none)"
                groups.append({"name": name, "tasks": int(mine[:-1].sum()), **_causes(cycles)})
        return sorted(groups, key=lambda group: -group["cycles"])

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON."""
        tasks, ids = self.graph.tasks, self.graph.ids
        path = [
            {
                "task": int(ids[row]),
                "kind": TASK_KINDS[tasks["kind"][row]],
                "unit": self.graph.units[tasks["unit"][row]] if tasks["unit"][row] >= 0 else None,
                "layer": self.graph.layers[tasks["layer"][row]]
                if tasks["layer"][row] >= 0
                else None,
                "start": int(tasks["start"][row]),
                "end": int(tasks["end"][row]),
            }
            for row in self.rows.tolist()
        ]
        return {
            "complete": self.graph.complete,
            **_causes(self.cycles.sum(axis=0)),
            "layers": self.by("layer"),
            "units": self.by("unit"),
            "path": path,
            "slack": {"task": ids.tolist(), "cycles": self.slack.tolist()},
        }


def critical_path(graph: TaskGraph) -> CriticalPath:
    """The path that determines the end of a run, from cycle 0 on. Of several one is taken."""
    tasks = graph.tasks
    pointers, sources = graph.predecessors()
    durations = tasks["end"] - tasks["start"]
    plain = Durations.plain(durations)._replace(release=tasks["release"])
    times = task_times(tasks["unit"], pointers, sources, plain, graph.lanes)
    held_by = np.where(times.held_by >= 0, times.held_by, _ended_before(graph))
    rows = np.array(_walk(tasks["start"], tasks["end"], held_by), dtype=np.int64)
    causes = task_causes(graph, rows)
    # Imported traces may start a task later than all that it waited for has ended.
    starts, ends = tasks["start"][rows], tasks["end"][rows]
    unexplained = np.zeros((1, len(CAUSES)), dtype=np.int64)
    unexplained[0, WAIT] = np.maximum(starts - np.append([0], ends[:-1]), 0).sum()
    slack = _slack(
        tasks["unit"], pointers, sources, durations, graph.lanes, tasks["start"], graph.end_cycle
    )
    return CriticalPath(graph, rows, np.concatenate([causes, unexplained]), slack)


def _ended_before(graph: TaskGraph) -> Int64s:
    """Of its last predecessor and the task before it on its unit, the one that ended later, for
    every task that has one of them, else -1: where the path goes on from a planned start."""
    unit, ends = graph.tasks["unit"], np.append(graph.tasks["end"], -1)
    order = np.argsort(unit, kind="stable")
    before = np.full(len(graph), -1, dtype=np.int64)
    same = (unit[order[1:]] == unit[order[:-1]]) & (unit[order[1:]] >= 0)
    before[order[1:]] = np.where(same, order[:-1], -1)
    blocker = graph.tasks["blocker"]
    return np.where(ends[blocker] >= ends[before], blocker, before)


def _walk(start: Int64s, end: Int64s, held_by: Int64s) -> list[int]:
    if not end.size:
        return []
    path, at = [], int(end.max())
    # The last of the tasks that end together: whoever ends the run in no time comes after them.
    row = int(np.flatnonzero(end == at)[-1])
    while row >= 0:
        if end[row] <= at and end[row] > start[row]:
            path.append(row)
            at = int(start[row])
        row = int(held_by[row])
    return path[::-1]


def task_causes(graph: TaskGraph, rows: Int64s) -> Int64s:
    """Cycles per cause of some tasks: (rows, causes), which add up to their lengths."""
    tasks = graph.tasks
    cycles = np.zeros((rows.size, len(CAUSES)), dtype=np.int64)
    where = np.full(len(graph), -1, dtype=np.int64)
    where[rows] = np.arange(rows.size)
    spent_on = where[graph.spent["task"]]
    on = spent_on >= 0
    np.add.at(cycles, (spent_on[on], graph.spent["cause"][on]), graph.spent["cycles"][on])
    lengths = (tasks["end"] - tasks["start"])[rows]
    computes = tasks["kind"][rows] == TASK_KINDS.index("COMPUTE")
    # Imported tasks may not say how many cycles they compute: then all of them.
    given, hidden = tasks["cycles"][rows], graph.hidden_cycles()[rows]
    worked = np.where(given >= 0, np.minimum(given - hidden, lengths), lengths)
    worked = np.where(computes, worked, 0)
    fill = np.where(computes, (tasks["fill_cycles"][rows] - hidden).clip(0), 0)
    fill = np.minimum(fill, worked)
    cycles[:, CAUSE["busy/fill"]] += fill
    cycles[:, CAUSE["busy/compute"]] += worked - fill
    rest = lengths - cycles.sum(axis=1)
    if (rest[computes] > 0).any():
        cycles[computes] += _operand_stalls(graph, where)[computes]
        rest = lengths - cycles.sum(axis=1)
    cycles[:, CAUSE["busy/transfer"]] += np.where(computes, 0, rest)
    cycles[:, OPERAND_STALLS[0]] += np.where(computes, rest, 0)
    return cycles


def _operand_stalls(graph: TaskGraph, where: Int64s) -> Int64s:
    """What computations lost while they ran, from the ledger: (rows, causes)."""
    cycles = np.zeros((int(where.max()) + 1, len(CAUSES)), dtype=np.int64)
    rows_of = np.full(int(graph.ids.max(initial=0)) + 2, -1, dtype=np.int64)
    rows_of[graph.ids] = np.arange(len(graph))
    for batch in interval_batches(graph.folder).batches:
        stalls = np.isin(batch["cause"], OPERAND_STALLS) & (batch["task"] >= 0)
        stalls &= batch["task"] < rows_of.size
        row = rows_of[batch["task"][stalls]]
        here = where[row]
        during = (row >= 0) & (here >= 0) & (batch["start"][stalls] >= graph.tasks["start"][row])
        length = (batch["end"] - batch["start"])[stalls]
        np.add.at(cycles, (here[during], batch["cause"][stalls][during]), length[during])
    return cycles


def _slack(
    unit: Int64s,
    pointers: Int64s,
    sources: Int64s,
    durations: Int64s,
    lanes: Int64s,
    start: Int64s,
    end_cycle: int,
) -> Int64s:
    latest = np.full(unit.size, end_cycle, dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(lanes)]).astype(np.int64)
    _latest_ends(unit, pointers, sources, durations, first, start, latest)
    return latest - durations - start


@njit(cache=True)
def _lane_before(unit, durations, first, start):
    """Per task, the task that had its lane before (-1: none), lanes taken as in `start_times`."""
    units = first.size - 1
    free_at = np.zeros(first[units], dtype=np.int64)
    freed_by = np.full(first[units], -1, dtype=np.int64)
    before = np.full(unit.size, -1, dtype=np.int64)
    for task in range(unit.size):
        here = unit[task]
        if here >= 0:
            lane = first[here]
            for other in range(lane + 1, first[here + 1]):
                if free_at[other] < free_at[lane]:
                    lane = other
            before[task] = freed_by[lane]
            free_at[lane] = start[task] + durations[task]
            freed_by[lane] = task
    return before


@njit(cache=True)
def _latest_ends(unit, pointers, sources, durations, first, start, latest):
    """Lower the latest end of each task to what those after it allow, from the last row back."""
    lane_before = _lane_before(unit, durations, first, start)
    next_start = np.full(first.size, latest.max() if latest.size else 0, dtype=np.int64)
    for task in range(unit.size - 1, -1, -1):
        here = unit[task]
        if here >= 0:
            latest[task] = min(latest[task], next_start[here] + durations[task])
        starts = latest[task] - durations[task]
        for i in range(pointers[task], pointers[task + 1]):
            latest[sources[i]] = min(latest[sources[i]], starts)
        if here >= 0:
            next_start[here] = starts
            if lane_before[task] >= 0:
                latest[lane_before[task]] = min(latest[lane_before[task]], starts)


def longest_chain_plain(
    predecessors: Sequence[Sequence[int]], durations: Sequence[int]
) -> tuple[int, list[int]]:
    """Length of a graph without units, and slack of every task: the oracle of small graphs."""
    n = len(durations)
    after: list[list[int]] = [[] for _ in range(n)]
    for task, before in enumerate(predecessors):
        for source in before:
            after[source].append(task)

    def head(task: int) -> int:
        return max((head(p) + durations[p] for p in predecessors[task]), default=0)

    def tail(task: int) -> int:
        return durations[task] + max((tail(s) for s in after[task]), default=0)

    through = [head(task) + tail(task) for task in range(n)]
    longest = max(through, default=0)
    return longest, [longest - length for length in through]


def _causes(cycles: Int64s) -> dict[str, Any]:
    named = {CAUSES[i]: int(n) for i, n in enumerate(cycles) if n}
    ordered = dict(sorted(named.items(), key=lambda item: -item[1]))
    return {"cycles": int(cycles.sum()), "causes": ordered}
