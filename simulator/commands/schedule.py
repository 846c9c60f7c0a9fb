"""`tilesim schedule`: place and order a network on the cores of a chip, as a file to edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.commands.fused_options import (
    GranularityOption,
    OverlapOption,
    PolicyOption,
    SecondsOption,
    fusion_choices,
)
from traces.errors import InputError


def command(
    network: Annotated[str, typer.Argument(help="A zoo network or an .onnx file.")],
    out: Annotated[Path, typer.Argument(help="The schedule file to write.")],
    chip: Annotated[str, typer.Option("--chip", help="A preset or a chip file.")],
    granularity: GranularityOption = "line",
    allocation: Annotated[
        str, typer.Option("--allocation", help="Who computes what: cp, ga, greedy, a file.")
    ] = "cp",
    overlap: OverlapOption = "full",
    policy: PolicyOption = "best",
    objective: Annotated[
        str, typer.Option("--objective", help="What the search minimises: latency, energy, edp.")
    ] = "latency",
    seconds: SecondsOption = 5.0,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Inputs at a time.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Place and order a network on the cores of a chip, as a file to edit and simulate.

    `tilesim run NETWORK --chip CHIP --schedule FILE` simulates it.
    """
    from simulator.workload.source import load_network

    if out.exists() and not force:
        raise InputError(f"{out} exists; --force replaces it")
    workload = load_network(network, batch=batch)
    from hw_models.chip_files import load_chip
    from simulator.fusion.compile import compile_fused
    from simulator.fusion.schedule_file import schedule_text
    from simulator.run import write_text

    choices = fusion_choices(
        workload,
        granularity=granularity,
        allocation=allocation,
        overlap=overlap,
        policy=policy,
        objective=objective,
        seconds=seconds,
    )
    fused = compile_fused(workload, load_chip(chip), choices)
    try:
        write_text(out, schedule_text(fused))
    except OSError as error:
        raise InputError(f"{out}: can't be written: {error.strerror}") from None
    planned = fused.schedule
    found = fused.found
    gap = f"gap={found.gap:.4f} proved={'yes' if found.proved else 'no'} " if found else ""
    typer.echo(
        f"{out}: nodes={fused.graph.size} transfers={planned.transfers['tensor'].size} "
        f"predicted_cycles={planned.latency} {gap}".rstrip()
    )
