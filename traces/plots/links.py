"""Picture: when the links between cores that run layers in turns moved something."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from traces.plots.bins import Int64s, joined
from traces.plots.rows import NAMES_PX, rows_of_run
from traces.plots.theme import (
    LEVEL,
    NARROW_BINS,
    WIDE_BINS,
    Floats,
    Margins,
    fill_rectangles,
    is_narrow,
    new_axes,
    to_svg,
    write_text,
)
from traces.plots.timeline import Lanes, Path, draw_names, draw_path, lanes_of, runs
from traces.plots.units import time_axis, time_scale
from traces.plots.view import RunView
from traces.schema import CAUSE

LANE_PX, NOTE_PX = 12, 52
SHADES = 8


def draw(view: RunView, width_px: int, path: Path | None = None) -> str:
    """A lane a link as SVG, the stronger the busier; empty where there are none. path: marked under
    the lanes of the links that it goes over."""
    rows = rows_of_run(view, "links")
    if view.tiles is None or not rows.names:
        return ""
    narrow = is_narrow(width_px)
    lanes = lanes_of(len(rows.names), names_above=narrow, most_px=LANE_PX)
    margins = Margins(4 if narrow else NAMES_PX, NOTE_PX, 4, 24)
    figure, axes = new_axes(width_px, lanes.total + margins.top + margins.bottom, margins)
    time_axis(axes, view)
    axes.set_ylim(lanes.total, 0)
    axes.set_yticks([])
    draw_names(axes, rows.names, lanes, narrow)
    busy = rows.mean(view.timeline[:, CAUSE["busy/transfer"]])
    moved, bounds = joined(busy, view.bin_ends, NARROW_BINS if narrow else WIDE_BINS)
    _draw_shares(axes, view, moved / np.diff(bounds), bounds, lanes)
    for share, top in zip(busy.sum(axis=1) / view.end_cycle, lanes.top, strict=True):
        at = (axes.get_xlim()[1], top + lanes.height / 2)
        write_text(axes, f"{100 * share:.1f} %", at, (6, 0))
    if path is not None:
        draw_path(axes, view, rows, lanes, path)
    return to_svg(figure, f"links-{width_px}", "Share of busy cycles of every link over time")


def _draw_shares(axes: Axes, view: RunView, shares: Floats, bounds: Int64s, lanes: Lanes) -> None:
    """What moves anything at all stays visible."""
    cycles, _ = time_scale(view)
    shade = np.ceil(shares * SHADES)
    link, first, last = runs(np.zeros(shade.shape), shade)
    for level in np.unique(shade[link, first]).tolist():
        mine = shade[link, first] == level
        top = lanes.top[link[mine]]
        left, right = bounds[first[mine]] / cycles, bounds[last[mine]] / cycles
        alpha = 0.2 + 0.8 * level / SHADES
        fill_rectangles(axes, left, right, top, top + lanes.height, LEVEL, alpha)
