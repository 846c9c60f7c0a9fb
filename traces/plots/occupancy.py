"""Picture: how full every buffer is over time, against its size."""

from __future__ import annotations

import numpy as np

from traces.plots.bins import Floats, Int64s, amount_in_bins, joined
from traces.plots.theme import (
    INK,
    LEVEL,
    MUTED,
    NARROW_BINS,
    RULE,
    WIDE_BINS,
    Margins,
    fill_rectangles,
    is_narrow,
    new_axes,
    to_svg,
    write_text,
)
from traces.plots.units import BYTES, in_words, time_axis, time_scale
from traces.plots.view import RunView

LANE_PX, GAP_PX = 44, 26


def draw(view: RunView, width_px: int) -> str:
    """A lane a buffer as SVG, its height the buffer's size; empty when no task fills a buffer."""
    bytes_taken, bounds = taken_bytes(view, NARROW_BINS if is_narrow(width_px) else WIDE_BINS)
    buffers = [name for name in view.slots.buffers if view.limit_bytes(name)]
    if not buffers:
        return ""
    pitch = LANE_PX + GAP_PX
    margins = Margins(4, 18, 0, 24)
    figure, axes = new_axes(width_px, pitch * len(buffers) + 4 + margins.bottom, margins)
    time_axis(axes, view)
    axes.set_ylim(pitch * len(buffers) + 4, 0)
    axes.set_yticks([])
    cycles, _ = time_scale(view)
    end = axes.get_xlim()[1]
    for lane, name in enumerate(buffers):
        floor, limit = pitch * (lane + 1), view.limit_bytes(name)
        level = bytes_taken[view.slots.buffers.index(name)] / limit * LANE_PX
        low = np.full(level.size, float(floor))
        fill_rectangles(axes, bounds[:-1] / cycles, bounds[1:] / cycles, low, low - level, LEVEL)
        axes.hlines([floor, floor - LANE_PX], 0, end, colors=RULE, linewidth=0.8)
        peak = view.peak_bytes.get(name)
        if peak:
            at = floor - peak / limit * LANE_PX
            axes.hlines([at], 0, end, colors=MUTED, linewidth=1, linestyles=(0, (4, 3)))
        write_text(axes, name, (0, floor - LANE_PX - 9), colour=INK)
        note = in_words(limit, BYTES) + (f", peak {in_words(peak, BYTES)}" if peak else "")
        write_text(axes, note, (end, floor - LANE_PX - 9), align="right")
    return to_svg(figure, f"occupancy-{width_px}", "Bytes taken of every buffer over time")


def taken_bytes(view: RunView, most_bins: int) -> tuple[Floats, Int64s]:
    """Mean bytes taken of each buffer in each bin, (buffers, bins), and the bins' boundaries."""
    slots = view.slots
    byte_cycles = slots.bytes * (slots.freed - slots.taken)
    per_bin = [
        amount_in_bins(slots.taken[of], slots.freed[of], byte_cycles[of], view.bin_ends)
        for of in (slots.buffer == code for code in range(len(slots.buffers)))
    ]
    shape = (len(slots.buffers), view.bin_ends.size - 1)
    total, bounds = joined(np.reshape(per_bin, shape), view.bin_ends, most_bins)
    return total / np.diff(bounds), bounds
