"""`tilesim fusion`: what fusing layers saves on a chip, and which layers to fuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from simulator.commands.fused_options import POLICIES, PolicyOption
from traces.errors import InputError, check_one_of

if TYPE_CHECKING:
    from simulator.fusion.comparison import Way
    from simulator.fusion.figures import Aim
    from simulator.fusion.groups import GroupCosts, GroupSearch
    from simulator.fusion.hardware import Tried
    from simulator.workload.graph import Workload

AIMS = ("latency", "energy", "edp", "dram_bytes")


def command(
    network: Annotated[str, typer.Argument(help="A zoo network or an .onnx file.")],
    chip: Annotated[str, typer.Option("--chip", help="A preset or a chip file.")],
    granularity: Annotated[
        str, typer.Option("--granularity", help="Of all layers fused: line, line:N, tile:HxW.")
    ] = "line",
    search: Annotated[
        bool, typer.Option("--search", help="Find the best groups of consecutive layers.")
    ] = False,
    sizes: Annotated[
        str,
        typer.Option(
            "--sizes", help="Search over buffers, in KiB: WEIGHTS:ACTIVATIONS (32,64:128)."
        ),
    ] = "",
    shapes: Annotated[
        bool, typer.Option("--shapes", help="Search over array shapes with as many PEs.")
    ] = False,
    objective: Annotated[
        str, typer.Option("--objective", help=f"What the search minimises: {', '.join(AIMS)}.")
    ] = "latency",
    seconds: Annotated[
        float, typer.Option("--seconds", min=1.0, help="Time limit of the search.")
    ] = 120.0,
    policy: PolicyOption = "best",
    batch: Annotated[int, typer.Option("--batch", min=1, help="Inputs at a time.")] = 1,
    layers: Annotated[
        str, typer.Option("--layers", help="Only layers A:B, both included, by number or name.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Schedule file of the best way, to edit and run.")
    ] = None,
    json_only: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Compare fused layers with layer by layer: DRAM traffic, latency, energy, all simulated.

    `tilesim run NETWORK --chip CHIP --schedule FILE` runs what --out has written.
    """
    from simulator.fusion.granularity import Granularity
    from simulator.workload.source import layer_range, load_network

    check_one_of("--objective", objective, AIMS)
    check_one_of("--policy", policy, POLICIES)
    Granularity.parse(granularity)
    if out is not None and out.exists():
        raise InputError(f"{out} exists")
    workload = load_network(network, batch=batch)
    if layers:
        workload = workload.slice(*layer_range(layers, [layer.name for layer in workload.layers]))
    aim = cast("Aim", objective)
    costs = _costs(workload, chip, policy, objective)
    if sizes or shapes:
        every = _best_hardware(costs, sizes, shapes, aim, seconds)
        costs, found = every[0].costs, every[0].search
    else:
        every, found = [], _searched(costs, aim, seconds) if search else None

    from simulator.fusion.comparison import compared_ways, verdict
    from simulator.fusion.report import as_json, print_comparison

    ways = compared_ways(costs, granularity, found)
    if out is not None:
        _write_best(costs, ways, aim, out)
    if json_only:
        typer.echo(json.dumps(as_json(costs, ways, found, every), indent=2))
        return
    print_comparison(costs, ways, found, every, Console())
    typer.echo(verdict(ways, aim))


def _costs(workload: Workload, chip: str, policy: str, objective: str) -> GroupCosts:
    # Numba takes a second to import; a network that can't be read should not wait for it.
    from hw_models.chip_files import load_chip
    from simulator.allocation.options import Objective
    from simulator.fusion.compile import FusionChoices, Policy
    from simulator.fusion.groups import GroupCosts

    known = objective if objective in ("latency", "energy", "edp") else "latency"
    base = FusionChoices(
        policy=cast("Policy", policy),
        objective=cast("Objective", known),
        prefetch_weights=False,
    )
    return GroupCosts(workload, load_chip(chip), base)


def _searched(costs: GroupCosts, aim: Aim, seconds: float) -> GroupSearch:
    from simulator.fusion.groups import search_groups

    with _progress() as told:
        return search_groups(costs, aim, seconds, told)


def _best_hardware(
    costs: GroupCosts, sizes: str, shapes: bool, aim: Aim, seconds: float
) -> list[Tried]:
    from simulator.fusion.hardware import own_sizes, parse_sizes, search_hardware, variants

    weights, activations = parse_sizes(sizes) if sizes else own_sizes(costs.chip)
    every = variants(costs.chip, weights, activations, shapes)
    with _progress() as told:
        return search_hardware(costs.workload, every, costs.base, aim, seconds, told)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on the terminal: what is under way, steps done and steps there are."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("search", total=None)
        yield lambda stage, done, total: bar.update(
            task, description=stage, completed=done, total=total
        )


def _write_best(costs: GroupCosts, ways: tuple[Way, ...], aim: Aim, out: Path) -> None:
    """The best way that is one program, as a schedule file."""
    from simulator.fusion.schedule_file import schedule_text
    from simulator.run import write_text

    def score(way: Way) -> float:
        return float("inf") if way.figures is None else way.figures.of(aim)

    best = min(ways[1:], key=score)
    try:
        write_text(out, schedule_text(costs.compiled(best.groups)))
    except OSError as error:
        raise InputError(f"{out}: can't be written: {error.strerror}") from None
