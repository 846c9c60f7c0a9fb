"""The simulator against published figures of chips: `tilesim validate silicon REFERENCE.csv`.

Each chip has a module in `validation.measured` that runs its layers; rows of other chips and
metrics are counted, not compared. Source of the format: references/silicon.csv.
Tolerance: means over layers as in BARS; all other figures are shown, not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from hw_models.yaml_file import InputError
from validation.measured import eyeriss, nvdla, tpu_v1
from validation.measured.layers import MeasuredLayer, Ours, shape_of
from validation.reference_file import number, read_reference, rounding_of, text
from validation.result import Progress, ValidationResult, compared, no_progress

COLUMNS = dict.fromkeys(
    ("chip", "network", "layer", "dims", "metric", "unit", "source", "flag"), text
)
SIMULATED: dict[str, Callable[[Sequence[MeasuredLayer]], list[dict[str, Ours]]]] = {
    module.CHIP: module.simulate_layers for module in (eyeriss, nvdla, tpu_v1)
}
"""Chip -> what gives the figures of its layers."""

VENDOR_MODEL = "vendor analytical model"
FROM_MEMORY = "from-memory"


class Bar(NamedTuple):
    """A mean error over layers that must not be exceeded. network: all of the chip's if empty."""

    key: str
    chip: str
    network: str
    metric: str
    most_pct: float


BARS = (
    Bar("eyeriss_alexnet_processing", "Eyeriss", "AlexNet", "processing_latency", 10),
    Bar("eyeriss_alexnet_dram", "Eyeriss", "AlexNet", "dram_accesses", 15),
    Bar("nvdla_layer_cycles", "NVDLA-full", "", "layer_cycles_no_sram", 10),
)
TOLERANCE = (
    "mean over layers: Eyeriss AlexNet processing time 10 %, its DRAM traffic 15 %, NVDLA cycles "
    "of a layer 10 % (vendor's analytical model); other figures shown only"
)
MAIN_METRICS = ("processing_latency", "layer_cycles_no_sram")
MAIN = "processing time and layer cycles"
"""What the summary line is about."""

IDENTITY = ("chip", "network", "layer", "metric", "unit", "flag", "note")
VALUE = "value"


@dataclass(frozen=True)
class SiliconResult(ValidationResult):
    """Rows are single figures, each with its metric; errors are asked for by metric."""

    def errors_pct(self, figure: str) -> list[float]:
        """Errors of the rows of a metric, or of MAIN."""
        wanted = MAIN_METRICS if figure == MAIN else (figure,)
        errors = [row["value_error_pct"] for row in self.rows if row["metric"] in wanted]
        return errors or [row["value_error_pct"] for row in self.rows]

    def worst_figure(self, row: Any) -> str:
        """A row has one figure."""
        return VALUE


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Compare every figure that can be simulated. Raises InputError for an unusable file."""
    given = read_reference(reference, {**COLUMNS, VALUE: text})
    layers = _layers(reference, given)
    rows, chips = [], [chip for chip in SIMULATED if any(x.chip == chip for x in layers)]
    for done, chip in enumerate(chips):
        progress(done, len(chips))
        mine = [layer for layer in layers if layer.chip == chip]
        for layer, ours in zip(mine, SIMULATED[chip](mine), strict=True):
            rows += _rows(layer, ours)
    progress(len(chips), len(chips))
    if not rows:
        raise InputError(
            f"{reference}: must have layers of {', '.join(SIMULATED)} with metrics that are "
            f"simulated, not only of {', '.join(sorted({x.chip for x in layers}))}"
        )
    means = {bar: _mean(rows, bar) for bar in BARS}
    return SiliconResult(
        name="silicon",
        rows=rows,
        identity=IDENTITY,
        figures=tuple(dict.fromkeys(row["metric"] for row in rows)),
        main=MAIN,
        tolerance=TOLERANCE,
        passed=all(mean is None or mean <= bar.most_pct for bar, mean in means.items()),
        more={
            **{f"{b.key}_mean_error_pct": f"{m:.2f}" for b, m in means.items() if m is not None},
            "not_simulated": str(len(given) - len(rows)),
        },
        by="chip",
    )


def _layers(reference: Path, given: Sequence[dict[str, Any]]) -> list[MeasuredLayer]:
    """Rows gathered by layer. A figure given again begins a layer of the same name anew."""
    layers: list[MeasuredLayer] = []
    last: dict[tuple[str, str, str], MeasuredLayer] = {}
    for row in given:
        key = (row["chip"], row["network"], row["layer"])
        layer = last.get(key)
        other = layer is not None and "" not in (row["dims"], layer.dims)
        if layer is None or row["metric"] in layer.figures or (other and row["dims"] != layer.dims):
            layer = last[key] = MeasuredLayer(*key, row["dims"], row["line"])
            layers.append(layer)
        layer.dims = layer.dims or row["dims"]
        if key[0] in SIMULATED and row["layer"] != "CHIP":
            layer.figures[row["metric"]] = _number(reference, row)
            layer.told[row["metric"]] = (row["unit"], row["flag"])
    for layer in layers:
        _check(reference, layer)
    return layers


def _number(reference: Path, row: dict[str, Any]) -> Any:
    try:
        return number(row[VALUE])
    except ValueError as error:
        raise InputError(f"{reference}: line {row['line']}: value {error}") from None


def _check(reference: Path, layer: MeasuredLayer) -> None:
    try:
        shape_of(layer.dims)
    except ValueError as error:
        raise InputError(f"{reference}: line {layer.line}: {error}") from None


def _rows(layer: MeasuredLayer, ours: dict[str, Ours]) -> list[dict[str, Any]]:
    rows = []
    for metric, figure in ours.items():
        if metric not in layer.figures:
            continue
        published, (unit, flag) = layer.figures[metric], layer.told[metric]
        identity = {
            "chip": layer.chip,
            "network": layer.network,
            "layer": layer.name,
            "metric": metric,
            "unit": unit,
            "flag": _short(flag),
            "note": figure.note,
        }
        slack = {VALUE: rounding_of(published)}
        rows.append(compared(identity, {VALUE: float(published)}, {VALUE: figure.value}, slack))
    return rows


def _short(flag: str) -> str:
    """A flag in a word or two, so that it is seen in every row."""
    for word in (VENDOR_MODEL, FROM_MEMORY):
        if word in flag:
            return word
    return "published"


def _mean(rows: Sequence[dict[str, Any]], bar: Bar) -> float | None:
    """Mean error of the rows that a bar is about; None where there are none."""
    errors = [
        row["value_error_pct"]
        for row in rows
        if row["chip"] == bar.chip
        and row["metric"] == bar.metric
        and bar.network in ("", row["network"])
    ]
    return fmean(errors) if errors else None
