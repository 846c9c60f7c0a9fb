"""Draw the pictures of the walk-throughs from their runs: `python pictures.py RUNS` beside them.

They are those of `tilesim report`, on their own: with a legend, and colours that need no page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np

from traces.plots import bandwidth, roofline, stall_stack, timeline
from traces.plots.theme import CAUSE_STYLES, NARROW_PX, READ, WIDE_PX, WRITE, causes_in
from traces.plots.view import RunView, load_view
from traces.report.marked_path import marked_path

HERE = Path(__file__).parent
LEGEND_PX, SWATCH_PX, LETTER_PX, FONT_PX = 24, 10, 7, 12
Legend = list[tuple[str, str]]
"""Colour and label."""


def of_causes(causes: Iterable[str]) -> Legend:
    """What the colours of causes mean."""
    return [(CAUSE_STYLES[cause].colour, CAUSE_STYLES[cause].label) for cause in causes_in(causes)]


def on_its_own(svg: str, legend: Legend) -> str:
    """A picture of the report as a file: white, with a legend below and plain colours."""
    svg = re.sub(r"var\(--[\w-]+, ([^)]*)\)", r"\1", svg)
    width, height = (float(n) for n in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    items, left, top = [], 4.0, height + 6
    for colour, label in legend:
        room = SWATCH_PX + 6 + LETTER_PX * len(label) + 12
        if left + room > width:
            left, top = 4.0, top + LEGEND_PX
        items.append(
            f'<rect x="{left}" y="{top}" width="{SWATCH_PX}" height="{SWATCH_PX}" fill="{colour}"/>'
            f'<text x="{left + SWATCH_PX + 6}" y="{top + SWATCH_PX}">{escape(label)}</text>'
        )
        left += room
    total = top + LEGEND_PX
    inner = svg.replace("<svg ", f'<svg width="{width}" height="{height}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{total}" viewBox="0 0 {width} {total}" '
        f'font-family="sans-serif" font-size="{FONT_PX}">\n<rect width="100%" height="100%" '
        f'fill="#fff"/>\n{inner}\n{"".join(items)}\n</svg>\n'
    )


def stalls_of(view: RunView) -> str:
    """What the cycles of every layer went into."""
    return on_its_own(stall_stack.draw(view, WIDE_PX), of_causes(view.causes))


def roofline_of(view: RunView) -> str:
    """Every layer against the limits of DRAM and array."""
    return on_its_own(roofline.draw(view, WIDE_PX), of_causes(roofline.causes_shown(view)))


def bandwidth_of(view: RunView) -> str:
    """Bytes moved over time."""
    return on_its_own(bandwidth.draw(view, WIDE_PX), [(READ, "read"), (WRITE, "written")])


def timeline_of(view: RunView) -> str:
    """Every unit that is no bank of a buffer, with the critical path; narrow to stay small."""
    shown = [i for i, name in enumerate(view.units) if ".bank" not in name]
    units = tuple(view.units[i] for i in shown)
    few = replace(view, units=units, timeline=view.timeline[np.array(shown)])
    svg = timeline.draw(few, NARROW_PX, marked_path(few))
    return on_its_own(svg, of_causes(timeline.causes_shown(few)))


PICTURES = {
    "single_stalls": ("single", stalls_of),
    "single_roofline": ("single", roofline_of),
    "double_stalls": ("double", stalls_of),
    "one_core_bandwidth": ("one_core", bandwidth_of),
    "two_cores_bandwidth": ("two_cores", bandwidth_of),
    "two_cores_timeline": ("two_cores", timeline_of),
    "few_banks_stalls": ("few_banks", stalls_of),
    "same_mapping_stalls": ("same_mapping", stalls_of),
}
"""Name of the file -> run and picture."""


def main(runs: Path) -> None:
    """Draw all of them into this folder. runs: the folder that holds the runs."""
    for name, (run, draw) in PICTURES.items():
        (HERE / f"{name}.svg").write_text(draw(load_view(runs / run)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
