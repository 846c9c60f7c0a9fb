"""ZigZag against our own model in its style: `tilesim validate zigzag RUNS.csv`.

A row is a layer on an accelerator with its spatial and temporal mapping; beside both figures stand
the cycles that the same mapping takes in simulation, and the causes that the model can't see.
Accelerators are those of `zigzag_hw.csv` in the folder of the reference file, or else of
references/. Source of the format: references/zigzag_runs.csv. Tolerance: cycles of every row within
2 %, all word accesses equal on 90 % of the rows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace
from math import ceil, prod
from pathlib import Path
from typing import Any

from hw_models.nest.energy import transfer_energy_pj
from hw_models.nest.hierarchy import OPERANDS, Direction, Machine, Memory, Nest, Port
from hw_models.nest.latency import nest_latency
from hw_models.nest.transfers import Transfer, transfers
from hw_models.yaml_file import InputError
from simulator.engine.fabric import DEFAULT_MEMORY
from validation.analytical.explain import layer_error
from validation.analytical.prediction import Prediction
from validation.analytical.report import MOST_CAUSES, causes_text
from validation.analytical.same_mapping import simulated_layer
from validation.reference_file import number, or_blank, read_reference, text, whole
from validation.result import Progress, ValidationResult, compared, no_progress

REFERENCES = Path(__file__).parent / "references"
HARDWARE = "zigzag_hw.csv"

CYCLES_PCT, EQUAL_SHARE = 2.0, 0.9
SYSTOLIC = ("tpu_like",)
"""Accelerators whose array is declared systolic (source line of references/zigzag_runs.csv; the
hardware table has no column for it)."""

BITS = {"I": 8, "W": 8, "O": 8, "P": 16}
"""Source: the same source line, precision."""

NAMES = {"I1": "I", "I2": "W", "O": "O"}
"""Operands of the hardware table."""

COLUMNS = {
    "accelerator": text,
    "layer": text,
    "loop_dims": text,
    "loop_sizes": text,
    "stride": whole(1, 64),
    "spatial_mapping": text,
    "temporal_mapping": text,
    "latency_total2": whole(1),
    "energy_total_pJ": number,
    "word_access_rdUp_wrDn_rdDn_wrUp": text,
}
HARDWARE_COLUMNS = {
    "accelerator": text,
    "kind": text,
    "name": text,
    "size_bit_or_dims": text,
    "read_cost_or_mac_energy": number,
    "write_cost": or_blank(number),
    "ports": text,
}
PORT = re.compile(r"(?:read|write|read_write) (\d+)-(\d+)b \[([^\]]*)\]")
WORD_ORDER = (Direction.TO_HIGH, Direction.FROM_HIGH, Direction.TO_LOW, Direction.FROM_LOW)


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Evaluate every row of a reference file. Raises InputError for a file that can't be used."""
    given = read_reference(reference, COLUMNS)
    beside = reference.parent / HARDWARE
    machines = read_machines(beside if beside.is_file() else REFERENCES / HARDWARE)
    rows = []
    for done, row in enumerate(given, 1):
        rows.append(_compared(reference, row, machines))
        progress(done, len(given))
    worst = max(row["cycles_error_pct"] for row in rows)
    equal = sum(row["word_accesses_error_pct"] == 0 for row in rows)
    return ValidationResult(
        name="zigzag",
        rows=rows,
        identity=("accelerator", "layer", "simulated_cycles", "simulated_more_of"),
        figures=("cycles", "word_accesses", "energy_pj"),
        main="cycles",
        tolerance=f"cycles within {CYCLES_PCT:g} %, accesses equal on {EQUAL_SHARE:.0%} of rows",
        passed=worst <= CYCLES_PCT and equal >= EQUAL_SHARE * len(rows),
        more={
            "equal_accesses": str(equal),
            "simulated": str(sum(row["simulated_cycles"] is not None for row in rows)),
        },
        by="accelerator",
    )


def read_machines(path: Path) -> dict[str, Machine]:
    """The accelerators of a hardware table by name. Raises InputError."""
    memories: dict[str, list[Memory]] = {}
    mac_pj: dict[str, float] = {}
    for row in read_reference(path, HARDWARE_COLUMNS):
        name = row["accelerator"]
        if row["kind"] == "array":
            mac_pj[name] = float(row["read_cost_or_mac_energy"])
        else:
            memories.setdefault(name, []).append(_memory(path, row))
    return {
        name: Machine(tuple(memories[name]), mac_pj.get(name, 0.0), name in SYSTOLIC)
        for name in memories
    }


def _memory(path: Path, row: dict[str, Any]) -> Memory:
    try:
        ports = tuple(
            Port(int(most), int(least), tuple(_served(word) for word in serves.split("|")))
            for least, most, serves in PORT.findall(row["ports"])
        )
        costs = float(row["read_cost_or_mac_energy"]), float(row["write_cost"])
        return Memory(row["name"], int(row["size_bit_or_dims"]), ports, *costs)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: line {row['line']}: memory can't be read: {error}") from None


def _served(word: str) -> tuple[str, Direction]:
    operand, direction = word.split()
    return NAMES[operand], Direction(direction)


def evaluate(nest: Nest, machine: Machine) -> tuple[float, list[Transfer], float]:
    """Cycles, transfers and pJ of a nest.

    Counts and energy are those of an unrolling in fractions (a loop of 14 over 4 steps is unrolled
    by 3.5); latency is that of whole PEs.
    """
    whole_nest, exact = nest.settled(), _unrolled_exactly(nest).settled()
    latency = nest_latency(whole_nest, machine, exact)
    moved = transfers(exact, machine)
    energy = nest.macs * machine.mac_pj + sum(transfer_energy_pj(transfer) for transfer in moved)
    drain = sum(ceil(n) - 1 for _, n in _array_loops(exact)) if machine.systolic else 0
    return latency.total_cycles + drain, moved, energy


def _array_loops(nest: Nest) -> list[tuple[str, float]]:
    return [loop for loops in nest.spatial["O"] for loop in loops]


def _unrolled_exactly(nest: Nest) -> Nest:
    """Printed unrollings are cut to whole numbers: each is its loop over its temporal factors."""
    steps: dict[str, float] = {}
    for loops in nest.temporal["O"]:
        for loop, factor in loops:
            steps[loop] = steps.get(loop, 1) * factor
    return replace(
        nest,
        spatial={
            operand: [[(d, nest.sizes[d] / steps.get(d, 1)) for d, _ in loops] for loops in levels]
            for operand, levels in nest.spatial.items()
        },
    )


def _compared(
    reference: Path, row: dict[str, Any], machines: Mapping[str, Machine]
) -> dict[str, Any]:
    where = f"{reference}: line {row['line']}"
    if row["accelerator"] not in machines:
        known = ", ".join(sorted(machines))
        raise InputError(f"{where}: accelerator must be one of {known}, not {row['accelerator']!r}")
    try:
        nest = read_nest(row)
        words = _reference_words(row["word_access_rdUp_wrDn_rdDn_wrUp"])
        cycles, moved, energy = evaluate(nest, machines[row["accelerator"]])
    except (KeyError, ValueError, IndexError, SyntaxError) as error:
        raise InputError(f"{where}: mapping can't be used: {error!r}") from None
    ours = _words(moved, machines[row["accelerator"]])
    equal = sum(ours.get(key) == value for key, value in words.items())
    simulated, more = _simulated(nest, machines[row["accelerator"]], cycles)
    return compared(
        {
            "accelerator": row["accelerator"],
            "layer": row["layer"],
            "simulated_cycles": simulated,
            "simulated_more_of": more,
        },
        {
            "cycles": row["latency_total2"],
            "word_accesses": len(words),
            "energy_pj": float(row["energy_total_pJ"]),
        },
        {"cycles": round(cycles), "word_accesses": equal, "energy_pj": energy},
        {"cycles": 1, "energy_pj": 0.06},
    )


def _simulated(nest: Nest, machine: Machine, cycles: float) -> tuple[int | None, str]:
    """Cycles of the same mapping in simulation and what they are more of, or why there are none."""
    try:
        result = simulated_layer(_unrolled_exactly(nest).settled(), machine, DEFAULT_MEMORY)
    except InputError as error:
        return None, f"not simulated: {error}"
    difference = layer_error(Prediction(cycles), result)
    return result.cycles, causes_text(difference.explained, MOST_CAUSES)


def read_nest(row: Mapping[str, Any]) -> Nest:
    """The mapped loop nest of a row. Raises ValueError for loops that don't make up the layer."""
    sizes = [int(size) for size in row["loop_sizes"].split()]
    nest = Nest(
        dict(zip(row["loop_dims"].split(), sizes, strict=True)),
        _loops(row["spatial_mapping"]),
        _loops(row["temporal_mapping"]),
        row["stride"],
        BITS,
    )
    steps = {o: prod(n for loops in nest.temporal[o] for _, n in loops) for o in OPERANDS}
    if len(set(steps.values())) != 1:
        raise ValueError(f"temporal loops must be as many for every operand, not {steps}")
    return nest


def _loops(mapping: str) -> dict[str, list[list[tuple[str, int]]]]:
    quoted = re.sub(r"[A-Z]+", lambda name: repr(name.group()), mapping)
    loops = ast.literal_eval(quoted)
    return {operand: loops[operand] for operand in OPERANDS}


def _reference_words(cells: str) -> dict[tuple[str, int, Direction], int]:
    """Words by operand, memory level from 0, and direction: `O0=1/2/3/4 O1=...`."""
    found = {}
    for cell in cells.split():
        name, _, counts = cell.partition("=")
        for direction, count in zip(WORD_ORDER, counts.split("/"), strict=True):
            found[name[0], int(name[1:]), direction] = int(count)
    return found


def _words(moved: list[Transfer], machine: Machine) -> dict[tuple[str, int, Direction], int]:
    found = {
        (operand, level, direction): 0
        for operand in OPERANDS
        for level in range(len(machine.levels(operand)))
        for direction in Direction
    }
    for t in moved:
        found[t.operand, machine.levels(t.operand).index(t.memory), t.direction] = t.words
    return found
