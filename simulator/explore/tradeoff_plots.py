"""Pictures of the trade-off: accuracy over cost for each architecture, and cost by pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulator.explore.evaluate import DONE, Row
from simulator.explore.insights import WORDS
from simulator.explore.report import AXES, FRONT_COLOUR, set_scale
from simulator.explore.study import NETWORK, Study
from simulator.explore.table import MetricTable
from simulator.explore.tradeoff import (
    architecture_key,
    architectures,
    by_architecture,
    networks_front,
)
from traces.plots.theme import INK, LEVEL, MUTED, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 2
NAMED_BELOW_PCT, NEAR_PCT = 72.0, 1.6


def plot_fronts(study: Study, rows: Sequence[Row], metric: str, path: Path) -> None:
    """Write a panel for every architecture: all networks, and the front with their names."""
    from matplotlib.figure import Figure

    names = architectures(study)
    lines = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(6.4 * COLUMNS, 3.5 * lines), layout="constrained")
    shared = None
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(lines, COLUMNS, number, sharex=shared, sharey=shared)
        shared = shared or axes
        key = architecture_key(study)
        mine = [row for row in rows if row[key] == name and row["status"] == DONE]
        _front_panel(axes, mine, networks_front(study, rows, name, metric), metric)
        axes.set_title(name, fontsize=10, color=INK)
    if shared is not None:
        every = [row[metric] for row in rows if row["status"] == DONE]
        set_scale(shared, "x", every)
        shared.set_xlim(min(every) / 1.3, max(every) * 1.3)
        top = [row["accuracy"] for row in rows if row["status"] == DONE]
        shared.set_ylim(min(top) - 2, max(top) + 3)
    figure.suptitle(f"Accuracy over {WORDS[metric]}; the Pareto front is named", fontsize=12)
    figure.savefig(path, dpi=110)


def _front_panel(axes: Axes, rows: Sequence[Row], front: Sequence[str], metric: str) -> None:
    axes.scatter([r[metric] for r in rows], [r["accuracy"] for r in rows], s=16, color=LEVEL)
    best = sorted((r for r in rows if r[NETWORK] in front), key=lambda row: row[metric])
    places = [row[metric] for row in best], [row["accuracy"] for row in best]
    axes.plot(*places, color=FRONT_COLOUR, linewidth=1, marker="o", markersize=4)
    above = [row["accuracy"] for row in best[1:]] + [np.inf]
    for row, next_pct in zip(best, above, strict=True):
        # Names stand left above the front; those that would leave the panel or meet the next one
        # stand right below it.
        below = row["accuracy"] < NAMED_BELOW_PCT or next_pct - row["accuracy"] < NEAR_PCT
        axes.annotate(
            row[NETWORK],
            (row[metric], row["accuracy"]),
            xytext=(5, -3) if below else (-4, 3),
            textcoords="offset points",
            fontsize=7.5,
            color=INK,
            ha="left" if below else "right",
            va="top" if below else "bottom",
        )
    axes.set_xlabel(AXES[metric], fontsize=9, color=MUTED)
    axes.set_ylabel(AXES["accuracy"], fontsize=9, color=MUTED)
    axes.tick_params(labelsize=8, colors=MUTED)
    axes.grid(color=RULE, linewidth=0.5, alpha=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def plot_pairs(study: Study, rows: Sequence[Row], path: Path) -> None:
    """Write energy and latency of every pair, as factors above the network's best architecture."""
    from matplotlib.figure import Figure

    tables = [by_architecture(study, rows, metric) for metric in ("energy_mj", "latency_ms")]
    height = 1.9 + 0.3 * len(study.networks)
    figure = Figure(figsize=(13, height), layout="constrained")
    for number, table in enumerate(tables, 1):
        _pairs_panel(figure.add_subplot(1, len(tables), number), table)
    figure.suptitle("How far each pair is above the best architecture of its network", fontsize=12)
    figure.savefig(path, dpi=110)


def _pairs_panel(axes: Axes, table: MetricTable) -> None:
    factors = (table.values / table.values.min(axis=0)).T
    axes.imshow(np.log(factors), cmap="Oranges", vmin=0, vmax=np.log(4), aspect="auto")
    for (line, column), factor in np.ndenumerate(factors):
        dark = factor > 2.5
        axes.text(
            column, line, f"{factor:.2f}" if factor < 10 else f"{factor:.0f}",
            ha="center", va="center", fontsize=7.5, color="white" if dark else INK,
            fontweight="bold" if factor == 1 else "normal",
        )  # fmt: skip
    names = [name for (name,) in table.configurations]
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8)
    axes.set_yticks(range(len(table.networks)), table.networks, fontsize=8)
    axes.tick_params(length=0)
    axes.set_title(WORDS[table.metric], fontsize=10, color=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
