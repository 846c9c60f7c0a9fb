"""`tilesim validate exploration`: Stream's exploration of chips, fused and layer by layer."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from simulator.commands.fused_options import SEARCHES
from traces.errors import InputError, check_one_of

if TYPE_CHECKING:
    from validation.exploration.evaluate import Row, Search
    from validation.exploration.space import Point

PICTURE = "edp_gain.png"


def command(
    networks: Annotated[
        str, typer.Option("--networks", help="Comma-separated; all five if not given.")
    ] = "",
    chips: Annotated[
        str, typer.Option("--chips", help="Comma-separated; all fifteen if not given.")
    ] = "",
    allocation: Annotated[
        str, typer.Option("--allocation", help=f"Search of cores: {', '.join(SEARCHES)}.")
    ] = "greedy",
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, help="Time limit of each cp or ga search.")
    ] = 2.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for points and picture; goes on with what is there."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes that evaluate points.")
    ] = 1,
) -> None:
    """Five networks on Stream's chips, fused and not: latency, energy and energy-delay product."""
    try:
        line = run(networks, chips, allocation, seconds, out, workers)
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo(line)


def run(
    networks: str, chips: str, allocation: str, seconds: float, out: Path | None, workers: int
) -> str:
    """Print the report and return its closing line. Raises InputError."""
    from validation.exploration.evaluate import Search
    from validation.exploration.report import closing_line, print_report
    from validation.exploration.space import ARCHITECTURES, NETWORKS, points

    check_one_of("--allocation", allocation, SEARCHES)
    chosen = points(
        _names("--networks", networks, NETWORKS), _names("--chips", chips, ARCHITECTURES)
    )
    rows = _explored(chosen, Search(allocation, seconds), out, workers)
    print_report(rows, Console())
    if out is not None:
        from validation.exploration.pictures import plot_gains

        plot_gains(rows, out / PICTURE)
    return closing_line(rows)


def _explored(
    points: tuple[Point, ...], search: Search, out: Path | None, workers: int
) -> list[Row]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from validation.exploration.store import Store
    from validation.exploration.study import explore

    console = Console(stderr=True)
    columns = TextColumn("exploration"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("points", total=None)
        return explore(
            points,
            search,
            Store(out),
            workers,
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def _names(option: str, given: str, known: Collection[str]) -> tuple[str, ...]:
    """The names of a comma-separated list, all if there are none. Raises InputError."""
    names = tuple(dict.fromkeys(filter(None, given.split(","))))
    for name in names:
        if name not in known:
            raise InputError(f"{option} must be of {', '.join(known)}, not {name!r}")
    return names or tuple(known)
