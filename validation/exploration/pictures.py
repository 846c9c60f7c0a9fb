"""The picture of an exploration: what fusion gains for every network and chip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from hw_models.yaml_file import InputError
from validation.exploration.evaluate import Row
from validation.exploration.gains import gains
from validation.exploration.space import ARCHITECTURES, WAYS

TITLES = {"line": "whole network by lines", "stacks": "by lines in stacks that fit"}
MOST_LOG2 = 3.0
"""Gains and losses beyond eight times have the darkest colours."""


def plot_gains(rows: Sequence[Row], path: Path) -> None:
    """EDP of layer by layer over that fused, chips by networks, a panel for each way, as PNG."""
    networks = list(dict.fromkeys(row.network for row in rows))
    chips = list(dict.fromkeys(row.chip for row in rows))
    size = (2.6 + 1.5 * len(networks), 1.9 + 0.3 * len(chips))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(TITLES), sharey=True)
    for axes, way in zip(panels, WAYS[1:], strict=True):
        image = _panel(axes, rows, way, networks, chips)
        axes.set_title(TITLES[way], fontsize=10)
    bar = figure.colorbar(image, ax=panels, shrink=0.8, ticks=range(-3, 4))
    bar.ax.set_yticklabels([f"{2.0**n:g}" for n in range(-3, 4)])
    figure.suptitle("EDP layer by layer over EDP fused: above 1 fusion gains", fontsize=11)
    try:
        figure.savefig(path, dpi=130)
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror}") from None


def _panel(
    axes: Axes, rows: Sequence[Row], way: str, networks: Sequence[str], chips: Sequence[str]
) -> AxesImage:
    values = np.full((len(chips), len(networks)), np.nan)
    for gain in gains(rows):
        if gain.row.way == way:
            values[chips.index(gain.row.chip), networks.index(gain.row.network)] = gain.factor
    shades = np.clip(np.log2(values), -MOST_LOG2, MOST_LOG2)
    norm = TwoSlopeNorm(0.0, -MOST_LOG2, MOST_LOG2)
    image = axes.imshow(shades, cmap="RdBu", norm=norm, aspect="auto")
    for (line, column), value in np.ndenumerate(values):
        dark = abs(shades[line, column]) > 0.7 * MOST_LOG2
        text = "-" if np.isnan(value) else f"{value:.2f}" if value < 9.95 else f"{value:.0f}"
        colour = "white" if dark else "black"
        axes.text(column, line, text, ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(networks)), networks, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(chips)), chips, fontsize=8)
    _divide_kinds(axes, chips)
    return image


def _divide_kinds(axes: Axes, chips: Sequence[str]) -> None:
    """Lines between chips of different kinds."""
    for line in range(1, len(chips)):
        if ARCHITECTURES[chips[line]].kind != ARCHITECTURES[chips[line - 1]].kind:
            axes.axhline(line - 0.5, color="black", linewidth=1)
