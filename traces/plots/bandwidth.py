"""Picture: bytes read from and written to DRAM over time, against its peak."""

from __future__ import annotations

import numpy as np

from traces.plots.theme import (
    MUTED,
    NARROW_BINS,
    READ,
    WIDE_BINS,
    WRITE,
    Margins,
    fill_rectangles,
    is_narrow,
    new_axes,
    to_svg,
    write_text,
)
from traces.plots.transfers import bytes_per_cycle
from traces.plots.units import time_axis, time_scale
from traces.plots.view import RunView


def draw(view: RunView, width_px: int) -> str:
    """The bandwidth as SVG. The bytes of a transfer are spread evenly over its time."""
    narrow = is_narrow(width_px)
    margins = Margins(42 if narrow else 58, 18, 18, 24)
    figure, axes = new_axes(width_px, 170 if narrow else 190, margins)
    time_axis(axes, view)
    cycles, _ = time_scale(view)
    rate = view.clock_ghz or 1.0
    read, write, bounds = bytes_per_cycle(
        view.transfers, view.bin_ends, NARROW_BINS if narrow else WIDE_BINS
    )
    read, write = read * rate, write * rate
    left, right, none = bounds[:-1] / cycles, bounds[1:] / cycles, np.zeros(read.size)
    fill_rectangles(axes, left, right, none, read, READ)
    fill_rectangles(axes, left, right, read, read + write, WRITE)
    axes.set_ylabel("GB/s" if view.clock_ghz else "bytes/cycle")
    axes.locator_params(axis="y", nbins=4)
    axes.grid(axis="y")
    peak = view.dram_bytes_per_cycle
    top = float((read + write).max(initial=0.0))
    axes.set_ylim(0, 1.05 * max(top, peak * rate if peak else 0.0) or 1)
    if peak:
        axes.axhline(peak * rate, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        write_text(
            axes, f"peak {peak * rate:g}", (axes.get_xlim()[1], peak * rate), (-2, 8), "right"
        )
    return to_svg(figure, f"bandwidth-{width_px}", "DRAM bandwidth over time")
