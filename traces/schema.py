"""The trace on disk: which files a run folder holds, their columns, and the closed list of causes.

A folder holds `manifest.json` and six Arrow IPC streams: tasks, edges, jobs, spent, intervals and
counters. The streaming format is used because it has no footer: what a run wrote before it died
stays readable.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 3

CAUSES = (
    "busy/compute",
    "busy/fill",
    "busy/transfer",
    "stall/dram_bandwidth",
    "stall/dram_latency",
    "stall/dram_row_miss",
    "stall/dram_refresh",
    "stall/dram_queue",
    "stall/noc_bandwidth",
    "stall/noc_contention",
    "stall/sram_bandwidth",
    "stall/bank_conflict",
    "stall/operand_wait",
    "stall/output_credit",
    "stall/dependency",
    "stall/sparsity_imbalance",
    "idle/no_work",
)
"""Every cycle of every unit has one of these. Rule: ARCHITECTURE.md LEDGER-2."""

CAUSE = {cause: code for code, cause in enumerate(CAUSES)}

TASK_KINDS = ("LOAD", "COMPUTE", "STORE", "SEND", "SYNC")
TASK_KIND = {kind: code for code, kind in enumerate(TASK_KINDS)}

DEPENDENCES = ("data", "credit", "resource")
DEPENDENCE = {name: code for code, name in enumerate(DEPENDENCES)}


def _words() -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string())


TABLES: dict[str, pa.Schema] = {
    "tasks": pa.schema(
        [
            ("task", pa.int64()),
            ("kind", _words()),
            ("unit", _words()),
            ("layer", _words()),
            ("operand", _words()),
            ("ready", pa.int64()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("blocker", pa.int64()),
            ("cycles", pa.int64()),
            ("fill_cycles", pa.int64()),
            ("overlap_cycles", pa.int64()),
            ("release", pa.int64()),
            ("bytes", pa.int64()),
            ("macs", pa.int64()),
            ("buffer", _words()),
            ("buffer_offset", pa.int64()),
            ("buffer_bytes", pa.int64()),
            ("address", pa.int64()),
            ("run_bytes", pa.int64()),
            ("count_1", pa.int64()),
            ("stride_1", pa.int64()),
            ("count_2", pa.int64()),
            ("stride_2", pa.int64()),
            ("count_3", pa.int64()),
            ("stride_3", pa.int64()),
        ]
    ),
    "edges": pa.schema([("src", pa.int64()), ("dst", pa.int64()), ("dependence", _words())]),
    "jobs": pa.schema(
        [
            ("task", pa.int64()),
            ("server", _words()),
            ("offset", pa.int64()),
            ("ticks", pa.int64()),
        ]
    ),
    "spent": pa.schema(
        [("task", pa.int64()), ("server", _words()), ("cause", _words()), ("cycles", pa.int64())]
    ),
    "intervals": pa.schema(
        [
            ("unit", _words()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("cause", _words()),
            ("task", pa.int64()),
            ("packed", pa.int64()),
        ]
    ),
    "counters": pa.schema(
        [
            ("layer", _words()),
            ("component", _words()),
            ("action", _words()),
            ("count", pa.int64()),
            ("energy_pj", pa.float64()),
        ]
    ),
}
"""Columns of each file. Cycles are chip clock cycles; an interval is half open, [start, end).

tasks: one row a task, in order of completion. ready: cycle at which its last predecessor ended;
    blocker: that predecessor (-1: none). cycles: of a computation with all operands at hand;
    fill_cycles: those of them in which the array fills or drains; overlap_cycles: of them so many
    may be those of the next task on the unit too, if that was ready. release: cycle before which
    it was not to start. buffer, buffer_offset,
    buffer_bytes: the slot it fills.
    address, run_bytes, count_i, stride_i: the DRAM bytes it moves, as runs of run_bytes starting at
    address + i1 * stride_1 + i2 * stride_2 + i3 * stride_3 for i_n < count_n.
edges: dst could not start before src ended: it needs what src made (data), the buffer slot that src
    freed (credit), or the unit that src held (resource).
jobs: what a task asks of every server on its way: `ticks` of the server's own time, from `offset`
    cycles after the start of the task on. A transfer ends with the last of its jobs; the jobs of a
    computation are its operands, spread evenly over its cycles.
spent: what the cycles of a transfer went into on the server that it ended on last; they add up to
    end - start.
intervals: the ledger. packed = 1: one of several intervals that share a window in which the unit
    mixed causes cycle by cycle; their lengths are exact, their order inside the window is not.
counters: how often each component did each action for each layer, and the energy of that.
"""

MACHINE = "machine"
"""Key of the manifest under which replay finds what it can change: `servers` (name ->
cycles_per_tick and bytes_per_cycle as fractions in words), `lanes` (DMA unit -> transfers under way
at most), `slots` (buffer -> tiles side by side) and `latency_cycles` (dram, noc)."""

STREAM_SUFFIX = ".arrows"
MANIFEST = "manifest.json"
