"""Schedules of Stream as predictions: which layer runs from when to when, node by node or whole.

A CSV, or a JSON list of objects, with layer, start and end, and perhaps core and others. Layers are
given by name, or by Stream's numbers, which rise along the network and leave out nodes that are no
layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hw_models.yaml_file import InputError
from simulator.workload.graph import Workload
from validation.analytical.prediction import Prediction
from validation.reference_file import Cell, read_reference, text, whole

COLUMNS: Mapping[str, Cell] = {"layer": text, "start": whole(0), "end": whole(0)}


def is_schedule(header: str) -> bool:
    """Whether the first line of a CSV is that of a schedule."""
    return set(COLUMNS) <= {cell.strip() for cell in header.split(",")}


def read_table(path: Path, workload: Workload) -> dict[str, Prediction]:
    """Predictions by layer from a CSV. Raises InputError."""
    rows = read_reference(path, COLUMNS, {"run": text})
    runs = list(dict.fromkeys(row["run"] for row in rows))
    if len(runs) > 1:
        raise InputError(f"{path}: must hold one run, not {', '.join(runs[:3])}")
    return _predictions(path, ((f"line {row['line']}", row) for row in rows), workload)


def read_list(path: Path, nodes: list[Any], workload: Workload) -> dict[str, Prediction]:
    """Predictions by layer from a JSON list. Raises InputError."""
    rows = []
    for number, node in enumerate(nodes):
        place = f"node {number}"
        if not isinstance(node, dict) or not COLUMNS.keys() <= node.keys():
            raise InputError(f"{path}: {place}: must have {', '.join(COLUMNS)}")
        rows.append((place, {key: _cell(path, place, key, node[key]) for key in COLUMNS}))
    return _predictions(path, rows, workload)


def _cell(path: Path, place: str, key: str, value: Any) -> Any:
    try:
        return COLUMNS[key](str(value))
    except ValueError as error:
        raise InputError(f"{path}: {place}: {key} {error}") from None


def _predictions(
    path: Path, rows: Iterable[tuple[str, Mapping[str, Any]]], workload: Workload
) -> dict[str, Prediction]:
    ends: dict[str, int] = {}
    for place, row in rows:
        if row["end"] < row["start"]:
            least = row["start"]
            raise InputError(f"{path}: {place}: end must be at least {least}, not {row['end']}")
        ends[row["layer"]] = max(ends.get(row["layer"], 0), row["end"])
    return _cycles(_named(path, ends, workload), workload)


def _named(path: Path, ends: Mapping[str, int], workload: Workload) -> dict[str, int]:
    """Ends by layer name, where a file numbers the layers."""
    names = [layer.name for layer in workload.layers]
    if not ends or set(ends) & set(names) or not all(name.isdecimal() for name in ends):
        return dict(ends)
    if len(ends) != len(names):
        raise InputError(
            f"{path}: must number the {len(names)} layers of {workload.name}, not {len(ends)}"
        )
    return dict(zip(names, (ends[number] for number in sorted(ends, key=int)), strict=True))


def _cycles(ends: Mapping[str, int], workload: Workload) -> dict[str, Prediction]:
    """A layer's cycles begin where those before it have ended. Rule: ARCHITECTURE.md RESULT-1."""
    place = {layer.name: number for number, layer in enumerate(workload.layers)}
    found, before = {}, 0
    for name in sorted(ends, key=lambda name: place.get(name, len(place))):
        found[name] = Prediction(max(0, ends[name] - before))
        before = max(before, ends[name])
    return found
