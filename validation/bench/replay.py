"""Benchmark `replay`: tasks a second that replay times anew, once the trace is loaded."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from hw_models.chip_files import load_chip
from simulator.run import simulate
from simulator.workload.source import load_network
from traces.replay import kept_durations, replay
from traces.replay_changes import parse_changes, recorded_machine
from traces.replay_order import Durations, task_times
from traces.task_graph import TaskGraph, load_task_graph

NETWORK, CHIP, COPIES, ROUNDS = "resnet18", "edge_os_16x16", 100, 3
"""The recorded graph is taken so many times, one copy after the other, to outgrow the caches."""


def recorded_graph() -> TaskGraph:
    """The graph of a recorded run."""
    with tempfile.TemporaryDirectory() as folder:
        simulate(load_network(NETWORK), load_chip(CHIP), out=Path(folder))
        return load_task_graph(Path(folder))


def kept_per_second(graph: TaskGraph) -> float:
    """Tasks a second with the contention that was recorded."""
    unit = np.tile(graph.tasks["unit"], COPIES)
    pointers, sources = graph.predecessors()
    shifts = np.arange(COPIES, dtype=np.int64)[:, None]
    sources = (sources + shifts * len(graph)).ravel()
    pointers = np.append((pointers[:-1] + shifts * pointers[-1]).ravel(), sources.size)
    durations = kept_durations(graph, recorded_machine(graph))
    many = Durations(*(np.tile(column, COPIES) for column in durations))
    task_times(unit, pointers, sources, many, graph.lanes)
    best = np.inf
    for _ in range(ROUNDS):
        began = perf_counter()
        task_times(unit, pointers, sources, many, graph.lanes)
        best = min(best, perf_counter() - began)
    return unit.size / best


def rearbitrated_per_second(graph: TaskGraph) -> float:
    """Tasks a second with new arbitration of a changed chip."""
    changes = parse_changes(["dram.bandwidth=2x"], graph)
    replay(graph, changes)
    best = np.inf
    for _ in range(ROUNDS):
        began = perf_counter()
        replay(graph, changes)
        best = min(best, perf_counter() - began)
    return len(graph) / best


def main() -> str:
    """Measure and return the closing line."""
    graph = recorded_graph()
    exact = replay(graph).exact
    return (
        f"tasks_per_s={kept_per_second(graph):.0f} "
        f"rearbitrated_per_s={rearbitrated_per_second(graph):.0f} "
        f"tasks={len(graph)} exact={exact}"
    )
