"""The `tilesim` command: finds its verbs through entry points, loads only the one it needs.

Each package brings its own verbs (entry-point group `tilesim.commands`: verb -> module:attribute, a
function or a typer app), so that no package imports one to its right and `--help` stays instant.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from traces.errors import InputError

GROUP = "tilesim.commands"
DESCRIPTION = "Simulate deep-learning accelerators cycle by cycle, and say why each cycle was lost."
BAD_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends with one line on stderr and exit status 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        build_app(words)(words, prog_name="tilesim")
    except InputError as error:
        typer.echo(f"tilesim: {error}", err=True)
        raise SystemExit(BAD_INPUT) from None
    except SystemExit as exit_:
        if exit_.code == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            typer.echo("tilesim: interrupted", err=True)
        raise


def verbs() -> dict[str, EntryPoint]:
    """The verbs that are installed, in alphabetical order."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def build_app(words: Sequence[str]) -> typer.Typer:
    """The command line for some words: the verb among them loaded, the others by summary only."""
    app = typer.Typer(
        help=DESCRIPTION,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    called = next((word for word in words if not word.startswith("-")), "")
    for verb, point in verbs().items():
        if verb != called:
            app.command(verb, help=_summary(point))(_not_loaded)
        elif isinstance(loaded := point.load(), typer.Typer):
            app.add_typer(loaded, name=verb)
        else:
            app.command(verb)(loaded)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tilesim {version('tilesim')}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


def _not_loaded() -> None:
    raise AssertionError("a verb that was not named can't be called")


def _summary(point: EntryPoint) -> str:
    """First line of the docstring of a verb's module, read from its source without running it."""
    spec = find_spec(point.module)
    if spec is None or spec.origin is None:
        return ""
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return text.split("\n", 1)[0].partition(": ")[2]
