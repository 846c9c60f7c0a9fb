"""Picture: what the cycles of every layer went into, a bar a layer."""

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
from traces.plots.view import Layer, RunView

MOST_BARS = 40
BAR_PX = 12

Bar = tuple[str, str, dict[str, int]]
"""Name, what to write at its end, cycles by cause."""


def draw(view: RunView, width_px: int) -> str:
    """The bars as SVG, layers in the order of the run."""
    narrow = is_narrow(width_px)
    bars = bars_of(view.layers)
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
    for (name, note, causes), top in zip(bars, tops, strict=True):
        middle = top + BAR_PX / 2
        write_text(axes, note, (sum(causes.values()) / cycles, middle), (5, 0))
        if narrow:
            write_text(axes, name, (0, top - 8), colour=INK)
        else:
            write_text(axes, name, (0, middle), (-10, 0), "right", INK)
    axes.axvline(0, color=RULE, linewidth=0.8)
    return to_svg(figure, f"stalls-{width_px}", "Cycles of every layer by cause")


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
