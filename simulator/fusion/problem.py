"""What the scheduler of fused nodes takes: nodes on cores, tensors, pools and links, as arrays.

Off-chip memory is core number `cores`, one past the last. A pool is an SRAM in which tensors live;
cores may share one, and the weight pool of a core may be its activation pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from traces.errors import InputError

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]
LinkOrder = Literal["fifo", "gaps"]


@dataclass(frozen=True, slots=True)
class SchedulingProblem:
    """n nodes that read m needs among t tensors, on c cores with p pools and l links.

    layer, core, cycles, output_tensor: int64 (n,); nodes are numbered in the order of their layers.
    need_pointers: int64 (n + 1,), needs: int64 (m,): tensors that a node reads, in order of fetch.
    need_streamed: bool (m,), output_streamed: bool (n,): operands too large for their pool; they
        stay off-chip, and the node blocks the route there and back for all its cycles.
    stream_read_bytes, stream_write_bytes: int64 (n,), off-chip traffic of those operands.
    tensor_bytes, tensor_maker: int64 (t,); a maker of -1: off-chip from cycle 0 on.
    tensor_is_weight, tensor_is_final: bool (t,); a final tensor is stored off-chip.
    activation_pool, weight_pool: int64 (c,), pools of a core. pool_bytes: int64 (p,), capacities.
    link_width_bits: int64 (l,), per cycle. latency_cycles: from the release of the links of a
        route to the arrival of the last bit.
    route_pointers: int64 ((c + 1)**2 + 1,), route_links: links from core a to core b, in row
        a * (c + 1) + b; an empty row means that there is no way.
    policy: "memory" decides the ready node of the highest layer first, "latency" the one whose
        predecessors end first. prefetch_weights: weights of a stack that fit are fetched before
        all else of it.
    links: a link serves transfers in the order of decision ("fifo"), or each in the earliest gap
        that is long enough ("gaps").
    stack: int64 (n,), ascending; no node is decided before those of lower stacks. None: all one.
    order: int64 (n,), the nodes in the order of decision, instead of policy and stacks.
    """

    layer: Int64s
    core: Int64s
    cycles: Int64s
    output_tensor: Int64s
    need_pointers: Int64s
    needs: Int64s
    need_streamed: Bools
    output_streamed: Bools
    stream_read_bytes: Int64s
    stream_write_bytes: Int64s
    tensor_bytes: Int64s
    tensor_maker: Int64s
    tensor_is_weight: Bools
    tensor_is_final: Bools
    activation_pool: Int64s
    weight_pool: Int64s
    pool_bytes: Int64s
    link_width_bits: Int64s
    latency_cycles: int
    route_pointers: Int64s
    route_links: Int64s
    layer_names: tuple[str, ...]
    core_names: tuple[str, ...]
    pool_names: tuple[str, ...]
    link_names: tuple[str, ...]
    policy: Literal["memory", "latency"] = "memory"
    prefetch_weights: bool = True
    links: LinkOrder = "fifo"
    stack: Int64s | None = None
    order: Int64s | None = None

    @property
    def offchip(self) -> int:
        """Number of the off-chip memory among sources and targets of transfers."""
        return len(self.core_names)

    @property
    def need_node(self) -> Int64s:
        """Node of every need, int64 (m,)."""
        return np.repeat(np.arange(self.layer.size), np.diff(self.need_pointers))

    @property
    def need_pool(self) -> Int64s:
        """Pool in which every need is read, int64 (m,)."""
        core = self.core[self.need_node]
        weight = self.tensor_is_weight[self.needs]
        return np.where(weight, self.weight_pool[core], self.activation_pool[core])

    def route(self, source: int, target: int) -> Int64s:
        """Links from core `source` to core `target`; none where there is no way."""
        row = source * (self.offchip + 1) + target
        return self.route_links[self.route_pointers[row] : self.route_pointers[row + 1]]

    def place_name(self, core: int) -> str:
        """Name of a core or of the off-chip memory."""
        return "dram" if core == self.offchip else self.core_names[core]


def route_table(
    routes: Mapping[tuple[int, int], Sequence[int]], cores: int
) -> tuple[Int64s, Int64s]:
    """`route_pointers` and `route_links` of the routes of a link graph."""
    pairs = [(a, b) for a in range(cores + 1) for b in range(cores + 1)]
    rows = [routes.get(pair, ()) for pair in pairs]
    pointers = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
    return pointers, np.array([link for row in rows for link in row], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Places:
    """The (tensor, pool) pairs at which a tensor can ever be, k of them, sorted by tensor.

    tensor, pool: int64 (k,). pointers: int64 (t + 1,), the places of a tensor.
    core: int64 (k,): the maker's core if this is where it writes, else that of the first reader;
        the end of routes from and to this place.
    readers: int64 (k,), nodes that read the tensor there.
    of_need: int64 (m,), of_output: int64 (n,); -1: streamed.
    """

    tensor: Int64s
    pool: Int64s
    pointers: Int64s
    core: Int64s
    readers: Int64s
    of_need: Int64s
    of_output: Int64s


def places(problem: SchedulingProblem) -> Places:
    """The places of a problem."""
    need_core = problem.core[problem.need_node]
    tensor = np.concatenate([problem.output_tensor, problem.needs])
    pool = np.concatenate([problem.activation_pool[problem.core], problem.need_pool])
    core = np.concatenate([problem.core, need_core])
    held = ~np.concatenate([problem.output_streamed, problem.need_streamed])
    pools = problem.pool_bytes.size
    keys, first, inverse = np.unique(
        tensor[held] * pools + pool[held], return_index=True, return_inverse=True
    )
    place = np.full(tensor.size, -1, dtype=np.int64)
    place[held] = inverse
    of_output, of_need = np.split(place, [problem.layer.size])
    return Places(
        tensor=keys // pools,
        pool=keys % pools,
        pointers=np.searchsorted(keys // pools, np.arange(problem.tensor_bytes.size + 1)),
        core=core[held][first],
        readers=np.bincount(of_need[of_need >= 0], minlength=keys.size).astype(np.int64),
        of_need=of_need,
        of_output=of_output,
    )


def check_nodes(problem: SchedulingProblem) -> None:
    """Raise InputError for cores out of range or an impossible order."""
    cores = len(problem.core_names)
    for node in np.flatnonzero((problem.core < 0) | (problem.core >= cores))[:1]:
        layer, core = problem.layer_names[problem.layer[node]], problem.core[node]
        raise InputError(f"layer {layer}: core must be one of 0 to {cores - 1}, not {core}")
    if problem.order is not None:
        _check_order(problem, problem.order)


def _check_order(problem: SchedulingProblem, order: Int64s) -> None:
    nodes = problem.layer.size
    if not np.array_equal(np.sort(order), np.arange(nodes)):
        raise InputError(f"order: nodes must be each of 0 to {nodes - 1} once, not others")
    position = np.argsort(order)
    maker, reader = problem.tensor_maker[problem.needs], problem.need_node
    early = (maker >= 0) & (position[maker] >= position[reader])
    for need in np.flatnonzero(early)[:1]:
        after, before = (
            f"node {node} of layer {problem.layer_names[problem.layer[node]]}"
            for node in (reader[need], maker[need])
        )
        raise InputError(f"order: {after} must come after {before}, which it reads, not before")


def check_working_sets(problem: SchedulingProblem, at: Places) -> None:
    """Raise InputError for a node whose needs and output don't fit their pool together."""
    nodes, pools = problem.layer.size, problem.pool_bytes.size
    node = np.concatenate([np.arange(nodes), problem.need_node])
    place = np.concatenate([at.of_output, at.of_need])
    pairs = np.sort((node * at.tensor.size + place)[place >= 0], kind="stable")
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    node, place = pairs // at.tensor.size, pairs % at.tensor.size
    used = np.zeros(nodes * pools, dtype=np.int64)
    np.add.at(used, node * pools + at.pool[place], problem.tensor_bytes[at.tensor[place]])
    excess = used.reshape(nodes, pools) - problem.pool_bytes
    for worst in np.flatnonzero(excess.max(axis=1, initial=0) > 0)[:1]:
        pool = int(excess[worst].argmax())
        layer = problem.layer_names[problem.layer[worst]]
        raise InputError(
            f"layer {layer}: the working set of a node must fit {problem.pool_names[pool]} of "
            f"{problem.pool_bytes[pool]} bytes, not need {excess[worst, pool]} bytes more"
        )
