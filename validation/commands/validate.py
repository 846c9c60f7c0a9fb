"""`tilesim validate NAME REFERENCE.csv`: recompute a reference file and judge the difference."""

from __future__ import annotations

import difflib
import json
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.table import Table
from typer.core import TyperGroup
from typer.main import get_command

from hw_models.yaml_file import InputError
from validation.result import ValidationResult, check_out_path

STUDIES = "tilesim.studies"
"""Entry-point group: name -> command of its own, for what is compared without a reference file."""

GROUP = "tilesim.validations"
"""Entry-point group: name of a validator -> function (reference, progress) -> ValidationResult."""

MOST_FAILING_ROWS = 20


def command(
    name: Annotated[str, typer.Argument(help="What to validate: systolic, ...")],
    reference: Annotated[Path, typer.Argument(help="CSV file with the columns of that reference.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write all rows here (.csv or .parquet).")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
) -> None:
    """Recompute every row of a reference file; exit 0 only within the documented tolerance."""
    try:
        result = run(name, reference, out)
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(as_dict(result)))
        typer.echo(result.summary_line(), err=True)
    else:
        print_tables(result, Console())
        typer.echo(result.summary_line())
    if not result.passed:
        raise typer.Exit(1)


def validators() -> dict[str, EntryPoint]:
    """The validators that are installed, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def run(name: str, reference: Path, out: Path | None) -> ValidationResult:
    """Run a validator with a progress bar on a terminal, and write its rows. Raises InputError."""
    known = validators()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        names = ", ".join(sorted(known))
        raise InputError(f"no validator is called {name!r}: {hint}validators are {names}")
    if out is not None:
        check_out_path(out)
        if out.resolve() == reference.resolve():
            raise InputError(f"{out}: must not be the reference file itself")
    console = Console(stderr=True)
    with ProgressBar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"validate {name}", total=None)
        result: ValidationResult = known[name].load()(
            reference, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if out is not None:
        result.write(out)
    return result


def as_dict(result: ValidationResult) -> dict[str, Any]:
    """What --json prints: verdict, summary and all rows."""
    return {
        "validation": result.name,
        "passed": result.passed,
        "tolerance": result.tolerance,
        "summary": result.summary(),
        "rows": result.rows,
    }


def print_tables(result: ValidationResult, console: Console) -> None:
    """The rows that differ, worst first, or all by groups; then the totals, then the verdict."""
    failing = result.failing_rows()
    for name in dict.fromkeys(row[result.by] for row in result.rows) if result.by else ():
        console.print(group_table(result, name))
    if failing and not result.by:
        console.print(failing_table(result, failing))
    console.print(totals_table(result))
    verdict = "within" if result.passed else "OUTSIDE"
    console.print(f"{verdict} tolerance: {result.tolerance}", highlight=False)


def failing_table(result: ValidationResult, failing: list[dict[str, Any]]) -> Table:
    """Each row that differs with its worst figure."""
    shown = failing[:MOST_FAILING_ROWS]
    title = f"{len(failing)} rows differ" + (
        f", the worst {len(shown)}:" if len(failing) > len(shown) else ":"
    )
    return _rows_table(result, shown, title)


def group_table(result: ValidationResult, group: str) -> Table:
    """All rows of one group of a result that is shown by groups."""
    return _rows_table(result, [row for row in result.rows if row[result.by] == group], group)


def _rows_table(result: ValidationResult, shown: list[dict[str, Any]], title: str) -> Table:
    columns = [
        name
        for name in result.identity
        if name != result.by and any(row[name] is not None for row in shown)
    ]
    table = Table(title=title, title_justify="left")
    which = () if result.by else ("worst figure",)
    for heading in (*columns, *which, "reference", "ours", "error %"):
        table.add_column(heading, overflow="fold")
    for row in shown:
        figure = result.worst_figure(row)
        cells = [_cell(row[name]) for name in columns]
        values = [_cell(row[f"{figure}_{part}"]) for part in ("reference", "ours")]
        names = () if result.by else (figure,)
        table.add_row(*cells, *names, *values, f"{row[f'{figure}_error_pct']:.4f}")
    return table


def totals_table(result: ValidationResult) -> Table:
    """For each figure: exact rows and errors."""
    table = Table(title=f"{result.name}: {len(result.rows)} rows", title_justify="left")
    table.add_column("figure")
    for heading in ("exact", "mean error %", "worst error %"):
        table.add_column(heading, justify="right")
    for figure in result.figures:
        errors = result.errors_pct(figure)
        exact = sum(error == 0 for error in errors)
        mean = sum(errors) / len(errors)
        table.add_row(figure, str(exact), f"{mean:.4f}", f"{max(errors):.4f}")
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def studies() -> dict[str, EntryPoint]:
    """The studies that are installed, by name."""
    return {point.name: point for point in entry_points(group=STUDIES)}


class _Validate(TyperGroup):
    """`validate NAME ...`: a study has options of its own, all else is a reference file's."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names, and the words left for it."""
        if args and args[0] in studies():
            study = typer.Typer(add_completion=False)
            study.command()(studies()[args[0]].load())
            return args[0], get_command(study), args[1:]
        return super().resolve_command(ctx, ["reference", *args])


app = typer.Typer(cls=_Validate, add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def describe() -> None:
    """Recompute a reference file and judge the difference; or `validate analytical --network ...`.

    NAME REFERENCE.csv [--out FILE] [--json]; `validate reference --help` has the options.
    """


app.command("reference", hidden=True)(command)
