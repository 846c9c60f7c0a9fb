"""What the pictures of a run show, read from its folder: all of it from the trace itself, so that
it is there for a run that died and for a trace of another simulator too.

Rules: ARCHITECTURE.md RESULT-1, RESULT-3 (which cycles belong to a layer).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.errors import InputError
from traces.interval_stream import interval_batches
from traces.layers import InTurn, is_interleaved, layer_cycles, main_units
from traces.plots.bins import CycleBins, even_bins
from traces.plots.columns import columns, words
from traces.plots.slots import Slots, slots_of
from traces.plots.tiles import Tiles, tiles_of
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

    start, end: where layers take turns, its first and its last task of that unit. ideal_cycles:
    with every PE at work and nothing to wait for; where the run does not say it, the cycles in
    which it computed. computed_by: all units that compute it. utilisation: ideal by real cycles,
    those of all these units.
    """

    name: str
    op: str
    start: int
    end: int
    unit: str
    computed_by: tuple[str, ...]
    causes: dict[str, int]
    macs: int
    read_bytes: int
    write_bytes: int
    energy_pj: float
    cycles: int
    ideal_cycles: int
    utilisation: float

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
    same with layers for bins. main_units: codes of the units that say where the time went, if
    layers take turns; if they follow one another there are none, as the layers say it. tiles: when
    layers ran that take turns. peak_macs_per_cycle, dram_bytes_per_cycle: None where not known.
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
    main_units: tuple[int, ...]
    tiles: Tiles | None
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
    def interleaved(self) -> bool:
        """Whether tiles of several layers take turns."""
        return is_interleaved(self.manifest)

    @property
    def causes(self) -> dict[str, int]:
        """All cycles that say where the time went by cause, as pictures show it, most first.

        Those of the layers, or if these take turns, those of the main units.
        """
        total: Counter[str] = Counter()
        if not self.interleaved:
            for layer in self.layers:
                total.update(layer.shown_causes)
        else:
            cycles = self.timeline[list(self.main_units)].sum(axis=(0, 2))
            total.update({cause: int(n) for cause, n in zip(CAUSES, cycles, strict=True) if n})
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
    result, interleaved = _read_result(folder), is_interleaved(manifest)
    work, known = _layer_work(tasks, units)
    shares = layer_cycles(work, known.size, end_cycle, interleaved)
    tiles = None
    if isinstance(shares, InTurn):
        spans = np.stack([shares.begins, shares.ends], axis=1)
        by_layer = _cycles(folder, np.append(shares.begins, end_cycle))
    else:
        spans = _first_and_last(work, shares.home)
        tiles, by_layer = tiles_of(folder, work, shares, bin_ends)
    places = Places(known, spans, shares.home.clip(0), by_layer)
    return RunView(
        folder=folder,
        manifest=manifest,
        result=result,
        end_cycle=end_cycle,
        units=units,
        bin_ends=bin_ends,
        timeline=_cycles(folder, bin_ends),
        by_layer=by_layer,
        layers=_layers(tasks, counters, units, places, result, interleaved),
        main_units=tuple(main_units(work).tolist()) if interleaved else (),
        tiles=tiles,
        transfers=transfers_of(tasks),
        slots=slots_of(tasks, edges),
        energy_pj=_sum_by(counters, "component"),
    )


class Places(NamedTuple):
    """Where layers are: code, [start, end), unit of each, and cycles (units, causes, layers)."""

    known: Int64s
    spans: Int64s
    home: Int64s
    by_layer: Int64s


def _layer_work(tasks: pa.Table, units: tuple[str, ...]) -> tuple[dict[str, Int64s], Int64s]:
    """Columns of the tasks that say which cycles belong to a layer, and the codes of layers.

    Units count as in `units`, layers in the codes: those that have computations, or if none has,
    all tasks together as one, of code -1.
    """
    names = ("task", "kind", "layer", "unit", "start", "end", "macs")
    work = dict(zip(names, columns(tasks, *names), strict=True))
    row = {name: i for i, name in enumerate(units)}
    of_unit = np.array([*(row.get(name, -1) for name in words(tasks, "unit")), -1], dtype=np.int64)
    work["unit"] = of_unit[work["unit"]]
    layer = work["layer"]
    known = np.unique(layer[(work["kind"] == TASK_KIND["COMPUTE"]) & (layer >= 0)])
    if not known.size:
        return {**work, "layer": np.zeros_like(layer)}, np.array([-1])
    place = np.searchsorted(known, layer).clip(max=known.size - 1)
    return {**work, "layer": np.where(known[place] == layer, place, -1)}, known


def _first_and_last(work: dict[str, Int64s], home: Int64s) -> Int64s:
    """From the first to the last computation of each layer on its unit, (layers, 2)."""
    mine = (work["kind"] == TASK_KIND["COMPUTE"]) & (work["layer"] >= 0)
    mine &= home[work["layer"]] == work["unit"]
    layer, start, end = (work[name][mine] for name in ("layer", "start", "end"))
    spans = np.zeros((home.size, 2), dtype=np.int64)
    np.maximum.at(spans[:, 1], layer, end)
    spans[:, 0] = spans[:, 1]
    np.minimum.at(spans[:, 0], layer, start)
    return spans


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
    places: Places,
    result: dict[str, Any] | None,
    interleaved: bool,
) -> tuple[Layer, ...]:
    names = words(tasks, "layer")
    energy = _sum_by(counters, "layer")
    facts = {layer["name"]: layer for layer in result["layers"]} if result else {}
    sums = _layer_sums(tasks, len(names))
    computing = places.by_layer[:, CAUSES.index(USEFUL)] > 0
    layers = []
    for i, (code, home) in enumerate(zip(places.known, places.home, strict=True)):
        name = names[code] if code >= 0 else ALL_TASKS
        start, end = places.spans[i].tolist()
        causes = dict(zip(CAUSES, places.by_layer[home, :, i].tolist(), strict=True))
        cycles = sum(causes.values()) if interleaved else end - start
        macs, read, written = sums[:, code].tolist()
        fact = facts.get(name, {})
        ideal_cycles = fact.get("ideal_cycles", causes[USEFUL])
        utilisation = ideal_cycles / cycles if cycles else 0.0
        layers.append(
            Layer(
                name=name,
                op=fact.get("op", ""),
                start=start,
                end=end,
                unit=units[home],
                computed_by=tuple(units[unit] for unit in np.flatnonzero(computing[:, i])),
                causes={cause: n for cause, n in causes.items() if n},
                macs=macs,
                read_bytes=read,
                write_bytes=written,
                energy_pj=energy.get(name, 0.0),
                cycles=cycles,
                ideal_cycles=ideal_cycles,
                utilisation=fact.get("utilisation", utilisation) if interleaved else utilisation,
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


def _sum_by(counters: pa.Table, column: str) -> dict[str, float]:
    """Energy in pJ by the words of a column, in code order, those without any left out."""
    if not len(counters):
        return {}
    (code,) = columns(counters, column)
    energy = counters.column("energy_pj").to_numpy()
    names = words(counters, column)
    total = np.bincount(code[code >= 0], energy[code >= 0], minlength=len(names))
    return {name: float(pj) for name, pj in zip(names, total, strict=True) if pj}


def _read_result(folder: Path) -> dict[str, Any] | None:
    try:
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except OSError:
        return None
    except json.JSONDecodeError:
        raise InputError(f"{folder}: {RESULT} is damaged") from None
    return dict(result)
