"""`tilesim report`: one HTML page with pictures of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from traces.export.output import output_file

PAGE = "report.html"


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[
        Path | None, typer.Option("--out", help=f"Page to write; {PAGE} in the run's folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier page.")] = False,
) -> None:
    """Make one HTML page with pictures of a run; it needs no other file and no network."""
    # Matplotlib and numba take a second to import; --help should not wait for them.
    from traces.plots.view import load_view
    from traces.report.marked_path import marked_path
    from traces.report.page import build_page

    view = load_view(run)
    path = out or run / PAGE
    with output_file(path, force=force) as page:
        page.write(build_page(view, marked_path(view)))
    typer.echo(f"report is in {path}")
    if not view.complete:
        typer.echo(f"the run is incomplete: it shows the first {view.end_cycle:,} cycles", err=True)
