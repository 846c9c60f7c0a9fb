"""`tilesim networks`: the networks of the zoo, with their options."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from simulator.workload.graph import LOOPS, Layer
from simulator.workload.source import load_network
from simulator.workload.zoo import NETWORKS

command = typer.Typer(help="List the networks of the zoo, or show one.", add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@command.callback(invoke_without_command=True)
def list_networks(context: typer.Context, as_json: AsJson = False) -> None:
    """List the networks of the zoo."""
    if context.invoked_subcommand is not None:
        return
    rows = [_summary(name) for name in NETWORKS]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table()
    for heading in ("network", "input", "what it is; options; described in"):
        table.add_column(heading, no_wrap=heading != "what it is; options; described in")
    for row in rows:
        options = ", ".join(f"{name}={value}" for name, value in row["options"].items())
        text = "; ".join(part for part in (row["description"], options, row["paper"]) if part)
        table.add_row(row["name"], row["input"], text)
    Console().print(table)


@command.command()
def show(
    network: Annotated[
        str, typer.Argument(help="A zoo network, an .onnx file or a topology .csv.")
    ],
    as_json: AsJson = False,
) -> None:
    """Print every layer of a network."""
    workload = load_network(network)
    layers = [_layer_row(layer) for layer in workload.layers]
    if as_json:
        facts = {"name": workload.name, "macs": workload.macs, "parameters": workload.parameters}
        typer.echo(json.dumps({**facts, "layers": layers}, indent=2))
        return
    table = Table(title=workload.name, title_justify="left")
    for heading in ("layer", "type", "loops", "MACs", "weights"):
        table.add_column(heading, justify="right" if heading in ("MACs", "weights") else "left")
    for row in layers:
        loops = " ".join(f"{name}={size}" for name, size in row["loops"].items())
        table.add_row(row["name"], row["type"], loops, f"{row['macs']:,}", f"{row['weights']:,}")
    Console().print(table)
    typer.echo(f"{workload.macs:,} MACs, {workload.parameters:,} parameters")


def _layer_row(layer: Layer) -> dict[str, Any]:
    sizes = zip(LOOPS, layer.dims.loops, strict=True)
    return {
        "name": layer.name,
        "type": layer.op.value,
        "loops": {name: size for name, size in sizes if size > 1},
        "macs": layer.macs,
        "weights": layer.weight_elements if layer.weight_is_constant else 0,
    }


def _summary(name: str) -> dict[str, Any]:
    info = NETWORKS[name]
    return {
        "name": name,
        "description": info.description,
        "input": info.default_input,
        "options": {key: option.default for key, option in info.options.items()},
        "paper": info.paper,
    }
