"""The report of an exploration: a table for each network, what can't run, the largest gains."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from validation.exploration.evaluate import Row
from validation.exploration.gains import PUBLISHED, best_edp, best_gain, gains
from validation.exploration.space import KINDS, LAYER, WAYS

MILLION, PJ_PER_MJ = 1e6, 1e9


def print_report(rows: Sequence[Row], console: Console) -> None:
    """Print all tables and sentences."""
    for network in dict.fromkeys(row.network for row in rows):
        console.print(network_table([row for row in rows if row.network == network]))
    console.print(best_table(rows))
    for row in rows:
        if row.problem:
            line = f"{row.network} on {row.chip}, {row.way}: {row.problem}"
            console.print(line, highlight=False, soft_wrap=True)
    for line in conclusions(rows):
        console.print(line, highlight=False, soft_wrap=True)


def network_table(rows: Sequence[Row]) -> Table:
    """One row a chip: latency and energy of each way, EDP layer by layer and what fusion gains."""
    title = f"{rows[0].network}: Mcycles, mJ, EDP in mJ Mcycles"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("chip", no_wrap=True)
    figures = [("Mcyc", WAYS), ("mJ", WAYS), ("EDP", WAYS[:1]), ("gain", WAYS[1:])]
    for figure, ways in figures:
        for way in ways:
            table.add_column(f"{figure}\n{way}", justify="right", no_wrap=True)
    factors = {(gain.row.chip, gain.row.way): gain.factor for gain in gains(rows)}
    for chip in dict.fromkeys(row.chip for row in rows):
        run = {row.way: row for row in rows if row.chip == chip and not row.problem}
        cells = [
            *(run[way].cycles / MILLION if way in run else None for way in WAYS),
            *(run[way].energy_pj / PJ_PER_MJ if way in run else None for way in WAYS),
            run[LAYER].edp / MILLION / PJ_PER_MJ if LAYER in run else None,
            *(factors.get((chip, way)) for way in WAYS[1:]),
        ]
        table.add_row(chip, *map(_number, cells))
    return table


def best_table(rows: Sequence[Row]) -> Table:
    """The least EDP of each network on chips of each kind, and where it is."""
    title = "least EDP in mJ Mcycles"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for heading in ("network", *KINDS):
        table.add_column(heading)
    for network in dict.fromkeys(row.network for row in rows):
        found = [best_edp(rows, network, kind) for kind in KINDS]
        table.add_row(network, *(_place(row) if row else "-" for row in found))
    return table


def _place(row: Row) -> str:
    return f"{_number(row.edp / MILLION / PJ_PER_MJ)}\n{row.chip}, {row.way}"


def conclusions(rows: Sequence[Row]) -> list[str]:
    """The largest gain of fusion on chips of each kind, and where it is."""
    lines = []
    for kind in KINDS:
        gain = best_gain(rows, kind)
        if gain is not None:
            where = f"{gain.row.network} on {gain.row.chip}, {gain.row.way}"
            lines.append(
                f"{kind}: fusion lowers EDP by up to {gain.factor:.2f} times ({where}); "
                f"published: {PUBLISHED[kind]}"
            )
    return lines


def closing_line(rows: Sequence[Row]) -> str:
    """`points=... failed=... best_single_edp_gain=... best_homo_... best_hetero_...`."""
    words = [f"points={len(rows)}", f"failed={sum(bool(row.problem) for row in rows)}"]
    for short, kind in zip(("single", "homo", "hetero"), KINDS, strict=True):
        gain = best_gain(rows, kind)
        words.append(f"best_{short}_edp_gain={'none' if gain is None else f'{gain.factor:.2f}'}")
    return " ".join(words)


def _number(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
