"""The tile program: what the engine runs, one row a task, as structure of arrays.

Whatever can be lowered to this (a layer, a fused stack, a pipeline over several cores) runs on the
same engine and has the same trace and replay; nothing else reaches the engine.
Rules: ARCHITECTURE.md PROG-1 to PROG-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hw_models.floorplan import Floorplan
from traces.schema import DEPENDENCE, TASK_KIND

Int64s = NDArray[np.int64]

LOAD, COMPUTE, STORE, SEND, SYNC = (
    TASK_KIND[k] for k in ("LOAD", "COMPUTE", "STORE", "SEND", "SYNC")
)
DATA, CREDIT, RESOURCE = (DEPENDENCE[d] for d in ("data", "credit", "resource"))

TASK_COLUMNS = {
    "kind": "LOAD, COMPUTE, STORE, SEND or SYNC (codes of traces.schema)",
    "unit": "the unit that executes it, -1 for SYNC; a unit takes its tasks in row order",
    "layer": "index of the layer, -1 for none",
    "operand": "index into hw_models.spec.OPERANDS, -1 for none",
    "cycles": "COMPUTE: cycles with all operands present and all ports wide enough",
    "fill_cycles": "COMPUTE: those of them in which the array fills or drains",
    "imbalance_cycles": "COMPUTE: those of them in which lanes wait for the slowest",
    "port_cycles": "COMPUTE: those of them in which the array waits for its own core's ports",
    "overlap_cycles": "COMPUTE: cycles by which it may begin before its unit ends the task before",
    "release": "LOAD, STORE, SEND: cycle before which it isn't issued",
    "bytes": "LOAD, STORE, SEND: bytes moved",
    "macs": "COMPUTE: multiply-accumulates",
    "elements": "COMPUTE on a vector unit and final STORE: output elements made",
    "slot": "LOAD, STORE: the slot that it fills or empties, -1 for none",
    "buffer": "LOAD, STORE, SEND: index of the on-chip buffer at its core's end, -1 for none",
    "source_buffer": "SEND: index of the buffer that it leaves, -1 for none",
    "address": "LOAD, STORE: first DRAM byte",
    "run_bytes": "LOAD, STORE: bytes of one contiguous run",
    "count_1": "runs along the first stride",
    "stride_1": "bytes",
    "count_2": "and so on",
    "stride_2": "bytes",
    "count_3": "",
    "stride_3": "bytes",
}
"""Columns of `TileProgram.tasks`, all int64."""

SLOT_COLUMNS = {
    "buffer": "index of the buffer",
    "offset": "first byte in the buffer, -1 for bytes wherever there is room",
    "bytes": "bytes taken from the start of its first task to the end of its last",
    "uses": "tasks that must end before it is free",
}


@dataclass(frozen=True, slots=True)
class TileProgram:
    """Tasks, their dependences, the buffer slots that they hold, and the operand trains.

    units: name of each unit. buffers: name of each buffer. layers: name of each layer.
    tasks, slots: columns (TASK_COLUMNS, SLOT_COLUMNS).
    edges: columns src, dst, dependence.
    slot_uses: columns task, slot: the task holds the slot until it ends (the filler included).
    trains: columns task, buffer, write, bytes, offset: what a COMPUTE moves through the port of a
        buffer, and where it lies.
    """

    units: tuple[str, ...]
    buffers: tuple[str, ...]
    layers: tuple[str, ...]
    tasks: Mapping[str, Int64s]
    slots: Mapping[str, Int64s]
    edges: Mapping[str, Int64s]
    slot_uses: Mapping[str, Int64s]
    trains: Mapping[str, Int64s]

    def __len__(self) -> int:
        return int(self.tasks["kind"].size)

    def __post_init__(self) -> None:
        for item in fields(self):
            table = getattr(self, item.name)
            if isinstance(table, Mapping) and len({c.size for c in table.values()}) > 1:
                raise ValueError(f"columns of {item.name} must have the same length")
        if self.edges["src"].size and not (self.edges["src"] < self.edges["dst"]).all():
            # Row order is then a topological order, so that replay can run in one pass.
            raise ValueError("an edge must lead from an earlier row to a later one")

    def buffer_offsets(self, tasks: Int64s) -> Int64s:
        """Where in its buffer the slot of each transfer begins; 0 for one without a place."""
        slot = self.tasks["slot"][tasks]
        offsets = np.zeros(tasks.size, dtype=np.int64)
        offsets[slot >= 0] = self.slots["offset"][slot[slot >= 0]]
        return np.maximum(offsets, 0)

    def tasks_of(self, unit: int) -> Int64s:
        """Rows of a unit in the order in which it executes them."""
        return np.flatnonzero(self.tasks["unit"] == unit)

    def successors(self) -> tuple[Int64s, Int64s]:
        """Edges by source as (pointers, destinations): those of task t are [p[t], p[t + 1])."""
        order = np.argsort(self.edges["src"], kind="stable")
        counts = np.bincount(self.edges["src"], minlength=len(self))
        return np.concatenate(([0], np.cumsum(counts))), self.edges["dst"][order]

    def predecessor_counts(self) -> Int64s:
        """Number of edges into each task."""
        return np.bincount(self.edges["dst"], minlength=len(self)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program for the units of a floorplan, and what was foreseen of each layer of its network.

    predicted_cycles, cores: per layer, the cycles that the compiler reckons with and the cores that
    compute some of it. interleaved: layers don't follow one another, their tiles take turns.
    """

    program: TileProgram
    plan: Floorplan
    predicted_cycles: tuple[float, ...]
    cores: tuple[frozenset[int], ...]
    interleaved: bool = False
