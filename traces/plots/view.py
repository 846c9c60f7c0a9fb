"""What the pictures of a run show, read from its folder: all of it from the trace itself, so that
it is there for a run that died and for a trace of another simulator too.

Rules: ARCHITECTURE.md RESULT-1 (which cycles belong to a layer).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.errors import InputError
from traces.interval_stream import interval_batches
from traces.plots.bins import CycleBins, even_bins
from traces.plots.columns import columns, words
from traces.plots.slots import Slots, slots_of
from traces.plots.transfers import Transfers, transfers_of
from traces.run_folder import read_manifest, read_table
from traces.schema import CAUSES, MACHINE, TASK_KIND

Int64s = NDArray[np.int64]
RESULT = "result.json"
DRAM = "dram"
"""First part of the names of the servers that are channels of DRAM."""
ALL_TASKS = "all tasks"
"""Name of the one layer of a trace that names none."""
MOST_BINS = 960
"""Bins of time that pictures are made of; a picture may join neighbours."""

USEFUL = "busy/compute"
PARTLY = "busy/compute_partly"
"""In pictures of layers: cycles of computing lost to PEs that its tiles left without work."""
BUSY = tuple(code for code, cause in enumerate(CAUSES) if cause.startswith("busy/"))


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: its span of the run, what its cycles went into on the unit that it runs on.

    ideal_cycles: with every PE at work and nothing to wait for; where the run does not say it, the
    cycles in which it computed.
    """

    name: str
    op: str
    start: int
    end: int
    unit: str
    causes: dict[str, int]
    macs: int
    read_bytes: int
    write_bytes: int
    energy_pj: float
    ideal_cycles: int

    @property
    def cycles(self) -> int:
        """Length of its span."""
        return self.end - self.start

    @property
    def utilisation(self) -> float:
        """Ideal by real cycles."""
        return self.ideal_cycles / self.cycles if self.cycles else 0.0

    @property
    def lost_cycles(self) -> int:
        """What it took longer than ideally."""
        return self.cycles - self.ideal_cycles

    @property
    def shown_causes(self) -> dict[str, int]:
        """Its causes, computing parted into what all PEs would have needed and PARTLY: the rest."""
        computing = self.causes.get(USEFUL, 0)
        full = min(self.ideal_cycles, computing)
        shown = {**self.causes, USEFUL: full, PARTLY: computing - full}
        return {cause: cycles for cause, cycles in shown.items() if cycles}

    @property
    def losses(self) -> dict[str, int]:
        """Cycles by cause other than computing with all PEs, most first."""
        shown = self.shown_causes
        lost = sorted((cause for cause in shown if cause != USEFUL), key=lambda c: -shown[c])
        return {cause: shown[cause] for cause in lost}


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as pictures show it.

    bin_ends: boundaries of the bins of time; timeline: cycles (units, causes, bins); by_layer: the
    same with layers for bins. peak_macs_per_cycle, dram_bytes_per_cycle: None where not known.
    buffer_bytes: size of each buffer where known, peak_bytes: most taken of it.
    """

    folder: Path
    manifest: dict[str, Any]
    result: dict[str, Any] | None
    end_cycle: int
    units: tuple[str, ...]
    bin_ends: Int64s
    timeline: Int64s
    by_layer: Int64s
    layers: tuple[Layer, ...]
    transfers: Transfers
    slots: Slots
    energy_pj: dict[str, float]

    @property
    def complete(self) -> bool:
        """Whether the run reached its end."""
        return bool(self.manifest["complete"])

    @property
    def clock_ghz(self) -> float | None:
        """Of the chip; None where the manifest does not say it."""
        clock = self._chip.get("clock_ghz")
        return float(clock) if clock else None

    @property
    def dram_bytes_per_cycle(self) -> float | None:
        """Peak of all channels together; None where the manifest does not say it."""
        servers = self.manifest.get(MACHINE, {}).get("servers", {})
        rates = [
            Fraction(server["bytes_per_cycle"])
            for name, server in servers.items()
            if name.partition(".")[0] == DRAM
        ]
        return float(sum(rates)) or None

    @property
    def peak_macs_per_cycle(self) -> float | None:
        """Of the whole chip, as its result implies it."""
        if not self.result or not self.result["utilisation"]:
            return None
        return float(self.result["macs"] / (self.result["utilisation"] * self.result["cycles"]))

    @property
    def peak_bytes(self) -> dict[str, int]:
        """Most bytes taken of each buffer; nothing where the run has no result."""
        return dict(self.result["peak_bytes"]) if self.result else {}

    @property
    def buffer_sizes(self) -> dict[str, int]:
        """Bytes of the buffers whose size the manifest says, by the name of the spec."""
        return {
            f"{core['name']}{copy if core['count'] > 1 else ''}.{buffer['name']}": int(
                buffer["size_bytes"]
            )
            for core in self._chip.get("cores", ())
            for copy in range(core["count"])
            for buffer in core["buffers"]
        }

    def limit_bytes(self, buffer: str) -> int:
        """Size of a buffer; where it is not known, the most that the trace takes of it."""
        if size := self.buffer_sizes.get(buffer):
            return size
        mine = self.slots.buffer == self.slots.buffers.index(buffer)
        return int(self.slots.bytes[mine].sum())

    @property
    def causes(self) -> dict[str, int]:
        """All cycles of the run by cause as the layers show them, most first."""
        total: Counter[str] = Counter()
        for layer in self.layers:
            total.update(layer.shown_causes)
        return dict(total.most_common())

    @property
    def _chip(self) -> dict[str, Any]:
        return dict(self.manifest.get("chip_spec", {}))


def load_view(folder: Path) -> RunView:
    """Read a run. Raises InputError when there is none, or nothing in it to show."""
    manifest = read_manifest(folder)
    tasks, edges, counters = (read_table(folder, name) for name in ("tasks", "edges", "counters"))
    units = interval_batches(folder).units
    if not units or not len(tasks):
        raise InputError(f"{folder}: must hold tasks and intervals to show, not none")
    end_cycle = max(int(batch["end"].max()) for batch in interval_batches(folder).batches)
    bin_ends = even_bins(end_cycle, MOST_BINS)
    spans, known = layer_spans(tasks, end_cycle)
    by_layer = _cycles(folder, np.append(spans[:, 0], end_cycle))
    result = _read_result(folder)
    return RunView(
        folder=folder,
        manifest=manifest,
        result=result,
        end_cycle=end_cycle,
        units=units,
        bin_ends=bin_ends,
        timeline=_cycles(folder, bin_ends),
        by_layer=by_layer,
        layers=_layers(tasks, counters, units, spans, known, by_layer, result),
        transfers=transfers_of(tasks),
        slots=slots_of(tasks, edges),
        energy_pj=_sum_by(counters, "component"),
    )


def layer_spans(tasks: pa.Table, end_cycle: int) -> tuple[Int64s, Int64s]:
    """[start, end) of each layer that has computations, (n, 2), and the codes of these layers.

    They tile the run: a layer ends with the last computation of it or of a layer before, the last
    with the run. Without any computation all of the run is one span.
    """
    kind, layer, end = columns(tasks, "kind", "layer", "end")
    computing = (kind == TASK_KIND["COMPUTE"]) & (layer >= 0)
    known = np.unique(layer[computing])
    if not known.size:
        return np.array([[0, end_cycle]]), np.array([-1])
    ends = np.zeros(known.size, dtype=np.int64)
    np.maximum.at(ends, np.searchsorted(known, layer[computing]), end[computing])
    ends = np.maximum.accumulate(ends)
    ends[-1] = end_cycle
    return np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1), known


def _cycles(folder: Path, boundaries: Int64s) -> Int64s:
    """Cycles by unit, cause and bin, int64 (units, causes, bins)."""
    stream = interval_batches(folder)
    bins = CycleBins(len(stream.units) * len(CAUSES), boundaries)
    for batch in stream.batches:
        bins.add(batch["unit"] * len(CAUSES) + batch["cause"], batch["start"], batch["end"])
    return bins.cycles().reshape(len(stream.units), len(CAUSES), boundaries.size - 1)


def _layers(
    tasks: pa.Table,
    counters: pa.Table,
    units: tuple[str, ...],
    spans: Int64s,
    known: Int64s,
    by_layer: Int64s,
    result: dict[str, Any] | None,
) -> tuple[Layer, ...]:
    names = words(tasks, "layer")
    energy = _sum_by(counters, "layer")
    facts = {layer["name"]: layer for layer in result["layers"]} if result else {}
    sums = _layer_sums(tasks, len(names))
    layers = []
    for i, (code, home) in enumerate(zip(known, _home_units(tasks, units, known), strict=True)):
        name = names[code] if code >= 0 else ALL_TASKS
        cycles = dict(zip(CAUSES, by_layer[units.index(home), :, i].tolist(), strict=True))
        macs, read, written = sums[:, code].tolist()
        fact = facts.get(name, {})
        layers.append(
            Layer(
                name=name,
                op=fact.get("op", ""),
                start=int(spans[i, 0]),
                end=int(spans[i, 1]),
                unit=home,
                causes={cause: n for cause, n in cycles.items() if n},
                macs=macs,
                read_bytes=read,
                write_bytes=written,
                energy_pj=energy.get(name, 0.0),
                ideal_cycles=fact.get("ideal_cycles", cycles[USEFUL]),
            )
        )
    return tuple(layers)


def _layer_sums(tasks: pa.Table, layers: int) -> Int64s:
    """MACs, bytes read and bytes written of each layer, int64 (3, layers + 1).

    The last column is of the tasks without a layer, whose code is -1.
    """
    kind, layer, moved, macs = columns(tasks, "kind", "layer", "bytes", "macs")
    amounts = (macs, moved * (kind == TASK_KIND["LOAD"]), moved * (kind == TASK_KIND["STORE"]))
    sums = np.zeros((len(amounts), layers + 1), dtype=np.int64)
    for row, amount in zip(sums, amounts, strict=True):
        np.add.at(row, layer, amount)
    return sums


def _home_units(tasks: pa.Table, units: tuple[str, ...], known: Int64s) -> list[str]:
    """The unit that each layer runs on: of the computations with MACs, if any, the last to end."""
    kind, layer, unit, end, macs = columns(tasks, "kind", "layer", "unit", "end", "macs")
    computing = (kind == TASK_KIND["COMPUTE"]) & (unit >= 0)
    has_macs = np.zeros(layer.max() + 2, dtype=bool)  # one more, for tasks without a layer
    has_macs[layer[computing & (macs > 0)]] = True
    main = np.flatnonzero(computing & ((macs > 0) | ~has_macs[layer]))
    # Of several assignments to one place the last counts: the task that ends last, and of those
    # that end together the first.
    order = main[np.lexsort((-main, end[main]))]
    home = np.full(has_macs.size, -1, dtype=np.int64)
    home[layer[order]] = unit[order]
    names = words(tasks, "unit")
    return [names[code] if code >= 0 else units[0] for code in home[known].tolist()]


def _sum_by(counters: pa.Table, column: str) -> dict[str, float]:
    """Energy in pJ by the words of a column, in code order, those without any left out."""
    if not len(counters):
        return {}
    (code,) = columns(counters, column)
    energy = counters.column("energy_pj").to_numpy()
    names = words(counters, column)
    total = np.bincount(code, energy, minlength=len(names))
    return {name: float(pj) for name, pj in zip(names, total, strict=True) if pj}


def _read_result(folder: Path) -> dict[str, Any] | None:
    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except OSError:
        return None
    except json.JSONDecodeError:
        raise InputError(f"{folder}: {RESULT} is damaged") from None
    return dict(result)
