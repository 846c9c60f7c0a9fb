"""`tilesim stalls`: where each unit's cycles went, and what to fix first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from traces.commands.layout import (
    AsJson,
    Run,
    causes_in_words,
    percent,
    say,
    say_if_incomplete,
    table,
)
from traces.errors import InputError

if TYPE_CHECKING:
    from traces.stalls import StallReport

BY = ("layer", "unit", "cause", "core")
CHAINS = 10
"""Chains that are shown."""
MOST_NAMED = 4
"""Units that are named in a title."""
IDLE = "idle/no_work"


def command(
    run: Run,
    by: Annotated[str, typer.Option("--by", help=f"Rows: {', '.join(BY)}.")] = "unit",
    between: Annotated[
        str, typer.Option("--between", help="Only cycles A:B, B excluded; either may be left out.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say what to fix first, where each unit's cycles went, and what they waited for."""
    if by not in BY:
        raise InputError(f"--by must be one of {', '.join(BY)}, not {by!r}")
    span = cycles_between(between)
    from traces.stalls import stall_report

    report = stall_report(run, span)
    if as_json:
        typer.echo(json.dumps(report.as_dict(by), indent=2))
        return
    console = Console()
    say(console, report.headline())
    say_if_incomplete(console, report.complete, report.end)
    console.print(group_table(report, by))
    console.print(chain_table(report))


def cycles_between(text: str) -> tuple[int, int] | None:
    """A:B as cycles; None for all. Raises InputError."""
    if not text:
        return None
    first, colon, last = text.partition(":")
    if not colon or not all(part.isdigit() or not part for part in (first, last)):
        raise InputError(f"--between must be A:B in cycles, not {text!r}")
    begin, end = int(first or 0), int(last or 1 << 62)
    if end <= begin:
        raise InputError(f"--between must run forwards, not from {begin} to {end}")
    return begin, end


def group_table(report: StallReport, by: str) -> Table:
    """Rows by unit, layer, core or cause."""
    groups = report.as_dict(by)["groups"]
    if by == "cause":
        whole = sum(sum(causes.values()) for causes in groups.values())
        rows = [
            (cause, f"{sum(causes.values()):,}", percent(sum(causes.values()), whole))
            for cause, causes in groups.items()
        ]
        return table(_main_in_words(report), ("cause", ">cycles", ">share"), rows)
    title = f"cycles by {by}"
    if by == "unit" and report.main_units:
        busy = {name: causes for name, causes in groups.items() if set(causes) != {IDLE}}
        if idle := len(groups) - len(busy):
            title += f", without {idle} that never had work"
        groups = busy
    return table(title, (by, ">cycles", ">busy", "other cycles"), _busy_rows(groups))


def _main_in_words(report: StallReport) -> str:
    units = report.main_units
    if len(units) > MOST_NAMED:
        return f"the {len(units)} units that do the work"
    return ", ".join(units) or "the units that layers run on"


def _busy_rows(groups: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, causes in groups.items():
        cycles = sum(causes.values())
        works = [c for c in causes if c in ("busy/compute", "busy/transfer")]
        busy = sum(causes[c] for c in works)
        rows.append((name, f"{cycles:,}", percent(busy, cycles), causes_in_words(causes, works)))
    return rows


def chain_table(report: StallReport) -> Table:
    """What the units that layers run on waited for, and by way of whom."""
    whole = int(report.main.sum())
    chains = sorted(report.main_chains.items(), key=lambda item: -item[1])
    rows = [
        (f"{cycles:,}", percent(cycles, whole), " <- ".join(chain))
        for chain, cycles in chains[:CHAINS]
    ]
    rest = sum(cycles for _, cycles in chains[CHAINS:])
    if rest:
        rows.append((f"{rest:,}", percent(rest, whole), f"{len(chains) - CHAINS} other chains"))
    title = f"what {_main_in_words(report)} wait for, back to the root"
    return table(title, (">cycles", ">share", "waits <- for <- because of"), rows)
