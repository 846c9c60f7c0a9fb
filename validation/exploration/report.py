"""The report of an exploration: a table for each network, what can't run, the largest gains."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from validation.exploration.evaluate import Row
from validation.exploration.gains import PUBLISHED_HETERO_GAIN, best_gain, gains
from validation.exploration.space import KINDS, LAYER, WAYS

MILLION, PJ_PER_MJ = 1e6, 1e9
PUBLISHED = {"heterogeneous": f", published up to {PUBLISHED_HETERO_GAIN}"}


def print_report(rows: Sequence[Row], console: Console) -> None:
    """Print all tables and sentences."""
    for network in dict.fromkeys(row.network for row in rows):
        console.print(network_table([row for row in rows if row.network == network]))
    for row in rows:
        if row.problem:
            line = f"{row.network} on {row.chip}, {row.way}: {row.problem}"
            console.print(line, highlight=False, soft_wrap=True)
    for line in conclusions(rows):
        console.print(line, highlight=False, soft_wrap=True)


def network_table(rows: Sequence[Row]) -> Table:
    """One row a chip: latency and energy of each way, EDP layer by layer and what fusion gains."""
    table = Table(title=rows[0].network, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("chip", no_wrap=True)
    for figure in ("Mcycles", "mJ"):
        for way in WAYS:
            table.add_column(f"{figure}\n{way}", justify="right", no_wrap=True)
    table.add_column(f"mJ Mcycles\n{LAYER}", justify="right", no_wrap=True)
    for way in WAYS[1:]:
        table.add_column(f"EDP gain\n{way}", justify="right", no_wrap=True)
    factors = {(gain.row.chip, gain.row.way): gain.factor for gain in gains(rows)}
    for chip in dict.fromkeys(row.chip for row in rows):
        by_way = {row.way: row for row in rows if row.chip == chip and not row.problem}
        ways = [by_way.get(way) for way in WAYS]
        cycles = [_number(row and row.cycles / MILLION) for row in ways]
        energy = [_number(row and row.energy_pj / PJ_PER_MJ) for row in ways]
        edp = _number(ways[0] and ways[0].edp / MILLION / PJ_PER_MJ)
        table.add_row(
            chip, *cycles, *energy, edp, *(_number(factors.get((chip, way))) for way in WAYS[1:])
        )
    return table


def conclusions(rows: Sequence[Row]) -> list[str]:
    """The largest gain of fusion on chips of each kind, and where it is."""
    lines = []
    for kind in KINDS:
        gain = best_gain(rows, kind)
        if gain is not None:
            where = f"{gain.row.network} on {gain.row.chip}, {gain.row.way}"
            lines.append(
                f"{kind}: fusion lowers EDP by up to {gain.factor:.2f} times ({where})"
                f"{PUBLISHED.get(kind, '')}"
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
