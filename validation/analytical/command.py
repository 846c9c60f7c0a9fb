"""`tilesim validate analytical`: how wrong analytical models are, where, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from simulator.engine.fabric import DEFAULT_MEMORY, MEMORIES
from traces.errors import InputError, check_one_of
from validation.analytical.models import MODELS
from validation.analytical.prediction import Predict

if TYPE_CHECKING:
    from validation.analytical.compare import Comparison


def command(
    network: Annotated[str, typer.Option("--network", help="A zoo network or an .onnx file.")],
    chip: Annotated[str, typer.Option("--chip", help="A preset or a chip file.")],
    models: Annotated[
        str,
        typer.Option(
            "--models",
            help=f"Of {', '.join(MODELS)}; module:function is one of your own. Comma-separated.",
        ),
    ] = ",".join(MODELS),
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            help="CSV of layer, cycles; COMPUTE_REPORT.csv; ZigZag JSON; Timeloop statistics; a "
            "schedule of Stream as CSV or JSON.",
        ),
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", help=f"Model of the memory system: {', '.join(MEMORIES)}.")
    ] = DEFAULT_MEMORY,
    sparsity: Annotated[
        str,
        typer.Option("--sparsity", help="Zeros of weights:activations, as 0.8:0.4, or published."),
    ] = "",
    sweep: Annotated[
        bool, typer.Option("--sweep/--no-sweep", help="Rank designs around the chip too.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for layers.csv and pictures.")
    ] = None,
) -> None:
    """Compare analytical models with the simulation, layer by layer, and explain the errors."""
    try:
        line = run(network, chip, models, predictions, memory, sparsity, sweep, out)
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo(line)


def run(
    network: str,
    chip: str,
    models: str,
    predictions: Path | None,
    memory: str,
    sparsity: str,
    sweep: bool,
    out: Path | None,
) -> str:
    """Print the report and return its closing line. Raises InputError."""
    from hw_models.chip_files import load_chip
    from simulator.sparsity.densities import with_sparsity
    from simulator.workload.source import load_network
    from validation.analytical.compare import check_layers, compare, compare_given, simulated
    from validation.analytical.designs import rankings
    from validation.analytical.own import read_predictions
    from validation.analytical.report import closing_line, print_report, ranking_table

    check_one_of("--memory", memory, MEMORIES)
    chosen, workload, spec = chosen_models(models), load_network(network), load_chip(chip)
    if sparsity:
        workload = with_sparsity(workload, sparsity)
    given = read_predictions(predictions, workload) if predictions is not None else {}
    if predictions is not None:
        check_layers(workload, str(predictions), given)
    case = simulated(workload, spec, memory)
    comparisons = [compare(case, name, predict) for name, predict in chosen.items()]
    if predictions is not None:
        comparisons.append(compare_given(case, str(predictions), given))
    console = Console()
    print_report(comparisons, console)
    if sweep:
        console.print(ranking_table(rankings(workload, spec, chosen, memory)))
    if out is not None:
        write(comparisons, out)
    return closing_line(comparisons)


def write(comparisons: list[Comparison], out: Path) -> None:
    """Write the table of layers and the pictures. Raises InputError."""
    from validation.analytical.pictures import plot_histogram, plot_scatter
    from validation.analytical.report import write_layers

    try:
        out.mkdir(parents=True, exist_ok=True)
        write_layers(comparisons, out / "layers.csv")
        plot_scatter(comparisons, out / "scatter.png")
        plot_histogram(comparisons, out / "histogram.png")
    except OSError as error:
        raise InputError(f"--out {out}: can't be written: {error.strerror}") from None


def chosen_models(names: str) -> dict[str, Predict]:
    """The models of a comma-separated list. Raises InputError."""
    from validation.analytical.own import load_hook

    chosen: dict[str, Predict] = {}
    for name in filter(None, names.split(",")):
        if ":" in name:
            chosen[name] = load_hook(name)
        elif name in MODELS:
            chosen[name] = MODELS[name].predict
        else:
            known = ", ".join(MODELS)
            raise InputError(f"--models must be of {known} or module:function, not {name!r}")
    return chosen
