"""`tilesim run`: simulate a network on a chip and say where its cycles went."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulator.commands.fused_options import (
    SEARCHES,
    GranularityOption,
    OverlapOption,
    PolicyOption,
    SecondsOption,
    fusion_choices,
)
from simulator.engine.fabric import DEFAULT_MEMORY, MEMORIES
from simulator.workload.source import layer_range, load_network
from traces.errors import InputError, check_one_of
from traces.folder_lock import LOCK, FolderLock

if TYPE_CHECKING:
    from hw_models.spec import ChipSpec
    from simulator.fusion.compile import FusionChoices
    from simulator.result import RunResult
    from simulator.workload.graph import Workload

OBJECTIVES = ("latency", "energy", "edp", "dram_bytes")


def command(
    network: Annotated[
        str, typer.Argument(help="A zoo network, an .onnx file, or a SCALE-Sim topology .csv.")
    ],
    chip: Annotated[
        str, typer.Option("--chip", help="A preset, a chip file, or a SCALE-Sim .cfg.")
    ],
    batch: Annotated[int, typer.Option("--batch", min=1, help="Inputs at a time.")] = 1,
    layers: Annotated[
        str, typer.Option("--layers", help="Only layers A:B, both included, by number or name.")
    ] = "",
    objective: Annotated[
        str, typer.Option("--objective", help=f"What mappings minimise: {', '.join(OBJECTIVES)}.")
    ] = "latency",
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Mappings to use instead of the search.")
    ] = None,
    allocation: Annotated[
        str,
        typer.Option(
            "--allocation",
            help="Which core computes what: single, split, a file, or searched: cp, ga, greedy.",
        ),
    ] = "",
    granularity: GranularityOption = "",
    overlap: OverlapOption = "full",
    policy: PolicyOption = "best",
    seconds: SecondsOption = 5.0,
    schedule: Annotated[
        Path | None, typer.Option("--schedule", help="A file that `tilesim schedule` has written.")
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", help=f"Model of the memory system: {', '.join(MEMORIES)}.")
    ] = "",
    sparsity: Annotated[
        str,
        typer.Option("--sparsity", help="Zeros of weights:activations, as 0.8:0.4, or published."),
    ] = "",
    energy_table: Annotated[
        Path | None, typer.Option("--energy-table", help="Energy per action: YAML or an ERT.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="KEY=VALUE of the network, e.g. sequence=256. Repeatable."),
    ] = None,
    skip_unsupported: Annotated[
        bool, typer.Option("--skip-unsupported", help="Leave out nodes that can't be simulated.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for trace, result.json, mapping.yaml.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier run in --out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json only.")] = False,
) -> None:
    """Simulate a network on a chip and say where its cycles went."""
    check_one_of("--objective", objective, OBJECTIVES)
    if memory:
        check_one_of("--memory", memory, MEMORIES)
    options = _options(option or [])
    workload = load_network(
        network, batch=batch, options=options, skip_unsupported=skip_unsupported
    )
    if sparsity:
        from simulator.sparsity.densities import with_sparsity

        workload = with_sparsity(workload, sparsity)
    # Numba takes a second to import; a network that can't be read should not wait for it.
    from hw_models.floorplan import floorplan
    from simulator.allocation.file import rule_or_file
    from simulator.mapping.mapping import load_mapping_file
    from simulator.run import simulate

    spec = _load_chip(chip)
    if energy_table is not None:
        spec = spec.model_copy(update={"energy_table": str(energy_table)})
    if layers:
        workload = workload.slice(*layer_range(layers, [layer.name for layer in workload.layers]))
    inputs = {
        "source": network,
        "skip_unsupported": skip_unsupported,
        "batch": batch,
        "options": options,
        "layers": layers,
        "allocation": allocation or "split",
        "sparsity": sparsity,
    }
    fused = bool(granularity or schedule or allocation in SEARCHES)
    if fused:
        if mapping is not None:
            raise InputError("--mapping must not be given with --granularity or --schedule")
        choices = _choices(
            workload, spec, schedule, granularity, allocation, overlap, policy, objective, seconds
        )
        inputs |= {"granularity": granularity or "layer", "schedule": str(schedule or "")}
    else:
        mappings = load_mapping_file(mapping, workload) if mapping else None
        shares = rule_or_file(allocation or "split", workload, floorplan(spec))
    console = Console(stderr=True)
    alone = prepare_folder(out, force=force) if out is not None else nullcontext()
    with alone, _progress_bar(console) as bar:
        task = bar.add_task(f"{workload.name} on {spec.name}", total=None)

        def progress(ended: int, total: int) -> None:
            bar.update(task, completed=ended, total=total)

        result: RunResult
        if fused:
            from simulator.fusion import run as fusion

            result = fusion.simulate_fused(
                workload,
                spec,
                choices,
                memory=memory or fusion.DEFAULT_MEMORY,
                out=out,
                inputs=inputs,
                progress=progress,
            ).result
        else:
            result = simulate(
                workload,
                spec,
                objective=objective,
                mappings=mappings,
                allocation=shares,
                memory=memory or DEFAULT_MEMORY,
                out=out,
                inputs=inputs,
                progress=progress,
            ).result
    for node in workload.skipped:
        console.print(f"left out: {node}", highlight=False)
    if as_json:
        typer.echo(json.dumps(result.as_dict(), indent=2))
        return
    from simulator.report import print_result

    print_result(result, Console())
    if out is not None:
        typer.echo(f"trace and result are in {out}")


def _choices(
    workload: Workload,
    chip: ChipSpec,
    schedule: Path | None,
    granularity: str,
    allocation: str,
    overlap: str,
    policy: str,
    objective: str,
    seconds: float,
) -> FusionChoices:
    """How the options want a network compiled for several cores."""
    from simulator.fusion.schedule_file import scheduled_choices

    if schedule is not None:
        if granularity or allocation:
            raise InputError("--schedule must not be given with --granularity or --allocation")
        return scheduled_choices(schedule, workload, chip)
    return fusion_choices(
        workload,
        granularity=granularity or "layer",
        allocation=allocation or "cp",
        overlap=overlap,
        policy=policy,
        objective=objective,
        seconds=seconds,
    )


def _load_chip(name_or_path: str) -> ChipSpec:
    if name_or_path.endswith(".cfg"):
        from simulator.scalesim_chip import load_scalesim_chip

        return load_scalesim_chip(Path(name_or_path))
    from hw_models.chip_files import load_chip

    return load_chip(name_or_path)


def prepare_folder(folder: Path, *, force: bool) -> FolderLock:
    """Make an empty folder for a run, and keep other runs out of it until the lock is released.

    With `force` the files of an earlier run are removed first, and nothing else. Raises InputError
    when that can't or must not be done, and when another run is writing to the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder}: can't be made a folder: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--out {folder}: must be writable")
    lock = FolderLock(folder, f"--out {folder}")
    try:
        _empty(folder, force)
    except BaseException:
        lock.release()
        raise
    return lock


def _empty(folder: Path, force: bool) -> None:
    from simulator.run import MAPPING, RESULT, SCHEDULE
    from traces.commands.report import PAGE
    from traces.schema import MANIFEST, STREAM_SUFFIX

    present = sorted(path.name for path in folder.iterdir() if path.name != LOCK)
    if not present:
        return
    if not force:
        raise InputError(f"--out {folder}: must be empty or new; --force replaces an earlier run")
    if MANIFEST not in present:
        raise InputError(f"--out {folder}: holds no earlier run, so --force leaves it alone")
    for name in present:
        if name in (MANIFEST, RESULT, MAPPING, SCHEDULE, PAGE) or name.endswith(STREAM_SUFFIX):
            (folder / name).unlink()


def _options(given: list[str]) -> dict[str, int | str]:
    options: dict[str, int | str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise InputError(f"--option must be KEY=VALUE, not {text!r}")
        options[name] = int(value) if value.isdigit() else value
    return options


def _progress_bar(console: Console) -> Any:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tasks"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
