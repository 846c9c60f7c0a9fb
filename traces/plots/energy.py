"""Picture: energy by component, the largest on top."""

from __future__ import annotations

import numpy as np

from traces.plots.theme import (
    INK,
    LEVEL,
    Margins,
    fill_rectangles,
    is_narrow,
    new_axes,
    to_svg,
    write_text,
)
from traces.plots.units import JOULES, in_words
from traces.plots.view import RunView

BAR_PX, PJ = 14, 1e-12


def draw(view: RunView, width_px: int) -> str:
    """The bars as SVG; empty where the trace counts no energy."""
    if not view.energy_pj:
        return ""
    narrow = is_narrow(width_px)
    names = sorted(view.energy_pj, key=lambda name: -view.energy_pj[name])
    energy = np.array([view.energy_pj[name] for name in names])
    pitch = BAR_PX + (22 if narrow else 9)
    margins = Margins(4 if narrow else 150, 10, 2, 4)
    figure, axes = new_axes(width_px, pitch * len(names) + 8, margins)
    # Room on the right of the longest bar for its number.
    axes.set_xlim(0, energy.max() * (1.0 if narrow else 1.16))
    axes.set_ylim(pitch * len(names), 0)
    axes.set_axis_off()
    tops = pitch * np.arange(len(names)) + (18.0 if narrow else 4.0)
    fill_rectangles(axes, np.zeros(energy.size), energy, tops, tops + BAR_PX, LEVEL)
    for name, pj, top in zip(names, energy.tolist(), tops.tolist(), strict=True):
        amount = f"{in_words(pj * PJ, JOULES)} · {100 * pj / energy.sum():.1f} %"
        middle = top + BAR_PX / 2
        if narrow:
            write_text(axes, name, (0, top - 9), colour=INK)
            write_text(axes, amount, (axes.get_xlim()[1], top - 9), align="right")
        else:
            write_text(axes, name, (0, middle), (-10, 0), "right", INK)
            write_text(axes, amount, (pj, middle), (7, 0))
    return to_svg(figure, f"energy-{width_px}", "Energy by component")
