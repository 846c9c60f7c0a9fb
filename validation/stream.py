"""Stream's multi-core runs on the same work: `tilesim validate stream REFERENCE.csv`.

Each run is simulated with its network cut and placed as Stream had it (`stream_run_layers.csv` in
the folder of the reference file). Its latency stands beside Stream's, then what makes the
difference: what the tiles of the core with most work take, the cycles between them with all causes
of its ledger, and how long the links to DRAM are taken. Source of the format:
references/multicore/stream_runs.csv. Tolerance: latency within 15 %, and fusion helps and harms
where it does there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from hw_models.noc_spec import DRAM, LinksSpec
from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError
from validation.multicore.runs import READY_FIRST, Case, Outcome, run_case
from validation.multicore.stream_runs import StreamRun, read_runs
from validation.result import Progress, ValidationResult, compared, no_progress

LAYERS = "stream_run_layers.csv"
MOST_PCT = 15.0
LATENCY, VALUE = "latency", "value"
MOST_LAYERS = 3


@dataclass(frozen=True)
class StreamResult(ValidationResult):
    """Rows are single figures of runs; the summary is about the latencies."""

    def errors_pct(self, figure: str) -> list[float]:
        """Errors of the rows of a figure."""
        return [row["value_error_pct"] for row in self.rows if row["figure"] == figure]

    def worst_figure(self, row: Any) -> str:
        """A row has one figure."""
        return VALUE

    def summary(self) -> dict[str, str]:
        """Runs, and errors of their latencies."""
        errors = self.errors_pct(LATENCY)
        return {
            "runs": str(len(errors)),
            "mean_error_pct": f"{sum(errors) / len(errors):.2f}",
            "worst_error_pct": f"{max(errors):.2f}",
            **self.more,
        }


def validate(reference: Path, progress: Progress = no_progress) -> StreamResult:
    """Simulate every run of a reference file. Raises InputError for an unusable file."""
    runs = read_runs(reference, reference.parent / LAYERS)
    outcomes, rows = [], []
    for done, run in enumerate(runs, 1):
        outcomes.append(_outcome(reference, run))
        rows += figures(run, outcomes[-1])
        progress(done, len(runs))
    pairs = fusion_pairs(runs, outcomes)
    same = sum((theirs > 1) == (ours > 1) for theirs, ours in pairs.values())
    worst = max(row["value_error_pct"] for row in rows if row["figure"] == LATENCY)
    return StreamResult(
        name="stream",
        rows=rows,
        identity=("run", "figure", "explained"),
        figures=tuple(dict.fromkeys(row["figure"] for row in rows)),
        main=LATENCY,
        tolerance=f"latency within {MOST_PCT:g} %, fusion faster or slower as in the reference",
        passed=worst <= MOST_PCT and same == len(pairs),
        more={
            "fusion_signs": f"{same}/{len(pairs)}",
            **{
                f"{name}_fused_over_whole": f"{theirs:.2f},ours:{ours:.2f}"
                for name, (theirs, ours) in pairs.items()
            },
        },
        by="run",
    )


def _outcome(reference: Path, run: StreamRun) -> Outcome:
    placed = run.placed
    case = Case(placed.workload, run.chip, placed.cores, tiles=placed.tiles, **READY_FIRST)
    try:
        return run_case(case)
    except InputError as error:
        raise InputError(f"{reference}: line {run.line}: run {run.name}: {error}") from None


def figures(run: StreamRun, outcome: Outcome) -> list[dict[str, Any]]:
    """Latency and what it is made of, theirs and ours.

    Latency is what the tiles of the core with most work take and the cycles between them, so that
    the differences of these two add up to that of the latencies. Its ledger says what for.
    """
    theirs, ours = run.core_cycles, _core_cycles(run, outcome)
    core = max(theirs, key=lambda name: theirs[name])
    between = run.latency_cycles - theirs[core], outcome.cycles - ours[core]
    more, more_between = ours[core] - theirs[core], between[1] - between[0]
    total = f"{more + more_between:+,} = {more:+,} tiles of {core} {more_between:+,} between them"
    told = [
        (LATENCY, run.latency_cycles, outcome.cycles, total),
        ("tiles", theirs[core], ours[core], _layers(run, outcome, core)),
        ("between tiles", *between, f"{core}: {outcome.causes_text(core)}"),
    ]
    if run.offchip_cycles is not None:
        taken = sum(outcome.link_taken_cycles[link] for link in offchip_links(run.chip))
        told.append(("off-chip links", run.offchip_cycles, taken, "taken by transfers and streams"))
    return [_row(run, *figure) for figure in told]


def _core_cycles(run: StreamRun, outcome: Outcome) -> dict[str, int]:
    """Cycles of the tiles of each core, ours."""
    return replace(run, layer_cycles=outcome.layer_cycles).core_cycles


def _row(run: StreamRun, figure: str, theirs: int, ours: int, explained: str) -> dict[str, Any]:
    identity = {"run": run.name, "figure": figure, "explained": explained}
    return compared(identity, {VALUE: theirs}, {VALUE: ours})


def _layers(run: StreamRun, outcome: Outcome, core: str) -> str:
    """The layers of a core whose tiles differ most in cost."""
    names = run.chip.core_names
    mine = [name for name, where in run.placed.cores.items() if names[where] == core]
    more = {name: outcome.layer_cycles[name] - run.layer_cycles[name] for name in mine}
    most = sorted((name for name in mine if more[name]), key=lambda name: -abs(more[name]))
    rest = sum(more[name] for name in most[MOST_LAYERS:])
    told = [f"{name} {more[name]:+,}" for name in most[:MOST_LAYERS]]
    return ", ".join([*told, f"other {rest:+,}"] if rest else told) or "all alike"


def offchip_links(chip: ChipSpec) -> list[str]:
    """Links to and from DRAM."""
    assert isinstance(chip.noc, LinksSpec)
    return [f"noc.{link.name}" for link in chip.noc.links if DRAM in link.ends]


def fusion_pairs(
    runs: Sequence[StreamRun], outcomes: Sequence[Outcome]
) -> Mapping[str, tuple[float, float]]:
    """Latency fused over latency layer by layer, theirs and ours, of runs that differ in that."""
    found = {}
    for (a, ours_a), (b, ours_b) in combinations(zip(runs, outcomes, strict=True), 2):
        same = a.chip == b.chip and a.placed.workload == b.placed.workload
        if not same or a.is_cut == b.is_cut:
            continue
        (fused, ours_fused), (whole, ours_whole) = (
            ((a, ours_a), (b, ours_b)) if a.is_cut else ((b, ours_b), (a, ours_a))
        )
        found[fused.name] = (
            fused.latency_cycles / whole.latency_cycles,
            ours_fused.cycles / ours_whole.cycles,
        )
    return found
