"""Benchmark `replay_exact`: unchanged, replay gives every start and end of every zoo network."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw_models.chip_files import load_chip
from simulator.run import simulate
from simulator.workload.source import load_network
from simulator.workload.zoo import NETWORKS
from traces.critical_path import critical_path
from traces.replay import replay
from traces.stalls import analyse
from traces.task_graph import load_task_graph

CHIPS = ("edge_os_16x16", "gemmini_16x16", "nvdla_large")
CYCLE_STEP = 3
"""Every third network also runs with `--memory cycle`."""


@dataclass(frozen=True, slots=True)
class Check:
    """One recorded run. unexplained: cycles that stall shares or the critical path leave over."""

    network: str
    chip: str
    memory: str
    tasks: int
    exact: int
    unexplained: int

    @property
    def passed(self) -> bool:
        """Whether every task is where it was and every cycle has a cause."""
        return self.tasks == self.exact and not self.unexplained


def checks(networks: Sequence[str], chips: Sequence[str], memory: str) -> Iterator[Check]:
    """Record every network on every chip, and analyse and replay the trace as it is."""
    for network in networks:
        workload = load_network(network)
        for chip in chips:
            with tempfile.TemporaryDirectory() as folder:
                simulate(workload, load_chip(chip), memory=memory, out=Path(folder))
                yield _check(network, chip, memory, Path(folder))


def _check(network: str, chip: str, memory: str, folder: Path) -> Check:
    graph = load_task_graph(folder)
    again = replay(graph)
    report = analyse(folder, graph, None)
    by_unit = report.by_unit.sum(axis=1) - again.end_cycle
    of_layers = int(report.main.sum()) - again.end_cycle
    of_path = int(critical_path(graph).cycles.sum()) - again.end_cycle
    unexplained = int(abs(by_unit).sum()) + abs(of_layers) + abs(of_path)
    return Check(network, chip, memory, len(graph), again.exact, unexplained)


def main() -> str:
    """Check the whole matrix with a line for each, and return the closing line; takes minutes."""
    names = sorted(NETWORKS)
    plan = ((names, "simple"), (names[::CYCLE_STEP], "cycle"))
    done = []
    for networks, memory in plan:
        for check in checks(networks, CHIPS, memory):
            done.append(check)
            sys.stdout.write(
                f"{check.network:20} {check.chip:14} {check.memory:7} tasks={check.tasks} "
                f"exact={check.exact} unexplained_cycles={check.unexplained}\n"
            )
            sys.stdout.flush()
    return f"runs={len(done)} exact={sum(check.passed for check in done)}"
