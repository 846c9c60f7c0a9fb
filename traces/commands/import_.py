"""`tilesim import`: bring the trace of another simulator or profiler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from traces.errors import InputError

FORMATS = ("tables", "scalesim", "chrome")


def command(
    source: Annotated[
        Path, typer.Argument(help="A folder of tables, a SCALE-Sim results folder, or a .json.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the trace; empty or new.")],
    format_: Annotated[
        str, typer.Option("--format", help=f"{', '.join(FORMATS)}; guessed if not given.")
    ] = "",
    clock_ghz: Annotated[
        float, typer.Option("--clock-ghz", min=1e-6, help="chrome: cycles in a nanosecond.")
    ] = 1.0,
    word_bytes: Annotated[
        int, typer.Option("--word-bytes", min=1, help="scalesim: bytes of an access.")
    ] = 1,
    lanes: Annotated[
        list[str] | None,
        typer.Option("--lanes", help="tables: UNIT=N tasks at a time. Repeatable."),
    ] = None,
) -> None:
    """Make a run folder of another tool's trace, for stalls, critical-path, replay and pictures."""
    chosen = format_ or _guess(source)
    if chosen not in FORMATS:
        raise InputError(f"--format must be one of {', '.join(FORMATS)}, not {chosen!r}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out}: must be empty or new")
    from traces.importers.chrome import read_chrome
    from traces.importers.imported import write_run
    from traces.importers.scalesim import read_scalesim
    from traces.importers.tables import read_tables

    run = {
        "tables": lambda: read_tables(source, _lanes(lanes or [])),
        "scalesim": lambda: read_scalesim(source, word_bytes),
        "chrome": lambda: read_chrome(source, clock_ghz),
    }[chosen]()
    write_run(run, out, {"imported_from": chosen})
    typer.echo(f"{len(run.tasks):,} tasks and {len(run.edges):,} edges are in {out}")


def _guess(source: Path) -> str:
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    if source.is_file():
        return "chrome"
    return "scalesim" if any(source.glob("layer*/*_TRACE.csv")) else "tables"


def _lanes(given: list[str]) -> dict[str, int]:
    lanes = {}
    for text in given:
        unit, equals, number = text.rpartition("=")
        if not equals or not number.isdigit() or not int(number):
            raise InputError(f"--lanes must be UNIT=N, not {text!r}")
        lanes[unit] = int(number)
    return lanes
