"""`tilesim chips`: the chips that come with tilesim, and every number of one with its source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from hw_models.chip_files import chip_data, chip_text, load_chip, parse_chip, preset_names
from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError

command = typer.Typer(
    help="List the chips that come with tilesim, or show one.", add_completion=False
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Answer = TypeVar("Answer")

COLUMNS = {
    "name": "chip",
    "macs_per_cycle": "MACs",
    "clock_ghz": "GHz",
    "peak_tops": "peak TOPS",
    "on_chip_kib": "on-chip KiB",
    "dram_gb_per_s": "DRAM GB/s",
    "description": "description",
}
"""Key of a summary -> heading of its column."""

OPERATIONS_PER_MAC = 2
WIDE = 110
"""Terminal width from which descriptions are shown."""


@command.callback(invoke_without_command=True)
def list_chips(context: typer.Context, as_json: AsJson = False) -> None:
    """List the chips that come with tilesim."""
    if context.invoked_subcommand is not None:
        return
    summaries = [summary(load_chip(name)) for name in preset_names()]
    if as_json:
        typer.echo(json.dumps(summaries, indent=2))
        return
    console, table = Console(), Table()
    shown = {k: h for k, h in COLUMNS.items() if k != "description" or console.width >= WIDE}
    for key, heading in shown.items():
        is_text = isinstance(summaries[0][key], str)
        table.add_column(
            heading, justify="left" if is_text else "right", no_wrap=key != "description"
        )
    for chip in summaries:
        table.add_row(*(str(chip[key]) for key in shown))
    console.print(table)


@command.command()
def show(
    chip: Annotated[str, typer.Argument(help="Name of a chip, or path of a chip file.")],
    as_json: AsJson = False,
) -> None:
    """Show every key of a chip with its value and where it comes from."""
    place, text = _or_exit(lambda: chip_text(chip))
    spec = _or_exit(lambda: parse_chip(text, place))
    entries = list(sourced_keys(chip_data(text, place)))
    if as_json:
        typer.echo(json.dumps({"name": spec.name, "keys": entries}, indent=2))
        return
    table = Table(title=f"{spec.name}: {spec.description}")
    table.add_column("key", no_wrap=True)
    table.add_column("value", overflow="fold", max_width=20)
    table.add_column("source", overflow="fold")
    for entry in entries:
        table.add_row(entry["key"], str(entry["value"]), entry["source"] or "")
    Console().print(table)


def summary(chip: ChipSpec) -> dict[str, Any]:
    """What one line of the list says about a chip, by the keys of COLUMNS."""
    macs = chip.peak_macs_per_cycle
    buffers = [pair for core in chip.cores for pair in chip.buffers_of(core)]
    on_chip = sum(number * buffer.size_bytes for buffer, number in buffers)
    return {
        "name": chip.name,
        "description": chip.description,
        "macs_per_cycle": macs,
        "clock_ghz": chip.clock_ghz,
        "peak_tops": round(OPERATIONS_PER_MAC * macs * chip.clock_ghz / 1000, 3),
        "on_chip_kib": on_chip // 1024,
        "dram_gb_per_s": round(float(chip.dram.channels * chip.dram.channel_gb_per_s), 3),
    }


def sourced_keys(data: Any, place: str = "", source: str | None = None) -> Iterator[dict[str, Any]]:
    """Each key of a chip file, in order: {key, value, source}; source is None where none is said.

    The source of a value is its own or that of the nearest mapping around it.
    """
    if isinstance(data, dict) and set(data) == {"value", "source"}:
        yield {"key": place, **data}
    elif isinstance(data, dict):
        own = data.get("source", source)
        for key, item in data.items():
            if key != "source":
                yield from sourced_keys(item, f"{place}.{key}" if place else key, own)
    elif isinstance(data, list) and any(isinstance(item, dict) for item in data):
        for index, item in enumerate(data):
            yield from sourced_keys(item, f"{place}[{index}]", source)
    else:
        value = ", ".join(map(str, data)) if isinstance(data, list) else data
        yield {"key": place, "value": value, "source": source}


def _or_exit(ask: Callable[[], Answer]) -> Answer:
    """The answer, or one line on stderr and exit code 2 when the input is wrong."""
    try:
        return ask()
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
