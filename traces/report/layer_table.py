"""The table of layers of a report; the page's script sorts it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from traces.plots.theme import CAUSE_STYLES, causes_in
from traces.plots.view import Layer, RunView
from traces.report.headline import percent

Cell = tuple[str | float, str]
"""What to sort by, and the HTML to show."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: heading, classes of its cells, and the cell of the n-th layer."""

    heading: str
    classes: str
    cell: Callable[[int, Layer, RunView], Cell]


def layer_table(view: RunView) -> str:
    """All layers in the order of the run, as an HTML table."""
    heads = "".join(
        f'<th class="{c.classes}" scope="col"><button type="button">{c.heading}</button></th>'
        for c in columns_of(view)
    )
    rows = "\n".join(_row(n, layer, view) for n, layer in enumerate(view.layers))
    head = f"<thead><tr>{heads}</tr></thead>"
    return f'<table class="sortable">{head}\n<tbody>\n{rows}\n</tbody></table>'


def columns_of(view: RunView) -> tuple[Column, ...]:
    """The columns; where layers take turns, one says which units compute a layer."""
    return (*COLUMNS[:3], RUNS_ON, *COLUMNS[3:]) if view.interleaved else COLUMNS


def _row(number: int, layer: Layer, view: RunView) -> str:
    cells = []
    for column in columns_of(view):
        value, shown = column.cell(number, layer, view)
        key = escape(str(value))
        cells.append(f'<td class="{column.classes}" data-value="{key}">{shown}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _largest_loss(number: int, layer: Layer, view: RunView) -> Cell:
    cause = next(iter(layer.losses), None)
    if cause is None:
        return "", ""
    label = CAUSE_STYLES[cause].label
    return label, f"{label} {percent(layer.losses[cause] / layer.cycles)}"


def _name(number: int, layer: Layer, view: RunView) -> Cell:
    # Long names break where their parts meet.
    return layer.name, re.sub(r"([._/])", r"\1<wbr>", escape(layer.name))


def cause_bar(causes: Mapping[str, int]) -> str:
    """A CSS gradient with hard stops: the causes side by side, each as wide as its share."""
    total, done, stops = sum(causes.values()), 0, []
    for cause in causes_in(causes):
        begin, done = done, done + causes[cause]
        stops.append(f"var({variable(cause)}) {100 * begin / total:.2f}% {100 * done / total:.2f}%")
    return f"background:linear-gradient(90deg,{','.join(stops)})" if stops else ""


def variable(cause: str) -> str:
    """The CSS variable that holds a cause's colour."""
    return f"--{cause.replace('/', '-')}"


COLUMNS = (
    Column("#", "extra", lambda n, x, v: (n, str(n + 1))),
    Column("layer", "text name", _name),
    Column("type", "text extra", lambda n, x, v: (x.op, escape(x.op))),
    Column("cycles", "", lambda n, x, v: (x.cycles, f"{x.cycles:,}")),
    Column("share", "extra", lambda n, x, v: (x.cycles, percent(x.cycles / v.end_cycle))),
    Column("utilised", "", lambda n, x, v: (x.utilisation, percent(x.utilisation))),
    Column(
        "lost cycles",
        "spent",
        lambda n, x, v: (x.lost_cycles, f'<div style="{cause_bar(x.shown_causes)}"></div>'),
    ),
    Column("largest loss", "text extra", _largest_loss),
    Column(
        "DRAM kB",
        "extra",
        lambda n, x, v: (
            x.read_bytes + x.write_bytes,
            f"{(x.read_bytes + x.write_bytes) / 1e3:,.1f}",
        ),
    ),
    Column("energy µJ", "extra", lambda n, x, v: (x.energy_pj, f"{x.energy_pj / 1e6:,.1f}")),
)


def _runs_on(number: int, layer: Layer, view: RunView) -> Cell:
    others = len(layer.computed_by) - 1
    name = layer.unit.removesuffix(".pe_array")
    return name, escape(name) + (f" + {others}" if others > 0 else "")


RUNS_ON = Column("runs on", "text extra", _runs_on)
