"""Whole chips against ONNXim: `tilesim validate npu REFERENCE.csv`.

Every GEMM that ONNXim ran is simulated on the preset of its chip, DRAM and all, with the mapping
that tilesim finds. Its networks are left out: a flaw that the reference file describes leaves out
most of their weight traffic. Source of the format: references/npu_peers.csv. Tolerance: cycles of
every row within 5 %.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hw_models.chip_files import load_chip
from hw_models.yaml_file import InputError
from simulator.run import simulate
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload
from validation.reference_file import or_blank, read_reference, text, whole
from validation.result import Progress, ValidationResult, compared, no_progress

TOLERANCE_PCT = 5.0
PEER = "ONNXim"
GEMM = re.compile(r"GEMM M=K=N=(\d+) fp16")
CHIPS = {("128x128", 1): "onnxim_128x128_hbm2", ("128x128", 4): "onnxim_quad_128x128_hbm2"}
"""Array and cores of the peer's chip -> preset."""

COLUMNS = {
    "kind": text,
    "simulator": text,
    "run": text,
    "chip": text,
    "network": text,
    "cycles": or_blank(whole(1)),
    "cores": or_blank(whole(1, 1024)),
}


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Simulate every GEMM of a reference file. Raises InputError for a file without any."""
    given = [row for row in read_reference(reference, COLUMNS) if _is_gemm(row)]
    if not given:
        raise InputError(f"{reference}: must have a row of {PEER} with a network GEMM M=K=N=...")
    rows = []
    for done, row in enumerate(given, 1):
        rows.append(_compared(reference, row))
        progress(done, len(given))
    worst = max(row["cycles_error_pct"] for row in rows)
    return ValidationResult(
        name="npu",
        rows=rows,
        identity=("run", "chip", "network"),
        figures=("cycles",),
        main="cycles",
        tolerance=f"cycles within {TOLERANCE_PCT:g} %",
        passed=worst <= TOLERANCE_PCT,
    )


def _is_gemm(row: dict[str, Any]) -> bool:
    is_run = row["kind"] == "run" and row["simulator"] == PEER
    return is_run and GEMM.fullmatch(row["network"]) is not None


def _compared(reference: Path, row: dict[str, Any]) -> dict[str, Any]:
    size = GEMM.fullmatch(row["network"])
    array = re.search(r"\d+x\d+", row["chip"])
    assert size is not None
    chip = CHIPS.get((array.group() if array else "", row["cores"]))
    if chip is None:
        raise InputError(
            f"{reference}: line {row['line']}: chip must be one of 128x128 with 1 or 4 cores"
        )
    done = simulate(square_gemm(int(size.group(1))), load_chip(chip), memory="cycle")
    identity = {"run": row["run"], "chip": chip, "network": row["network"]}
    return compared(identity, {"cycles": row["cycles"]}, {"cycles": done.result.cycles})


def square_gemm(n: int) -> Workload:
    """A product of two n x n matrices, the second one constant."""
    dims = LoopDims(k=n, c=n, ox=n, ix=n)
    weight = Operand("b", ("g", "k", "c", "fy", "fx"))
    layer = Layer("gemm", LayerOp.MATMUL, dims, (Operand("a"),), "out", weight=weight)
    tensors = [Tensor("a", n * n), Tensor("b", n * n, parameter=True), Tensor("out", n * n)]
    return Workload(f"gemm{n}", {t.name: t for t in tensors}, (layer,), ("a",), ("out",))
