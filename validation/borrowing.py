"""Borrowing windows against tables of schedules: `tilesim validate borrowing REFERENCE.csv`.

Takes two forms. Tables of this project's semantics (references/borrowing_golden.csv): cycles,
rows, work, borrows by kind and digest of every row must be equal. Tables of another scheduler,
DNNsim's (references/borrowing_dnnsim.csv): rows without lookaside must be equal, since only there
the two rules agree; the others are counted and not compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hw_models.pe_array.borrowing_events import tally
from hw_models.pe_array.borrowing_schedule import Operands, tile_cycles
from hw_models.pe_array.borrowing_window import NO_REACH, Borrowing, Core
from hw_models.sparsity.congruential import congruential_mask
from hw_models.yaml_file import InputError, read_text
from validation.reference_file import Cell, one_of, or_blank, read_reference, text, whole
from validation.result import Progress, ValidationResult, compared, no_progress

TOLERANCE = "every figure of every row equal"
DISTANCES = ("da1", "da2", "da3", "db1", "db2", "db3")
MOST_ELEMENTS = 2**26

CASE_COLUMNS: dict[str, Cell] = {
    "case": text,
    "mode": one_of("dense", "A", "B", "AB"),
    "K0": whole(1, 64),
    "N0": whole(1, 1024),
    "M0": whole(1, 1024),
    **dict.fromkeys(DISTANCES, whole(0, 999)),
    "shuffle": whole(0, 1),
    "edge": one_of("wrap", "clamp"),
    "order": one_of("time", "space"),
    **dict.fromkeys(("M", "K", "N"), whole(1, MOST_ELEMENTS)),
    **dict.fromkeys(("seed_a", "seed_b"), whole(0)),
    **dict.fromkeys(("zpm_a", "zpm_b"), whole(0, 1000)),
    **dict.fromkeys(("zpm0_a", "zpm0_b"), or_blank(whole(0, 1000))),
}
COUNTS = (
    *("steps", "tiles", "nnz_a", "nnz_b", "work", "macs", "rows_b", "own_b", "borrowed_b"),
    *("cycles", "own", "time", "aside", "neigh", "aside_neigh"),
)


def _digest(cell: str) -> int:
    if len(cell) != 16 or not set(cell) <= set("0123456789abcdef"):
        raise ValueError(f"must be 16 lower-case hex digits, not {cell!r}")
    return int(cell, 16)


FIGURE_COLUMNS: dict[str, Cell] = {**dict.fromkeys(COUNTS, whole(0)), "digest": _digest}

PEER_COLUMNS: dict[str, Cell] = {
    "case": text,
    **dict.fromkeys(("K", "N"), whole(1, MOST_ELEMENTS)),
    "lanes": whole(1, 64),
    "rows": whole(1, 1024),
    "lookahead_h": whole(0, 999),
    "lookaside_d": whole(0, 999),
    "seed": whole(0),
    "zpm": whole(0, 1000),
    "zpm0": or_blank(whole(0, 1000)),
    "steps": whole(1),
    "sets": whole(1),
    "nnz": whole(0),
    "cycles": whole(0),
}
PEER_FIGURES = ("steps", "sets", "nnz", "cycles")


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Recompute every row of a reference file. Raises InputError for a file that can't be used."""
    header = next((x for x in read_text(reference).splitlines() if x and x[0] != "#"), "")
    if "lookahead_h" in header.split(","):
        return _validate_peer(reference, progress)
    given = read_reference(reference, {**CASE_COLUMNS, **FIGURE_COLUMNS})
    cases = [_case(reference, row) for row in given]
    rows = []
    for done, (row, (borrowing, core)) in enumerate(zip(given, cases, strict=True), 1):
        identity = {name: row[name] for name in CASE_COLUMNS}
        expected = {name: row[name] for name in FIGURE_COLUMNS}
        rows.append(compared(identity, expected, _figures(row, borrowing, core)))
        progress(done, len(given))
    return _result(rows, tuple(CASE_COLUMNS), tuple(FIGURE_COLUMNS), {})


def _result(
    rows: list[dict[str, Any]],
    identity: tuple[str, ...],
    figures: tuple[str, ...],
    more: dict[str, str],
) -> ValidationResult:
    return ValidationResult(
        name="borrowing",
        rows=rows,
        identity=identity,
        figures=figures,
        main="cycles",
        tolerance=TOLERANCE,
        passed=all(row["exact"] for row in rows),
        more={"figures": str(len(figures)), **more},
    )


def _case(reference: Path, row: dict[str, Any]) -> tuple[Borrowing, Core]:
    """Configuration and core of a row. Raises InputError for a row that no core can run."""
    place = f"{reference}: line {row['line']}: "
    core = Core(row["K0"], row["N0"], row["M0"])
    reach = [row[name] for name in DISTANCES]
    borrowing = Borrowing(
        row["mode"],
        tuple(reach[:3]) if "A" in row["mode"] else NO_REACH,
        tuple(reach[3:]) if "B" in row["mode"] else NO_REACH,
        bool(row["shuffle"]),
        row["edge"],
        row["order"],
    )
    try:
        borrowing.check(core)
    except InputError as error:
        raise InputError(place + str(error)) from None
    elements = max(row["M"] * row["K"], row["K"] * row["N"])
    if elements > MOST_ELEMENTS:
        raise InputError(
            f"{place}a mask must have at most {MOST_ELEMENTS} elements, not {elements}"
        )
    return borrowing, core


def _figures(row: dict[str, Any], borrowing: Borrowing, core: Core) -> dict[str, int]:
    """Our figures of a row of this project's semantics."""
    m, k, n = row["M"], row["K"], row["N"]
    a = congruential_mask((m, k), 1, row["seed_a"], row["zpm_a"], row["zpm0_a"])
    b = congruential_mask((k, n), 0, row["seed_b"], row["zpm_b"], row["zpm0_b"])
    operands = Operands.of(a, b, core, borrowing.shuffle)
    found = tally(borrowing, core, operands)
    nnz_a, nnz_b = int(np.count_nonzero(a)), int(np.count_nonzero(b))
    pairs = int(a.sum(axis=0, dtype=np.int64) @ b.sum(axis=1, dtype=np.int64))
    work, macs = {
        "dense": (0, m * n * k),
        "A": (nnz_a, nnz_a * n),
        "B": (nnz_b, nnz_b * m),
        "AB": (pairs, pairs),
    }[borrowing.mode]
    return {
        "steps": operands.steps,
        "tiles": len(operands.a) * len(operands.b),
        "nnz_a": nnz_a,
        "nnz_b": nnz_b,
        "work": work,
        "macs": macs,
        "rows_b": found.packed_rows,
        "own_b": found.own_b,
        "borrowed_b": found.borrowed_b,
        "cycles": found.cycles,
        **found.by_kind,
        "digest": int(found.digest),
    }


def _validate_peer(reference: Path, progress: Progress) -> ValidationResult:
    given = read_reference(reference, PEER_COLUMNS)
    alike = [row for row in given if row["lookaside_d"] == 0]
    if not alike:
        raise InputError(f"{reference}: must have rows without lookaside, others don't compare")
    rows = []
    for done, row in enumerate(alike, 1):
        expected = {name: row[name] for name in PEER_FIGURES}
        identity = {name: row[name] for name in PEER_COLUMNS if name not in PEER_FIGURES}
        rows.append(compared(identity, expected, _peer_figures(row)))
        progress(done, len(alike))
    identity_names = tuple(name for name in PEER_COLUMNS if name not in PEER_FIGURES)
    left_out = {"not_compared": str(len(given) - len(alike))}
    return _result(rows, identity_names, PEER_FIGURES, left_out)


def _peer_figures(row: dict[str, Any]) -> dict[str, int]:
    """Our figures of a row of the peer: mode B, lookahead only, sets of filters as columns."""
    core = Core(row["lanes"], row["rows"], 1)
    b = congruential_mask((row["K"], row["N"]), 0, row["seed"], row["zpm"], row["zpm0"])
    operands = Operands.of(np.ones((1, row["K"]), bool), b, core, shuffle=False)
    borrowing = Borrowing("B", b=(row["lookahead_h"], 0, 0), shuffle=False)
    return {
        "steps": operands.steps,
        "sets": len(operands.b),
        "nnz": int(np.count_nonzero(b)),
        "cycles": tile_cycles(borrowing, core, operands).total,
    }
