"""`tilesim replay`: time a recorded run anew, on the chip as it was or with changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from traces.commands.layout import AsJson, Run, percent, say, say_if_incomplete, table
from traces.errors import InputError, check_one_of

if TYPE_CHECKING:
    from traces.replay import Replay
    from traces.replay_changes import Change
    from traces.replay_sweep import Sweep
    from traces.task_graph import TaskGraph


def command(
    run: Run,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="KEY=VALUE to change: 2x, a number, or inf; * in a key. Repeatable."
        ),
    ] = None,
    sweep: Annotated[
        str, typer.Option("--sweep", help="KEY=A:B:N, N values from A to B, e.g. 0.25x:4x:9.")
    ] = "",
    contention: Annotated[
        str, typer.Option("--contention", help="At servers: kept as recorded, or rearbitrated.")
    ] = "rearbitrated",
    check: Annotated[
        bool, typer.Option("--check", help="Simulate the changed chip as well and compare.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Time a recorded run anew; the last line counts the tasks and gives the new length."""
    from traces.replay import CONTENTIONS
    from traces.replay_changes import parse_changes
    from traces.task_graph import load_task_graph

    check_one_of("--contention", contention, CONTENTIONS)
    if check and sweep:
        raise InputError("--check must be without --sweep")
    graph = load_task_graph(run)
    changes = parse_changes(set_ or [], graph)
    console = Console()
    if sweep:
        _show_sweep(graph, sweep, changes, contention, as_json, console)
        return
    found = _facts(graph, changes, contention, check)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    say_if_incomplete(console, graph.complete, graph.end_cycle)
    if changes:
        console.print(change_table(found))
        say(console, _difference("replay", found["recorded_end_cycles"], found["end_cycles"]))
    if check:
        say(console, f"simulated {found['simulated_end_cycles']:,} cycles; {_error(found)}")
    say(console, closing_line(found))


def closing_line(found: dict[str, Any]) -> str:
    """The figures of a replay as key=value."""
    keys = ("tasks", "exact", "end_cycles", "recorded_end_cycles", "simulated_end_cycles")
    return " ".join(f"{key}={found[key]}" for key in keys if key in found)


def _facts(graph: TaskGraph, changes: list[Change], contention: str, check: bool) -> dict[str, Any]:
    from traces.replay import replay
    from traces.replay_changes import EFFECTS

    done = replay(graph, changes, contention)
    found: dict[str, Any] = {"complete": graph.complete, **_counts(graph, done)}
    if changes:
        found["recorded_end_cycles"] = graph.end_cycle
        found["contention"] = contention
        found["changes"] = [
            {"key": c.key, "value": c.text, "timing": getattr(EFFECTS[c.kind], contention)}
            for c in changes
        ]
    if check:
        from simulator.recorded_run import recorded_run

        found["simulated_end_cycles"] = recorded_run(graph).simulate(changes).cycles
    return found


def _counts(graph: TaskGraph, done: Replay) -> dict[str, int]:
    return {"tasks": len(graph), "exact": done.exact, "end_cycles": done.end_cycle}


def change_table(found: dict[str, Any]) -> Table:
    """What was changed, and how exactly that is timed."""
    rows = [(c["key"], c["value"], c["timing"]) for c in found["changes"]]
    return table(f"changes, contention {found['contention']}", ("key", "value", "timing"), rows)


def _difference(what: str, before: int, after: int) -> str:
    factor = f", {before / after:.3f} times as fast" if after else ""
    return f"{what}: {before:,} -> {after:,} cycles ({percent(after - before, before)}{factor})"


def _error(found: dict[str, Any]) -> str:
    more = found["end_cycles"] - found["simulated_end_cycles"]
    return f"replay is {more:+,} off ({percent(more, found['simulated_end_cycles'])})"


def _show_sweep(
    graph: TaskGraph,
    text: str,
    changes: list[Change],
    contention: str,
    as_json: bool,
    console: Console,
) -> None:
    from traces.replay_sweep import sweep

    found = sweep(graph, text, changes, contention)
    if as_json:
        knee = found.values[found.knee] if found.knee >= 0 else None
        points = [
            {"value": value, "end_cycles": cycles}
            for value, cycles in zip(found.values, found.cycles, strict=True)
        ]
        typer.echo(json.dumps({"key": found.key, "points": points, "knee": knee}, indent=2))
        return
    say_if_incomplete(console, graph.complete, graph.end_cycle)
    console.print(sweep_table(found, graph.end_cycle))
    knee = found.values[found.knee] if found.knee >= 0 else "none"
    say(console, f"points={len(found.values)} knee={knee} recorded_end_cycles={graph.end_cycle}")


def sweep_table(found: Sweep, recorded: int) -> Table:
    """A row a value; the knee is marked."""
    rows = [
        (value, f"{cycles:,}", percent(cycles, recorded), "knee" if i == found.knee else "")
        for i, (value, cycles) in enumerate(zip(found.values, found.cycles, strict=True))
    ]
    return table(f"sweep of {found.key}", (">value", ">cycles", ">of recorded", ""), rows)
