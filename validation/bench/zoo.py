"""Benchmark `zoo`: every network on every preset that runs it layer by layer, laws checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from hw_models.chip_files import load_chip, preset_names
from simulator.run import simulate
from simulator.workload.source import load_network
from simulator.workload.zoo import NETWORKS


@dataclass(frozen=True, slots=True)
class ZooRun:
    """One network on one preset. unexplained: cycles of the result without a cause, must be 0."""

    network: str
    chip: str
    cycles: int
    utilisation: float
    seconds: float
    unexplained: int


def layered_presets() -> list[str]:
    """Presets whose cores can each run a whole network; lists of links join cores of many kinds."""
    return [name for name in preset_names() if load_chip(name).noc.kind != "links"]


def runs(networks: Sequence[str], chips: Sequence[str]) -> Iterator[ZooRun]:
    """Simulate all of them in turn; a broken law raises."""
    for network in networks:
        workload = load_network(network)
        for name in chips:
            began = perf_counter()
            result = simulate(workload, load_chip(name)).result
            explained = sum(sum(layer.causes.values()) for layer in result.layers)
            yield ZooRun(
                network,
                name,
                result.cycles,
                result.utilisation,
                perf_counter() - began,
                result.cycles - explained,
            )


def main() -> str:
    """Run the whole matrix with a line for each, and return the closing line."""
    done = []
    for run in runs(list(NETWORKS), layered_presets()):
        done.append(run)
        sys.stdout.write(
            f"{run.network:20} {run.chip:14} {run.cycles:14,} cycles, utilisation "
            f"{100 * run.utilisation:5.1f} %, {run.seconds:6.2f} s\n"
        )
        sys.stdout.flush()
    return (
        f"runs={len(done)} unexplained_cycles={sum(run.unexplained for run in done)} "
        f"seconds={sum(run.seconds for run in done):.0f}"
    )
