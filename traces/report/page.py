"""The page of a run: pictures at two widths, words, and the table of layers, in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template

from traces.plots import timeline
from traces.plots.theme import CAUSE_STYLES, DARK, NARROW_PX, VARIABLES, WIDE_PX
from traces.plots.view import RunView
from traces.report import headline
from traces.report.layer_table import cause_bar, layer_table, variable
from traces.report.sections import Legend, Section, sections_of

LEAST_SHARE = 0.0005
"""Share of the run below which a cause is not named."""


def build_page(view: RunView, path: timeline.Path | None = None) -> str:
    """The whole report as HTML. path: the critical path, marked in the timeline."""
    parts = {
        "title": escape(headline.title(view)),
        "colours": _colours(),
        "css": _file("page.css"),
        "script": _file("page.js"),
        "warning": headline.warning(view),
        "headline": headline.headline(view),
        "facts": "\n".join(
            f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>"
            for name, value in headline.facts(view)
        ),
        "sections": "\n".join(
            [_totals(view), *(_section(s, view) for s in sections_of(view, path))]
        ),
        "table": layer_table(view),
        "footer": headline.footer(view),
    }
    return Template(_file("page.html")).substitute(parts)


def _section(section: Section, view: RunView) -> str:
    wide, narrow = (section.draw(view, width) for width in (WIDE_PX, NARROW_PX))
    if not wide:
        return ""
    return (
        f"<section>\n<h2>{section.title}</h2>\n"
        f'<p class="caption">{section.caption}</p>\n{_legend(section.legend(view))}'
        f'<figure><div class="wide">{wide}</div><div class="narrow">{narrow}</div></figure>\n'
        "</section>"
    )


def _totals(view: RunView) -> str:
    """All cycles of the run as one bar, each cause with its share."""
    causes = view.causes
    whole = sum(causes.values())
    seen = "Every cycle of the run has exactly one cause, seen from the unit that the layer of the "
    seen += "moment runs on."
    if view.interleaved:
        seen = "Every cycle of every unit has exactly one cause; here are those of the "
        seen += f"{len(view.main_units)} units that do the MACs."
    items = "".join(
        f'<li><i style="background:var({variable(cause)})"></i>{CAUSE_STYLES[cause].label} '
        f"<span>{headline.percent(causes[cause] / whole)}</span></li>"
        for cause in causes
        if causes[cause] >= LEAST_SHARE * whole
    )
    return (
        "<section>\n<h2>Where the cycles went</h2>\n"
        f'<p class="caption">{seen}</p>\n'
        f'<div class="stack" style="{cause_bar(causes)}"></div>\n'
        f'<ul class="legend">{items}</ul>\n</section>'
    )


def _legend(legend: Legend) -> str:
    items = "".join(
        f'<li><i style="background:var({name})"></i>{label}</li>' for name, label in legend
    )
    return f'<ul class="legend">{items}</ul>\n' if items else ""


def _colours() -> str:
    light = {name: colour for colour, name in VARIABLES.items()}
    dark = f"@media screen and (prefers-color-scheme: dark) {{ {_root(DARK)} }}"
    return f"{_root(light)}\n{dark}"


def _root(variables: Mapping[str, str]) -> str:
    return ":root { " + " ".join(f"{name}: {value};" for name, value in variables.items()) + " }"


def _file(name: str) -> str:
    return files("traces.report").joinpath(name).read_text(encoding="utf-8").strip()
