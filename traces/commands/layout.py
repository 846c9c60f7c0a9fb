"""How the analyses of a run look on a terminal: what their tables have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

Run = Annotated[Path, typer.Argument(help="The folder of a run.", metavar="RUN")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

LEAST_SHARE = 0.001
"""Share below which causes are not named in a row."""


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table; headings that begin with > are of numbers. The last column may wrap."""
    made = Table(title=title, title_justify="left")
    for i, heading in enumerate(headings):
        right = heading.startswith(">")
        fold = i == len(headings) - 1 and not right
        made.add_column(
            heading.removeprefix(">"), justify="right" if right else "left", no_wrap=not fold
        )
    for row in rows:
        made.add_row(*row)
    return made


def percent(part: int, whole: int) -> str:
    """A share, or a dash where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def causes_in_words(causes: Mapping[str, int], leave_out: Sequence[str] = ()) -> str:
    """Causes and their shares, largest first, those too small to matter summed up."""
    whole = sum(causes.values())
    shown = sorted((c for c in causes if c not in leave_out), key=lambda c: -causes[c])
    named = [c for c in shown if causes[c] >= LEAST_SHARE * whole]
    rest = sum(causes[c] for c in shown if c not in named)
    words = [f"{c.partition('/')[2]} {percent(causes[c], whole)}" for c in named]
    if rest >= LEAST_SHARE * whole and rest:
        words.append(f"others {percent(rest, whole)}")
    return ", ".join(words)


def say(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def say_if_incomplete(console: Console, complete: bool, end_cycle: int) -> None:
    """A run that died is analysed as far as its trace goes."""
    if not complete:
        say(console, f"The trace is incomplete: analysed up to cycle {end_cycle:,}.")
