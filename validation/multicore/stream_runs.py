"""Stream's runs and their layers as files have them: where each layer ran and how it was cut."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError
from simulator.fusion.granularity import LayerTile
from simulator.workload.graph import Layer, LayerOp
from validation.multicore.hardware import chip_of
from validation.multicore.workloads import PlacedWorkload, network_of
from validation.reference_file import read_reference, text, whole

RUN_COLUMNS = {"run": text, "workload": text, "hardware": text, "latency_cycles": whole(1)}
RUN_OPTIONAL = {"granularity": text, "links_busy_cycles_and_transfers": text}
LAYER_COLUMNS = {
    "run": text,
    "layer": whole(0, 100_000),
    "type": text,
    "core": whole(0, 100_000),
    "busy": whole(0),
    "macs": whole(0),
    "tile_dims": text,
}
TYPES = {
    "conv": LayerOp.CONV2D,
    "gemm": LayerOp.MATMUL,
    "maxpool": LayerOp.POOL,
    "pooling": LayerOp.POOL,
    "add": LayerOp.ELEMENTWISE,
}
"""Word of the table -> layer type."""

TILE_LOOP = re.compile(r"([A-Z]+):(\d+)")
LINK_BUSY = re.compile(r"(\S+)->(\S+) (\d+)cc/\d+tr")


@dataclass(frozen=True, slots=True)
class StreamRun:
    """One run. layer_cycles: theirs, of all tiles of each layer. offchip_cycles: busy cycles of
    the links to and from DRAM, None where the file doesn't say. is_cut: a layer has several tiles.
    """

    name: str
    line: int
    chip: ChipSpec
    placed: PlacedWorkload
    latency_cycles: int
    layer_cycles: Mapping[str, int]
    offchip_cycles: int | None
    is_cut: bool

    @property
    def core_cycles(self) -> dict[str, int]:
        """Cycles in which each core computes, theirs."""
        names = self.chip.core_names
        cycles = dict.fromkeys(names, 0)
        for layer, core in self.placed.cores.items():
            cycles[names[core]] += self.layer_cycles[layer]
        return cycles


def read_runs(runs: Path, layers: Path) -> list[StreamRun]:
    """The runs of a file with their layers of another. Raises InputError for unusable ones."""
    told = read_reference(layers, LAYER_COLUMNS)
    return [
        _run(runs, row, layers, [layer for layer in told if layer["run"] == row["run"]])
        for row in read_reference(runs, RUN_COLUMNS, RUN_OPTIONAL)
    ]


def _run(
    runs: Path, row: Mapping[str, Any], layers: Path, told: Sequence[Mapping[str, Any]]
) -> StreamRun:
    try:
        chip = chip_of(row["hardware"], f"{row['run']} {row['granularity'] or ''}")
        workload = network_of(row["workload"])
    except ValueError as error:
        raise InputError(f"{runs}: line {row['line']}: {error}") from None
    if len(told) != len(workload.layers):
        raise InputError(
            f"{layers}: must have {len(workload.layers)} layers of run {row['run']}, those of "
            f"{workload.name}, not {len(told)}"
        )
    tiles: dict[str, LayerTile] = {}
    for layer, line in zip(workload.layers, told, strict=True):
        try:
            _check(layer, line, chip)
            tiles[layer.name] = _tile(layer, line["tile_dims"])
        except ValueError as error:
            raise InputError(f"{layers}: line {line['line']}: {error}") from None
    names = [layer.name for layer in workload.layers]
    return StreamRun(
        name=row["run"],
        line=row["line"],
        chip=chip,
        placed=PlacedWorkload(
            workload, {n: x["core"] for n, x in zip(names, told, strict=True)}, tiles
        ),
        latency_cycles=row["latency_cycles"],
        layer_cycles={n: x["busy"] for n, x in zip(names, told, strict=True)},
        offchip_cycles=_offchip_cycles(row["links_busy_cycles_and_transfers"], chip),
        is_cut=any(_pieces(layer, tiles[layer.name]) > 1 for layer in workload.layers),
    )


def _check(layer: Layer, line: Mapping[str, Any], chip: ChipSpec) -> None:
    """Raises ValueError for a row that isn't of this layer, or a core that doesn't exist."""
    if TYPES.get(line["type"]) is not layer.op:
        raise ValueError(f"type must be that of {layer.name}, {layer.op}, not {line['type']!r}")
    if line["macs"] != layer.dims.macs:
        raise ValueError(
            f"macs must be those of {layer.name}, {layer.dims.macs}, not {line['macs']}"
        )
    if line["core"] >= len(chip.core_names):
        most = len(chip.core_names) - 1
        raise ValueError(f"core must be one of 0 to {most} of {chip.name}, not {line['core']}")


def _tile(layer: Layer, cell: str) -> LayerTile:
    """Parts of the output channels, rows and columns. Raises ValueError."""
    told = {loop: int(size) for loop, size in TILE_LOOP.findall(cell)}
    d = layer.dims
    channels = told.get("K", 1) * told.get("G", 1)
    rows, columns = told.get("OY", 1), told.get("OX", 1)
    whole_channels = d.g * d.k
    if not (1 <= channels <= whole_channels and whole_channels % channels == 0):
        raise ValueError(f"tile_dims must have K or G that divide {whole_channels}, not {cell!r}")
    if not (1 <= rows <= d.oy and 1 <= columns <= d.ox):
        raise ValueError(f"tile_dims must have OY, OX of at most {d.oy}, {d.ox}, not {cell!r}")
    return whole_channels // channels, rows, columns


def _pieces(layer: Layer, tile: LayerTile) -> int:
    parts, rows, columns = tile
    return prod((parts, -(-layer.dims.oy // rows), -(-layer.dims.ox // columns)))


def _offchip_cycles(cell: str | None, chip: ChipSpec) -> int | None:
    """Busy cycles of the links between the core that is DRAM and any."""
    dram = f"Core({len(chip.core_names)})"
    busy = [int(cycles) for *ends, cycles in LINK_BUSY.findall(cell or "") if dram in ends]
    return sum(busy) if busy else None
