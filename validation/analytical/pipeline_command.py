"""`tilesim validate pipeline`: the estimate of a pipeline of fused layers, and what it misses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from simulator.commands.fused_options import (
    GranularityOption,
    OverlapOption,
    PolicyOption,
    SecondsOption,
    fusion_choices,
)
from simulator.engine.fabric import MEMORIES
from traces.errors import InputError, check_one_of

if TYPE_CHECKING:
    from validation.analytical.pipeline import PipelineError


def command(
    network: Annotated[str, typer.Option("--network", help="A zoo network or an .onnx file.")],
    chip: Annotated[str, typer.Option("--chip", help="A preset or a chip file.")],
    granularity: GranularityOption = "line",
    allocation: Annotated[
        str, typer.Option("--allocation", help="Who computes what: cp, ga, greedy, a file.")
    ] = "greedy",
    overlap: OverlapOption = "full",
    policy: PolicyOption = "best",
    seconds: SecondsOption = 5.0,
    memory: Annotated[
        str, typer.Option("--memory", help=f"Model of the memory system: {', '.join(MEMORIES)}.")
    ] = "simple",
) -> None:
    """Compare the pipeline estimate of fused layers with the simulation, and explain the error."""
    try:
        found = _compared(network, chip, granularity, allocation, overlap, policy, seconds, memory)
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    Console().print(explanation(found))
    typer.echo(
        f"estimated_cycles={found.estimated_cycles} scheduled_cycles={found.scheduled_cycles} "
        f"simulated_cycles={found.simulated_cycles} error_pct={found.error_pct:.2f} "
        f"unexplained_cycles={found.unexplained_cycles}"
    )


def explanation(found: PipelineError) -> Table:
    """The difference by cause, on the busiest core."""
    table = Table(title=f"from the estimate to the simulation, by the cycles of {found.core}")
    table.add_column("cause")
    table.add_column("cycles", justify="right")
    table.add_row("estimate", f"{found.estimated_cycles:,}")
    for cause, cycles in sorted(found.parts.items(), key=lambda part: -abs(part[1])):
        what = "tiles, less what the estimate takes" if cause == "foreseen" else cause
        table.add_row(what, f"{cycles:+,}")
    table.add_row("simulation", f"{found.simulated_cycles:,}")
    return table


def _compared(
    network: str,
    chip: str,
    granularity: str,
    allocation: str,
    overlap: str,
    policy: str,
    seconds: float,
    memory: str,
) -> PipelineError:
    from hw_models.chip_files import load_chip
    from simulator.workload.source import load_network
    from validation.analytical.pipeline import pipeline_error

    check_one_of("--memory", memory, MEMORIES)
    workload = load_network(network)
    choices = fusion_choices(
        workload,
        granularity=granularity,
        allocation=allocation,
        overlap=overlap,
        policy=policy,
        objective="latency",
        seconds=seconds,
    )
    return pipeline_error(workload, load_chip(chip), choices, memory)
