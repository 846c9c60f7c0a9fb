"""`tilesim fusion`: what fusing layers saves on a chip, and which layers to fuse."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from simulator.commands.fused_options import PolicyOption
from traces.errors import InputError

if TYPE_CHECKING:
    from simulator.fusion.comparison import Way
    from simulator.fusion.figures import Aim, Figures
    from simulator.fusion.groups import GroupCosts, GroupSearch
    from simulator.workload.graph import Workload

AIMS = ("latency", "energy", "edp", "dram_bytes")
POLICIES = ("memory", "latency")
SHOWN_NAMES = 40
"""Characters of layer names that a row of the groups' table has room for."""


def command(
    network: Annotated[str, typer.Argument(help="A zoo network or an .onnx file.")],
    chip: Annotated[str, typer.Option("--chip", help="A preset or a chip file.")],
    granularity: Annotated[
        str, typer.Option("--granularity", help="Of all layers fused: line, line:N, tile:HxW.")
    ] = "line",
    search: Annotated[
        bool, typer.Option("--search", help="Find the best groups of consecutive layers.")
    ] = False,
    objective: Annotated[
        str, typer.Option("--objective", help=f"What the search minimises: {', '.join(AIMS)}.")
    ] = "latency",
    seconds: Annotated[
        float, typer.Option("--seconds", min=1.0, help="Time limit of the search.")
    ] = 120.0,
    policy: PolicyOption = "memory",
    batch: Annotated[int, typer.Option("--batch", min=1, help="Inputs at a time.")] = 1,
    layers: Annotated[
        str, typer.Option("--layers", help="Only layers A:B, both included, by number or name.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Schedule file of the best way, to edit and run.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Compare fused layers with layer by layer: DRAM traffic, latency, energy, all simulated.

    `tilesim run NETWORK --chip CHIP --schedule FILE` runs what --out has written.
    """
    from simulator.fusion.granularity import Granularity
    from simulator.workload.source import layer_range, load_network

    _one_of("--objective", objective, AIMS)
    _one_of("--policy", policy, POLICIES)
    Granularity.parse(granularity)
    if out is not None and out.exists():
        raise InputError(f"{out} exists")
    workload = load_network(network, batch=batch)
    if layers:
        workload = workload.slice(*layer_range(layers, [layer.name for layer in workload.layers]))
    aim = cast("Aim", objective)
    costs = _costs(workload, chip, policy, objective)
    found = _searched(costs, aim, seconds) if search else None

    from simulator.fusion.comparison import compared_ways, verdict

    ways = compared_ways(costs, granularity, found)
    if out is not None:
        _write_best(costs, ways, aim, out)
    if as_json:
        typer.echo(json.dumps(_as_json(costs, ways, found), indent=2))
        return
    _print(costs, ways, found)
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

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("groups", total=None)
        return search_groups(
            costs,
            aim,
            seconds,
            lambda stage, done, total: bar.update(
                task, description=stage, completed=done, total=total
            ),
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


def _print(costs: GroupCosts, ways: tuple[Way, ...], found: GroupSearch | None) -> None:
    console = Console()
    console.print(_ways_table(costs, ways))
    for way in ways:
        if way.problem:
            console.print(f"{way.name}: {way.problem}", highlight=False, soft_wrap=True)
    if found is not None:
        console.print(_groups_table(costs, found))
        ended = "nothing left to try" if found.finished else "ended by its time limit"
        console.print(f"{found.tried} schedules tried, {ended}", highlight=False)


def _ways_table(costs: GroupCosts, ways: tuple[Way, ...]) -> Table:
    """One row a way, changes against layer by layer."""
    from simulator.fusion.comparison import LAYER_BY_LAYER

    [baseline] = [way.figures for way in ways if way.name == LAYER_BY_LAYER]
    assert baseline is not None
    table = Table(
        title=f"{costs.workload.name} on {costs.chip.name}, simulated", title_justify="left"
    )
    table.add_column("way", no_wrap=True)
    for heading in ("DRAM kB", "change", "cycles", "change", "energy uJ", "change"):
        table.add_column(heading, justify="right", no_wrap=True)
    for way in ways:
        cells = ["-"] * 6 if way.figures is None else _cells(way.figures, baseline)
        table.add_row(way.name, *cells)
    return table


def _cells(figures: Figures, baseline: Figures) -> list[str]:
    pairs = (
        (f"{figures.dram_bytes / 1e3:,.0f}", figures.dram_bytes, baseline.dram_bytes),
        (f"{figures.cycles:,}", figures.cycles, baseline.cycles),
        (f"{figures.energy_pj / 1e6:,.1f}", figures.energy_pj, baseline.energy_pj),
    )
    return [
        cell
        for text, value, base in pairs
        for cell in (text, "" if figures is baseline else f"{100 * (value / base - 1):+.1f} %")
    ]


def _groups_table(costs: GroupCosts, found: GroupSearch) -> Table:
    names = [layer.name for layer in costs.workload.layers]
    table = Table(title="groups", title_justify="left")
    for heading in ("layers", "first", "last", "cut by"):
        table.add_column(heading, justify="right" if heading == "layers" else "left")
    for group in found.best:
        cut = group.granularity if group.last > group.first else f"{group.granularity} (alone)"
        table.add_row(
            str(group.last - group.first + 1),
            names[group.first][:SHOWN_NAMES],
            names[group.last][:SHOWN_NAMES],
            cut,
        )
    return table


def _as_json(costs: GroupCosts, ways: tuple[Way, ...], found: GroupSearch | None) -> dict[str, Any]:
    names = [layer.name for layer in costs.workload.layers]
    data: dict[str, Any] = {
        "network": costs.workload.name,
        "chip": costs.chip.name,
        "ways": [
            {
                "name": way.name,
                "problem": way.problem,
                **(asdict(way.figures) if way.figures else {}),
            }
            for way in ways
        ],
    }
    if found is not None:
        data["search"] = {
            "groups": [
                {
                    "layers": names[group.first : group.last + 1],
                    "granularity": group.granularity,
                    "fused": group.is_fused,
                }
                for group in found.best
            ],
            "schedules": found.tried,
            "finished": found.finished,
        }
    return data


def _one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise InputError(f"{option} must be one of {', '.join(known)}, not {given!r}")
