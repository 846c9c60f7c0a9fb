"""Draw the pictures of the timing model from two real runs: `python docs/pictures.py`.

A layer on the chips of the walk-through of double buffering: the same tiles, one slot or two.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import simulator as ts
from traces.plots.theme import CAUSE_STYLES

HERE = Path(__file__).parent
NETWORK, LAYER = "squeezenet1_1", "fire3.conv1"
LANES = ("dma_weight", "dma_input", "pe_array", "vector_unit", "dma_output")
CYCLES = 9000
"""What is shown of the run, from its start."""

STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "tilesim", "font.size": 8}


def recorded(chip: str, folder: Path, mapping: Path | None) -> ts.Run:
    """The layer on a chip of the walk-throughs."""
    file = str(HERE / "walkthroughs" / f"{chip}.yaml")
    layers = f"{LAYER}:{LAYER}"
    out = folder / chip
    return ts.simulate(NETWORK, file, layers=layers, memory="simple", mapping=mapping, out=out)


def same_tiles(run: ts.Run, folder: Path) -> Path:
    """A mapping file with the tiles of a run, and as many slots as the chip has."""
    assert run.folder is not None
    text = (run.folder / "mapping.yaml").read_text(encoding="utf-8")
    mappings = yaml.safe_load(text)
    del mappings["layers"][LAYER]["slots"]
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump(mappings), encoding="utf-8")
    return path


def draw_tiles(axes: Axes, run: ts.Run, title: str) -> None:
    """Every task as a bar in the lane of its unit, numbered there; transfers may overlap."""
    seen = dict.fromkeys(LANES, 0)
    for task in sorted(run.trace("tasks").to_pylist(), key=lambda row: int(row["task"])):
        lane = (task["unit"] or "").partition(".")[2]
        if lane not in LANES or task["start"] >= CYCLES:
            continue
        start, width, number = task["start"], task["end"] - task["start"], seen[lane]
        seen[lane] += 1
        computes = task["kind"] == "COMPUTE"
        y = LANES.index(lane) + (0 if computes else 0.2 - 0.4 * ((number + 1) % 2))
        axes.barh(y, width, 0.8 if computes else 0.4, left=start, edgecolor="white",
                  color="#4f6f89" if computes else "#a9bccb")  # fmt: skip
        if width > CYCLES / 40 and start + width / 2 < CYCLES:
            axes.text(start + width / 2, y, str(number), ha="center", va="center", fontsize=6,
                      color="white" if computes else "black")  # fmt: skip
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_yticks(range(len(LANES)), LANES)
    axes.set_ylim(len(LANES) - 0.5, -0.5)


def draw_ledger(axes: Axes, run: ts.Run) -> None:
    """What the cycles of the array went into."""
    for row in run.trace("intervals").to_pylist():
        if row["unit"] == "core.pe_array" and row["start"] < CYCLES:
            style = CAUSE_STYLES[row["cause"]]
            known = style.label in axes.get_legend_handles_labels()[1]
            axes.barh("ledger of\npe_array", row["end"] - row["start"], left=row["start"],
                      color=style.colour, label=None if known else style.label)  # fmt: skip
    axes.set_xlim(0, CYCLES)
    axes.set_xlabel("cycle")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -1.1), ncols=6, frameon=False)


def draw(run: ts.Run, title: str, name: str) -> None:
    """Tiles above, ledger below, as an SVG file."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3))
        tiles, ledger = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
        draw_tiles(tiles, run, f"{title}: {run.cycles:,} cycles")
        draw_ledger(ledger, run)
        for axes in (tiles, ledger):
            axes.spines[["top", "right", "left"]].set_visible(False)
        figure.savefig(
            HERE / "pictures" / f"{name}.svg", bbox_inches="tight", metadata={"Date": None}
        )


def main() -> None:
    """Draw both pictures."""
    (HERE / "pictures").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        single = recorded("single", folder, None)
        double = recorded("double", folder, same_tiles(single, folder))
        draw(single, "one slot in every buffer", "one_slot")
        draw(double, "two slots: double buffering", "two_slots")


if __name__ == "__main__":
    main()
