"""Predictions that users bring: tables, exports of other tools, and functions of their own.

A CSV has the columns layer, cycles and perhaps energy_pj, dram_bytes. SCALE-Sim's
COMPUTE_REPORT.csv numbers the products of the network from 0. JSON is an object of layers, each
with ZigZag's "latency" and "energy" (simple export) or its "outputs" (complete export). A CSV or a
JSON list with layer, start and end is a schedule of Stream's (`stream_schedule`). Timeloop's
statistics and ZigZag's exports are one file a layer, named after it (NAME.stats.txt,
NAME_complete.json, ...), or a folder of them.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hw_models.yaml_file import InputError, read_text
from simulator.workload.graph import Workload
from validation.analytical import stream_schedule
from validation.analytical.compare import check
from validation.analytical.prediction import Predict, Prediction
from validation.reference_file import number, or_blank, read_reference, text, whole

COMPUTE_REPORT = "LayerID"
SCALESIM_CYCLES = "Total Cycles"
PJ_PER_UJ = 1e6
CYCLES = re.compile(r"^\s*Cycles:\s*(\d+)\s*$", re.MULTILINE)
ENERGY = re.compile(r"^\s*Energy:\s*([\d.eE+-]+)\s*uJ\s*$", re.MULTILINE)
"""Lines of the summary at the end of Timeloop's statistics."""

ENDINGS = re.compile(r"(_complete|_simple|\.stats|\.map\+stats|_overall)$")


def read_predictions(path: Path, workload: Workload) -> dict[str, Prediction]:
    """Predictions by layer name. Raises InputError for what can't be read or can't be cycles."""
    if path.is_dir():
        found: dict[str, Prediction] = {}
        for file in sorted(p for p in path.iterdir() if p.suffix in (".json", ".txt")):
            more = _read(file, workload)
            for name in found.keys() & more.keys():
                raise InputError(f"{file}: layer {name}: must be in one file, not in several")
            found |= more
    else:
        found = _read(path, workload)
    if not found:
        raise InputError(f"{path}: must hold predictions of at least one layer")
    for layer, prediction in found.items():
        try:
            check(prediction)
        except ValueError as error:
            raise InputError(f"{path}: layer {layer}: {error}") from None
    return found


def _read(path: Path, workload: Workload) -> dict[str, Prediction]:
    if path.suffix not in READERS:
        raise InputError(f"{path}: must be a folder or end in {', '.join(READERS)}")
    return READERS[path.suffix](path, workload)


def _table(path: Path, workload: Workload) -> dict[str, Prediction]:
    lines = [line for line in read_text(path).splitlines() if line and not line.startswith("#")]
    if lines and lines[0].startswith(COMPUTE_REPORT):
        return _compute_report(path, workload)
    if lines and stream_schedule.is_schedule(lines[0]):
        return stream_schedule.read_table(path, workload)
    optional = {"energy_pj": or_blank(number), "dram_bytes": or_blank(number)}
    found: dict[str, Prediction] = {}
    for row in read_reference(path, {"layer": text, "cycles": number}, optional):
        if row["layer"] in found:
            where = f"{path}: line {row['line']}"
            raise InputError(f"{where}: layer must be named once, not {row['layer']} twice")
        energy, moved = (None if row[key] is None else float(row[key]) for key in optional)
        found[row["layer"]] = Prediction(float(row["cycles"]), energy, moved)
    return found


def _compute_report(path: Path, workload: Workload) -> dict[str, Prediction]:
    lines = [line.rstrip().removesuffix(",") for line in read_text(path).splitlines()]
    header, *rows = [[cell.strip() for cell in line.split(",")] for line in lines if line.strip()]
    if SCALESIM_CYCLES not in header:
        raise InputError(f"{path}: must have the column {SCALESIM_CYCLES}")
    products = [layer.name for layer in workload.layers if layer.is_mac]
    found: dict[str, Prediction] = {}
    for line, row in enumerate(rows, 2):
        try:
            layer = int(whole(0, len(products) - 1)(row[0]))
            cycles = float(number(row[header.index(SCALESIM_CYCLES)]))
        except (ValueError, IndexError) as error:
            raise InputError(f"{path}: line {line}: {error}") from None
        if products[layer] in found:
            raise InputError(f"{path}: line {line}: layer must be named once, not {layer} twice")
        found[products[layer]] = Prediction(cycles)
    return found


def _json(path: Path, workload: Workload) -> dict[str, Prediction]:
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: must be JSON: {error}") from None
    if isinstance(data, list):
        return stream_schedule.read_list(path, data, workload)
    if not isinstance(data, dict):
        raise InputError(f"{path}: must be an object of layers, not a {type(data).__name__}")
    one = "latency" in data or "outputs" in data
    layers = {_layer_name(path): data} if one else data
    return {name: _zigzag(path, name, result) for name, result in layers.items()}


def _zigzag(path: Path, layer: str, data: Any) -> Prediction:
    try:
        if "outputs" in data:
            cycles = sum(float(n) for n in data["outputs"]["latency"].values())
            return Prediction(cycles, float(data["outputs"]["energy"]["energy_total"]))
        energy = data.get("energy")
        return Prediction(float(data["latency"]), None if energy is None else float(energy))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: layer {layer}: must have latency and energy: {error!r}"
        ) from None


def _timeloop(path: Path, _workload: Workload) -> dict[str, Prediction]:
    content = read_text(path)
    cycles, energy = CYCLES.findall(content), ENERGY.findall(content)
    if not cycles:
        raise InputError(f"{path}: must have a line 'Cycles: N', as Timeloop's statistics do")
    try:
        pj = float(energy[-1]) * PJ_PER_UJ if energy else None
    except ValueError:
        raise InputError(f"{path}: Energy must be a number, not {energy[-1]!r}") from None
    return {_layer_name(path): Prediction(float(cycles[-1]), pj)}


def _layer_name(path: Path) -> str:
    return ENDINGS.sub("", path.stem)


READERS: Mapping[str, Callable[[Path, Workload], dict[str, Prediction]]] = {
    ".csv": _table,
    ".json": _json,
    ".txt": _timeloop,
}


def load_hook(name: str) -> Predict:
    """The function of `module:function`, also of the current folder. Raises InputError."""
    module_name, _, function_name = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"--models {name}: can't be loaded: {reason}") from None
    if not callable(function):
        raise InputError(f"--models {name}: must be a function, not {type(function).__name__}")
    predict: Predict = function
    return predict
