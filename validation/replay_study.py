"""Study: random changes of a chip, replayed from a trace and simulated. Rule: REPLAY-6.

`print(study())` gives the table of the documentation.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from hw_models.chip_files import load_chip
from simulator.recorded_run import RecordedRun, recorded_run
from simulator.run import simulate
from simulator.workload.source import load_network
from traces.errors import InputError
from traces.replay import CONTENTIONS, replay
from traces.replay_changes import known_keys, parse_changes
from traces.task_graph import TaskGraph, load_task_graph

RUNS = (
    ("resnet18", "edge_os_16x16"),
    ("mobilenet_v2", "gemmini_16x16"),
    ("alexnet", "tpu_like"),
    ("squeezenet1_1", "nvdla_small"),
    ("efficientnet_b0", "nvdla_large"),
)
CHANGES, SEED = 20, 5

VALUES = {
    "bandwidth": ("0.25x", "0.5x", "2x", "4x", "8x"),
    "latency": ("0", "10", "50", "200"),
    "speed": ("0.5x", "2x", "4x", "inf"),
    "outstanding": ("1", "2", "4", "8"),
}
"""Values tried, by kind of change. Another number of slots makes another program, so what replay
says of it is an estimate of another kind and not part of the study."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One change of one run. replayed: cycles by contention."""

    network: str
    chip: str
    settings: tuple[str, ...]
    recorded: int
    simulated: int
    replayed: dict[str, int]

    def error(self, contention: str) -> float:
        """Error of the total, relative to the simulation."""
        return abs(self.replayed[contention] / self.simulated - 1)

    @property
    def moved(self) -> float:
        """By how much the change moved the total."""
        return abs(self.recorded / self.simulated - 1)


def study(memory: str = "simple", changes: int = CHANGES, seed: int = SEED) -> str:
    """The errors of replay as a markdown table; takes minutes."""
    return markdown(list(trials(RUNS, memory, changes, seed)))


def trials(
    runs: Sequence[tuple[str, str]], memory: str, changes: int, seed: int
) -> Iterator[Trial]:
    """Record every run, then replay and simulate random changes of it."""
    chance = random.Random(seed)
    for network, chip in runs:
        with tempfile.TemporaryDirectory() as folder:
            inputs = {"source": network, "allocation": "split"}
            spec = load_chip(chip)
            simulate(load_network(network), spec, memory=memory, out=Path(folder), inputs=inputs)
            graph = load_task_graph(Path(folder))
            run = recorded_run(graph)
            keys = {
                key: kind
                for key, (kind, _) in known_keys(graph).items()
                if kind in VALUES and _can_check(key)
            }
            for _ in range(changes):
                yield _trial(network, chip, graph, run, keys, chance)


def _trial(
    network: str,
    chip: str,
    graph: TaskGraph,
    run: RecordedRun,
    keys: dict[str, str],
    chance: random.Random,
) -> Trial:
    """A random change that a chip file can express."""
    while True:
        settings = _random_settings(keys, chance)
        found = parse_changes(settings, graph)
        try:
            simulated = run.simulate(found).cycles
        except InputError:
            continue
        replayed = {c: replay(graph, found, c).end_cycle for c in CONTENTIONS}
        return Trial(network, chip, settings, graph.end_cycle, simulated, replayed)


def _can_check(key: str) -> bool:
    """A chip file has one `outstanding` for all engines of a core."""
    return not key.endswith(".outstanding") or key.endswith("dma.outstanding")


def _random_settings(keys: dict[str, str], chance: random.Random) -> tuple[str, ...]:
    """One to three changes, each kind of change as likely as any other."""
    kinds = chance.sample(sorted(set(keys.values())), chance.randint(1, 3))
    chosen = [chance.choice(sorted(key for key in keys if keys[key] == kind)) for kind in kinds]
    return tuple(
        f"{key}={chance.choice(VALUES[kind])}" for key, kind in zip(chosen, kinds, strict=True)
    )


def markdown(found: Sequence[Trial]) -> str:
    """A row a run: how much the changes moved it, and mean and worst error of replay."""
    lines = [
        "| network | chip | changes | moved by | kept: mean | worst | rearbitrated: mean | worst |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for network, chip in dict.fromkeys((trial.network, trial.chip) for trial in found):
        mine = [trial for trial in found if (trial.network, trial.chip) == (network, chip)]
        lines.append(_line(network, chip, mine))
    lines.append(_line("all", "", found))
    return "\n".join(lines)


def _line(network: str, chip: str, mine: Sequence[Trial]) -> str:
    cells = [network, chip, str(len(mine)), f"{100 * mean(t.moved for t in mine):.1f} %"]
    for contention in CONTENTIONS:
        errors = [trial.error(contention) for trial in mine]
        cells += [f"{100 * mean(errors):.2f} %", f"{100 * max(errors):.2f} %"]
    return f"| {' | '.join(cells)} |"
