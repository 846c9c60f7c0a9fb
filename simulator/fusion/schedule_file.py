"""Schedule files: how a network is cut, which core computes what, and in which order.

granularity: line
overlap: full
policy: latency
prefetch_weights: true
eager: false                     # transfers as soon as they can, not at the cycles of the schedule
links: gaps                      # or fifo: transfers in the order of decision
stacks: [conv5]                  # first layers of the stacks after the first
tiles: {conv1: [4, 1, 14]}       # channel parts, rows, columns, where they differ
cores:
  conv1: [core0]
  conv2: [core1, core2]          # its output channels in two parts
order: [conv1 0-2, conv2 0, ...] # nodes of layers, by rows; left out: by the policy
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import Field

from hw_models.floorplan import link_floorplan
from hw_models.spec import ChipSpec
from hw_models.yaml_file import Strict, build, parse_yaml, read_text
from simulator.fusion.compile import FusedProgram, FusionChoices, allocate, node_graph
from simulator.fusion.granularity import Granularity
from simulator.fusion.graph import FusedGraph
from simulator.program import Int64s
from simulator.workload.graph import Workload
from traces.errors import InputError

Names = Annotated[tuple[str, ...], Field(strict=False)]
Tile = Annotated[tuple[int, int, int], Field(strict=False)]


class ScheduleFile(Strict):
    """What a schedule file may say."""

    granularity: str = "line"
    overlap: Literal["full", "horizontal", "recompute"] = "full"
    policy: Literal["best", "latency", "memory"] = "best"
    prefetch_weights: bool = True
    eager: bool = False
    links: Literal["fifo", "gaps"] = "gaps"
    stacks: Names = ()
    tiles: dict[str, Tile] = Field(default_factory=dict)
    cores: dict[str, Names] = Field(default_factory=dict)
    order: Names = ()


def load_schedule(path: Path, workload: Workload) -> tuple[FusionChoices, tuple[str, ...]]:
    """The choices in a file, and its order of nodes as written. Raises InputError."""
    spec = build(ScheduleFile, parse_yaml(read_text(path), str(path)), str(path))
    names = [layer.name for layer in workload.layers]
    for key, given in (("stacks", spec.stacks), ("cores", spec.cores), ("tiles", spec.tiles)):
        for name in given:
            if name not in names:
                raise InputError(f"{path}: {key}.{name} is not a layer of {workload.name}")
    choices = FusionChoices(
        granularity=Granularity.parse(spec.granularity, spec.tiles),
        cores=spec.cores,
        overlap=spec.overlap,
        policy=spec.policy,
        prefetch_weights=spec.prefetch_weights,
        eager=spec.eager,
        links=spec.links,
        stacks=tuple(sorted(names.index(name) for name in spec.stacks)),
    )
    return choices, spec.order


def node_order(place: str, order: Sequence[str], graph: FusedGraph) -> Int64s:
    """Nodes in the order that a file says. Raises InputError unless it has every node once."""
    names = [layer.name for layer in graph.workload.layers]
    first = np.searchsorted(graph.layer, np.arange(len(names)))
    counts = np.bincount(graph.layer, minlength=len(names))
    nodes: list[int] = []
    for entry in order:
        name, _, span = entry.rpartition(" ")
        low, _, high = span.partition("-")
        if name not in names or not low.isdigit() or not (high or low).isdigit():
            raise InputError(f"{place}: order must have entries like 'conv1 0-3', not {entry!r}")
        number = names.index(name)
        last = int(high or low)
        if not int(low) <= last < counts[number]:
            raise InputError(
                f"{place}: order must name nodes 0 to {counts[number] - 1} of {name}, not {span}"
            )
        nodes.extend(range(first[number] + int(low), first[number] + last + 1))
    if sorted(nodes) != list(range(graph.size)):
        raise InputError(f"{place}: order must have each of {graph.size} nodes once")
    return np.array(nodes, dtype=np.int64)


def scheduled_choices(path: Path, workload: Workload, chip: ChipSpec) -> FusionChoices:
    """The choices in a file for a chip, its order of nodes included. Raises InputError."""
    choices, order = load_schedule(path, workload)
    if not order:
        return choices
    placed, _ = allocate(workload, link_floorplan(chip), choices)
    graph = node_graph(workload, chip, choices, placed)
    return replace(choices, order=node_order(str(path), order, graph))


def schedule_text(fused: FusedProgram) -> str:
    """A compiled network as a schedule file."""
    graph, plan, choices = fused.graph, fused.compiled.plan, fused.choices
    names = [layer.name for layer in graph.workload.layers]
    core_names = plan.chip.core_names
    data = {
        "granularity": choices.granularity.text,
        "overlap": choices.overlap,
        "policy": fused.problem.policy,
        "prefetch_weights": choices.prefetch_weights,
        "eager": choices.eager,
        "links": choices.links,
        "stacks": [names[first] for first in choices.stacks],
        "tiles": {name: list(tile) for name, tile in choices.granularity.layers.items()},
        "cores": {
            name: [core_names[core] for core in cores]
            for name, cores in fused.assignment.cores.items()
        },
    }
    order = "".join(f"- {entry}\n" for entry in _runs(graph, fused.schedule.order, names))
    head = yaml.safe_dump(data, sort_keys=False, width=100, default_flow_style=None)
    return f"{head}order:\n{order}"


def _runs(graph: FusedGraph, order: Int64s, names: Sequence[str]) -> Iterator[str]:
    """The order with nodes of a layer that follow one another joined."""
    first = np.searchsorted(graph.layer, np.arange(len(names)))
    breaks = np.flatnonzero(np.diff(order) != 1) + 1
    for run in np.split(order, breaks):
        for layer in np.unique(graph.layer[run]).tolist():
            mine = run[graph.layer[run] == layer] - first[layer]
            low, high = int(mine[0]), int(mine[-1])
            yield f"{names[layer]} {low}" if low == high else f"{names[layer]} {low}-{high}"
