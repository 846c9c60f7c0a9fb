"""Functional check: the nodes of a fused graph run tile by tile on what is held at that moment.

A node sees only the tensors that it needs and that are where it reads them; if one of them isn't,
or if they aren't all that its outputs follow from, the check fails. What leaves the stack is
compared with plain layer-by-layer execution, exactly. For what layers compute see `arithmetic.py`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.fusion.arithmetic import Box, Floats, UnmadeElementError, empty, outputs
from simulator.fusion.dependences import OFF_CHIP
from simulator.fusion.graph import FusedGraph
from simulator.workload.graph import Workload

if TYPE_CHECKING:
    from simulator.fusion.schedule import Schedule

Place = Hashable
"""Where a tensor is held: OUTSIDE, a residence of a schedule, or a unit that is at work on it."""

OUTSIDE = -1
"""The place that holds whatever is off-chip."""

LARGEST = 8
"""Inputs and constants are random integers up to this magnitude."""


class DependenceError(AssertionError):
    """A node reads what isn't there, or the result differs from layer-by-layer execution."""


@dataclass(frozen=True, slots=True)
class Make:
    """Run a node. sources: places of its needs, in their order. target: where its output goes."""

    node: int
    sources: Sequence[Place]
    target: Place


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy a tensor from one place to another."""

    tensor: int
    source: Place
    target: Place


@dataclass(frozen=True, slots=True)
class Free:
    """Drop a tensor from a place."""

    tensor: int
    place: Place


Step = Make | Copy | Free


def check_execution(graph: FusedGraph, steps: Iterable[Step], seed: int = 0) -> None:
    """Raises DependenceError unless the steps make what layer-by-layer execution makes."""
    machine = _Machine(graph, layer_by_layer(graph.workload, seed, int(graph.layer[-1])))
    for step in steps:
        match step:
            case Make():
                machine.make(step)
            case Copy():
                machine.copy(step)
            case Free():
                machine.free(step)
    machine.compare()


def layer_by_layer(workload: Workload, seed: int = 0, last: int | None = None) -> dict[str, Floats]:
    """All tensors after running the layers up to `last`, one by one, as a whole.

    Those that no layer makes are random and flat.
    """
    random = np.random.default_rng(seed)
    made = {layer.output for layer in workload.layers}
    values = {
        name: random.integers(-LARGEST, LARGEST + 1, tensor.elements).astype(np.float64)
        for name, tensor in workload.tensors.items()
        if name not in made
    }
    for layer in workload.layers[: None if last is None else last + 1]:
        values[layer.output] = outputs(Box.whole(layer), values.__getitem__).astype(np.float64)
    return values


def steps_in_order(graph: FusedGraph, order: Iterable[int]) -> Iterator[Step]:
    """Nodes in a given order, each output held until its last reader in this order has run.

    Outputs that leave the stack are stored off-chip at once.
    """
    order = [int(node) for node in order]
    last_reader = {tensor: node for node in order for tensor in graph.needs_of(node).tolist()}
    for node in order:
        needs, output = graph.needs_of(node).tolist(), int(graph.output_tensor[node])
        yield Make(node, [_own_place(graph, tensor) for tensor in needs], output)
        if graph.tensor_is_final[output]:
            yield Copy(output, output, OUTSIDE)
        for tensor in needs:
            if last_reader[tensor] == node and graph.tensor_maker[tensor] != OFF_CHIP:
                yield Free(tensor, tensor)


def _own_place(graph: FusedGraph, tensor: int) -> Place:
    return OUTSIDE if graph.tensor_maker[tensor] == OFF_CHIP else tensor


def steps_of_schedule(graph: FusedGraph, schedule: Schedule) -> list[Step]:
    """What a schedule does, in order of time: tensors are held while its residences say so.

    Nodes and transfers read when they start, and their sources must still be there when they end,
    which is when their result is. At one cycle, ends come first, then frees, then starts.
    """
    timed = [*_node_steps(graph, schedule), *_transfer_steps(schedule), *_free_steps(schedule)]
    return [step for _, _, step in sorted(timed, key=lambda row: row[:2])]


_ENDS, _FREES, _STARTS = range(3)

TimedStep = tuple[int, int, Step]


def _node_steps(graph: FusedGraph, schedule: Schedule) -> Iterator[TimedStep]:
    begin = graph.need_pointers.tolist()
    for node in range(graph.size):
        start, end = int(schedule.node_start[node]), int(schedule.node_end[node])
        sources = schedule.need_residence[begin[node] : begin[node + 1]].tolist()
        yield start, _STARTS, Make(node, sources, ("node", node))
        for tensor, source in zip(graph.needs_of(node).tolist(), sources, strict=True):
            yield end, _ENDS, Copy(tensor, source, source)
        output, target = int(graph.output_tensor[node]), int(schedule.node_residence[node])
        yield end, _ENDS, Copy(output, ("node", node), target)


def _transfer_steps(schedule: Schedule) -> Iterator[TimedStep]:
    """Streams, which have no residence on either side, are part of their node."""
    names = ("start", "end", "tensor", "source_residence", "target_residence")
    columns = (schedule.transfers[name].tolist() for name in names)
    for row, (start, end, tensor, source, target) in enumerate(zip(*columns, strict=True)):
        if source == target:
            continue
        yield start, _STARTS, Copy(tensor, source, ("transfer", row))
        yield end, _ENDS, Copy(tensor, source, source)
        yield end, _ENDS, Copy(tensor, ("transfer", row), target)


def _free_steps(schedule: Schedule) -> Iterator[TimedStep]:
    columns = (schedule.residences[name].tolist() for name in ("to_cycle", "tensor"))
    for place, (end, tensor) in enumerate(zip(*columns, strict=True)):
        yield end, _FREES, Free(tensor, place)


class _Machine:
    """Places and what they hold: arrays (batch, rows, columns, channels) of the outputs of nodes.

    What no node makes is always there in full off-chip; other places hold a mark for it.
    """

    def __init__(self, graph: FusedGraph, whole: dict[str, Floats]) -> None:
        self.graph, self.whole = graph, whole
        self.layers = graph.workload.layers
        self.made = {self.layers[i].output: int(i) for i in np.unique(graph.layer)}
        self.held: dict[tuple[Place, int], Floats] = {}
        mark = np.empty(0)
        for tensor in np.flatnonzero(graph.tensor_maker == OFF_CHIP).tolist():
            self.held[OUTSIDE, tensor] = mark

    def make(self, step: Make) -> None:
        """Runs a node on its needs."""
        needs = self.graph.needs_of(step.node).tolist()
        there = {
            tensor: self._get(tensor, place, f"node {step.node}")
            for tensor, place in zip(needs, step.sources, strict=True)
        }

        def fetch(name: str) -> Floats:
            if name not in self.made:
                return self.whole[name]
            return self._assembled(self.made[name], there)

        try:
            found = outputs(self._box(step.node), fetch)
        except UnmadeElementError as error:
            layer = self.layers[self.graph.layer[step.node]].name
            raise DependenceError(
                f"node {step.node} ({layer}) must need all elements of {error.tensor} that it reads"
            ) from None
        self.held[step.target, int(self.graph.output_tensor[step.node])] = found.astype(np.float64)

    def copy(self, step: Copy) -> None:
        """Copies a tensor; from a place to itself, checks that it is there."""
        found = self._get(step.tensor, step.source, f"a copy to {step.target}")
        self.held[step.target, step.tensor] = found

    def free(self, step: Free) -> None:
        """Drops a tensor."""
        self._get(step.tensor, step.place, "a free")
        del self.held[step.place, step.tensor]

    def compare(self) -> None:
        """Raises DependenceError unless what has left the stack is right and complete."""
        stored = {
            tensor: values for (place, tensor), values in self.held.items() if place == OUTSIDE
        }
        final = self.graph.layer[self.graph.tensor_maker[self.graph.tensor_is_final]]
        for number in np.unique(final).tolist():
            name = self.layers[number].output
            if not np.array_equal(self._assembled(number, stored), self.whole[name]):
                raise DependenceError(f"tensor {name} must be as in layer-by-layer execution")

    def _assembled(self, number: int, there: dict[int, Floats]) -> Floats:
        """The output of a layer as far as tensors that are there make it up, else NaN."""
        whole = empty(self.layers[number])
        for tensor, values in there.items():
            node = self.graph.tensor_maker[tensor]
            if node != OFF_CHIP and self.graph.layer[node] == number:
                whole[self._box(int(node)).place] = values
        return whole

    def _box(self, node: int) -> Box:
        low, high = self.graph.low[node].tolist(), self.graph.high[node].tolist()
        return Box(self.layers[self.graph.layer[node]], tuple(low), tuple(high))

    def _get(self, tensor: int, place: Place, reader: str) -> Floats:
        if (place, tensor) not in self.held:
            raise DependenceError(f"{reader} must find tensor {tensor} at {place}, not nothing")
        return self.held[place, tensor]
