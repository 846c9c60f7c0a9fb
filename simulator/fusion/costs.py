"""What nodes cost on their cores: one tile cost for every different kind of node.

Rules: ARCHITECTURE.md TILE-1 to TILE-5, FUSE-3 (operands that are streamed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hw_models.floorplan import Floorplan
from hw_models.links import link_graph
from hw_models.spec import Operand
from hw_models.tile_cost import TileCost, tile_cost, tile_energy_pj
from simulator.fusion.graph import FusedGraph
from simulator.program import Int64s
from simulator.workload.graph import Layer

STREAMABLE: tuple[Operand, ...] = ("input", "weight", "output")
INPUT, WEIGHT, OUTPUT = range(3)
"""Columns of tables over STREAMABLE."""
EVERY = slice(None)
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NodeCosts:
    """Costs of n nodes. kind: of each node, int64 (n,). costs: of each kind.

    streamed: bool (n, 3), whether each node streams its STREAMABLE operands.
    """

    kind: Int64s
    costs: tuple[TileCost, ...]
    streamed: Bools

    def of_nodes(self, name: str) -> Int64s:
        """A whole number of the costs for every node."""
        return np.array([getattr(cost, name) for cost in self.costs], dtype=np.int64)[self.kind]

    @property
    def energy_pj(self) -> float:
        """Energy of all nodes."""
        each = np.array([cost.energy_pj for cost in self.costs])
        return float(each[self.kind].sum())


def node_costs(
    graph: FusedGraph, core: Int64s, plan: Floorplan, nodes: Int64s | slice = EVERY
) -> NodeCosts:
    """Costs of the nodes of a graph, or some of them, each on its core. core: int64 (nodes,)."""
    streamed = streamed_operands(graph, core, plan, nodes)
    layer, shape = graph.layer[nodes], graph.shape[nodes]
    rows = np.concatenate([layer[:, None], core[:, None], streamed, shape], axis=1)
    different, kind = np.unique(rows, axis=0, return_inverse=True)
    links, dram = link_graph(plan.chip), len(plan.cores)
    costs = []
    for layer_number, where, *rest in different.tolist():
        layer = graph.workload.layers[layer_number]
        spec = plan.cores[where].spec
        operands = frozenset(o for o, out in zip(STREAMABLE, rest[:3], strict=True) if out)
        coming, going = links.route(dram, where), links.route(where, dram)
        bits = min(links.width_bits[link] for link in coming)
        shape = np.array(rest[3:], dtype=np.int64)
        cost = tile_cost(
            spec,
            plan.chip.precision,
            layer.op.value,
            shape,
            layer_window(layer),
            streamed=operands,
            stream_bits_per_cycle=bits if operands else 0,
            stream_ports="1rw" if set(coming) & set(going) else "1r1w",
        )
        energy = tile_energy_pj(plan.chip, spec, layer.op.value, shape, cost)
        costs.append(replace(cost, energy_pj=energy))
    return NodeCosts(kind.reshape(-1), tuple(costs), streamed)


def chip_cycles(cycles: Int64s, core: Int64s, plan: Floorplan) -> Int64s:
    """Cycles of cores in cycles of the chip, rounded up."""
    ratios = [plan.chip.core_cycle(c.spec) for c in plan.cores]
    num, den = (np.array([getattr(r, n) for r in ratios]) for n in ("numerator", "denominator"))
    return -(-cycles * num[core] // den[core])


def layer_window(layer: Layer) -> Int64s:
    """Strides and dilations of a layer's window, int64 (4,)."""
    d = layer.dims
    return np.array([d.stride_y, d.stride_x, d.dilation_y, d.dilation_x], dtype=np.int64)


def streamed_operands(
    graph: FusedGraph, core: Int64s, plan: Floorplan, nodes: Int64s | slice = EVERY
) -> Bools:
    """Which operands of each node are too large to lie in its core, bool (n, 3).

    Of the operands of a pool the smallest are kept as long as they fit together.
    """
    sizes = operand_bytes(graph)[nodes]
    pools = np.array(
        [[c.buffer_of(_home(o)).index for o in STREAMABLE] for c in plan.cores], dtype=np.int64
    )[core]
    room = {b.index: b.spec.size_bytes for c in plan.cores for b in c.buffers}
    capacity = np.array([room[index] for index in sorted(room)], dtype=np.int64)
    order = np.argsort(sizes, axis=1, kind="stable")
    streamed = np.zeros(sizes.shape, dtype=bool)
    every = np.arange(len(sizes))
    used = np.zeros((len(sizes), capacity.size), dtype=np.int64)
    for place in range(len(STREAMABLE)):
        operand = order[:, place]
        pool, size = pools[every, operand], sizes[every, operand]
        fits = used[every, pool] + size <= capacity[pool]
        used[every[fits], pool[fits]] += size[fits]
        streamed[every[~fits], operand[~fits]] = True
    return streamed


def _home(operand: Operand) -> Operand:
    """Tensors between layers live where inputs are read from."""
    return "weight" if operand == "weight" else "input"


def operand_bytes(graph: FusedGraph) -> Int64s:
    """Bytes of the tensors that hold each operand of each node, int64 (n, 3)."""
    reader = graph.need_node
    moved, is_weight = graph.tensor_bytes[graph.needs], graph.tensor_is_weight[graph.needs]
    sizes = np.zeros((graph.size, len(STREAMABLE)), dtype=np.int64)
    np.add.at(sizes[:, INPUT], reader[~is_weight], moved[~is_weight])
    np.add.at(sizes[:, WEIGHT], reader[is_weight], moved[is_weight])
    sizes[:, OUTPUT] = graph.tensor_bytes[graph.output_tensor]
    return sizes
