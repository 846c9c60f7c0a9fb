"""Benchmark `multicore`: tilesim against Stream on its shipped example, in one run.

Both cut the first eight layers of ResNet-18 into rows, search which of four TPU-like cores computes
what, and evaluate the result: Stream by its genetic algorithm of 4 individuals and 2 generations
and its scheduler, tilesim by constraint optimisation and the simulation of the schedule with
ledger. CPU seconds after warm-up on another chip, imports left out, the costs of tiles within.
Beside it: scheduling of more than 10,000 nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter, process_time

from hw_models.chip_files import load_chip
from simulator.fusion.compile import FusionChoices, compile_fused
from simulator.fusion.granularity import Granularity
from simulator.fusion.run import simulate_fused
from validation.bench.stream_peer import StreamTiming, stream_seconds
from validation.multicore.runs import DEPTH_FIRST, READY_FIRST
from validation.multicore.workloads import chip_workloads, network_of

SEARCH_SECONDS = 0.5
WARM_UP_CHIP = "stream_4homo"
"""Another chip, so that no cost of a tile is remembered."""
MANY = "tile:1x320"
"""Cuts FSRCNN into 12,960 nodes."""


@dataclass(frozen=True, slots=True)
class MulticoreFigures:
    """CPU seconds of allocation and simulation, latencies found; many nodes scheduled."""

    peer: StreamTiming
    cpu_s: float
    latency_cycles: int
    gap: float
    many_nodes: int
    many_s: float


def measure() -> MulticoreFigures:
    """Run both. Raises PeerError when Stream can't be installed or run."""
    workload, chip = network_of("rn18few"), load_chip("stream_tpu_quad")
    choices = FusionChoices(
        granularity=Granularity.parse("line"), search="cp", seconds=SEARCH_SECONDS, **READY_FIRST
    )
    simulate_fused(workload, load_chip(WARM_UP_CHIP), choices)
    began = process_time()
    done = simulate_fused(workload, chip, choices)
    cpu_s = process_time() - began
    nodes, seconds = _many_nodes()
    found = done.fused.found
    assert found is not None
    return MulticoreFigures(stream_seconds(), cpu_s, done.result.cycles, found.gap, nodes, seconds)


def _many_nodes() -> tuple[int, float]:
    """Nodes of FSRCNN on DepFiN in narrow tiles, and wall seconds to compile them."""
    placed, chip = chip_workloads()["DepFiN"], load_chip("depfin")
    [core] = chip.core_names
    choices = FusionChoices(
        granularity=Granularity.parse(MANY),
        cores=dict.fromkeys(placed.cores, (core,)),
        **DEPTH_FIRST,
    )
    began = perf_counter()
    fused = compile_fused(placed.workload, chip, choices)
    return fused.graph.size, perf_counter() - began


def main() -> str:
    """Measure and return the closing line."""
    f = measure()
    return (
        f"speedup={f.peer.cpu_seconds / f.cpu_s:.1f} peer_cpu_s={f.peer.cpu_seconds:.2f} "
        f"tilesim_cpu_s={f.cpu_s:.2f} peer_allocation_cpu_s={f.peer.allocation_cpu_seconds:.2f} "
        f"nodes={f.peer.nodes} peer_cycles={f.peer.latency_cycles} "
        f"tilesim_cycles={f.latency_cycles} gap={f.gap:.4f} "
        f"many_nodes={f.many_nodes} many_nodes_s={f.many_s:.2f}"
    )
