"""Picture: what every unit did over time, a lane a unit, stacked by cause in every bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from traces.plots.bins import Int64s, joined
from traces.plots.rows import NAMES_PX, Rows, rows_of_run
from traces.plots.theme import (
    CAUSE_STYLES,
    INK,
    LEVEL,
    MUTED,
    NARROW_BINS,
    RULE,
    TEXT_PX,
    WIDE_BINS,
    Floats,
    Margins,
    fill_rectangles,
    is_narrow,
    new_axes,
    to_svg,
    write_text,
)
from traces.plots.tiles import Tiles
from traces.plots.units import time_axis, time_scale
from traces.plots.view import RunView
from traces.schema import CAUSE, CAUSES

MOST_LANE_PX, LEAST_LANE_PX, LANES_PX = 26, 9, 1200
BAND_PX, BAND_TEXT_PX = 16, 9.5
STRIP_PX, STRIP_SHADES = 6, 10
UNSEEN = ("idle/no_work",)
"""Causes that are left blank: a lane without colour has nothing to do."""

Path = Mapping[str, NDArray[np.int64]]
"""Columns unit (code), start, end: the stretches of a critical path."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where lanes are, in pixels from the top of the axes: lane i begins at top[i]."""

    top: Floats
    height: float
    total: float


def draw(view: RunView, width_px: int, path: Path | None = None) -> str:
    """The timeline as SVG. path: marked under the lanes of the units that it runs through."""
    narrow = is_narrow(width_px)
    rows = rows_of_run(view)
    strip_px = STRIP_PX if view.tiles else 0
    lanes = lanes_of(len(rows.names), names_above=narrow, gap_px=strip_px)
    margins = Margins(4 if narrow else NAMES_PX, 18, 4, 24)
    figure, axes = new_axes(width_px, lanes.total + margins.top + margins.bottom, margins)
    time_axis(axes, view)
    axes.set_ylim(lanes.total, 0)
    axes.set_yticks([])
    if view.tiles is None:
        _draw_layers(axes, view)
    else:
        _draw_strips(axes, view, view.tiles, rows, lanes)
    draw_names(axes, rows.names, lanes, narrow, strip_px)
    amounts, bounds = joined(view.timeline, view.bin_ends, NARROW_BINS if narrow else WIDE_BINS)
    draw_causes(axes, view, rows.mean(amounts), bounds, lanes)
    if path is not None:
        draw_path(axes, view, rows, lanes, path)
    return to_svg(figure, f"timeline-{width_px}", "Timeline of every unit, coloured by cause")


def lanes_of(
    rows: int, *, names_above: bool, gap_px: float = 0, most_px: float = MOST_LANE_PX
) -> Lanes:
    """Lanes for so many rows. gap_px: kept free above each; most_px: of their height."""
    height = min(most_px, max(LEAST_LANE_PX, LANES_PX / rows * 0.75))
    pitch = gap_px + height + (15 if names_above else max(3.0, height / 3))
    top = BAND_PX + 10 + (11 if names_above else 0) + pitch * np.arange(rows)
    return Lanes(top, height, float(top[-1] + pitch))


def _draw_strips(axes: Axes, view: RunView, tiles: Tiles, rows: Rows, lanes: Lanes) -> None:
    """Above the lane of each unit that computes, the layers of its tiles, later ones darker."""
    cycles, _ = time_scale(view)
    bounds = view.bin_ends / cycles
    computed = np.where(rows.of_unit[:, None] >= 0, tiles.computed, -1)
    shade = np.where(computed >= 0, computed * STRIP_SHADES // len(view.layers), -1)
    unit, first, last = runs(np.zeros(shade.shape), shade + 1)
    low = lanes.top[rows.of_unit[unit]] - 1
    for level in np.unique(shade[unit, first]).tolist():
        mine = shade[unit, first] == level
        alpha = 0.15 + 0.85 * level / (STRIP_SHADES - 1)
        left, right, floor = bounds[first[mine]], bounds[last[mine]], low[mine]
        fill_rectangles(axes, left, right, floor - STRIP_PX, floor, LEVEL, alpha)


def _draw_layers(axes: Axes, view: RunView) -> None:
    """A band of alternating shades on top, with the names that fit."""
    cycles, _ = time_scale(view)
    start = np.array([layer.start for layer in view.layers]) / cycles
    end = np.array([layer.end for layer in view.layers]) / cycles
    low, high = np.zeros(start.size), np.full(start.size, BAND_PX)
    for parity, alpha in ((0, 0.22), (1, 0.10)):
        of = slice(parity, None, 2)
        fill_rectangles(axes, start[of], end[of], low[of], high[of], MUTED, alpha)
    px_per_unit = axes.bbox.width / axes.get_xlim()[1]
    for layer, left, right in zip(view.layers, start, end, strict=True):
        room = int((right - left) * px_per_unit / 5.6)
        if room >= 3:
            name = layer.name if len(layer.name) <= room else _short_name(layer.name, room)
            at = ((left + right) / 2, BAND_PX / 2)
            write_text(axes, name, at, align="center", colour=INK, size_px=BAND_TEXT_PX)


def _short_name(name: str, room: int) -> str:
    """The last parts of a dotted name that fit, or nothing."""
    parts = name.split(".")
    tails = (".".join(parts[i:]) for i in range(1, len(parts)))
    return next((tail for tail in tails if len(tail) <= room), "")


def draw_names(
    axes: Axes, names: Sequence[str], lanes: Lanes, narrow: bool, gap_px: float = 0
) -> None:
    """Name the lanes, beside or above them, and rule the floor of each."""
    for name, top in zip(names, lanes.top, strict=True):
        if narrow:
            write_text(axes, name, (0, top - 7 - gap_px))
        else:
            size = min(TEXT_PX, lanes.height + 2)
            write_text(axes, name, (0, top + lanes.height / 2), (-10, 0), "right", INK, size)
    bottoms = lanes.top + lanes.height
    axes.hlines(bottoms, 0, axes.get_xlim()[1], colors=RULE, linewidth=0.6)


def draw_causes(
    axes: Axes, view: RunView, amounts: NDArray[Any], bounds: Int64s, lanes: Lanes
) -> None:
    """One path a cause, for all lanes: equal neighbours are one rectangle.

    amounts: cycles (lanes, causes, bins); bounds: of the bins.
    """
    cycles, _ = time_scale(view)
    length = np.diff(bounds)
    # Whole quarters of a pixel: what can't be told apart becomes equal and is drawn at once.
    step = 4 * lanes.height
    tops = np.round(np.cumsum(amounts, axis=1) / length * step) / step
    bases = np.concatenate([np.zeros_like(tops[:, :1]), tops[:, :-1]], axis=1)
    for cause in causes_in_colour(amounts):
        base, top = bases[:, CAUSE[cause]], tops[:, CAUSE[cause]]
        unit, first, last = runs(base, top)
        bottom = lanes.top[unit] + lanes.height
        fill_rectangles(
            axes,
            bounds[first] / cycles,
            bounds[last] / cycles,
            bottom - base[unit, first] * lanes.height,
            bottom - top[unit, first] * lanes.height,
            CAUSE_STYLES[cause].colour,
        )


def runs(base: Floats, top: Floats) -> tuple[NDArray[np.int64], ...]:
    """Row, first column and column after the last of equal neighbours that are not empty."""
    changes = np.ones((base.shape[0], base.shape[1] + 1), dtype=bool)
    changes[:, 1:-1] = (np.diff(base) != 0) | (np.diff(top) != 0)
    row, first = np.nonzero(changes[:, :-1])
    last = np.nonzero(changes[:, 1:])[1] + 1
    seen = top[row, first] > base[row, first]
    return row[seen], first[seen], last[seen]


def draw_path(axes: Axes, view: RunView, rows: Rows, lanes: Lanes, path: Path) -> None:
    """A line of ink right under the lane that holds the path."""
    cycles, _ = time_scale(view)
    known = (path["unit"] >= 0) & (rows.of_unit[path["unit"]] >= 0)
    unit, start, end = (path[name][known] for name in ("unit", "start", "end"))
    below = lanes.top[rows.of_unit[unit]] + lanes.height
    least = axes.get_xlim()[1] / axes.bbox.width  # a stretch shorter than a pixel stays visible
    right = np.maximum(end / cycles, start / cycles + least)
    fill_rectangles(axes, start / cycles, right, below + 1, below + 3, INK)


def causes_shown(view: RunView) -> list[str]:
    """Causes that have a colour in this picture, from the bottom of a lane to its top."""
    return causes_in_colour(rows_of_run(view).mean(view.timeline))


def causes_in_colour(amounts: NDArray[Any]) -> list[str]:
    """Causes of amounts (lanes, causes, bins) that are not left blank."""
    cycles = amounts.sum(axis=(0, 2))
    return [cause for cause in CAUSES if cycles[CAUSE[cause]] and cause not in UNSEEN]
