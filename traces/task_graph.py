"""The tasks of a run and what they depend on, as arrays: what replay and critical path work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.errors import InputError
from traces.layers import LayerCycles, is_interleaved, layer_cycles
from traces.run_folder import read_manifest, read_table
from traces.schema import CAUSES, DEPENDENCES, MACHINE, TASK_KINDS

Int64s = NDArray[np.int64]

NUMBERS = (
    "ready",
    "start",
    "end",
    "blocker",
    "cycles",
    "fill_cycles",
    "overlap_cycles",
    "release",
    "bytes",
    "macs",
)
WORDS = ("kind", "unit", "layer", "operand", "buffer")


@dataclass(frozen=True, slots=True)
class TaskGraph:
    """A run's tasks in program order, their predecessors and their jobs on servers.

    units, layers, operands, buffers, servers: the words behind the codes. ids: (tasks,) numbers in
    the trace. tasks: columns (tasks,), -1 for null; `kind` counts in TASK_KINDS; `blocker` is a
    row. edges: columns src, dst, dependence, sorted by dst. jobs: columns task, server, offset,
    ticks, sorted by task. spent: columns task, server, cause, cycles. lanes: (units,) tasks that
    each unit may have under way. machine: what the manifest says under MACHINE.
    complete: the run came to its end.
    """

    folder: Path
    manifest: Mapping[str, Any]
    units: tuple[str, ...]
    layers: tuple[str, ...]
    operands: tuple[str, ...]
    buffers: tuple[str, ...]
    servers: tuple[str, ...]
    ids: Int64s
    tasks: Mapping[str, Int64s]
    edges: Mapping[str, Int64s]
    jobs: Mapping[str, Int64s]
    spent: Mapping[str, Int64s]
    lanes: Int64s
    machine: Mapping[str, Any]
    complete: bool

    def __len__(self) -> int:
        return int(self.ids.size)

    @property
    def end_cycle(self) -> int:
        """The run's length, or where an incomplete trace ends."""
        return int(self.tasks["end"].max(initial=0))

    def predecessors(self) -> tuple[Int64s, Int64s]:
        """(p, sources): the predecessors of task t are sources[p[t]:p[t + 1]]."""
        return _pointers(self.edges["dst"], len(self)), self.edges["src"]

    def job_pointers(self) -> Int64s:
        """The jobs of task t are the rows [p[t], p[t + 1]) of `jobs`."""
        return _pointers(self.jobs["task"], len(self))

    def hidden_cycles(self) -> Int64s:
        """By how many cycles each task was shorter, as it could begin before the last one ended."""
        tasks = self.tasks
        order = np.argsort(tasks["unit"], kind="stable")
        unit, start, end = (tasks[name][order] for name in ("unit", "start", "end"))
        follows = (unit[1:] == unit[:-1]) & (start[1:] == end[:-1]) & (unit[1:] >= 0)
        waited = (start - tasks["ready"][order].clip(0))[1:]
        most = np.minimum(tasks["overlap_cycles"], tasks["cycles"])[order][1:].clip(0)
        possible = np.minimum(most, waited)
        hidden = np.zeros(len(self), dtype=np.int64)
        hidden[order[1:]] = np.where(follows, possible, 0)
        return hidden

    def layer_cycles(self) -> LayerCycles:
        """Which cycles of which unit belong to each layer."""
        interleaved = is_interleaved(self.manifest)
        return layer_cycles(self.tasks, len(self.layers), self.end_cycle, interleaved)


def load_task_graph(folder: Path) -> TaskGraph:
    """The graph of a run; of an incomplete one, the tasks that ended. Raises InputError."""
    manifest = read_manifest(folder)
    table = read_table(folder, "tasks")
    ids = _numbers(table, "task")
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if (ids[1:] == ids[:-1]).any():
        raise InputError(f"{folder}: tasks must have different numbers")
    rows = _Rows(ids)
    tasks = {name: _numbers(table, name)[order] for name in NUMBERS}
    tasks["blocker"] = rows.of(tasks["blocker"])
    words: dict[str, tuple[str, ...]] = {}
    for name in WORDS:
        codes, words[name] = coded(table, name)
        tasks[name] = codes[order]
    tasks["kind"] = _recoded(tasks["kind"], words["kind"], TASK_KINDS, f"{folder}: kind of a task")
    spent, servers = _rows_of(folder, "spent", rows, CAUSES)
    jobs, job_servers = _rows_of(folder, "jobs", rows, CAUSES)
    servers = job_servers or servers
    machine = manifest.get(MACHINE, {})
    lanes = np.array([machine.get("lanes", {}).get(unit, 1) for unit in words["unit"]], np.int64)
    return TaskGraph(
        folder, manifest, words["unit"], words["layer"], words["operand"], words["buffer"],
        servers, ids, tasks, _edges(folder, rows), jobs, spent, lanes, machine,
        bool(manifest.get("complete")),
    )  # fmt: skip


def coded(table: pa.Table, name: str) -> tuple[Int64s, tuple[str, ...]]:
    """A dictionary column as codes (-1: null) and its words."""
    column = table.column(name).unify_dictionaries()
    if not column.num_chunks:
        return np.zeros(0, dtype=np.int64), ()
    parts = [c.indices.fill_null(-1).to_numpy(zero_copy_only=False) for c in column.chunks]
    return np.concatenate(parts).astype(np.int64), tuple(column.chunk(0).dictionary.to_pylist())


class _Rows:
    """From numbers of tasks in the trace to rows of the graph; -1 for what is not there."""

    def __init__(self, ids: Int64s) -> None:
        self._rows = np.full(int(ids.max(initial=-1)) + 2, -1, dtype=np.int64)
        self._rows[ids] = np.arange(ids.size)

    def of(self, ids: Int64s) -> Int64s:
        """Rows of tasks."""
        known = (ids >= 0) & (ids < self._rows.size)
        return np.where(known, self._rows[np.where(known, ids, -1)], -1)


def _edges(folder: Path, rows: _Rows) -> dict[str, Int64s]:
    table = read_table(folder, "edges")
    src, dst = rows.of(_numbers(table, "src")), rows.of(_numbers(table, "dst"))
    codes, words = coded(table, "dependence")
    there = (src >= 0) & (dst >= 0)
    if (src >= dst)[there].any():
        raise InputError(f"{folder}: edges must lead from an earlier task to a later one")
    codes = _recoded(codes, words, DEPENDENCES, f"{folder}: dependence of an edge")
    order = np.argsort(dst[there], kind="stable")
    columns = {"src": src, "dst": dst, "dependence": codes}
    return {name: column[there][order] for name, column in columns.items()}


def _rows_of(
    folder: Path, name: str, rows: _Rows, causes: Sequence[str]
) -> tuple[dict[str, Int64s], tuple[str, ...]]:
    """A table about tasks, sorted by them, and the words of its column `server`."""
    table = read_table(folder, name)
    columns = {
        column: _numbers(table, column)
        for column, kind in zip(table.schema.names, table.schema.types, strict=True)
        if pa.types.is_integer(kind)
    }
    columns["task"] = rows.of(columns["task"])
    columns["server"], servers = coded(table, "server")
    if "cause" in table.schema.names:
        codes, words = coded(table, "cause")
        columns["cause"] = _recoded(codes, words, causes, f"{folder}: cause in {name}")
    order = np.argsort(columns["task"], kind="stable")
    order = order[columns["task"][order] >= 0]
    return {column: values[order] for column, values in columns.items()}, servers


def _recoded(codes: Int64s, words: Sequence[str], known: Sequence[str], place: str) -> Int64s:
    """Codes that count in `known`. Raises InputError for another word."""
    table = np.full(len(words) + 1, -1, dtype=np.int64)
    for code, word in enumerate(words):
        if word not in known:
            raise InputError(f"{place} must be one of {', '.join(known)}, not {word!r}")
        table[code] = known.index(word)
    return table[codes]


def _numbers(table: pa.Table, name: str) -> Int64s:
    return np.asarray(table.column(name).fill_null(-1).to_numpy(), dtype=np.int64)


def _pointers(sorted_rows: Int64s, n: int) -> Int64s:
    counts = np.bincount(sorted_rows, minlength=n)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
