"""The DRAM requests of a run, burst by burst, as traces for DRAM simulators and as CSV.

A transfer asks for every burst (aligned block of bytes) that its runs of bytes touch, in their
order. The trace of a run knows from when to when a transfer ran: its requests are spread evenly
over that, the i-th of n at start + i * (end - start) // n. Requests come in order of time, those of
one cycle in order of their transfers' start. Formats: DRAMsim3 `Access` (src/common.cc) and the
`LoadStoreTrace` front end of Ramulator 2 (loadstore_trace.cpp).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.errors import InputError
from traces.plots.columns import columns, words
from traces.run_folder import read_table
from traces.schema import TASK_KIND

Int64s = NDArray[np.int64]
MOST_PENDING = 1 << 20
"""Requests collected before those that no later transfer can precede are handed on."""

LEVELS = (3, 2, 1)


@dataclass(frozen=True, slots=True)
class Requests:
    """Some requests in order of time: cycle, address and row of the transfer, int64 each."""

    cycle: Int64s
    address: Int64s
    row: Int64s


@dataclass(frozen=True, slots=True)
class Transfers:
    """The tasks that move DRAM bytes, by start: columns of the tasks table, words decoded."""

    columns: dict[str, Int64s]
    layers: Sequence[str]
    operands: Sequence[str]


NUMBERS = (
    "task", "kind", "layer", "operand", "start", "end", "address", "run_bytes",
    "count_1", "stride_1", "count_2", "stride_2", "count_3", "stride_3",
)  # fmt: skip


def transfers_of(tasks: pa.Table) -> Transfers:
    """The transfers among tasks that say what addresses they move."""
    all_columns = dict(zip(NUMBERS, columns(tasks, *NUMBERS), strict=True))
    moves = np.isin(all_columns["kind"], [TASK_KIND["LOAD"], TASK_KIND["STORE"]])
    rows = np.flatnonzero(moves & (all_columns["run_bytes"] > 0))
    rows = rows[np.argsort(all_columns["start"][rows], kind="stable")]
    chosen = {name: column[rows] for name, column in all_columns.items()}
    return Transfers(chosen, words(tasks, "layer"), words(tasks, "operand"))


def requests(moved: Transfers, burst_bytes: int) -> Iterator[Requests]:
    """All requests in order of time, a bounded number at a time."""
    pending: list[Requests] = []
    size = 0
    for row, start in enumerate(moved.columns["start"].tolist()):
        if size >= MOST_PENDING:
            ready, rest = _split(pending, start)
            pending, size = [rest], 0
            yield ready
        pending.append(_requests_of(moved.columns, row, burst_bytes))
        size += pending[-1].cycle.size
    if pending:
        yield _split(pending, None)[0]


def _requests_of(moved: dict[str, Int64s], row: int, burst_bytes: int) -> Requests:
    task = {name: int(column[row]) for name, column in moved.items()}
    begins = np.array([task["address"]], dtype=np.int64)
    for level in LEVELS:  # the first index runs fastest
        steps = np.arange(task[f"count_{level}"]) * task[f"stride_{level}"]
        begins = (begins[:, None] + steps).ravel()
    first = begins // burst_bytes
    counts = (begins + task["run_bytes"] - 1) // burst_bytes - first + 1
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    address = (np.repeat(first, counts) + within) * burst_bytes
    length = task["end"] - task["start"]
    cycle = task["start"] + np.arange(address.size) * length // max(1, address.size)
    return Requests(cycle, address, np.full(address.size, row, dtype=np.int64))


def _split(pending: Sequence[Requests], before: int | None) -> tuple[Requests, Requests]:
    """Requests before a cycle, sorted, and the others."""
    cycle, address, row = (
        np.concatenate([getattr(part, name) for part in pending])
        for name in ("cycle", "address", "row")
    )
    order = np.lexsort((row, cycle))
    cut = order.size if before is None else int(np.searchsorted(cycle[order], before))
    early, late = order[:cut], order[cut:]
    return (
        Requests(cycle[early], address[early], row[early]),
        Requests(cycle[late], address[late], row[late]),
    )


def _dramsim3(part: Requests, moved: Transfers) -> Iterator[str]:
    writes = moved.columns["kind"][part.row] == TASK_KIND["STORE"]
    for at, address, write in zip(
        part.cycle.tolist(), part.address.tolist(), writes.tolist(), strict=True
    ):
        yield f"0x{address:x} {'WRITE' if write else 'READ'} {at}\n"


def _ramulator(part: Requests, moved: Transfers) -> Iterator[str]:
    writes = moved.columns["kind"][part.row] == TASK_KIND["STORE"]
    for address, write in zip(part.address.tolist(), writes.tolist(), strict=True):
        yield f"{'ST' if write else 'LD'} 0x{address:x}\n"


def _csv(part: Requests, moved: Transfers) -> Iterator[str]:
    labels = [
        f"{'write' if kind == TASK_KIND['STORE'] else 'read'},"
        f"{moved.layers[layer]},{moved.operands[operand]},{task}\n"
        for kind, layer, operand, task in zip(
            *(moved.columns[name].tolist() for name in ("kind", "layer", "operand", "task")),
            strict=True,
        )
    ]
    for at, address, row in zip(
        part.cycle.tolist(), part.address.tolist(), part.row.tolist(), strict=True
    ):
        yield f"{at},0x{address:x},{labels[row]}"


@dataclass(frozen=True, slots=True)
class Format:
    """How requests are written: first line, and the lines of some of them."""

    head: str
    lines: Callable[[Requests, Transfers], Iterator[str]]


FORMATS = {
    "dramsim3": Format("", _dramsim3),
    "ramulator": Format("", _ramulator),
    "requests": Format("cycle,address,operation,layer,operand,tile\n", _csv),
}


def write_requests(folder: Path, format_name: str, burst_bytes: int, file: TextIO) -> int:
    """Write the requests of a run; returns their number. Raises InputError."""
    moved = transfers_of(read_table(folder, "tasks"))
    if not moved.columns["task"].size:
        raise InputError(f"{folder}: must hold transfers with addresses, not none")
    form, count = FORMATS[format_name], 0
    file.write(form.head)
    for part in requests(moved, burst_bytes):
        file.writelines(form.lines(part, moved))
        count += part.cycle.size
    return count
