"""Pictures of a run as files: with a legend, on white paper, in colours that need no page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import escape

from traces.errors import InputError, check_one_of
from traces.plots import (
    bandwidth,
    energy,
    layer_lanes,
    links,
    occupancy,
    roofline,
    stall_stack,
    timeline,
    utilisation,
)
from traces.plots.theme import CAUSE_STYLES, READ, WIDE_PX, WRITE, causes_in
from traces.plots.view import RunView

LEGEND_PX, SWATCH_PX, LETTER_PX, FONT_PX = 24, 10, 7, 12
Legend = list[tuple[str, str]]
"""Colour and label."""


def of_causes(causes: Iterable[str]) -> Legend:
    """What the colours of causes mean."""
    return [(CAUSE_STYLES[cause].colour, CAUSE_STYLES[cause].label) for cause in causes_in(causes)]


def on_its_own(svg: str, legend: Legend) -> str:
    """A picture of the report as the text of an SVG file: white, a legend below, plain colours."""
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


PICTURES: dict[str, tuple[Callable[[RunView, int], str], Callable[[RunView], Legend]]] = {
    "timeline": (timeline.draw, lambda view: of_causes(timeline.causes_shown(view))),
    "stalls": (stall_stack.draw, lambda view: of_causes(stall_stack.causes_shown(view))),
    "roofline": (roofline.draw, lambda view: of_causes(roofline.causes_shown(view))),
    "bandwidth": (bandwidth.draw, lambda view: [(READ, "read"), (WRITE, "written")]),
    "buffers": (occupancy.draw, lambda view: []),
    "energy": (energy.draw, lambda view: []),
    "units": (utilisation.draw, lambda view: []),
    "cores": (stall_stack.draw_units, lambda view: of_causes(stall_stack.causes_of_units(view))),
    "layers": (layer_lanes.draw, lambda view: of_causes(layer_lanes.causes_shown(view))),
    "links": (links.draw, lambda view: []),
}
"""Name -> how to draw it, and what its colours mean. cores, layers, links: of runs in which layers
take turns."""


def picture(view: RunView, name: str) -> str:
    """One of PICTURES as the text of an SVG file. Raises InputError."""
    check_one_of("picture", name, PICTURES)
    draw, legend = PICTURES[name]
    svg = draw(view, WIDE_PX)
    if not svg:
        raise InputError(f"{view.folder}: has nothing to show in a picture of {name}")
    return on_its_own(svg, legend(view))
