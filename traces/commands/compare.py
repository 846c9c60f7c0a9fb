"""`tilesim compare`: which layers and causes make the difference between two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from traces.commands.layout import AsJson, percent, say, table

if TYPE_CHECKING:
    from traces.compare import Comparison, LayerChange

NAMED = 2
"""Causes that are named for a layer."""


def command(
    run_a: Annotated[Path, typer.Argument(help="The folder of a run.", metavar="RUN_A")],
    run_b: Annotated[Path, typer.Argument(help="Another one.", metavar="RUN_B")],
    as_json: AsJson = False,
) -> None:
    """Say which layers and causes make the difference between two runs."""
    from traces.compare import compare

    comparison = compare(run_a, run_b)
    if as_json:
        typer.echo(json.dumps(comparison.as_dict(), indent=2))
        return
    console = Console()
    say(console, comparison.headline())
    if not comparison.complete:
        say(console, "A trace is incomplete: compared as far as both go.")
    console.print(cause_table(comparison))
    console.print(layer_table(comparison))


def cause_table(comparison: Comparison) -> Table:
    """The difference by cause."""
    more = comparison.after - comparison.before
    rows = [(cause, f"{n:+,}") for cause, n in comparison.causes.items()]
    made = table("difference by cause", ("cause", ">cycles"), rows)
    made.add_section()
    made.add_row("all", f"{more:+,}")
    return made


def layer_table(comparison: Comparison) -> Table:
    """The difference by layer, largest first."""
    from traces.compare import by_size

    layers = sorted(comparison.layers, key=lambda layer: -abs(layer.cycles))
    rows = []
    for layer in (found for found in layers if found.change.any()):
        causes = [f"{c.partition('/')[2]} {n:+,}" for c, n in by_size(layer.change).items()]
        more = [f"{len(causes) - NAMED} more"] if len(causes) > NAMED else []
        rows.append((*_numbers(layer), ", ".join([*causes[:NAMED], *more])))
    same = len(comparison.layers) - len(rows)
    title = f"difference by layer ({same} alike)"
    return table(title, ("layer", ">before", ">after", ">cycles", ">share", "causes"), rows)


def _numbers(layer: LayerChange) -> tuple[str, str, str, str, str]:
    before, after = ("-" if n is None else f"{n:,}" for n in (layer.before, layer.after))
    return (
        layer.layer,
        before,
        after,
        f"{layer.cycles:+,}",
        percent(layer.cycles, layer.before or 0),
    )
