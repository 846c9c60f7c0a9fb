"""The systolic array against SCALE-Sim v3: `tilesim validate systolic REFERENCE.csv`.

Cycles, mapping efficiency and SRAM accesses come from tilesim's own array; DRAM accesses, stalls
and totals from the model of SCALE-Sim's memory in `validation.scalesim`.
Source of the format: references/systolic_scalesim.csv. Tolerance: every figure of every row equal,
percentages to the last decimal that the file prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hw_models.yaml_file import InputError
from validation.reference_file import (
    Cell,
    number,
    one_of,
    or_blank,
    read_reference,
    rounding_of,
    text,
    whole,
)
from validation.result import Progress, ValidationResult, compared, no_progress
from validation.scalesim.figures import layer_figures
from validation.scalesim.layer import ConvLayer, Machine, array_counts

WORDS_PER_KB = 1024
MOST_MATRIX_WORDS = 2**27
MOST_CYCLES = 2**28
"""Bounds of what is replayed: beyond them a row needs gigabytes or hours. (Of a layer of one cycle
SCALE-Sim itself can't tell the utilisation: it divides by the index of the last cycle.)"""

TOLERANCE = "every figure of every row equal, percentages to the last decimal printed"
MAIN_FIGURE = "total_cycles"

LAYER_COLUMNS: dict[str, Cell] = {
    "ifmap_h": whole(1, 2**24),
    "ifmap_w": whole(1, 2**24),
    "filt_h": whole(1, 2**24),
    "filt_w": whole(1, 2**24),
    "channels": whole(1, 2**24),
    "num_filters": whole(1, 2**24),
    "stride_h": whole(1, 2**24),
    "stride_w": whole(1, 2**24),
}
"""In the order of ConvLayer."""

BANDWIDTH_COLUMNS = ("bw_ifmap", "bw_filter", "bw_ofmap")
MACHINE_COLUMNS: dict[str, Cell] = {
    "array_rows": whole(1, 2**14),
    "array_cols": whole(1, 2**14),
    "dataflow": one_of("os", "ws", "is"),
    "bw_mode": one_of("CALC", "USER"),
    **{name: or_blank(whole(1, 2**20)) for name in BANDWIDTH_COLUMNS},
    "sram_ifmap_kb": whole(1, 2**20),
    "sram_filter_kb": whole(1, 2**20),
    "sram_ofmap_kb": whole(1, 2**20),
}

FIGURE_COLUMNS: dict[str, Cell] = {
    "compute_cycles": whole(-(2**62)),
    "total_cycles": whole(0),
    "stall_cycles": whole(0),
    "cycles_incl_prefetch": whole(0),
    "overall_util_pct": number,
    "mapping_eff_pct": number,
    "compute_util_pct": number,
    "sram_ifmap_reads": whole(0),
    "sram_filter_reads": whole(0),
    "sram_ofmap_writes": whole(0),
    "dram_ifmap_reads": whole(0),
    "dram_filter_reads": whole(0),
    "dram_ofmap_writes": whole(0),
}

GEMM_COLUMNS: dict[str, Cell] = {name: whole(1) for name in ("gemm_M", "gemm_N", "gemm_K")}
IDENTITY = (
    *("topology", "layer", "gemm_M", "gemm_N", "gemm_K", "array_rows", "array_cols", "dataflow"),
    *("bw_mode", *BANDWIDTH_COLUMNS, "sram_ifmap_kb", "sram_filter_kb", "sram_ofmap_kb"),
)


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Recompute every row of a reference file. Raises InputError for a file that can't be used."""
    columns = {"layer": text, **LAYER_COLUMNS, **MACHINE_COLUMNS, **FIGURE_COLUMNS}
    given = read_reference(reference, columns, {"topology": text, **GEMM_COLUMNS})
    cases = [_case(reference, row) for row in given]
    rows = []
    for done, (row, (layer, machine)) in enumerate(zip(given, cases, strict=True), 1):
        rows.append(_compared(row, layer, machine))
        progress(done, len(given))
    worst = {figure: max(row[f"{figure}_error_pct"] for row in rows) for figure in FIGURE_COLUMNS}
    return ValidationResult(
        name="systolic",
        rows=rows,
        identity=IDENTITY,
        figures=tuple(FIGURE_COLUMNS),
        main=MAIN_FIGURE,
        tolerance=TOLERANCE,
        passed=all(row["exact"] for row in rows),
        more={"figures": str(len(worst)), "worst_any_error_pct": f"{max(worst.values()):.4f}"},
    )


def _compared(row: dict[str, Any], layer: ConvLayer, machine: Machine) -> dict[str, Any]:
    """A row beside our figures; a percentage may differ by what the file's rounding hides."""
    percentages = [name for name, cell in FIGURE_COLUMNS.items() if cell is number]
    return compared(
        {
            **{name: row[name] for name in IDENTITY},
            "gemm_M": layer.m,
            "gemm_N": layer.n,
            "gemm_K": layer.depth,
        },
        {name: float(row[name]) if name in percentages else row[name] for name in FIGURE_COLUMNS},
        layer_figures(layer, machine),
        {name: rounding_of(row[name]) for name in percentages},
    )


def _case(reference: Path, row: dict[str, Any]) -> tuple[ConvLayer, Machine]:
    """Layer and machine of a row. Raises InputError for what SCALE-Sim itself would refuse."""
    layer = ConvLayer(*(row[name] for name in LAYER_COLUMNS))
    bandwidths = [row[name] if row["bw_mode"] == "USER" else None for name in BANDWIDTH_COLUMNS]
    machine = Machine(
        row["array_rows"],
        row["array_cols"],
        row["dataflow"],
        *(row[f"sram_{operand}_kb"] * WORDS_PER_KB for operand in ("ifmap", "filter", "ofmap")),
        *bandwidths,
    )
    problem = _problem(row, layer, machine)
    if problem:
        raise InputError(f"{reference}: line {row['line']}: {problem}")
    return layer, machine


def _problem(row: dict[str, Any], layer: ConvLayer, machine: Machine) -> str | None:
    """The first rule that a row breaks although each of its cells is possible by itself."""
    for filt, ifmap in (("filt_h", "ifmap_h"), ("filt_w", "ifmap_w")):
        if row[filt] > row[ifmap]:
            return f"{filt} must be at most {ifmap} ({row[ifmap]}), not {row[filt]}"
    for name, value in zip(GEMM_COLUMNS, (layer.m, layer.n, layer.depth), strict=True):
        if row[name] not in (None, value):
            return f"{name} must be {value} (from the layer's dimensions), not {row[name]}"
    for name in BANDWIDTH_COLUMNS:
        if row["bw_mode"] == "USER" and row[name] is None:
            return f"{name} must be a whole number in USER mode, not blank"
    words = max(layer.m * layer.depth, layer.filter_words, layer.ifmap_words, layer.m * layer.n)
    if words > MOST_MATRIX_WORDS:
        return f"the layer's matrices must have at most {MOST_MATRIX_WORDS} words, not {words}"
    cycles = array_counts(layer, machine)["cycles"]
    if not 2 <= cycles <= MOST_CYCLES:
        return f"the layer must take 2 to {MOST_CYCLES} array cycles, not {cycles}"
    return None
