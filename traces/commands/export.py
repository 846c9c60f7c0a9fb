"""`tilesim export`: a run for Perfetto, or its DRAM requests for DRAM simulators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from traces.errors import InputError
from traces.export.output import output_file
from traces.run_folder import read_manifest

FILES = {
    "perfetto": "trace.perfetto.json",
    "dramsim3": "dram.dramsim3.trc",
    "ramulator": "dram.ramulator.trace",
    "requests": "dram.requests.csv",
}
"""Name of a format -> file that it is written to in the run's folder."""


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    format_name: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FILES)}.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; one in the run's folder.")
    ] = None,
    burst_bytes: Annotated[
        int, typer.Option("--burst-bytes", min=1, help="Bytes of a DRAM request.")
    ] = 64,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier file.")] = False,
) -> None:
    """Write a run in the format of another tool: its trace, or its DRAM requests."""
    if format_name not in FILES:
        raise InputError(f"--format must be one of {', '.join(FILES)}, not {format_name!r}")
    manifest = read_manifest(run)
    path = out or run / FILES[format_name]
    with output_file(path, force=force) as file:
        if format_name == "perfetto":
            from traces.export.perfetto import write_trace

            what = f"{write_trace(run, file):,} events"
        else:
            from traces.export.dram_stream import write_requests

            what = f"{write_requests(run, format_name, burst_bytes, file):,} requests"
    typer.echo(f"{what} are in {path}")
    if not manifest["complete"]:
        typer.echo("the run is incomplete: the file ends where its trace does", err=True)
