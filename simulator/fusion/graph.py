"""The computation nodes of a fused stack of layers, the tensors that they make, and who reads them.

A node is one tile of one layer. Dependences follow from intervals along rows, columns and channels
(`dependences.py`), each axis on its own, so that no pair of nodes is ever compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hw_models.spec import PrecisionSpec
from simulator.fusion.dependences import OFF_CHIP, Int64s, Read, Stack
from simulator.fusion.granularity import Granularity, check_layer_names
from simulator.fusion.needs import (
    Bools,
    Brought,
    Needs,
    Sources,
    made_sources,
    merged_needs,
    whole_bytes,
)
from simulator.fusion.overlap import Overlap, split_stack
from simulator.fusion.split import Split
from simulator.mapping.streams import OUTPUT_LOOPS
from simulator.workload.graph import LOOPS, Workload
from traces.errors import InputError

NODE_COLUMNS: dict[str, tuple[int, ...]] = {
    "layer": (),
    "tile": (),
    "part": (),
    "low": (len(OUTPUT_LOOPS),),
    "high": (len(OUTPUT_LOOPS),),
    "shape": (len(LOOPS),),
}
"""Columns of the nodes, and how wide each is."""


@dataclass(frozen=True, slots=True)
class FusedGraph:
    """Nodes and tensors of a fused stack, as arrays.

    Nodes (n) are in layer order, inside a layer by row, column and channel part. layer: number of
    the layer in the workload. tile: number of the tile in its layer, by rows; where outputs are
    made again, the same in all layers of a chain. part: of the output channels. low, high: (n, 5)
    the outputs that it makes, over b, g, k, oy, ox. shape: (n, 8) sizes of its loops.

    Tensors (t) are what is moved and stored as a unit: first the output of each node, in order, so
    that the tensor of node i is i; then what comes from off-chip: the weights of each layer and
    part, and the region of an input or constant that nodes read, which channel parts share where
    they read the same. Regions count the padding around a map as data. maker: node, or -1.
    is_final: leaves the stack.

    needs[need_pointers[i]:need_pointers[i + 1]]: tensors that node i reads, weights first, then
    ascending.
    """

    workload: Workload
    layer: Int64s
    tile: Int64s
    part: Int64s
    low: Int64s
    high: Int64s
    shape: Int64s
    tensor_bytes: Int64s
    tensor_maker: Int64s
    tensor_is_weight: Bools
    tensor_is_final: Bools
    need_pointers: Int64s
    needs: Int64s
    output_tensor: Int64s

    @property
    def size(self) -> int:
        """Number of nodes."""
        return int(self.layer.size)

    @property
    def macs(self) -> int:
        """Multiply-accumulates that the nodes execute, those of outputs made again included."""
        is_mac = np.array([layer.is_mac for layer in self.workload.layers])
        return int(np.prod(self.shape[is_mac[self.layer]], axis=1).sum())

    @property
    def need_node(self) -> Int64s:
        """The node of every need."""
        return np.repeat(np.arange(self.size), np.diff(self.need_pointers))

    def needs_of(self, node: int) -> Int64s:
        """Tensors that a node reads."""
        return self.needs[self.need_pointers[node] : self.need_pointers[node + 1]]


def fused_graph(
    workload: Workload,
    granularity: Granularity,
    *,
    parts: Mapping[str, int] | None = None,
    overlap: Overlap = "full",
    precision: PrecisionSpec,
    first: int = 0,
    last: int | None = None,
) -> FusedGraph:
    """The nodes of layers first..last (both included; last: None for the end).

    parts: by layer name, into how many parts its output channels are divided.
    Raises: InputError for unknown layers, impossible parts, an unknown overlap or an empty stack.
    """
    last = len(workload.layers) - 1 if last is None else last
    if not 0 <= first <= last < len(workload.layers):
        raise InputError(
            f"stack must lie within the layers 0 to {len(workload.layers) - 1}, "
            f"not {first} to {last}"
        )
    granularity.check_names(workload)
    check_layer_names("parts", parts or {}, workload)
    stack = Stack.of(workload, first, last)
    splits = split_stack(stack, granularity, parts or {}, overlap)
    return _Builder(stack, splits, precision).graph()


class _Builder:
    """Collects the tables of a graph, layer by layer."""

    def __init__(self, stack: Stack, splits: dict[int, Split], precision: PrecisionSpec) -> None:
        self.stack, self.splits, self.precision = stack, splits, precision
        ends = np.cumsum([0, *(splits[i].size for i in stack.numbers)])
        self.base = {i: int(end) for i, end in zip(stack.numbers, ends, strict=False)}
        self.nodes = int(ends[-1])
        self.brought = Brought(precision, self.nodes)

    def graph(self) -> FusedGraph:
        """The graph of all layers."""
        nodes = self._nodes()
        needs = [self._needs(i) for i in self.stack.numbers]
        made_bytes = whole_bytes(
            np.prod(nodes["high"] - nodes["low"], axis=1) * self.precision.output_bits
        )
        none = np.zeros(self.brought.count - self.nodes, np.int64)
        is_final = np.isin(nodes["layer"], sorted(self.stack.final))
        return FusedGraph(
            self.stack.workload,
            **nodes,
            tensor_bytes=np.concatenate([made_bytes, *self.brought.bytes]),
            tensor_maker=np.append(np.arange(self.nodes), none + OFF_CHIP),
            tensor_is_weight=np.concatenate([np.zeros(self.nodes, bool), *self.brought.is_weight]),
            tensor_is_final=np.append(is_final, none > 0),
            need_pointers=np.append(0, np.cumsum(np.concatenate([n for n, _ in needs]))),
            needs=np.concatenate([tensors for _, tensors in needs]),
            output_tensor=np.arange(self.nodes),
        )

    def _nodes(self) -> dict[str, Int64s]:
        """The columns of the nodes."""
        tables = {
            name: np.empty((self.nodes, *width), np.int64) for name, width in NODE_COLUMNS.items()
        }
        for i, split in self.splits.items():
            at = slice(self.base[i], self.base[i] + split.size)
            _fill_nodes({name: table[at] for name, table in tables.items()}, i, split)
        return tables

    def _needs(self, number: int) -> Needs:
        reads = sorted(self.stack.reads[number], key=_weights_first)
        found = [self._sources(number, read) for read in reads]
        weights = sum(read.is_weight and read.maker == OFF_CHIP for read in reads)
        return merged_needs(found[:weights], found[weights:], self.splits[number].size)

    def _sources(self, number: int, read: Read) -> Sources:
        split = self.splits[number]
        if read.maker == OFF_CHIP:
            return self.brought.add(split, read)
        return made_sources(split, self.splits[read.maker], read, self.base[read.maker])


def _weights_first(read: Read) -> tuple[bool, int]:
    """Weights, then what layers make in their order, then inputs, which have higher numbers."""
    brought = read.maker == OFF_CHIP
    return not (brought and read.is_weight), 1 << 62 if brought else read.maker


def _fill_nodes(tables: dict[str, Int64s], number: int, split: Split) -> None:
    """Writes the rows of the nodes of a layer."""
    rows, columns, parts, d = split.rows, split.columns, split.parts, split.layer.dims
    grid = {name: table.reshape(*split.shape, *table.shape[1:]) for name, table in tables.items()}
    grid["layer"][:] = number
    grid["tile"][:] = (rows.number[:, None] * columns.count + columns.number)[..., None]
    grid["part"][:] = np.arange(len(parts))
    intervals: dict[int, tuple[ArrayLike, ArrayLike]] = {
        0: (0, d.b),
        1: (parts[:, 0], parts[:, 1]),
        2: (parts[:, 2], parts[:, 3]),
        3: (rows.low[:, None, None], rows.high[:, None, None]),
        4: (columns.low[:, None], columns.high[:, None]),
    }
    for place, (low, high) in intervals.items():
        grid["low"][..., place] = low
        grid["high"][..., place] = high
        grid["shape"][..., LOOPS.index(OUTPUT_LOOPS[place])] = np.subtract(high, low)
    grid["shape"][..., [3, 6, 7]] = d.c, d.fy, d.fx
