"""Picture: when each layer ran whose tiles take turns with those of others, a lane a layer."""

from __future__ import annotations

from traces.plots.bins import joined
from traces.plots.rows import NAMES_PX
from traces.plots.theme import NARROW_BINS, WIDE_BINS, Margins, is_narrow, new_axes, to_svg
from traces.plots.timeline import causes_in_colour, draw_causes, draw_names, lanes_of
from traces.plots.units import time_axis
from traces.plots.view import RunView

LANE_PX = 12


def draw(view: RunView, width_px: int) -> str:
    """The lanes as SVG, seen from the unit that each layer runs on; empty where layers follow one
    another."""
    if view.tiles is None:
        return ""
    narrow = is_narrow(width_px)
    lanes = lanes_of(len(view.layers), names_above=narrow, most_px=LANE_PX)
    margins = Margins(4 if narrow else NAMES_PX, 18, 4, 24)
    figure, axes = new_axes(width_px, lanes.total + margins.top + margins.bottom, margins)
    time_axis(axes, view)
    axes.set_ylim(lanes.total, 0)
    axes.set_yticks([])
    draw_names(axes, [layer.name for layer in view.layers], lanes, narrow)
    bins = NARROW_BINS if narrow else WIDE_BINS
    amounts, bounds = joined(view.tiles.over_time, view.bin_ends, bins)
    draw_causes(axes, view, amounts, bounds, lanes)
    return to_svg(figure, f"layers-{width_px}", "What every layer did over time, by cause")


def causes_shown(view: RunView) -> list[str]:
    """Causes that have a colour in this picture."""
    return [] if view.tiles is None else causes_in_colour(view.tiles.over_time)
