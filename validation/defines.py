"""Fused tiles of FSRCNN against DeFiNES: `tilesim validate defines REFERENCE.csv`.

A row is a tile size of the last layer and a way to treat what tiles share, on preset
`meta_proto_df`. Energy and latency (without the store of the last results) stand beside those of
DeFiNES. Source of the format: references/multicore/defines_grid.csv. Tolerance: the rows in the
same order by energy and by latency, Kendall's tau of at least 0.8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from hw_models.chip_files import load_chip
from simulator.fusion.depth_first import depth_first_cost
from simulator.fusion.granularity import Granularity
from simulator.fusion.overlap import Overlap
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Workload
from validation.multicore.workloads import linked
from validation.reference_file import number, read_reference, whole
from validation.result import Progress, ValidationResult, compared, no_progress

PRESET = "meta_proto_df"
LEAST_TAU = 0.8
MODES: Mapping[int, Overlap] = {1: "recompute", 2: "horizontal", 3: "full"}
"""Number of a mode -> what becomes of what tiles share."""

WIDTH, HEIGHT = 960, 540
LAYERS = (
    (970, 550, 1, 56, 5),
    (970, 550, 56, 12, 1),
    (968, 548, 12, 12, 3),
    (966, 546, 12, 12, 3),
    (964, 544, 12, 12, 3),
    (962, 542, 12, 12, 3),
    (962, 542, 12, 56, 1),
    (WIDTH, HEIGHT, 56, 16, 3),
)
"""Columns and rows of the output, channels in and out, taps along each axis: convolutions that see
no padding. Source: DeFiNES (commit 7097d60), case study 1, FSRCNN on a padded image."""

COLUMNS = {
    "tile_x": whole(1, WIDTH),
    "tile_y": whole(1, HEIGHT),
    "mode": whole(1, 3),
    "energy_pJ": number,
    "latency1": number,
}


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Cost every tile size of a reference file. Raises InputError for an unusable file."""
    given = read_reference(reference, COLUMNS)
    chip, network = load_chip(PRESET), fsrcnn()
    rows = []
    for done, row in enumerate(given, 1):
        granularity = Granularity.parse(f"tile:{row['tile_y']}x{row['tile_x']}")
        cost = depth_first_cost(network, chip, granularity, MODES[row["mode"]])
        identity = {
            "tile": f"{row['tile_x']}x{row['tile_y']}",
            "mode": MODES[row["mode"]],
            "tiles": cost.tiles,
            "dram_mb": f"{cost.figures.dram_bytes / 1e6:.1f}",
        }
        theirs = {"energy": float(row["energy_pJ"]), "latency": float(row["latency1"])}
        ours = {"energy": cost.figures.energy_pj, "latency": float(cost.figures.cycles)}
        rows.append(compared(identity, theirs, ours))
        progress(done, len(given))
    taus = {figure: kendall_tau(rows, figure) for figure in ("energy", "latency")}
    return ValidationResult(
        name="defines",
        rows=rows,
        identity=("tile", "mode", "tiles", "dram_mb"),
        figures=("energy", "latency"),
        main="energy",
        tolerance=f"Kendall's tau of at least {LEAST_TAU:g} by energy and by latency",
        passed=all(tau >= LEAST_TAU for tau in taus.values()),
        more={f"{figure}_tau": f"{tau:.3f}" for figure, tau in taus.items()} | best_share(rows),
    )


def fsrcnn() -> Workload:
    """FSRCNN as a chain of convolutions without padding."""
    layers: list[Layer] = []
    read = "image"
    for place, (columns, rows, inputs, outputs, taps) in enumerate(LAYERS):
        dims = LoopDims(
            k=outputs,
            c=inputs,
            oy=rows,
            ox=columns,
            fy=taps,
            fx=taps,
            iy=rows + taps - 1,
            ix=columns + taps - 1,
        )
        name = f"conv{place}"
        weight = Operand(f"{name}.weight", ("g", "k", "c", "fy", "fx"))
        made = f"{name}.out"
        layers.append(Layer(name, LayerOp.CONV2D, dims, (Operand(read),), made, weight=weight))
        read = made
    return linked("fsrcnn", tuple(layers))


def kendall_tau(rows: Sequence[Mapping[str, Any]], figure: str) -> float:
    """Kendall's tau of the order of rows, theirs and ours; 1 for fewer than two rows.

    A pair that is equal here or there counts as neither in order nor out of order.
    """
    pairs = list(combinations(rows, 2))
    theirs, ours = f"{figure}_reference", f"{figure}_ours"
    agreed = sum(_sign(a[theirs] - b[theirs]) * _sign(a[ours] - b[ours]) for a, b in pairs)
    return agreed / len(pairs) if pairs else 1.0


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)


def best_share(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Least energy as a share of that layer by layer, theirs and ours, if the file has both."""
    whole_layers = [row for row in rows if row["tile"] == f"{WIDTH}x{HEIGHT}"]
    if not whole_layers:
        return {}
    return {
        f"best_energy_share_{whose}": f"{least / whole_layers[0][f'energy_{whose}']:.3f}"
        for whose in ("reference", "ours")
        for least in [min(row[f"energy_{whose}"] for row in rows)]
    }
