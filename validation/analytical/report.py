"""The report on analytical models: tables on a terminal, and all layers as a file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hw_models.yaml_file import InputError
from validation.analytical.calibration import repairs
from validation.analytical.compare import Comparison
from validation.analytical.designs import Ranking
from validation.analytical.explain import ALL
from validation.analytical.figures import CLOSE_PCT, close_conditions, error_figures
from validation.analytical.models import MODELS

MOST_CAUSES, MOST_CONDITIONS, MOST_REPAIRS = 3, 3, 3
COLUMNS = (
    *("model", "layer", "op", "predicted_cycles", "simulated_cycles", "error_pct"),
    *("predicted_energy_pj", "simulated_energy_pj", "predicted_dram_bytes", "simulated_dram_bytes"),
)


def print_report(comparisons: Sequence[Comparison], console: Console) -> None:
    """Each model with its source, its layers, why it is wrong, and when it is right."""
    for comparison in comparisons:
        model = MODELS.get(comparison.model)
        if model is not None:
            console.print(f"{model.name}: {model.source}", highlight=False, soft_wrap=True)
            for assumption in model.assumptions:
                console.print(f"  assumes: {assumption}", highlight=False, soft_wrap=True)
        console.print(layer_table(comparison))
        for line in (*conclusions(comparison), *comparison.failures):
            console.print(line, highlight=False, soft_wrap=True)
    console.print(figures_table(comparisons))


def layer_table(comparison: Comparison) -> Table:
    """Layers and their sum: predicted, simulated, error, and its largest causes."""
    table = Table(title=comparison.model, title_justify="left")
    table.add_column("layer")
    for heading in ("predicted", "simulated", "error %"):
        table.add_column(heading, justify="right")
    table.add_column("simulated more (+) or less (-) of", overflow="fold")
    total: Counter[str] = Counter()
    for e in comparison.errors:
        total.update(e.explained)
        cells = (f"{e.predicted:,}", f"{e.simulated:,}", f"{_signed_pct(e.predicted, e.simulated)}")
        table.add_row(e.layer, *cells, causes_text(e.explained, MOST_CAUSES))
    sums = comparison.predicted_cycles, sum(e.simulated for e in comparison.errors)
    table.add_section()
    table.add_row(
        "all", *(f"{n:,}" for n in sums), _signed_pct(*sums), causes_text(total, len(total))
    )
    return table


def conclusions(comparison: Comparison) -> list[str]:
    """When the model is close, and which single term would repair it most."""
    if not comparison.errors:
        return [f"{comparison.model}: no layer has a prediction"]
    lines = [
        f"within {CLOSE_PCT:g} % in all {c.layers} layers where {c.cause} is off by less than "
        f"{c.share_pct:.1f} % of the cycles"
        for c in close_conditions(comparison.errors)[:MOST_CONDITIONS]
    ]
    for repair in repairs(comparison.errors)[:MOST_REPAIRS]:
        lines.append(
            f"adding {repair.factor:.3g} x {repair.term}: mean error {repair.before_pct:.1f} % -> "
            f"{repair.after_pct:.1f} % (each half of the layers tested with the other's factor)"
        )
    return lines


def figures_table(comparisons: Sequence[Comparison]) -> Table:
    """One row a model: errors and rank correlation."""
    table = Table(title="models", title_justify="left")
    table.add_column("model")
    headings = ("layers", "mean %", "p95 %", "worst %", "total %", "Kendall", "energy %", "DRAM %")
    for heading in headings:
        table.add_column(heading, justify="right")
    for c in comparisons:
        if not c.errors:
            continue
        f = error_figures(c.errors)
        each = (f.mean_pct, f.p95_pct, f.worst_pct, f.total_pct)
        energy = [e.energy_pj for e in c.errors if e.energy_pj]
        moved = [e.dram_bytes for e in c.errors if e.dram_bytes]
        cells = (*(f"{n:.1f}" for n in each), f"{f.kendall:.3f}", _total(energy), _total(moved))
        table.add_row(c.model, str(f.layers), *cells)
    return table


def ranking_table(rankings: Sequence[Ranking]) -> Table:
    """One row a model: the design it would choose, and how much slower that is than the best."""
    table = Table(title="choosing among designs", title_justify="left")
    for heading in ("model", "chosen", "best", "regret %", "Kendall"):
        table.add_column(heading)
    for r in rankings:
        table.add_row(r.model, r.chosen, r.best, f"{r.regret_pct:.2f}", f"{r.kendall:.3f}")
    return table


def closing_line(comparisons: Sequence[Comparison]) -> str:
    """`layers=... NAME_mean_error_pct=... unexplained_cycles=...`."""
    figures = [(c.model, error_figures(c.errors)) for c in comparisons if c.errors]
    words = [f"{name}_mean_error_pct={f.mean_pct:.2f}" for name, f in figures]
    layers = max((f.layers for _, f in figures), default=0)
    failed = sum(len(c.failures) for c in comparisons)
    unexplained = sum(c.unexplained_cycles for c in comparisons)
    ends = f"failed_layers={failed} unexplained_cycles={unexplained}"
    return " ".join([f"models={len(figures)} layers={layers}", *words, ends])


def write_layers(comparisons: Sequence[Comparison], path: Path) -> None:
    """All layers of all models, with every cause, as CSV. Raises InputError."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*COLUMNS, *ALL])
            for c in comparisons:
                for e in c.errors:
                    known = (*(e.energy_pj or ("", "")), *(e.dram_bytes or ("", "")))
                    first = (c.model, e.layer, e.op, e.predicted, e.simulated)
                    causes = [e.explained.get(cause, 0) for cause in ALL]
                    writer.writerow([*first, f"{e.error_pct:.4f}", *known, *causes])
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror}") from None


def causes_text(explained: Mapping[str, int], most: int) -> str:
    """The largest causes of an error with their cycles, simulated less predicted."""
    largest = sorted(explained, key=lambda cause: -abs(explained[cause]))[:most]
    return ", ".join(f"{cause.partition('/')[2]} {explained[cause]:+,}" for cause in largest)


def _signed_pct(predicted: float, simulated: float) -> str:
    return f"{100 * (predicted - simulated) / (simulated or 1):+.1f}"


def _total(pairs: Sequence[tuple[float, float]]) -> str:
    return _signed_pct(*(sum(side) for side in zip(*pairs, strict=True))) if pairs else ""
