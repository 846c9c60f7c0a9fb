"""Validator `noc`: the flit-level network against tables of BookSim2 runs.

Rows have the form of references/noc_booksim.csv. The network gets the packets of BookSim2's seed 1
and is measured as there, so on a mesh all figures come out to the last digit if the row was run as
long as `load_of` says; on an even torus BookSim2 draws which of two equally long ways a packet
goes, and only means agree. Rows with status knee or transient are skipped.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

from hw_models.noc.fabrics import DIMENSIONS, topology_of
from hw_models.noc.router import PIPELINES, RouterSpec
from hw_models.noc.topology import Topology
from traces.errors import InputError
from validation.noc_traffic import PATTERNS, Load, Measured, measure
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

TOLERANCE_PCT = 10
TOLERANCE = (
    "ok rows: minimum packet latency equal, mean within max(10 %, the row's tolerance_pct); "
    "beyond saturation: accepted rate within 10 %"
)
MAIN_FIGURE = "avg_packet_latency_cyc"
FIGURES = (MAIN_FIGURE, "min_packet_latency", "accepted_flits_node_cycle")

COLUMNS: dict[str, Cell] = {
    "config": text,
    "topology": one_of(*DIMENSIONS),
    "k": whole(2, 16),
    "n": whole(1, 4),
    "traffic": one_of("uniform", *PATTERNS),
    "packet_size_flits": whole(1, 1000),
    "num_vcs": whole(1, 32),
    "vc_buf_size": whole(1, 1000),
    "router": one_of(*PIPELINES),
    "offered_flits_node_cycle": number,
    MAIN_FIGURE: or_blank(number),
    "min_packet_latency": or_blank(whole(0)),
    "accepted_flits_node_cycle": number,
    "status": text,
    "tolerance_pct": or_blank(number),
}
IDENTITY = ("config", "router", "offered_flits_node_cycle", "status")
CHECKED = ("ok", "latency_exceeded")

SAMPLE_CYCLES = 1_000
"""Of a sample; twice as many up to SMALL nodes, and more where fewer than SAMPLE_PACKETS would be
created. Source: comments of references/noc_booksim.csv; SAMPLE_PACKETS, FEW and MANY, which they
leave open, are those with which its rows come out to the last digit."""
SMALL, SAMPLE_PACKETS = 32, 200
LOW_RATE = Fraction(1, 10)
FEW, MANY = (1, Fraction(1, 10)), (2, Fraction(1, 20))
"""Samples of warm-up, and the change below which figures are steady: of `ok` rows below LOW_RATE,
and of all others."""


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Recompute the rows of a reference file. Raises InputError for a file that can't be used."""
    given = [r for r in read_reference(reference, COLUMNS) if r["status"] in CHECKED]
    if not given:
        raise InputError(f"{reference}: must have a row with status {' or '.join(CHECKED)}")
    cases = [_case(reference, row) for row in given]
    rows = []
    for done, (row, (topology, router, load)) in enumerate(zip(given, cases, strict=True), 1):
        drains = row["status"] == "ok"
        rows.append(_compared(row, measure(topology, router, "flit", load, drains=drains)))
        progress(done, len(given))
    return ValidationResult(
        name="noc",
        rows=rows,
        identity=IDENTITY,
        figures=FIGURES,
        main=MAIN_FIGURE,
        tolerance=TOLERANCE,
        passed=all(row["within"] for row in rows),
        more={"within_tolerance": str(sum(row["within"] for row in rows))},
    )


def _case(reference: Path, row: dict[str, Any]) -> tuple[Topology, RouterSpec, Load]:
    """Network and load of a row. Raises InputError for what no network can do."""
    try:
        topology = network_of(row["topology"], row["k"], row["n"])
    except InputError as error:
        raise InputError(f"{reference}: line {row['line']}: {error}") from None
    if row["num_vcs"] < topology.classes:
        raise InputError(
            f"{reference}: line {row['line']}: num_vcs must be at least {topology.classes} on a "
            f"{row['topology']}, not {row['num_vcs']}"
        )
    for name in (MAIN_FIGURE, "min_packet_latency"):
        if row["status"] == "ok" and row[name] is None:
            raise InputError(f"{reference}: line {row['line']}: {name} must be given, as it is ok")
    rate = Fraction(row["offered_flits_node_cycle"])
    if not 0 < rate <= row["packet_size_flits"]:
        raise InputError(
            f"{reference}: line {row['line']}: offered_flits_node_cycle must be above 0 and at "
            f"most packet_size_flits, not {row['offered_flits_node_cycle']}"
        )
    router = RouterSpec(
        **PIPELINES[row["router"]],
        vcs=row["num_vcs"],
        vc_buffer_flits=row["vc_buf_size"],
        packet_flits=row["packet_size_flits"],
    )
    return topology, router, load_of(row, rate)


def network_of(kind: str, k: int, n: int) -> Topology:
    """k positions in each of n dimensions, a node at each router. Raises InputError."""
    return topology_of(kind, {f"n{node}": node for node in range(k**n)}, [k] * n)


def load_of(row: dict[str, Any], rate: Fraction) -> Load:
    """The load of a row."""
    nodes, flits = row["k"] ** row["n"], row["packet_size_flits"]
    cycles = SAMPLE_CYCLES * (2 if nodes <= SMALL else 1)
    cycles = max(cycles, ceil(SAMPLE_PACKETS * flits / (rate * nodes)))
    length = FEW if rate < LOW_RATE and row["status"] == "ok" else MANY
    return Load(row["k"], row["n"], row["traffic"], flits, rate, cycles, *length)


def _compared(row: dict[str, Any], ours: Measured) -> dict[str, Any]:
    """A row beside our figures, with `within`: whether it is within the tolerances."""
    saturated = row["status"] == "latency_exceeded"
    figures = {
        MAIN_FIGURE: ours.mean_latency,
        "min_packet_latency": float(ours.min_latency),
        "accepted_flits_node_cycle": ours.accepted,
    }
    named = FIGURES[2:] if saturated else FIGURES
    reference = {name: float(row[name]) for name in named}
    slack = {name: rounding_of(row[name]) for name in named if isinstance(row[name], Decimal)}
    identity = {name: str(row[name]) for name in IDENTITY}
    result = compared(identity, reference, figures, slack)
    for name in FIGURES[: len(FIGURES) - len(named)]:  # what a saturated row does not say
        result |= {f"{name}_reference": None, f"{name}_ours": None, f"{name}_error_pct": 0.0}
    allowed = max(TOLERANCE_PCT, float(row["tolerance_pct"] or 0))
    if saturated:
        result["within"] = result["accepted_flits_node_cycle_error_pct"] <= TOLERANCE_PCT
    else:
        mean_close = result[f"{MAIN_FIGURE}_error_pct"] <= allowed
        result["within"] = mean_close and not result["min_packet_latency_error_pct"]
    return result
