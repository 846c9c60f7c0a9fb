"""Variants of the DepFiN chip against Stream: `tilesim validate depfin REFERENCE.csv`.

A row changes the rows of a tile, the width of the way off-chip or the activation memory of preset
`depfin`, which runs FSRCNN as in references/multicore/chip_workloads.csv; its latency is that of
the simulation. Source of the format: references/multicore/depfin_sweep.csv. Tolerance: latency
within 5 % where everything fits, 15 % where it spills, and all rows in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from hw_models.chip_files import load_chip
from hw_models.noc_spec import LinksSpec
from hw_models.spec import BufferSpec, ChipSpec
from hw_models.yaml_file import InputError
from validation.multicore.runs import DEPTH_FIRST, Case, run_case
from validation.multicore.workloads import PlacedWorkload, chip_workloads
from validation.reference_file import read_reference, text, whole
from validation.result import Progress, ValidationResult, compared, no_progress

CHIP, PRESET = "DepFiN", "depfin"
FITS_PCT, SPILLS_PCT = 5.0, 15.0
NOMINAL_BITS = 64
LINE, WHOLE_LAYER = "all", "lbl"
COLUMNS = {
    "oy_tiles": text,
    "offchip_bw_bit": whole(8, 1 << 16),
    "l1_act_KiB": whole(1, 1 << 24),
    "latency": whole(1),
}


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Simulate every variant of a reference file. Raises InputError for an unusable file."""
    given = read_reference(reference, COLUMNS)
    placed = chip_workloads()[CHIP]
    granularities = [_granularity(reference, row, placed) for row in given]
    rows = []
    for done, (row, granularity) in enumerate(zip(given, granularities, strict=True), 1):
        rows.append(_compared(row, granularity, placed))
        progress(done, len(given))
    swapped = swapped_pairs(rows)
    return ValidationResult(
        name="depfin",
        rows=rows,
        identity=("tiles", "offchip_bits", "activation_kib", "spills", "cycles_by_cause"),
        figures=("latency",),
        main="latency",
        tolerance=(
            f"latency within {FITS_PCT:g} %, {SPILLS_PCT:g} % where it spills, order of rows kept"
        ),
        passed=not swapped and all(_near_enough(row) for row in rows),
        more={"order_kept": "no" if swapped else "yes", **fusion_gains(rows)},
    )


def _granularity(reference: Path, row: Mapping[str, Any], placed: PlacedWorkload) -> str:
    """The granularity of a row's tiles, its width checked. Raises InputError."""
    cell, rows = row["oy_tiles"], placed.workload.layers[-1].dims.oy
    if row["offchip_bw_bit"] % 8:
        raise InputError(
            f"{reference}: line {row['line']}: offchip_bw_bit must be a multiple of 8, "
            f"not {row['offchip_bw_bit']}"
        )
    words = {LINE: "line", WHOLE_LAYER: "layer"}
    if cell in words:
        return words[cell]
    if not (cell.isdigit() and 1 <= int(cell) <= rows and rows % int(cell) == 0):
        raise InputError(
            f"{reference}: line {row['line']}: oy_tiles must be {LINE}, {WHOLE_LAYER} or a whole "
            f"number that divides {rows} rows, not {cell!r}"
        )
    return f"line:{rows // int(cell)}"


def _compared(row: Mapping[str, Any], granularity: str, placed: PlacedWorkload) -> dict[str, Any]:
    chip = variant(load_chip(PRESET), row["offchip_bw_bit"], row["l1_act_KiB"] * 1024)
    outcome = run_case(Case(placed.workload, chip, placed.cores, granularity, **DEPTH_FIRST))
    [core] = chip.core_names
    identity = {
        "tiles": row["oy_tiles"],
        "offchip_bits": row["offchip_bw_bit"],
        "activation_kib": row["l1_act_KiB"],
        "spills": "yes" if outcome.spills else "no",
        "cycles_by_cause": outcome.causes_text(core),
    }
    return compared(identity, {"latency": row["latency"]}, {"latency": outcome.cycles})


def variant(chip: ChipSpec, offchip_bits: int, activation_bytes: int) -> ChipSpec:
    """The chip with another width off-chip and another activation memory."""
    [core] = chip.cores
    activations = core.buffer_of("input")
    buffers = tuple(
        resized(buffer, activation_bytes) if buffer is activations else buffer
        for buffer in core.buffers
    )
    return offchip_width(chip, offchip_bits).model_copy(
        update={"cores": (core.model_copy(update={"buffers": buffers}),)}
    )


def resized(buffer: BufferSpec, size_bytes: int) -> BufferSpec:
    """A buffer of another size."""
    return buffer.model_copy(update={"size_bytes": size_bytes})


def offchip_width(chip: ChipSpec, bits: int) -> ChipSpec:
    """The chip with links and memory interface of another width, in bits a cycle."""
    assert isinstance(chip.noc, LinksSpec)
    assert chip.dram.bandwidth_gb_per_s is not None
    links = tuple(x.model_copy(update={"width_bytes": bits // 8}) for x in chip.noc.links)
    bandwidth = chip.dram.bandwidth_gb_per_s * bits / NOMINAL_BITS
    return chip.model_copy(
        update={
            "noc": chip.noc.model_copy(update={"links": links}),
            "dram": chip.dram.model_copy(update={"bandwidth_gb_per_s": bandwidth}),
        }
    )


def _near_enough(row: Mapping[str, Any]) -> bool:
    most = SPILLS_PCT if row["spills"] == "yes" else FITS_PCT
    return bool(row["latency_error_pct"] <= most)


def swapped_pairs(rows: Sequence[Mapping[str, Any]]) -> int:
    """Pairs of rows that the reference and we have in different orders."""
    return sum(
        (a["latency_reference"] - b["latency_reference"]) * (a["latency_ours"] - b["latency_ours"])
        < 0
        for a, b in combinations(rows, 2)
    )


def fusion_gains(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """How much faster fused lines are than whole layers, theirs and ours, where both are told."""
    found = {
        tiles: row
        for row in rows
        for tiles in (LINE, WHOLE_LAYER)
        if (row["tiles"], row["offchip_bits"], row["activation_kib"]) == (tiles, 64, 1024)
    }
    if len(found) < 2:
        return {}
    gains = {
        whose: found[WHOLE_LAYER][f"latency_{whose}"] / found[LINE][f"latency_{whose}"]
        for whose in ("reference", "ours")
    }
    return {f"line_gain_{whose}": f"{gain:.2f}" for whose, gain in gains.items()}
