"""What every importer makes, a list of tasks, and how that becomes a run folder. Rule: IMPORT-1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np

from traces.errors import InputError
from traces.ledger import Batch, Ledger
from traces.recorder import Recorder
from traces.schema import CAUSE, CAUSES, DEPENDENCES, MACHINE, TABLES, TASK_KIND, TASK_KINDS

DATA = DEPENDENCES.index("data")
COMPUTE = "COMPUTE"


@dataclass(frozen=True, slots=True)
class ImportedTask:
    """A task of another tool. kind: of schema.TASK_KINDS; layer "": none; bytes: moved."""

    name: str
    unit: str
    start: int
    end: int
    kind: str = COMPUTE
    layer: str = ""
    bytes: int = 0
    macs: int = 0


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """Tasks of another tool. edges: (before, after, dependence), tasks by name. lanes: tasks that a
    unit may have under way, 1 if not given."""

    source: str
    tasks: Sequence[ImportedTask]
    edges: Sequence[tuple[str, str, str]] = ()
    lanes: Mapping[str, int] = field(default_factory=dict)


def write_run(run: ImportedRun, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write tasks as a run folder. facts: for the manifest.

    Raises InputError for a dependence on an unknown task, a circle of dependences, a task that
    starts before what it needs has ended, and more tasks on a unit at a time than it has lanes.
    """
    numbered = {task.name: i for i, task in enumerate(run.tasks)}
    if len(numbered) < len(run.tasks):
        raise InputError(f"{run.source}: tasks must have different names")
    edges = [_numbers(run.source, edge, numbered) for edge in run.edges]
    order = _topological(run, edges)
    row_of = {old: new for new, old in enumerate(order)}
    tasks = [run.tasks[old] for old in order]
    links = sorted((row_of[src], row_of[dst], kind) for src, dst, kind in edges)
    _check_starts(run.source, tasks, links)
    units = sorted({task.unit for task in tasks})
    _check_lanes(run, tasks)
    layers = list(dict.fromkeys(task.layer for task in tasks if task.layer))
    words = _words(units, layers)
    machine = {"servers": {}, "lanes": dict(run.lanes), "latency_cycles": {}, "slots": {}}
    with Recorder(folder, words, {"network": run.source, MACHINE: machine, **facts}) as recorder:
        recorder.write("tasks", _columns(tasks, links, units, layers))
        rows = np.array(links, dtype=np.int64).reshape(-1, 3)
        columns = {name: rows[:, i] for i, name in enumerate(("src", "dst", "dependence"))}
        recorder.write("edges", columns)
        end = max((task.end for task in tasks), default=0)
        _write_ledger(recorder, tasks, units, end)
        recorder.complete({"cycles": end, "tasks": len(tasks)})


def _numbers(
    source: str, edge: tuple[str, str, str], numbered: Mapping[str, int]
) -> tuple[int, int, int]:
    for name in edge[:2]:
        if name not in numbered:
            raise InputError(f"{source}: an edge must lead between tasks, not {name!r}")
    if edge[2] not in DEPENDENCES:
        raise InputError(
            f"{source}: dependence must be one of {', '.join(DEPENDENCES)}, not {edge[2]!r}"
        )
    return numbered[edge[0]], numbered[edge[1]], DEPENDENCES.index(edge[2])


def _topological(run: ImportedRun, edges: Sequence[tuple[int, int, int]]) -> list[int]:
    """Tasks so that every edge leads forwards, otherwise in order of time."""
    after: list[list[int]] = [[] for _ in run.tasks]
    waits = [0] * len(run.tasks)
    for src, dst, _ in edges:
        after[src].append(dst)
        waits[dst] += 1

    def key(task: int) -> tuple[int, int, int]:
        return run.tasks[task].start, run.tasks[task].end, task

    ready = [key(task) for task, n in enumerate(waits) if not n]
    heapify(ready)
    order = []
    while ready:
        task = heappop(ready)[2]
        order.append(task)
        for later in after[task]:
            waits[later] -= 1
            if not waits[later]:
                heappush(ready, key(later))
    if len(order) < len(run.tasks):
        raise InputError(f"{run.source}: dependences must have no cycle: {_circle(run, edges)}")
    return order


def _circle(run: ImportedRun, edges: Sequence[tuple[int, int, int]]) -> str:
    """One circle of dependences in words."""
    before: dict[int, list[int]] = {}
    for src, dst, _ in edges:
        before.setdefault(dst, []).append(src)
    # Tasks without predecessors can't be on a circle, nor those that only wait for such.
    open_ = set(before)
    while True:
        stuck = {t for t in open_ if any(p in open_ for p in before[t])}
        if stuck == open_:
            break
        open_ = stuck
    task, seen = min(open_), list[int]()
    while task not in seen:
        seen.append(task)
        task = next(p for p in before[task] if p in open_)
    circle = [*seen[seen.index(task) :], task][::-1]
    return " -> ".join(run.tasks[t].name for t in circle)


def _check_starts(
    source: str, tasks: Sequence[ImportedTask], links: Sequence[tuple[int, int, int]]
) -> None:
    for task in tasks:
        if not 0 <= task.start <= task.end:
            raise InputError(
                f"{source}: task {task.name} must run forwards from cycle 0 or later, not from "
                f"{task.start} to {task.end}"
            )
    for src, dst, _ in links:
        if tasks[dst].start < tasks[src].end:
            raise InputError(
                f"{source}: task {tasks[dst].name} must start at or after cycle {tasks[src].end}, "
                f"when task {tasks[src].name} ends, not at {tasks[dst].start}"
            )


def _check_lanes(run: ImportedRun, tasks: Sequence[ImportedTask]) -> None:
    for unit, rows in _by_unit(tasks).items():
        ends: list[tuple[int, str]] = []
        for task in (tasks[row] for row in rows):
            while ends and ends[0][0] <= task.start:
                heappop(ends)
            if len(ends) >= run.lanes.get(unit, 1):
                raise InputError(
                    f"{run.source}: tasks of unit {unit} must not overlap: {task.name} starts at "
                    f"cycle {task.start}, before {ends[0][1]} ends at {ends[0][0]}"
                )
            heappush(ends, (task.end, task.name))


def _by_unit(tasks: Sequence[ImportedTask]) -> dict[str, list[int]]:
    """Rows of the tasks of each unit, in order of time."""
    rows: dict[str, list[int]] = {}
    for row in sorted(range(len(tasks)), key=lambda row: (tasks[row].start, tasks[row].end)):
        rows.setdefault(tasks[row].unit, []).append(row)
    return rows


def _words(units: Sequence[str], layers: Sequence[str]) -> dict[str, Sequence[str]]:
    return {
        "kind": TASK_KINDS,
        "unit": units,
        "layer": layers,
        "cause": CAUSES,
        "dependence": DEPENDENCES,
        **dict.fromkeys(("operand", "buffer", "server", "component", "action"), ()),
    }


def _columns(
    tasks: Sequence[ImportedTask],
    links: Sequence[tuple[int, int, int]],
    units: Sequence[str],
    layers: Sequence[str],
) -> dict[str, np.ndarray]:
    n = len(tasks)
    ready, blocker = np.zeros(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    for src, dst, _ in links:
        if blocker[dst] < 0 or tasks[src].end > ready[dst]:
            ready[dst], blocker[dst] = tasks[src].end, src
    unit_codes = {name: i for i, name in enumerate(units)}
    layer_codes = {name: i for i, name in enumerate(layers)}
    columns = {name: np.full(n, -1, dtype=np.int64) for name in TABLES["tasks"].names}
    for name in TABLES["tasks"].names[TABLES["tasks"].names.index("overlap_cycles") :]:
        if name not in ("buffer", "buffer_offset", "buffer_bytes"):
            columns[name] = np.zeros(n, dtype=np.int64)
    given = {
        "kind": [TASK_KIND[task.kind] for task in tasks],
        "unit": [unit_codes[task.unit] for task in tasks],
        "layer": [layer_codes.get(task.layer, -1) for task in tasks],
        "start": [task.start for task in tasks],
        "end": [task.end for task in tasks],
        "bytes": [task.bytes for task in tasks],
        "macs": [task.macs for task in tasks],
        "cycles": [task.end - task.start if task.kind == COMPUTE else 0 for task in tasks],
    }
    columns |= {name: np.array(values, dtype=np.int64) for name, values in given.items()}
    return columns | {"task": np.arange(n), "ready": ready, "blocker": blocker}


def _write_ledger(
    recorder: Recorder, tasks: Sequence[ImportedTask], units: Sequence[str], end: int
) -> None:
    """Every unit works while it has tasks, waits before its next one, and then has none."""

    def write(batch: Batch) -> None:
        recorder.write("intervals", batch)

    ledger, rows = Ledger(units, write), _by_unit(tasks)
    for unit, name in enumerate(units):
        at = 0
        for row in rows[name]:
            task = tasks[row]
            start, last = max(at, task.start), max(at, task.end)
            busy = "busy/compute" if task.kind == COMPUTE else "busy/transfer"
            ledger.add(unit, at, start, CAUSE["stall/dependency"], row)
            ledger.add(unit, start, last, CAUSE[busy], row)
            at = last
    ledger.finish(end)
