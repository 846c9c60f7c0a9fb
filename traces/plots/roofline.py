"""Picture: the rate of MACs of every layer by its MACs per DRAM byte, under the chip's roofs."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from traces.plots.theme import (
    CAUSE_STYLES,
    INK,
    PAPER,
    Floats,
    Margins,
    is_narrow,
    new_axes,
    to_svg,
    write_text,
)
from traces.plots.view import USEFUL, Layer, RunView

Side = Literal["left", "center", "right"]
Box = tuple[float, float, float, float]

NAMED = 8
"""Layers whose names are written: those that lost most cycles."""

LEAST_LOSS = 0.05
"""Share of a layer's cycles from which on its largest loss gives it its colour."""

SIZES_PX = ((0.1, 11.0), (0.03, 8.0), (0.01, 6.0), (0.0, 4.5))
"""Share of the run from which on a layer's point is that wide."""


def draw(view: RunView, width_px: int) -> str:
    """The roofline as SVG; empty where the run does not say what its chip can do, and where layers
    take turns: they share cores and DRAM at any time then, and have no roof of their own."""
    peak, bandwidth = view.peak_macs_per_cycle, view.dram_bytes_per_cycle
    layers = points(view)
    if not layers or peak is None or bandwidth is None or view.interleaved:
        return ""
    margins = Margins(58, 14, 14, 42)
    figure, axes = new_axes(width_px, 340 if is_narrow(width_px) else 400, margins)
    rate, unit = (view.clock_ghz, "GMAC/s") if view.clock_ghz else (1.0, "MAC/cycle")
    axes.set_xscale("log")
    axes.set_yscale("log")
    x = np.array([intensity(layer) for layer in layers])
    y = np.array([layer.macs / layer.cycles for layer in layers]) * rate
    ridge = peak / bandwidth
    axes.set_xlim(min(x.min(), ridge) / 2, max(x.max(), ridge) * 2)
    axes.set_ylim(y.min() / 2, peak * rate * 2)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.grid(which="major")
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("MACs per DRAM byte")
    axes.set_ylabel(unit)
    _draw_roofs(axes, peak * rate, bandwidth * rate)
    _draw_points(axes, view, layers, x, y)
    _write_names(axes, layers, x, y)
    return to_svg(figure, f"roofline-{width_px}", "Roofline with every layer as a point")


def points(view: RunView) -> list[Layer]:
    """The layers that have a place: those that compute MACs and move DRAM bytes."""
    return [x for x in view.layers if x.macs and x.cycles and x.read_bytes + x.write_bytes]


def intensity(layer: Layer) -> float:
    """MACs for each byte moved from or to DRAM."""
    return layer.macs / (layer.read_bytes + layer.write_bytes)


def colouring_cause(layer: Layer) -> str:
    """The largest loss of a layer; computing where that is next to nothing."""
    largest = next(iter(layer.losses), USEFUL)
    return largest if layer.losses.get(largest, 0) >= LEAST_LOSS * layer.cycles else USEFUL


def _draw_roofs(axes: Axes, peak: float, bandwidth: float) -> None:
    left, right = axes.get_xlim()
    x = np.array([left, peak / bandwidth, right])
    axes.plot(x, np.minimum(peak, bandwidth * x), color=INK, linewidth=1.4)
    write_text(axes, f"peak {peak:g}", (right, peak), (-4, 9), "right")


def _draw_points(axes: Axes, view: RunView, layers: list[Layer], x: Floats, y: Floats) -> None:
    looks = [(colouring_cause(layer), _size(layer.cycles / view.end_cycle)) for layer in layers]
    # Large ones first, so that small ones lie on top of them.
    for cause, size in sorted(set(looks), key=lambda look: (-look[1], look[0])):
        mine = [look == (cause, size) for look in looks]
        axes.plot(
            x[mine],
            y[mine],
            "o",
            markersize=size,
            markerfacecolor=CAUSE_STYLES[cause].colour,
            markeredgecolor=PAPER,
            markeredgewidth=0.8,
            clip_on=False,
        )


def _size(share: float) -> float:
    return next(size for least, size in SIZES_PX if share >= least)


def _write_names(axes: Axes, layers: list[Layer], x: Floats, y: Floats) -> None:
    """Name the layers that lost most, each where it covers no point and no other name."""
    at = axes.transData.transform(np.stack([x, y], axis=1))
    taken = [(px - 5, px + 5, py - 5, py + 5) for px, py in at]
    right_end = axes.bbox.x1
    for i in sorted(range(len(layers)), key=lambda i: -layers[i].lost_cycles)[:NAMED]:
        width = CHARACTER_PX * len(layers[i].name)
        for side, dx, dy in SIDES:
            left = at[i, 0] + dx - width * ALIGNED[side]
            box = (left, left + width, at[i, 1] + dy - 6, at[i, 1] + dy + 6)
            if box[0] > axes.bbox.x0 and box[1] < right_end and not _covers(box, taken):
                taken.append(box)
                write_text(axes, layers[i].name, (x[i], y[i]), (dx, dy), side, INK)
                break


CHARACTER_PX = 6.0
SIDES: tuple[tuple[Side, float, float], ...] = (
    ("left", 9.0, 0.0),
    ("right", -9.0, 0.0),
    ("center", 0.0, -15.0),
    ("left", 4.0, -28.0),
    ("right", -4.0, -28.0),
    ("center", 0.0, -41.0),
)
"""Alignment of a name and where it stands from its point, in order of preference."""
ALIGNED = {"left": 0.0, "right": 1.0, "center": 0.5}


def _covers(box: Box, others: list[Box]) -> bool:
    """Whether a box (left, right, bottom, top) touches any of others."""
    return any(box[0] < r and x < box[1] and box[2] < t and b < box[3] for x, r, b, t in others)


def causes_shown(view: RunView) -> list[str]:
    """Causes that give points their colour."""
    return [colouring_cause(layer) for layer in points(view)]
