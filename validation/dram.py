"""DRAM against DRAMsim3 and Ramulator 2.1: `tilesim validate dram REFERENCE.csv`.

Every row is a stream of requests into an empty memory; the controllers that serve the engine run
it. Source of the format: references/dram_traces.csv. Tolerance: clocks, average read latency,
activates, precharges and row hits of every row equal, energy to 1e-6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hw_models.dram.counts import energy_pj
from hw_models.dram.standard import load_standard
from hw_models.dram.stream import run_stream
from hw_models.dram.system import DramSystem
from hw_models.kernel import Int64s
from hw_models.yaml_file import InputError
from validation.reference_file import (
    Cell,
    number,
    one_of,
    or_blank,
    read_reference,
    rounding_of,
    text,
    whole,
)
from validation.result import Progress, ValidationResult, compared, no_progress

TOLERANCE = "every figure of every row equal, energy to 1e-6"
MAIN_FIGURE = "cycles"
ENERGY_ERROR = 1e-6
MOST_REQUESTS = 2**24

DRAMSIM3: dict[str, Any] = {"controller": "bank_queues", "kept_writes": 8}
RAMULATOR: dict[str, Any] = {"controller": "active_list", "address_map": "RoBaRaCoCh"}

CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "DDR4_2400": {**DRAMSIM3, "ranks": 2, "address_map": "ro-ch-ra-ba-bg-co"},
    "DDR4_3200": {**DRAMSIM3, "ranks": 2, "address_map": "ro-ch-ra-ba-bg-co"},
    "DDR4_2400_BGI": {
        **DRAMSIM3,
        "standard": "DDR4_2400",
        "address_map": "ro-ch-ra-ba-co-bg",
    },
    "LPDDR4_2400": {**DRAMSIM3, "ranks": 2, "address_map": "ro-ch-ra-ba-bg-co"},
    "LPDDR4_3200_X16": {
        **DRAMSIM3,
        "standard": "LPDDR4_3200_x16",
        "address_map": "ro-ch-ra-ba-bg-co",
    },
    "HBM2_8CH": {**DRAMSIM3, "standard": "HBM2_2000", "channels": 8},
    "HBM2_1CH": {**DRAMSIM3, "standard": "HBM2_2000"},
    "GDDR6": {**DRAMSIM3, "standard": "GDDR6_24Gbps", "address_map": "ro-ch-ra-ba-bg-co"},
    "R2_DDR4_2400R": {**RAMULATOR, "standard": "DDR4_2400R"},
    "R2_DDR4_3200AA_RH": {
        **RAMULATOR,
        "standard": "DDR4_3200AA",
        "controller": "active_list_hits",
    },
    "R2_HBM2_2000": {**RAMULATOR, "standard": "HBM2_2000_pseudo"},
    "R2_LPDDR5_6400": {**RAMULATOR, "standard": "LPDDR5_6400"},
}
"""Name in the file -> DramSystem; without a standard, that of the same name."""

STREAMS: Mapping[str, tuple[str, ...]] = {
    "seq": (),
    "stride": ("S", "W"),
    "random": ("seed", "W"),
    "blockrand": ("seed", "L", "W"),
    "tile": ("N", "R", "P"),
    "triad": ("A", "B", "C"),
}
"""Parameters that a stream must have."""
DEFAULTS = {"base": 0, "r": 1, "w": 0}
MAY_BE_ZERO = ("seed", "A", "B", "C", "base", "r", "w")

INPUT_COLUMNS: dict[str, Cell] = {
    "config": one_of(*CONFIGS),
    "stream": one_of(*STREAMS),
    "params": text,
    "requests": whole(1, MOST_REQUESTS),
    "accept_per_cycle": whole(1, 1024),
    "interval_cycles": whole(0, 2**20),
}
COUNT_COLUMNS: dict[str, Cell] = {
    "cycles": whole(1),
    "activates": whole(0),
    "precharges": whole(0),
    "row_hits": whole(0),
}
LATENCY, ENERGY = "avg_read_latency_cycles", "energy_pJ"
FIGURES = ("cycles", LATENCY, "activates", "precharges", "row_hits", ENERGY)
"""The energy of a row that tells none counts as 0 on both sides."""


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Recompute every row of a reference file. Raises InputError for a file that can't be used."""
    given = read_reference(
        reference,
        {**INPUT_COLUMNS, **COUNT_COLUMNS, LATENCY: number},
        {"run_id": text, ENERGY: or_blank(number)},
    )
    params = [_params(f"{reference}: line {row['line']}", row) for row in given]
    rows = []
    for done, (row, named) in enumerate(zip(given, params, strict=True), 1):
        rows.append(_compared(row, named))
        progress(done, len(given))
    worst = max(row[f"{figure}_error_pct"] for row in rows for figure in FIGURES)
    return ValidationResult(
        name="dram",
        rows=rows,
        identity=("run_id", *INPUT_COLUMNS),
        figures=FIGURES,
        main=MAIN_FIGURE,
        tolerance=TOLERANCE,
        passed=all(row["exact"] for row in rows),
        more={"figures": str(len(FIGURES)), "worst_any_error_pct": f"{worst:.4f}"},
    )


def dram_system(config: str) -> DramSystem:
    """The memory that a config of the file stands for."""
    options = dict(CONFIGS[config])
    return DramSystem(load_standard(options.pop("standard", config)), **options)


def _compared(row: dict[str, Any], params: Mapping[str, int]) -> dict[str, Any]:
    energy = row[ENERGY]
    expected = {name: row[name] for name in COUNT_COLUMNS}
    expected |= {LATENCY: float(row[LATENCY]), ENERGY: float(energy or 0)}
    slack = {LATENCY: rounding_of(row[LATENCY]), ENERGY: ENERGY_ERROR * expected[ENERGY]}
    identity = {name: row[name] for name in ("run_id", *INPUT_COLUMNS)}
    ours = _figures(row, params, energy is not None)
    return compared(identity, {name: expected[name] for name in FIGURES}, ours, slack)


def _figures(
    row: Mapping[str, Any], params: Mapping[str, int], with_energy: bool
) -> dict[str, float]:
    """What the kernel makes of a row."""
    system = dram_system(row["config"])
    granule = system.standard.organisation.granule_bytes
    addresses, stores = requests(row["stream"], params, granule, row["requests"])
    clocks, counts = run_stream(
        system, addresses, stores, row["accept_per_cycle"], row["interval_cycles"]
    )
    reads = int(stores.size - stores.sum())
    energy = sum(energy_pj(system.standard, counts).values()) if with_energy else 0.0
    return {
        "cycles": clocks,
        LATENCY: counts.latency_clocks / reads if reads else 0.0,
        "activates": counts.activates,
        "precharges": counts.precharges,
        "row_hits": counts.row_hits,
        ENERGY: energy,
    }


def requests(
    stream: str, params: Mapping[str, int], granule: int, count: int
) -> tuple[Int64s, Int64s]:
    """Addresses of a stream, and 1 for each that is a write."""
    i = np.arange(count, dtype=np.int64)
    stores = (i % (params["r"] + params["w"]) >= params["r"]).astype(np.int64)
    if stream == "triad":
        arrays = [params[name] + i // 3 * granule for name in ("A", "B", "C")]
        return np.choose(i % 3, arrays), (i % 3 == 2).astype(np.int64)
    if stream == "seq":
        offsets = i * granule
    elif stream == "stride":
        offsets = i * params["S"] % params["W"]
    elif stream == "tile":
        offsets = _tile_offsets(i, params, granule)
    else:
        offsets = _random_offsets(i, params, granule)
    return params["base"] + offsets, stores


def _tile_offsets(i: Int64s, params: Mapping[str, int], granule: int) -> Int64s:
    """Tiles of R rows of N bytes in a matrix of pitch P, left to right, then down."""
    width, rows, pitch = params["N"], params["R"], params["P"]
    in_row = width // granule
    tile, across = i // (in_row * rows), pitch // width
    row = tile // across * rows + i // in_row % rows
    return row * pitch + tile % across * width + i % in_row * granule


def _random_offsets(i: Int64s, params: Mapping[str, int], granule: int) -> Int64s:
    """Blocks of L requests at the places of a linear congruential generator."""
    length, seed, places = params.get("L", 1), params["seed"], []
    for _ in range(-(-i.size // length)):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        places.append((seed >> 33) * granule * length % params["W"])
    return np.array(places, dtype=np.int64)[i // length] + i % length * granule


def _params(place: str, row: Mapping[str, Any]) -> dict[str, int]:
    """The parameters of a row's stream. Raises InputError."""
    if not re.fullmatch(r"(\w+=\d{1,18}(;\w+=\d{1,18})*)?", row["params"]):
        raise InputError(f"{place}: params must be NAME=NUMBER;..., not {row['params']!r}")
    pairs = [pair.split("=") for pair in row["params"].split(";") if pair]
    given = {name: int(value) for name, value in pairs}
    needed = STREAMS[row["stream"]]
    for name in given:
        if name not in (*needed, *DEFAULTS):
            raise InputError(
                f"{place}: params of stream {row['stream']} must be among "
                f"{', '.join((*needed, *DEFAULTS))}, not {name!r}"
            )
    for name in needed:
        if name not in given:
            raise InputError(f"{place}: params of stream {row['stream']} must have {name}")
    for name, value in given.items():
        if value == 0 and name not in MAY_BE_ZERO:
            raise InputError(f"{place}: {name} must be at least 1, not 0")
    params = {**DEFAULTS, **given}
    if params["r"] + params["w"] == 0:
        raise InputError(f"{place}: r + w must be at least 1, not 0")
    granule = load_standard(
        CONFIGS[row["config"]].get("standard", row["config"])
    ).organisation.granule_bytes
    if row["stream"] == "tile" and not granule <= params["N"] <= params["P"]:
        raise InputError(
            f"{place}: N must be from one granule ({granule}) to P ({params['P']}), "
            f"not {params['N']}"
        )
    return params
