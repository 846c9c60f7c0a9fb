"""`tilesim explore`: search chips, networks and mappings for the points that no other beats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from traces.errors import InputError


def command(
    study: Annotated[
        str, typer.Argument(help="A study file, or one that comes along: first, array.")
    ],
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a Dask scheduler to use.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Processes here, all cores by default; 0: this one."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for all points, picture and report.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what is in --out.")] = False,
) -> None:
    """Search chips, networks and mappings for the points that no other beats."""
    if resume and out is None:
        raise InputError("--resume must come with the --out of the study that was interrupted")
    # Numba takes a second to import; a wrong option should not wait for it.
    from simulator.explore.explore import explore
    from simulator.explore.insights import insights
    from simulator.explore.report import plot_explored, print_explored, tell_insights
    from simulator.explore.study import load_study

    spec = load_study(study)
    with progress_bar() as bar:
        tasks = {name: bar.add_task(name, total=None) for name in ("analytical", "simulated")}
        found = explore(
            spec,
            out=out,
            resume=resume,
            workers=workers,
            scheduler=scheduler,
            told=lambda stage, done, total: bar.update(tasks[stage], completed=done, total=total),
        )
    console = Console()
    print_explored(found, console)
    tell_insights(insights(spec, found.screened), console, out)
    if out is not None:
        plot_explored(found, out / "pareto.png")
        typer.echo(f"points.parquet, insights.md and pareto.png are in {out}")


def progress_bar() -> Progress:
    """The bar of a study: points done, points in all, time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
