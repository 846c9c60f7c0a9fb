"""Draw the pictures of the walk-throughs from their runs: `python pictures.py RUNS` beside them.

They are those of `tilesim report`, on their own: with a legend, and colours that need no page.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from traces.plots import timeline
from traces.plots.standalone import of_causes, on_its_own, picture
from traces.plots.theme import NARROW_PX
from traces.plots.view import RunView, load_view
from traces.report.marked_path import marked_path

HERE = Path(__file__).parent


def timeline_of(view: RunView) -> str:
    """Every unit that is no bank of a buffer, with the critical path; narrow to stay small."""
    shown = [i for i, name in enumerate(view.units) if ".bank" not in name]
    units = tuple(view.units[i] for i in shown)
    few = replace(view, units=units, timeline=view.timeline[np.array(shown)])
    svg = timeline.draw(few, NARROW_PX, marked_path(few))
    return on_its_own(svg, of_causes(timeline.causes_shown(few)))


PICTURES = {
    "single_stalls": ("single", partial(picture, name="stalls")),
    "single_roofline": ("single", partial(picture, name="roofline")),
    "double_stalls": ("double", partial(picture, name="stalls")),
    "one_core_bandwidth": ("one_core", partial(picture, name="bandwidth")),
    "two_cores_bandwidth": ("two_cores", partial(picture, name="bandwidth")),
    "two_cores_timeline": ("two_cores", timeline_of),
    "few_banks_stalls": ("few_banks", partial(picture, name="stalls")),
    "same_mapping_stalls": ("same_mapping", partial(picture, name="stalls")),
}
"""Name of the file -> run and picture."""


def main(runs: Path) -> None:
    """Draw all of them into this folder. runs: the folder that holds the runs."""
    for name, (run, draw) in PICTURES.items():
        (HERE / f"{name}.svg").write_text(draw(load_view(runs / run)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
