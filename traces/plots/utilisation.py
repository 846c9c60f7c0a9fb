"""Picture: how busy every unit is during every layer, as a heat map."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from traces.plots.rows import NAMES_PX, rows_of_run
from traces.plots.theme import (
    INK,
    LEVEL,
    TEXT_PX,
    Floats,
    Margins,
    fill_rectangles,
    is_narrow,
    new_axes,
    to_svg,
    write_text,
)
from traces.plots.view import BUSY, RunView

SHADES = 10
ROW_PX, GAP_PX = 20, 2


def draw(view: RunView, width_px: int) -> str:
    """Rows are units, columns layers, the shade is the share of the layer's cycles; where layers
    take turns, of the unit's busy cycles."""
    narrow = is_narrow(width_px)
    pitch = ROW_PX + (15 if narrow else GAP_PX)
    names = [layer.name for layer in view.layers]
    margins = Margins(4 if narrow else NAMES_PX, 18, 2, 20 + 5.6 * min(18, max(map(len, names))))
    rows = rows_of_run(view, "tasks")
    height = pitch * len(rows.names) + margins.top + margins.bottom
    figure, axes = new_axes(width_px, height, margins)
    axes.set_xlim(0, len(names))
    axes.set_ylim(pitch * len(rows.names), 0)
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks([])
    _draw_cells(axes, rows.mean(busy_shares(view)), pitch)
    for row, unit in enumerate(rows.names):
        floor = pitch * (row + 1)
        if narrow:
            write_text(axes, unit, (0, floor - ROW_PX - 7))
        else:
            write_text(axes, unit, (0, floor - ROW_PX / 2), (-10, 0), "right", INK, TEXT_PX)
    _name_columns(axes, names)
    return to_svg(figure, f"utilisation-{width_px}", "Share of busy cycles by unit and layer")


def busy_shares(view: RunView) -> Floats:
    """Share of each layer's cycles in which each unit is busy, or where layers take turns, share of
    each unit's busy cycles that go to each layer: float64 (units, layers)."""
    busy = view.by_layer[:, BUSY, :].sum(axis=1)
    if view.interleaved:
        return np.asarray(busy / np.maximum(busy.sum(axis=1, keepdims=True), 1))
    cycles = np.array([layer.cycles for layer in view.layers])
    return np.asarray(busy / np.maximum(cycles, 1))


def _draw_cells(axes: Axes, shares: Floats, pitch: float) -> None:
    """A path a shade; what is not busy at all has the faintest, so that the grid stays seen."""
    shade = np.ceil(shares * SHADES).astype(int)
    gap = min(0.2, 1.5 * shares.shape[1] / axes.bbox.width)  # a pixel and a half, in columns
    for level in range(SHADES + 1):
        row, column = np.nonzero(shade == level)
        bottom = pitch * (row + 1.0)
        alpha = 0.06 + 0.94 * level / SHADES
        top = bottom - ROW_PX
        fill_rectangles(axes, column.astype(float), column + 1 - gap, bottom, top, LEVEL, alpha)


def _name_columns(axes: Axes, names: list[str]) -> None:
    """Names of as many layers as there is room for, at equal distances."""
    every = -(-len(names) * 13 // int(axes.bbox.width))
    at = range(0, len(names), every)
    labels = [names[i] if len(names[i]) <= 18 else "…" + names[i][-17:] for i in at]
    axes.set_xticks([i + 0.5 for i in at], labels, rotation=90, parse_math=False)
    axes.tick_params(axis="x", length=0, pad=3)
