"""Benchmark `npu`: whole networks on ONNXim's chips against its CPU time, start-up included.

The peer's times are measured ones of references/npu_peers.csv, from a machine of this class.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from validation.reference_file import number, or_blank, read_reference, text

REFERENCE = Path(__file__).parent.parent / "references" / "npu_peers.csv"
CASES = {
    "r50_c1": ("resnet50", "onnxim_128x128_hbm2"),
    "r50_c4": ("resnet50", "onnxim_quad_128x128_hbm2"),
    "r18_8x8_c1": ("resnet18", "onnxim_8x8_ddr4"),
}
"""Run of the peer -> network and preset."""


def cpu_seconds(network: str, chip: str) -> float:
    """CPU time of `tilesim run`, user and system, in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["run", network, "--chip", chip, "--memory", "cycle", "--json"]
    code = "import sys; from traces.cli import main; sys.argv[0] = 'tilesim'; main()"
    subprocess.run([sys.executable, "-c", code, *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> str:
    """CPU seconds here and of the peer, and how often ours fit into the peer's."""
    rows = read_reference(REFERENCE, {"kind": text, "run": text, "cpu_s": or_blank(number)})
    peer = {row["run"]: float(row["cpu_s"]) for row in rows if row["kind"] == "run"}
    cpu_seconds(*CASES["r18_8x8_c1"])  # compiles what isn't compiled yet
    figures = []
    for run, case in CASES.items():
        ours = cpu_seconds(*case)
        figures.append(f"{run}_cpu_s={ours:.2f} {run}_speedup={peer[run] / ours:.1f}")
    return " ".join(figures)
