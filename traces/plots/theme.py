"""How pictures look: one colour a cause everywhere, type, and SVG that follows the page.

Figures are drawn with placeholder colours; `to_svg` turns each into a CSS variable with the colour
itself as a fallback, so that a picture is right in a light page, in a dark page and on its own.
One unit of a figure is a CSS pixel at its natural size.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from traces.plots.view import PARTLY

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class CauseStyle:
    """What a cause is called in a legend and in a sentence, and its colour."""

    label: str
    phrase: str
    colour: str


CAUSE_STYLES = {
    "busy/compute": CauseStyle("computing", "computing", "#2a73b7"),
    PARTLY: CauseStyle("PEs left empty", "PEs that tiles leave empty", "#86c4fa"),
    "busy/fill": CauseStyle("array fill and drain", "filling and draining the array", "#bcdaf3"),
    "busy/transfer": CauseStyle("transferring", "transferring", "#297f5f"),
    "stall/dram_bandwidth": CauseStyle("DRAM bandwidth", "waiting for DRAM bandwidth", "#d75e17"),
    "stall/dram_latency": CauseStyle("DRAM latency", "waiting out the latency of DRAM", "#f1ad6a"),
    "stall/dram_row_miss": CauseStyle("DRAM row misses", "waiting for DRAM row misses", "#8f2d12"),
    "stall/dram_refresh": CauseStyle("DRAM refresh", "waiting for DRAM refresh", "#f6d8b0"),
    "stall/dram_queue": CauseStyle("DRAM queue", "waiting in the queue of DRAM", "#b08968"),
    "stall/noc_bandwidth": CauseStyle(
        "network width", "waiting for the network's width", "#6b4696"
    ),
    "stall/noc_contention": CauseStyle(
        "network contention", "waiting for others on the network", "#b79bd8"
    ),
    "stall/sram_bandwidth": CauseStyle("buffer bandwidth", "waiting for buffer ports", "#c2347f"),
    "stall/bank_conflict": CauseStyle("bank conflicts", "waiting for buffer banks", "#db93bd"),
    "stall/operand_wait": CauseStyle("operand wait", "waiting for operands", "#d8d78b"),
    "stall/output_credit": CauseStyle("no free slot", "waiting for a free buffer slot", "#879228"),
    "stall/dependency": CauseStyle("dependency", "waiting for earlier work", "#c6cad0"),
    "stall/sparsity_imbalance": CauseStyle(
        "sparsity imbalance", "waiting for the busiest sparse lane", "#1d5c38"
    ),
    "idle/no_work": CauseStyle("no work left", "having no work left", "#e9ebee"),
}
"""Blue is useful work, orange DRAM, purple the network, pink buffers, grey what waits for others.
Within a hue lightness tells causes apart. Any two differ by at least 10 in CIELAB for every kind of
colour vision, in the light and in the dark; a test holds them to that."""

INK, MUTED, RULE, PAPER = "#1b1f24", "#6b7280", "#d7dade", "#fefefe"
READ, WRITE, LEVEL = "#4f6f89", "#a9bccb", "#4f6f8a"
"""Of DRAM reads and writes, and of amounts that are no cause (occupancy, energy, utilisation)."""

VARIABLES = {
    **{style.colour: f"--{cause.replace('/', '-')}" for cause, style in CAUSE_STYLES.items()},
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    PAPER: "--paper",
    READ: "--read",
    WRITE: "--write",
    LEVEL: "--level",
}
"""Placeholder colour -> CSS variable."""

DARK = {
    "--ink": "#e4e7ea",
    "--muted": "#969ea8",
    "--rule": "#30363d",
    "--paper": "#14171a",
    "--level": "#86a3ba",
    "--read": "#86a3ba",
    "--write": "#4a6174",
    "--busy-compute": "#3878bd",
    "--busy-fill": "#b4d4ee",
    "--stall-dram_row_miss": "#b54829",
    "--stall-operand_wait": "#9f914b",
    "--stall-dependency": "#464d55",
    "--stall-noc_bandwidth": "#9d7bde",
    "--stall-sparsity_imbalance": "#416c75",
    "--idle-no_work": "#2a2f35",
}
"""Colours that differ on dark paper, where what is nearly black or white would say too little or
too much."""

WIDE_PX, NARROW_PX = 960, 380
"""Natural widths at which every picture is drawn: for a desk and for a hand."""

WIDE_BINS, NARROW_BINS = 480, 190
"""Most bins of time in a picture of that width: about two pixels each."""

SMALL_PX, TEXT_PX = 10.5, 11.5

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": TEXT_PX,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": SMALL_PX,
    "ytick.labelsize": SMALL_PX,
    "ytick.major.size": 0,
}


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels around the axes of a figure."""

    left: float
    right: float
    top: float
    bottom: float


def is_narrow(width_px: int) -> bool:
    """Whether a picture is drawn for a hand: names above things instead of beside them."""
    return width_px < WIDE_PX


def new_axes(width_px: int, height_px: float, margins: Margins) -> tuple[Figure, Axes]:
    """A figure of that size with one pair of axes inside of margins, without background."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width_px / 72, height_px / 72), dpi=72)
        axes = figure.add_axes(
            (
                margins.left / width_px,
                margins.bottom / height_px,
                (width_px - margins.left - margins.right) / width_px,
                (height_px - margins.bottom - margins.top) / height_px,
            ),
        )
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    return figure, axes


def fill_rectangles(
    axes: Axes, x0: Floats, x1: Floats, y0: Floats, y1: Floats, colour: str, alpha: float = 1.0
) -> None:
    """Fill any number of rectangles with one path, its edges on whole pixels of the screen."""
    if not x0.size:
        return
    corners = np.stack(
        [np.stack([x, y], axis=-1) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))],
        axis=1,
    )
    codes = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.LINETO, Outline.CLOSEPOLY]
    outline = Outline(corners.reshape(-1, 2), np.tile(codes, x0.size))
    axes.add_patch(PathPatch(outline, facecolor=colour, edgecolor="none", alpha=alpha))


def write_text(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    offset_px: tuple[float, float] = (0.0, 0.0),
    align: Literal["left", "center", "right"] = "left",
    colour: str = MUTED,
    size_px: float = SMALL_PX,
) -> None:
    """Write words as they are, vertically centred, so many pixels off a point of the data."""
    axes.annotate(
        text,
        at,
        offset_px,
        textcoords="offset pixels",
        ha=align,
        va="center",
        color=colour,
        fontsize=size_px,
        parse_math=False,
        annotation_clip=False,
    )


def to_svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an `<svg>` element. name: unique in its page; label: for screen readers."""
    text = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    svg = text.getvalue()
    svg = re.sub(r"^.*?<svg [^>]*?viewBox", _ROOT.format(label=escape(label)), svg, flags=re.S)
    for pattern, replacement in _CLEANING:
        svg = re.sub(pattern, replacement, svg, flags=re.S)
    svg = _own_ids(svg, name)
    svg = re.sub(r' d="[^"]*"', lambda m: _short_path(m.group()), svg)
    svg = re.sub("|".join(VARIABLES), lambda m: f"var({VARIABLES[m.group()]}, {m.group()})", svg)
    return re.sub(r"\s*\n\s*", "\n", svg)


_ROOT = '<svg role="img" aria-label="{label}" stroke-linejoin="round" viewBox'
_CLEANING = (
    (r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", ""),
    (r' transform="rotate\(-?0 [^"]*"', ""),
    (r"font-family: [^;\"]*", "font-family: var(--font, sans-serif)"),
    (r"xlink:href", "href"),
)


def _own_ids(svg: str, name: str) -> str:
    """Drop ids that nothing refers to; make the others unique among the pictures of a page."""
    used = set(re.findall(r'(?:url\(|href=")#([\w.-]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", svg)


_NUMBER = r"(-?[\d.]+) (-?[\d.]+)"
_RECTANGLE = re.compile(
    rf"M {_NUMBER}\s+L {_NUMBER}\s+L {_NUMBER}\s+L {_NUMBER}\s+z\s*", flags=re.I
)


def _short_path(attribute: str) -> str:
    """A path to a hundredth of a pixel; rectangles written by their sides, edges left sharp."""
    text, rectangles = _RECTANGLE.subn(_short_rectangle, attribute)
    text = re.sub(r"-?\d+\.\d+(?:e-?\d+)?", lambda m: _number(float(m.group())), text)
    return text + (' shape-rendering="crispEdges"' if rectangles else "")


def _short_rectangle(match: re.Match[str]) -> str:
    x0, y0, x1, _, _, y2, *_ = (float(group) for group in match.groups())
    return f"M{_number(x0)} {_number(y0)}h{_number(x1 - x0)}v{_number(y2 - y0)}H{_number(x0)}z"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-0.", "-.").removeprefix("0") or "0"


def causes_in(names: Iterable[str]) -> list[str]:
    """Causes in the order of legends and stacks, each once."""
    present = set(names)
    return [cause for cause in CAUSE_STYLES if cause in present]
