"""`tilesim tradeoff`: energy, latency, area and accuracy of networks on equally large arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simulator.commands.explore import progress_bar


def command(
    networks: Annotated[
        list[str] | None,
        typer.Argument(help="Networks with published accuracy; all 20 by default."),
    ] = None,
    chips: Annotated[
        str,
        typer.Option("--chips", help="Presets or chip files, A,B,C; 8 arrays by default."),
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for all points, sentences and pictures.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what is in --out.")] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Processes here, all cores by default; 0: this one."),
    ] = None,
) -> None:
    """Compare networks and architectures in energy, latency, area and accuracy."""
    from simulator.explore.explore import explore
    from simulator.explore.report import print_explored, tell_insights
    from simulator.explore.tradeoff import tradeoff_lines, tradeoff_study
    from simulator.explore.tradeoff_plots import plot_fronts, plot_pairs

    study = tradeoff_study(networks or (), [chip for chip in chips.split(",") if chip])
    with progress_bar() as bar:
        task = bar.add_task("networks on architectures", total=None)

        def told(stage: str, done: int, total: int) -> None:
            if stage == "analytical":
                bar.update(task, completed=done, total=total)

        found = explore(study, out=out, resume=resume, workers=workers, told=told)
    console = Console()
    print_explored(found, console)
    tell_insights(tradeoff_lines(study, found.rows), console, out)
    if out is not None:
        plot_fronts(study, found.rows, "energy_mj", out / "accuracy_energy.png")
        plot_fronts(study, found.rows, "latency_ms", out / "accuracy_latency.png")
        plot_pairs(study, found.rows, out / "pairs.png")
        typer.echo(f"points.parquet, insights.md and pictures are in {out}")
