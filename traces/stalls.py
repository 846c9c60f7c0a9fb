# mypy: disable-error-code="no-untyped-def"
"""Where each unit's cycles went, and for each stall the chain of causes back to its root.

The ledger says what held a unit up in every cycle; the tasks say by way of whom. Both are read in
one pass over the intervals, batch by batch. Rules: ARCHITECTURE.md STALLS-1 to STALLS-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from traces.interval_stream import Batch, interval_batches
from traces.layers import computing_units, is_interleaved, main_units
from traces.replay_order import Durations, task_times
from traces.schema import CAUSE, CAUSES, TASK_KINDS
from traces.task_graph import TaskGraph, load_task_graph

Int64s = NDArray[np.int64]

STALLS = np.array([cause.startswith("stall/") for cause in CAUSES])
BUSY_COMPUTE = CAUSE["busy/compute"]
KEY_BITS, CAUSE_BITS = 62, 5
SYNC = TASK_KINDS.index("SYNC")
GROUPS = ("unit", "layer", "cause", "core")

REMEDIES = {
    "busy/fill": "fewer, longer tiles or an array that overlaps fill with compute",
    "stall/dram_bandwidth": "more DRAM bandwidth, or tiles and buffers that fetch less often",
    "stall/dram_latency": "more transfers under way (dma.outstanding) or larger transfers",
    "stall/dram_row_miss": "longer contiguous runs in DRAM, or another address map",
    "stall/dram_refresh": "a memory with shorter or per-bank refresh",
    "stall/dram_queue": "more DRAM bandwidth, or cores that take turns",
    "stall/noc_bandwidth": "a wider network",
    "stall/noc_contention": "a wider network or shorter ways",
    "stall/sram_bandwidth": "wider or more banks in the buffer",
    "stall/bank_conflict": "another port or more banks in the buffer",
    "stall/operand_wait": "earlier loads: more slots in the buffer",
    "stall/output_credit": "more slots for outputs, or faster stores",
    "stall/dependency": "an earlier producer: balance the units, or pipeline them",
    "stall/sparsity_imbalance": "another distribution of non-zeros over the lanes",
}
"""What usually helps against each cause."""


@dataclass(slots=True)
class StallReport:
    """Cycles of a run by unit, layer and cause, and the chains of what was waited for.

    units, layers: words. by_unit: (units, causes). by_layer: (layers, causes), of the unit that
    each layer runs on. main: (causes,) cycles that say what to fix: those of by_layer, which add up
    to the run, or where layers take turns, those of main_units, which add up to as many runs;
    computing_units: all that compute then.
    chains: (the unit that waits and by way of whom, ..., cause) -> cycles, of all units that
    execute tasks; main_chains: the same of what is in main. begin, end: the cycles looked at.
    """

    folder: Path
    units: tuple[str, ...]
    layers: tuple[str, ...]
    begin: int
    end: int
    complete: bool
    by_unit: Int64s
    by_layer: Int64s
    main: Int64s
    main_units: tuple[str, ...] = ()
    computing_units: tuple[str, ...] = ()
    chains: dict[tuple[str, ...], int] = field(default_factory=dict)
    main_chains: dict[tuple[str, ...], int] = field(default_factory=dict)

    def groups(self, by: str) -> dict[str, Int64s]:
        """Cycles by cause of every unit, layer or core, or of all units for each cause.

        Where layers take turns, those of a core are of its units that compute.
        """
        if by == "layer":
            return {n: row for n, row in zip(self.layers, self.by_layer, strict=True) if row.any()}
        if by == "cause":
            return {CAUSES[i]: np.where(np.arange(len(CAUSES)) == i, self.main, 0)
                    for i in np.argsort(-self.main, kind="stable") if self.main[i]}  # fmt: skip
        total: dict[str, Int64s] = {}
        for unit, row in zip(self.units, self.by_unit, strict=True):
            if by == "core" and self.main_units and unit not in self.computing_units:
                continue
            name = unit if by == "unit" else unit.partition(".")[0]
            total[name] = total.get(name, np.zeros(len(CAUSES), dtype=np.int64)) + row
        return total

    def worst(self) -> int:
        """The cause that costs the units that the layers run on most; -1 if none does."""
        lost = self.main.copy()
        lost[[i for i, cause in enumerate(CAUSES) if cause not in REMEDIES]] = 0
        return int(np.argmax(lost)) if lost.any() else -1

    def headline(self) -> str:
        """The one thing to fix, as a line."""
        cause, total = self.worst(), int(self.main.sum())
        if cause < 0:
            return "Nothing to fix: the units that layers run on never wait."
        lost = int(self.main[cause])
        text = f"Fix first: {CAUSES[cause]} costs {lost:,} of {total:,} cycles"
        text += f" of {len(self.main_units)} units" if self.main_units else ""
        text += f" ({100 * lost / total:.1f} %)"
        name, there = self._worst_place(cause)
        text += f", {100 * there / lost:.0f} % of them in {name}"
        return f"{text}: {REMEDIES[CAUSES[cause]]}."

    def _worst_place(self, cause: int) -> tuple[str, int]:
        """The layer that loses most by a cause, or where layers take turns the unit; how much."""
        if self.main_units:
            row = {unit: i for i, unit in enumerate(self.units)}
            lost = {unit: int(self.by_unit[row[unit], cause]) for unit in self.main_units}
            worst = max(lost, key=lambda unit: lost[unit])
            return worst, lost[worst]
        worst_layer = int(np.argmax(self.by_layer[:, cause]))
        return self.layers[worst_layer], int(self.by_layer[worst_layer, cause])

    def as_dict(self, by: str) -> dict[str, Any]:
        """All of it for JSON."""
        return {
            "fix_first": self.headline(),
            "complete": self.complete,
            "begin": self.begin,
            "end": self.end,
            "by": by,
            "main_units": list(self.main_units),
            "groups": {name: _named(row) for name, row in self.groups(by).items()},
            "chains": [
                {"chain": list(chain[:-1]), "cause": chain[-1], "cycles": cycles}
                for chain, cycles in sorted(self.chains.items(), key=lambda item: -item[1])
            ],
        }


def stall_report(folder: Path, between: tuple[int, int] | None = None) -> StallReport:
    """Analyse a run, or its cycles [between). Raises InputError."""
    graph = load_task_graph(folder)
    return analyse(folder, graph, between)


def analyse(folder: Path, graph: TaskGraph, between: tuple[int, int] | None) -> StallReport:
    """`stall_report` of a run whose tasks are loaded."""
    stream = interval_batches(folder)
    begin, end = between or (0, np.iinfo(np.int64).max)
    report = StallReport(
        folder,
        stream.units,
        graph.layers,
        begin,
        begin,
        graph.complete,
        np.zeros((len(stream.units), len(CAUSES)), dtype=np.int64),
        np.zeros((len(graph.layers), len(CAUSES)), dtype=np.int64),
        np.zeros(len(CAUSES), dtype=np.int64),
    )
    chains, layers, row_of = _Chains(graph, stream.units), graph.layer_cycles(), _rows(graph.ids)
    layer_of = np.append(graph.tasks["layer"], -1)
    interleaved, mains = is_interleaved(graph.manifest), main_units(graph.tasks)
    if interleaved:
        report.main_units = tuple(graph.units[unit] for unit in mains)
        computing = computing_units(graph.tasks).tolist()
        report.computing_units = tuple(graph.units[unit] for unit in computing)
    for batch in stream.batches:
        batch = _clipped(batch, begin, end)
        if not batch["unit"].size:
            continue
        report.end = max(report.end, int(batch["end"].max()))
        length = batch["end"] - batch["start"]
        np.add.at(report.by_unit, (batch["unit"], batch["cause"]), length)
        row = row_of[np.where(batch["task"] < row_of.size - 1, batch["task"], -1)]
        unit = chains.unit_of[batch["unit"]]
        at, layer, cycles = layers.parts({**batch, "unit": unit}, layer_of[row])
        np.add.at(report.by_layer, (layer, batch["cause"][at]), cycles)
        main = np.where(np.isin(unit, mains), length, 0)
        if not interleaved:
            main = np.zeros_like(length)
            np.add.at(main, at, cycles)
        np.add.at(report.main, batch["cause"], main)
        chains.add(batch, row, length, main)
    report.chains, report.main_chains = chains.decoded()
    return report


def _clipped(batch: Batch, begin: int, end: int) -> Batch:
    inside = (batch["end"] > begin) & (batch["start"] < end)
    columns = {name: column[inside] for name, column in batch.items()}
    columns["start"] = np.maximum(columns["start"], begin)
    columns["end"] = np.minimum(columns["end"], end)
    return columns


def _rows(ids: Int64s) -> Int64s:
    """Row per number of a task; the last entry, which -1 also reaches, is -1."""
    rows = np.full(int(ids.max(initial=-1)) + 2, -1, dtype=np.int64)
    rows[ids] = np.arange(ids.size)
    return rows


class _Chains:
    """Sums of cycles by chain. A chain is a number: links in the base of all links there are, then
    the server and the cause at the root; as many links as fit into 62 bits, nearest first."""

    def __init__(self, graph: TaskGraph, units: Sequence[str]) -> None:
        tasks = graph.tasks
        self.graph = graph
        codes = {name: code for code, name in enumerate(graph.units)}
        # Units of the ledger and of the tasks have the same names but need not have the same codes.
        self.unit_of = np.array([codes.get(name, -1) for name in units] or [-1], dtype=np.int64)
        self.executes = self.unit_of >= 0
        self.links = max(1, len(graph.units) * len(TASK_KINDS))
        self.base = self.links + 1
        root_bits = CAUSE_BITS + len(graph.servers).bit_length()
        self.depth = max(1, (KEY_BITS - root_bits) // self.base.bit_length())
        lengths = Durations.plain(tasks["end"] - tasks["start"])
        durations = lengths._replace(release=tasks["release"])
        times = task_times(tasks["unit"], *graph.predecessors(), durations, graph.lanes)
        self.held_by = times.held_by
        self.server = np.full(len(graph), -1, dtype=np.int64)
        self.server[graph.spent["task"]] = graph.spent["server"]
        self.totals: dict[int, Int64s] = {}

    def add(self, batch: Batch, row: Int64s, length: Int64s, main: Int64s) -> None:
        """Add the stalls of a batch. main: the cycles of each that count for its layer."""
        mine = STALLS[batch["cause"]] & (row >= 0) & self.executes[batch["unit"]]
        tasks = self.graph.tasks
        keys, ends = _keys(
            self.unit_of[batch["unit"][mine]], row[mine], batch["start"][mine],
            tasks["start"], tasks["unit"], tasks["kind"], self.held_by,
            len(TASK_KINDS), SYNC, self.base, self.depth,
        )  # fmt: skip
        server = np.where(ends >= 0, self.server[ends], -1)
        keys = (keys * (len(self.graph.servers) + 1) + server + 1) << CAUSE_BITS
        found, place = np.unique(keys | batch["cause"][mine], return_inverse=True)
        sums = np.zeros((found.size, 2), dtype=np.int64)
        np.add.at(sums, place, np.stack([length[mine], main[mine]], axis=1))
        for key, cycles in zip(found.tolist(), sums, strict=True):
            self.totals[key] = self.totals.get(key, 0) + cycles

    def decoded(self) -> tuple[dict[tuple[str, ...], int], dict[tuple[str, ...], int]]:
        """Chains in words, of all units and of those that layers run on."""
        words = {self._words(key): cycles for key, cycles in self.totals.items()}
        every = {chain: int(cycles[0]) for chain, cycles in words.items()}
        return every, {chain: int(cycles[1]) for chain, cycles in words.items() if cycles[1]}

    def _words(self, key: int) -> tuple[str, ...]:
        cause = CAUSES[key & ((1 << CAUSE_BITS) - 1)]
        key, server = divmod(key >> CAUSE_BITS, len(self.graph.servers) + 1)
        links = []
        while key:
            key, link = divmod(key, self.base)
            unit, kind = divmod(link - 1, len(TASK_KINDS))
            links.append(f"{self.graph.units[unit]} {TASK_KINDS[kind]}")
        root = [self.graph.servers[server - 1]] if server else []
        return (*links[::-1], *root, cause)


@njit(cache=True)
def _keys(
    unit, row, begin, start, task_unit, kind, held_by, kinds, sync, base, depth
):  # pragma: no cover - compiled
    """Chain of each stall, and the task at its end (-1: none), from the last stall of each wait on
    back, so that the walk along one wait is made once."""
    n = row.size
    keys, ends = np.zeros(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    node, key, links, last = -1, 0, 0, -1
    for i in range(n - 1, -1, -1):
        task = row[i]
        goes_on = i < n - 1 and row[i + 1] == task and unit[i + 1] == unit[i]
        if not goes_on or begin[i] > begin[i + 1]:
            last = task_unit[task] * kinds + kind[task] + 1
            key, links = last, 1
            if begin[i] >= start[task]:  # the task itself runs, and is held up by its operands
                keys[i], ends[i] = key, -1
                node = task
                continue
            node = held_by[task]
            key, links, last = _link(
                node, task_unit, kind, kinds, sync, key, links, last, base, depth
            )
        elif node == task:
            node = held_by[task]
            key, links, last = _link(
                node, task_unit, kind, kinds, sync, key, links, last, base, depth
            )
        while node >= 0 and start[node] > begin[i]:
            node = held_by[node]
            key, links, last = _link(
                node, task_unit, kind, kinds, sync, key, links, last, base, depth
            )
        keys[i], ends[i] = key, node
    return keys, ends


@njit(cache=True)
def _link(node, task_unit, kind, kinds, sync, key, links, last, base, depth):
    """One more link of a chain, unless it is another task of the same kind on the same unit."""
    if node < 0 or kind[node] == sync:
        return key, links, last
    link = task_unit[node] * kinds + kind[node] + 1
    if link != last and links < depth:
        key = key * base + link
        links += 1
        last = link
    return key, links, last


def chain_plain(
    task: int, begin: int, start: Sequence[int], held_by: Sequence[int]
) -> tuple[list[int], int]:
    """The tasks behind the wait of one at cycle `begin`, and the one at its end (-1: none): the
    oracle of `_keys`, before neighbours of a kind are joined."""
    if begin >= start[task]:
        return [task], -1
    chain = [task]
    node = held_by[task]
    while node >= 0:
        chain.append(node)
        if start[node] <= begin:
            break
        node = held_by[node]
    return chain, node


def _named(row: Int64s) -> dict[str, int]:
    return {CAUSES[i]: int(row[i]) for i in np.argsort(-row, kind="stable") if row[i]}
