"""`tilesim critical-path`: the tasks and waits that determine the end of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from traces.commands.layout import (
    AsJson,
    Run,
    causes_in_words,
    percent,
    say,
    say_if_incomplete,
    table,
)

if TYPE_CHECKING:
    from traces.critical_path import CriticalPath


def command(run: Run, as_json: AsJson = False) -> None:
    """Say which tasks and waits determine the end, and how much slack the others have."""
    from traces.critical_path import critical_path
    from traces.task_graph import load_task_graph

    path = critical_path(load_task_graph(run))
    found = path.as_dict()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console()
    say(console, headline(path))
    say_if_incomplete(console, path.graph.complete, path.graph.end_cycle)
    console.print(cause_table(path))
    for what in ("unit", "layer"):
        console.print(group_table(path, what))
    console.print(slack_table(path))


def headline(path: CriticalPath) -> str:
    """The path in a line."""
    units = path.by("unit")
    whole = path.graph.end_cycle
    if not units:
        return "The run has no tasks that take time."
    first = units[0]
    return (
        f"{path.rows.size:,} of {len(path.graph):,} tasks determine the {whole:,} cycles; "
        f"{first['name']} is on the path for {percent(first['cycles'], whole)} of them."
    )


def cause_table(path: CriticalPath) -> Table:
    """Cycles of the path by cause: they add up to the run."""
    found = path.as_dict()
    rows = [(c, f"{n:,}", percent(n, found["cycles"])) for c, n in found["causes"].items()]
    made = table("critical path by cause", ("cause", ">cycles", ">share"), rows)
    made.add_section()
    made.add_row("all", f"{found['cycles']:,}", percent(found["cycles"], found["cycles"]))
    return made


def group_table(path: CriticalPath, what: str) -> Table:
    """Cycles of the path by unit or layer."""
    whole = path.graph.end_cycle
    rows = [
        (
            group["name"],
            f"{group['tasks']:,}",
            f"{group['cycles']:,}",
            percent(group["cycles"], whole),
            causes_in_words(group["causes"]),
        )
        for group in path.by(what)
    ]
    headings = (what, ">tasks", ">cycles", ">share", "causes")
    return table(f"critical path by {what}", headings, rows)


def slack_table(path: CriticalPath) -> Table:
    """Of every unit: how many tasks may not end later, and how much later half of them may."""
    import numpy as np

    unit = path.graph.tasks["unit"]
    rows = []
    for code, name in enumerate(path.graph.units):
        slack = path.slack[unit == code]
        if slack.size:
            middle, most = int(np.median(slack)), int(slack.max())
            tight = int((slack == 0).sum())
            rows.append((name, f"{slack.size:,}", f"{tight:,}", f"{middle:,}", f"{most:,}"))
    headings = ("unit", ">tasks", ">without", ">median cycles", ">most cycles")
    return table("slack: how much later tasks could end", headings, rows)
