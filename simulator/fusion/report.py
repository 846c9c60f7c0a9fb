"""A comparison of ways to run a network, as tables on a terminal and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.fusion.comparison import LAYER_BY_LAYER, Way
from simulator.fusion.figures import Figures
from simulator.fusion.groups import GroupCosts, GroupSearch
from simulator.fusion.hardware import Tried

SHOWN_VARIANTS = 16
"""Rows of the table of hardware, best first; plain data have all."""
SHOWN_NAMES = 40
"""Characters of layer names that a row of the groups' table has room for."""


def print_comparison(
    costs: GroupCosts,
    ways: Sequence[Way],
    found: GroupSearch | None,
    every: Sequence[Tried],
    console: Console,
) -> None:
    """Print the hardware that was tried, the ways on the best of it, and the groups found."""
    if every:
        console.print(_hardware_table(every))
    console.print(_ways_table(costs, ways))
    for way in ways:
        if way.problem:
            console.print(f"{way.name}: {way.problem}", highlight=False, soft_wrap=True)
    if found is not None:
        console.print(_groups_table(costs, found))
        ended = "nothing left to try" if found.finished else "ended by its time limit"
        console.print(f"{found.tried} schedules tried, {ended}", highlight=False)


def _hardware_table(every: Sequence[Tried]) -> Table:
    """One row a variant, best first, as its schedule says."""
    table = Table(title=f"hardware, by schedules, best of {len(every)}", title_justify="left")
    for heading in (
        "weights KiB",
        "activations KiB",
        "array",
        "mm2",
        "DRAM kB",
        "cycles",
        "energy uJ",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for tried in every[:SHOWN_VARIANTS]:
        variant = tried.variant
        cells = [
            f"{variant.weight_bytes / 1024:g}",
            f"{variant.activation_bytes / 1024:g}",
            " x ".join(map(str, variant.shape)),
            f"{variant.area_mm2:.2f}",
        ]
        figures = tried.search and tried.search.figures
        told = (
            [figures.dram_bytes / 1e3, figures.cycles, figures.energy_pj / 1e6] if figures else []
        )
        cells += [f"{number:,.0f}" for number in told] or ["-"] * 3
        table.add_row(*cells)
    return table


def _ways_table(costs: GroupCosts, ways: Sequence[Way]) -> Table:
    """One row a way, changes against layer by layer."""
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


def as_json(
    costs: GroupCosts,
    ways: Sequence[Way],
    found: GroupSearch | None,
    every: Sequence[Tried] = (),
) -> dict[str, Any]:
    """The same as plain data."""
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
    if every:
        data["hardware"] = [_variant_json(tried) for tried in every]
    return data


def _variant_json(tried: Tried) -> dict[str, Any]:
    variant, search = tried.variant, tried.search
    return {
        "weight_bytes": variant.weight_bytes,
        "activation_bytes": variant.activation_bytes,
        "shape": list(variant.shape),
        "area_mm2": variant.area_mm2,
        "problem": tried.problem,
        **(asdict(search.figures) if search else {}),
    }
