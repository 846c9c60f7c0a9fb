"""Benchmark `dram`: bursts a second of the DRAM kernel on DDR4-2400, saturated.

Beside it what DRAMsim3 (commit 29817593b3, -O3) made in CPU time on a 2-core Xeon virtual machine:
236 000 requests a second on the sequential stream, 158 000 on the random one.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import process_time

from hw_models.dram.stream import run_stream
from validation.dram import dram_system, requests

CONFIG, REQUESTS = "DDR4_2400", 400_000
DRAMSIM3_PER_S = {"seq": 236_000, "random": 158_000}
STREAMS: Mapping[str, Mapping[str, int]] = {
    "seq": {"base": 0, "r": 1, "w": 0},
    "random": {"base": 0, "r": 1, "w": 0, "seed": 1, "W": 1 << 30},
}


def bursts_per_second(stream: str, count: int = REQUESTS) -> float:
    """Bursts a second of CPU time; making the addresses is not counted."""
    system = dram_system(CONFIG)
    granule = system.standard.organisation.granule_bytes
    addresses, stores = requests(stream, STREAMS[stream], granule, count)
    began = process_time()
    run_stream(system, addresses, stores)
    return count / (process_time() - began)


def main() -> str:
    """Measure (after a warm-up that compiles the kernel) and return the closing line."""
    best = {}
    for stream in STREAMS:
        bursts_per_second(stream, 1000)
        best[stream] = max(bursts_per_second(stream) for _ in range(3))
    times = {stream: best[stream] / DRAMSIM3_PER_S[stream] for stream in STREAMS}
    return (
        f"bursts_per_s={best['seq']:.0f} random_bursts_per_s={best['random']:.0f} "
        f"times_dramsim3={times['seq']:.1f} random_times_dramsim3={times['random']:.1f}"
    )
