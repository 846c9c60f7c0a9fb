"""Three fabricated multi-core chips: `tilesim validate chips`.

Each runs the workload of references/multicore/chip_workloads.csv with its published placement and
tiles. Measured latency, Stream's prediction and the simulation stand side by side, then the peaks
of memories and the busy cycles of links beside Stream's. Source of the format: references/
multicore/chip_results.csv, with chip_workloads.csv and chip_mem_link.csv beside it or else those of
references/multicore. Tolerance: on each chip at least as near to the measured latency as Stream;
memories and links are shown, not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hw_models.chip_files import load_chip
from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError
from validation.commands.validate import command as judge
from validation.multicore.runs import DEPTH_FIRST, Case, Outcome, run_case
from validation.multicore.stream_tables import busy_links, peaks
from validation.multicore.workloads import (
    CHIP_WORKLOADS,
    REFERENCES,
    PlacedWorkload,
    beside,
    chip_workloads,
)
from validation.reference_file import one_of, or_blank, read_reference, text, whole
from validation.result import Progress, ValidationResult, compared, error_pct, no_progress

RESULTS, MEMORIES = "chip_results.csv", "chip_mem_link.csv"
PRESETS = {"DepFiN": "depfin", "DIANA": "diana", "AiMC4x4": "aimc_4x4"}
"""Name of a chip in the reference files -> preset."""

COLUMNS = {"chip": text, "measured_cycles": whole(1), "stream_full": whole(1)}
MEMORY_COLUMNS = {
    "chip": text,
    "kind": one_of("memory", "link"),
    "name": text,
    "peak_bits_or_busy_cycles": whole(0),
    "transfers": or_blank(whole(0)),
    "cores": text,
}
LATENCY, MEASURED, STREAM = "latency_cycles", "measured", "Stream"
VALUE = "value"


@dataclass(frozen=True)
class ChipsResult(ValidationResult):
    """Rows are single figures; the summary is about the latencies."""

    def errors_pct(self, figure: str) -> list[float]:
        """Errors of the rows of a figure."""
        return [row["value_error_pct"] for row in self.rows if row["figure"] == figure]

    def worst_figure(self, row: Any) -> str:
        """A row has one figure."""
        return VALUE

    def summary(self) -> dict[str, str]:
        """Chips, the worst error against measured latencies, and Stream's."""
        latencies = [row for row in self.rows if row["figure"] == LATENCY]
        return {
            "chips": str(len(latencies)),
            "worst_error_pct": f"{max(row['value_error_pct'] for row in latencies):.2f}",
            "worst_stream_error_pct": f"{max(row['stream_error_pct'] for row in latencies):.2f}",
            "as_near_as_stream": str(sum(map(as_near, latencies))),
        }


def as_near(row: Mapping[str, Any]) -> bool:
    """Whether a latency is at least as near to the measured one as Stream's."""
    return bool(row["value_error_pct"] <= row["stream_error_pct"])


def validate(reference: Path, progress: Progress = no_progress) -> ChipsResult:
    """Simulate every chip of a reference file. Raises InputError for an unusable file."""
    given = read_reference(reference, COLUMNS)
    placed = chip_workloads(beside(reference, CHIP_WORKLOADS))
    tables = beside(reference, MEMORIES)
    theirs = read_reference(tables, MEMORY_COLUMNS)
    for row in given:
        _check_chip(reference, row, placed)
    rows: list[dict[str, Any]] = []
    for done, row in enumerate(given, 1):
        chip = load_chip(PRESETS[row["chip"]])
        outcome = run_case(_case(placed[row["chip"]], chip))
        mine = [other for other in theirs if other["chip"] == row["chip"]]
        try:
            rows += [_latency(row, outcome, chip), *_memories(row["chip"], mine, outcome, chip)]
        except ValueError as error:
            raise InputError(f"{tables}: {row['chip']}: {error}") from None
        progress(done, len(given))
    return ChipsResult(
        name="chips",
        rows=rows,
        identity=("chip", "figure", "of", "against", "stream", "stream_error_pct", "note"),
        figures=tuple(dict.fromkeys(row["figure"] for row in rows)),
        main=LATENCY,
        tolerance="latency at least as near to the measured one as Stream's; others shown only",
        passed=all(as_near(row) for row in rows if row["figure"] == LATENCY),
        by="chip",
    )


def _check_chip(
    reference: Path, row: Mapping[str, Any], placed: Mapping[str, PlacedWorkload]
) -> None:
    for known, what in ((PRESETS, "a chip"), (placed, f"a workload in {CHIP_WORKLOADS}")):
        if row["chip"] not in known:
            raise InputError(
                f"{reference}: line {row['line']}: chip must be {what}: one of "
                f"{', '.join(known)}, not {row['chip']!r}"
            )


def _case(placed: PlacedWorkload, chip: ChipSpec) -> Case:
    return Case(placed.workload, chip, placed.cores, tiles=placed.tiles, **DEPTH_FIRST)


def _latency(row: Mapping[str, Any], outcome: Outcome, chip: ChipSpec) -> dict[str, Any]:
    measured, stream = row["measured_cycles"], row["stream_full"]
    busiest = max(chip.core_names, key=outcome.busy_cycles)
    identity = {
        "chip": row["chip"],
        "figure": LATENCY,
        "of": "chip",
        "against": MEASURED,
        "stream": stream,
        "stream_error_pct": error_pct(stream, measured),
        "note": f"{busiest}: {outcome.causes_text(busiest)}",
    }
    return compared(identity, {VALUE: measured}, {VALUE: outcome.cycles})


def _memories(
    name: str, theirs: Sequence[Mapping[str, Any]], outcome: Outcome, chip: ChipSpec
) -> list[dict[str, Any]]:
    """Peaks and busy links beside Stream's. Raises ValueError for what the chip hasn't."""
    rows = []
    for peak in peaks([row for row in theirs if row["kind"] == "memory"], chip):
        ours = outcome.peak_bytes[peak.buffer]
        rows.append(_beside(name, "peak_bytes", peak.buffer, peak.peak_bytes, ours))
    for link in busy_links([row for row in theirs if row["kind"] == "link"], chip):
        ours = outcome.link_busy_cycles[link.name]
        note = f"{link.transfers} transfers, ours {outcome.link_transfers[link.name]}"
        rows.append(_beside(name, "busy_cycles", link.name, link.busy_cycles, ours, note))
    return rows


def _beside(
    chip: str, figure: str, unit: str, theirs: float, ours: float, note: str = ""
) -> dict[str, Any]:
    identity = {
        "chip": chip,
        "figure": figure,
        "of": unit,
        "against": STREAM,
        "stream": None,
        "stream_error_pct": None,
        "note": note,
    }
    return compared(identity, {VALUE: theirs}, {VALUE: ours})


def command(
    reference: Annotated[
        Path, typer.Argument(help="CSV file with measured latencies and Stream's predictions.")
    ] = REFERENCES / RESULTS,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write all rows here (.csv or .parquet).")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
) -> None:
    """Simulate three fabricated chips; exit 0 only if as near to their latencies as Stream."""
    judge("chips", reference, out, as_json)
