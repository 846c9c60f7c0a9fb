"""Pictures: what the cycles of every layer, or of every core, went into, a bar each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from traces.plots.theme import (
    CAUSE_STYLES,
    INK,
    RULE,
    Floats,
    Margins,
    causes_in,
    fill_rectangles,
    is_narrow,
    new_axes,
    to_svg,
    write_text,
)
from traces.plots.units import time_scale
from traces.plots.view import BUSY, Layer, RunView
from traces.schema import CAUSES

MOST_BARS = 40
BAR_PX = 12

Bar = tuple[str, str, dict[str, int]]
"""Name, what to write at its end, cycles by cause."""


def draw(view: RunView, width_px: int) -> str:
    """The bars as SVG, layers in the order of the run."""
    return _draw(view, width_px, bars_of(view.layers), "stalls", "Cycles of every layer by cause")


def draw_units(view: RunView, width_px: int) -> str:
    """A bar for each unit that computes, as SVG; empty where layers follow one another, as their
    bars say it all then."""
    bars = unit_bars(view)
    return _draw(view, width_px, bars, "cores", "Cycles of every core by cause") if bars else ""


def _draw(view: RunView, width_px: int, bars: list[Bar], name: str, label: str) -> str:
    narrow = is_narrow(width_px)
    pitch = BAR_PX + (19 if narrow else 6)
    margins = Margins(4 if narrow else 190, 50, 4, 24)
    figure, axes = new_axes(width_px, pitch * len(bars) + margins.top + margins.bottom, margins)
    cycles, unit = time_scale(view)
    longest = max(sum(causes.values()) for _, _, causes in bars) or 1
    axes.set_xlim(0, longest / cycles)
    axes.set_ylim(pitch * len(bars), 0)
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g} {unit}" if x else "0")
    axes.locator_params(axis="x", nbins=4 if narrow else 9)
    tops = pitch * np.arange(len(bars)) + (17.0 if narrow else 3.0)
    _fill(axes, bars, tops, cycles)
    for (title, note, causes), top in zip(bars, tops, strict=True):
        middle = top + BAR_PX / 2
        write_text(axes, note, (sum(causes.values()) / cycles, middle), (5, 0))
        if narrow:
            write_text(axes, title, (0, top - 8), colour=INK)
        else:
            write_text(axes, title, (0, middle), (-10, 0), "right", INK)
    axes.axvline(0, color=RULE, linewidth=0.8)
    return to_svg(figure, f"{name}-{width_px}", label)


def _fill(axes: Axes, bars: Sequence[Bar], tops: Floats, cycles: float) -> None:
    ends = np.zeros(len(bars))
    for cause in causes_in(cause for *_, causes in bars for cause in causes):
        begins = ends
        ends = begins + np.array([causes.get(cause, 0) for *_, causes in bars]) / cycles
        some = ends > begins
        low = tops[some]
        colour = CAUSE_STYLES[cause].colour
        fill_rectangles(axes, begins[some], ends[some], low, low + BAR_PX, colour)


def bars_of(layers: Sequence[Layer]) -> list[Bar]:
    """A bar for each layer; of very many, for those that lost most cycles."""
    by_loss = sorted(layers, key=lambda layer: -layer.lost_cycles)
    shown = set(map(id, by_loss if len(layers) <= MOST_BARS else by_loss[: MOST_BARS - 1]))
    bars = [
        (layer.name, f"{100 * layer.utilisation:.0f} %", layer.shown_causes)
        for layer in layers
        if id(layer) in shown
    ]
    others = [layer for layer in layers if id(layer) not in shown]
    if others:
        # Together they may dwarf every single one, so they get no bar.
        cycles, ideal = (sum(getattr(x, key) for x in others) for key in ("cycles", "ideal_cycles"))
        note = f"{cycles:,} cycles, {100 * ideal / cycles:.0f} %"
        bars.append((f"{len(others)} other layers", note, {}))
    return bars


def unit_bars(view: RunView) -> list[Bar]:
    """A bar for each unit that computes, where layers take turns."""
    if view.tiles is None:
        return []
    cycles = view.timeline.sum(axis=2)
    return [
        (
            view.units[unit],
            f"{100 * cycles[unit, BUSY].sum() / view.end_cycle:.0f} %",
            {cause: n for cause, n in zip(CAUSES, cycles[unit].tolist(), strict=True) if n},
        )
        for unit in np.flatnonzero((view.tiles.computed >= 0).any(axis=1)).tolist()
    ]


def causes_shown(view: RunView) -> list[str]:
    """Causes that have a colour in the bars of layers."""
    return causes_in(cause for layer in view.layers for cause in layer.shown_causes)


def causes_of_units(view: RunView) -> list[str]:
    """Causes that have a colour in the bars of units."""
    return causes_in(cause for *_, causes in unit_bars(view) for cause in causes)
