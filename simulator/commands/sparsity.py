"""`tilesim sparsity`: what sparsity support brings and costs, over networks and designs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from traces.errors import InputError, check_one_of

if TYPE_CHECKING:
    from hw_models.pe_array.borrowing_window import Core
    from simulator.sparsity.claims import Claim
    from simulator.sparsity.study import Case, MeanRow, StudyRow, Variation

EDGES = ("wrap", "clamp")
SAMPLED_TILES = 8


def command(
    networks: Annotated[
        list[str] | None,
        typer.Argument(help="Networks; Griffin's six with their published zeros if none is given."),
    ] = None,
    designs: Annotated[
        str,
        typer.Option(
            "--designs", help='Names or points like "griffin B(4,0,1,on)"; "named", "sweep".'
        ),
    ] = "named",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for study.arrow, tables and pictures.")
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Estimate from some tiles, with a 95 % interval.")
    ] = False,
    others: Annotated[
        bool, typer.Option("--others", help="Also speed-ups of SparTen, SCNN and 2:4 alike cores.")
    ] = False,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Also change one assumption at a time.")
    ] = False,
    weight_zeros: Annotated[
        float | None, typer.Option("--weight-zeros", help="Share of zero weights, 0 to 1.")
    ] = None,
    activation_zeros: Annotated[
        float | None, typer.Option("--activation-zeros", help="Share of zero activations.")
    ] = None,
    masks: Annotated[
        str, typer.Option("--mask-model", help="iid, channel:C, N:M or block:VxD.")
    ] = "iid",
    given: Annotated[
        Path | None, typer.Option("--masks", help="Folder of .npy masks, or an Arrow file.")
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option("--inputs", help=".npz of model inputs; activations come from onnxruntime."),
    ] = None,
    edge: Annotated[str, typer.Option("--edge", help="wrap or clamp.")] = "wrap",
    units: Annotated[
        str, typer.Option("--units", help="Set of unit costs: asap7 or scaled_45nm.")
    ] = "asap7",
    refill: Annotated[
        int | None,
        typer.Option("--refill", min=1, help="Most activation steps from SRAM in a cycle."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of masks and samples.")] = 1,
) -> None:
    """Compare sparse cores with a dense one: speed-up, TOPS/W, TOPS/mm2 and overhead."""
    check_one_of("--edge", edge, EDGES)
    # Numba takes a second to import; a misspelt option should not wait for it.
    from hw_models.cost.sparse_overheads import unit_costs
    from simulator.sparsity.cases import Zeros, case_of
    from simulator.sparsity.claims import claims
    from simulator.sparsity.evaluate import Setting
    from simulator.sparsity.presets import sparsity_presets
    from simulator.sparsity.sensitivity import DESIGNS, variations
    from simulator.sparsity.study import Variation, mean_rows

    unit_costs(units)
    tiles = SAMPLED_TILES if sample else None
    setting = Setting(units=units, refill_steps=refill, sample=tiles, seed=seed)
    zeros = Zeros(weight_zeros, activation_zeros)
    cases = [
        case_of(name, zeros, masks, seed, given, inputs)
        for name in networks or list(sparsity_presets())
    ]
    if out is not None:
        _prepare(out)
    console = Console(stderr=True)
    base = (Variation(edge="clamp" if edge == "clamp" else "wrap", setting=setting),)
    rows = _run(console, cases, designs, base)
    means = mean_rows(rows)
    for table in _tables(means, claims(means)):
        Console().print(table)
    if out is not None:
        from simulator.sparsity.report import write_study

        write_study(out, rows)
    if others:
        _report_others(cases, setting.core, out)
    if sensitivity:
        changed = _run(console, cases, DESIGNS, variations(setting))
        _report_sensitivity(claims(mean_rows(changed)), out)


def _run(
    console: Console, cases: Sequence[Case], designs: str, variations: Sequence[Variation]
) -> list[StudyRow]:
    from simulator.sparsity.study import run_study

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("masks", total=None)
        return run_study(
            cases,
            designs,
            variations,
            lambda what, done, total: bar.update(
                task, description=what, completed=done, total=total
            ),
        )


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: can't be made: {error.strerror}") from None


MEAN_COLUMNS = {
    "speed-up": "speedup",
    "TOPS/W": "tops_per_w",
    "x dense ": "efficiency_gain",
    "TOPS/mm2": "tops_per_mm2",
    "x dense": "density_gain",
}


def _tables(means: Sequence[MeanRow], found: Sequence[Claim]) -> list[Table]:
    """Means over networks, and the published figures if the designs for them were run."""
    table = _table("geometric means over networks")
    for heading in ("sparse", "design", *MEAN_COLUMNS, "area"):
        left = heading in ("sparse", "design")
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for row in means:
        cells = [f"{getattr(row, column):.2f}" for column in MEAN_COLUMNS.values()]
        table.add_row(row.combination, row.design, *cells, f"{100 * row.area_overhead:+.0f} %")
    told = [claim for claim in found if claim.ours is not None]
    if not told:
        return [table]
    published = _table("published by Griffin")
    for heading in ("figure", "published", "here", "against"):
        published.add_column(heading)
    for claim in told:
        published.add_row(claim.what, claim.published, f"{claim.ours:.2f}", claim.against)
    return [table, published]


def _table(title: str) -> Table:
    """An empty table narrow enough for 80 columns."""
    return Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))


def _report_others(cases: Sequence[Case], core: Core, out: Path | None) -> None:
    from simulator.sparsity.others import other_rows
    from simulator.sparsity.report import write_lines

    found = other_rows(cases, core)
    table = _table("cores with schedulers of their own, geometric means over networks")
    for heading in ("sparse", "core", "speed-up"):
        table.add_column(heading)
    for row in found:
        table.add_row(row.combination, row.scheduler, f"{row.speedup:.2f}")
    Console().print(table)
    if out is not None:
        write_lines(out / "others.csv", [asdict(row) for row in found])


def _report_sensitivity(found: Sequence[Claim], out: Path | None) -> None:
    from simulator.sparsity.report import write_lines
    from simulator.sparsity.sensitivity import sensitivity_table

    header, lines = sensitivity_table(found)
    table = _table("one assumption changed at a time")
    for heading in header:
        table.add_column(heading.replace(" ", "\n"), no_wrap=heading == header[0])
    for line in lines:
        table.add_row(*line)
    Console().print(table)
    if out is not None:
        write_lines(out / "sensitivity.csv", [asdict(claim) for claim in found])
