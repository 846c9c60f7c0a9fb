"""A run as a Chrome trace (JSON), which the Perfetto UI and its trace processor open.

One microsecond of the trace is one chip cycle, so that every time is a whole number. Three groups
of tracks: what each unit spent its cycles on; the tasks of each unit, a tile's transfer tied by an
arrow to the computation that uses it; bytes moved and buffers filled, as counters. Format: "Trace
Event Format" of the Chromium project.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.interval_stream import interval_batches
from traces.plots.columns import columns, words
from traces.plots.slots import data_edges
from traces.plots.transfers import bytes_per_cycle
from traces.plots.view import RunView, load_view
from traces.run_folder import read_table
from traces.schema import CAUSES, TASK_KIND, TASK_KINDS

Int64s = NDArray[np.int64]
Event = dict[str, Any]

CYCLES, TASKS, MEMORY = 1, 2, 3
GROUPS = {CYCLES: "where the cycles went", TASKS: "tasks", MEMORY: "memory"}
LANES = 1000
"""Track numbers of one unit's tasks: those that overlap get tracks of their own."""


def write_trace(folder: Path, file: TextIO) -> int:
    """Write a run event by event; returns their number. Raises InputError."""
    view = load_view(folder)
    file.write('{"displayTimeUnit":"ns","otherData":')
    file.write(json.dumps(_facts(view)))
    file.write(',"traceEvents":[')
    count = 0
    for event in events(view):
        file.write((",\n" if count else "\n") + json.dumps(event, separators=(",", ":")))
        count += 1
    file.write("\n]}\n")
    return count


def events(view: RunView) -> Iterator[Event]:
    """All events of a run: tracks' names first, then group by group."""
    yield from _names(GROUPS.items(), "process_name")
    yield from _names(enumerate(view.units), "thread_name", CYCLES)
    yield from _intervals(view)
    yield from _tasks(view)
    yield from _counters(view)


def _facts(view: RunView) -> Event:
    keys = ("network", "chip", "tilesim", "complete")
    facts = {key: view.manifest[key] for key in keys if key in view.manifest}
    return {**facts, "time": "1 us is 1 chip cycle", "clock_ghz": view.clock_ghz}


def _names(
    names: Iterable[tuple[int, str]], kind: str, group: int | None = None
) -> Iterator[Event]:
    """Metadata: the names of groups, or of the tracks of one."""
    for number, name in names:
        place = {"pid": number} if group is None else {"pid": group, "tid": number}
        yield {"ph": "M", "name": kind, **place, "args": {"name": name}}


def _intervals(view: RunView) -> Iterator[Event]:
    for batch in interval_batches(view.folder).batches:
        rows = zip(*(batch[name].tolist() for name in _INTERVAL), strict=True)
        for unit, start, end, cause, task in rows:
            name, args = CAUSES[cause], {"task": task} if task >= 0 else {}
            yield {
                **_slice(CYCLES, unit, start, end, name),
                "cat": name.partition("/")[0],
                "args": args,
            }


_INTERVAL = ("unit", "start", "end", "cause", "task")


def _slice(group: int, track: int, start: int, end: int, name: str) -> Event:
    return {"ph": "X", "name": name, "pid": group, "tid": track, "ts": start, "dur": end - start}


def _tasks(view: RunView) -> Iterator[Event]:
    """Slices of tasks that took time, and arrows from transfers to what uses their tiles."""
    table = read_table(view.folder, "tasks")
    task, kind, unit, start, end = columns(table, "task", "kind", "unit", "start", "end")
    track = np.full(task.size, -1, dtype=np.int64)
    for code, name in enumerate(words(table, "unit")):
        mine = np.flatnonzero((unit == code) & (end > start))
        lanes = track_of(start[mine], end[mine])
        track[mine] = code * LANES + lanes
        tracks = range(code * LANES, code * LANES + int(lanes.max(initial=-1)) + 1)
        yield from _names(((number, name) for number in tracks), "thread_name", TASKS)
    yield from _task_slices(table, track)
    edges = data_edges(read_table(view.folder, "edges"), task)
    yield from _arrows(edges, kind, track, start, end)


def _task_slices(table: pa.Table, track: Int64s) -> Iterator[Event]:
    """A slice for each task that has a track."""
    names = ("task", "kind", "layer", "operand", "start", "end", "bytes")
    task, kind, layer, operand, start, end, moved = columns(table, *names)
    layers, operands = (("", *words(table, name)) for name in ("layer", "operand"))
    for row in np.flatnonzero(track >= 0).tolist():
        of, verb = layers[layer[row] + 1], TASK_KINDS[kind[row]]
        name = " ".join(word for word in (verb, operands[operand[row] + 1], of) if word)
        yield {
            **_slice(TASKS, int(track[row]), int(start[row]), int(end[row]), name),
            "cat": verb,
            "args": {"task": int(task[row]), "layer": of, "bytes": int(moved[row])},
        }


def _arrows(
    edges: tuple[Int64s, Int64s], kind: Int64s, track: Int64s, start: Int64s, end: Int64s
) -> Iterator[Event]:
    """From the last cycle of a load to the start of a user, from that of a maker to the store."""
    src, dst = edges
    moves = (kind[src] == TASK_KIND["LOAD"]) | (kind[dst] == TASK_KIND["STORE"])
    drawn = np.flatnonzero(moves & (track[src] >= 0) & (track[dst] >= 0))
    for number, edge in enumerate(drawn.tolist()):
        a, b = int(src[edge]), int(dst[edge])
        same = {"name": "tile", "cat": "tile", "id": number, "pid": TASKS}
        yield {**same, "ph": "s", "tid": int(track[a]), "ts": int(end[a]) - 1}
        yield {**same, "ph": "f", "bp": "e", "tid": int(track[b]), "ts": int(start[b])}


def track_of(start: Int64s, end: Int64s) -> Int64s:
    """The lowest track for each of some tasks on which no two of them overlap."""
    track = np.zeros(start.size, dtype=np.int64)
    free_at: list[int] = []
    for row in np.argsort(start, kind="stable").tolist():
        begin = int(start[row])
        lane = next((i for i, free in enumerate(free_at) if free <= begin), len(free_at))
        free_at[lane : lane + 1] = [int(end[row])]
        track[row] = lane
    return track


def _counters(view: RunView) -> Iterator[Event]:
    """DRAM bytes per cycle in even steps, and each buffer's bytes wherever they change."""
    read, written, bounds = bytes_per_cycle(view.transfers, view.bin_ends, view.bin_ends.size)
    for at, a, b in zip(bounds.tolist(), read.tolist(), written.tolist(), strict=False):
        yield _counter("DRAM bytes per cycle", at, {"read": a, "written": b})
    yield _counter("DRAM bytes per cycle", view.end_cycle, {"read": 0, "written": 0})
    slots = view.slots
    for code, name in enumerate(slots.buffers):
        mine = slots.buffer == code
        times, change = np.unique(
            np.concatenate([slots.taken[mine], slots.freed[mine]]), return_inverse=True
        )
        sizes = np.concatenate([slots.bytes[mine], -slots.bytes[mine]])
        level = np.cumsum(np.bincount(change, sizes, minlength=times.size)).astype(np.int64)
        for at, taken in zip(times.tolist(), level.tolist(), strict=True):
            yield _counter(f"{name} bytes", at, {"taken": taken})


def _counter(name: str, at: int, values: Event) -> Event:
    return {"ph": "C", "name": name, "pid": MEMORY, "tid": 0, "ts": at, "args": values}
