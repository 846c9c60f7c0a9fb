"""The pictures of a report with their words, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
from traces.plots.rows import rows_of_run
from traces.plots.theme import CAUSE_STYLES, causes_in
from traces.plots.view import RunView
from traces.report.layer_table import variable

Legend = list[tuple[str, str]]
"""CSS variable and label of each colour."""

Draw = Callable[[RunView, int], str]
"""Of a run and a width in pixels."""


@dataclass(frozen=True, slots=True)
class Section:
    """A picture with its words. draw: of (run, width in px); "" leaves the section out."""

    title: str
    caption: str
    draw: Draw
    legend: Callable[[RunView], Legend]


def sections_of(view: RunView, path: timeline.Path | None) -> tuple[Section, ...]:
    """The pictures of a run. path: the critical path, marked in the timeline."""
    marked = " The line under a lane is the critical path." if path is not None else ""

    def draw_timeline(view: RunView, width: int) -> str:
        return timeline.draw(view, width, path)

    def draw_links(view: RunView, width: int) -> str:
        return links.draw(view, width, path)

    if view.interleaved:
        first = _of_cores(view, draw_timeline, draw_links, marked)
        return (*first, BANDWIDTH, BUFFERS_OF_CORES, ENERGY, WORKS_FOR)
    return (*_of_layers(draw_timeline, marked), BANDWIDTH, BUFFERS, ENERGY, BUSY_BY_LAYER)


def _of_layers(draw_timeline: Draw, marked: str) -> tuple[Section, ...]:
    """Of a run whose layers follow one another."""
    return (
        Section(
            "Timeline",
            "Every unit over the run, layers on top. At each point in time the height of a colour "
            f"is the share of cycles that went into it; blank is nothing left to do.{marked}",
            draw_timeline,
            lambda view: _cause_legend(timeline.causes_shown(view)),
        ),
        Section(
            "Where each layer's time went",
            "Seen from the unit that the layer runs on; the number is its utilisation. Cycles of "
            "computing that would not be needed if tiles filled the array count as PEs left empty.",
            stall_stack.draw,
            lambda view: _cause_legend(stall_stack.causes_shown(view)),
        ),
        Section(
            "Roofline",
            "Each layer by the MACs it does for a byte of DRAM traffic and the rate it reaches, "
            "coloured by its largest loss, larger the longer it runs. Below the slope DRAM "
            "bandwidth is the limit, below the flat part the array is.",
            roofline.draw,
            lambda view: _cause_legend(roofline.causes_shown(view)),
        ),
    )


def _of_cores(
    view: RunView, draw_timeline: Draw, draw_links: Draw, marked: str
) -> tuple[Section, ...]:
    """Of a run in which tiles of several layers take turns."""
    idle = rows_of_run(view).idle
    left_out = f" {idle} units that never had work are left out." if idle else ""
    return (
        Section(
            "Timeline",
            "Cores and DRAM over the run. At each point in time the height of a colour is the "
            "share of cycles that went into it; blank is nothing left to do. The strip over a core "
            "says which layer its tiles are of: the later in the network, the darker."
            f"{marked}{left_out}",
            draw_timeline,
            lambda view: _cause_legend(timeline.causes_shown(view)),
        ),
        Section(
            "Links",
            "The stronger the colour, the larger the share of time in which a link moves "
            f"something; the number is that of the whole run.{marked}",
            draw_links,
            lambda view: [],
        ),
        Section(
            "Where each core\u2019s time went",
            "Every cycle of every unit that computes; the number is the share in which it is busy.",
            stall_stack.draw_units,
            lambda view: _cause_legend(stall_stack.causes_of_units(view)),
        ),
        Section(
            "Layers over time",
            "When the tiles of a layer were computed or waited for, seen from the unit that "
            "computes most of it. Layers of one unit take turns.",
            layer_lanes.draw,
            lambda view: _cause_legend(layer_lanes.causes_shown(view)),
        ),
        Section(
            "Where each layer\u2019s time went",
            "The cycles of its tiles and of the waits for them, on the unit that computes most of "
            "it; the number is its utilisation, on all units that compute it. As layers overlap, "
            "the bars don\u2019t add up to the run.",
            stall_stack.draw,
            lambda view: _cause_legend(stall_stack.causes_shown(view)),
        ),
    )


def _cause_legend(causes: Iterable[str]) -> Legend:
    return [(variable(cause), CAUSE_STYLES[cause].label) for cause in causes_in(causes)]


BANDWIDTH = Section(
    "DRAM bandwidth",
    "Bytes moved over time. Those of a transfer are spread evenly over its time, so that "
    "transfers in a queue may add up to more than the peak.",
    bandwidth.draw,
    lambda view: [("--read", "read"), ("--write", "written")],
)
BUFFERS = Section(
    "Buffers",
    "How full each buffer is with tiles on their way from or to DRAM, out of its size. The "
    "dashed line is the peak with everything that stays on the chip between layers.",
    occupancy.draw,
    lambda view: [],
)
BUFFERS_OF_CORES = Section(
    "Buffers",
    "How full each buffer is with tiles loaded from DRAM or sent by other cores, out of its size. "
    "The dashed line is the peak with what cores made themselves.",
    occupancy.draw,
    lambda view: [],
)
ENERGY = Section(
    "Energy",
    "By component, over the whole run.",
    energy.draw,
    lambda view: [],
)
BUSY_BY_LAYER = Section(
    "Busy units by layer",
    "The stronger the colour, the larger the share of the layer in which a unit works.",
    utilisation.draw,
    lambda view: [],
)
WORKS_FOR = Section(
    "What each unit works for",
    "The stronger the colour, the larger the share of a unit\u2019s busy cycles that goes to a "
    "layer.",
    utilisation.draw,
    lambda view: [],
)
