"""The tables that the scheduler's kernel works on, and how a problem fills them.

A place is a pair of tensor and pool (`problem.Places`). A residence is a stay of a tensor in a
pool; its two events (row 2r: it takes room, row 2r + 1: it frees it) are links of the timeline of
the pool, a list sorted by time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.fusion.problem import Bools, Int64s, Places, SchedulingProblem

Table = NDArray[Any]
NEVER = int(np.iinfo(np.int64).max)
BEFORE_ALL = -1
DONE, NO_ROOM, NO_ROUTE, TABLE_FULL = range(4)
FETCH, EVICTION, FINAL_STORE, STREAM = range(4)


def columns(names: str) -> np.dtype[Any]:
    """Record of int64 columns with these names."""
    return np.dtype([(name, np.int64) for name in names.split()])


NODE = columns(
    "stack group core cycles output_tensor output_place reads_stream writes_stream first_need "
    "end_need start end residence missing predecessors_end"
)
NEED = columns("tensor place residence")
TENSOR = columns(
    "bytes is_weight is_final first_place end_place first_follower end_follower readers_left "
    "offchip_at"
)
PLACE = columns("tensor pool core readers_left residence pinned next previous")
POOL = columns("bytes open_bytes newest")
ROUTE = columns("first end")
LINK = columns("width_bits oldest newest filled_for filled_to")
BUSY = columns("start end earlier later")
TRANSFER = columns(
    "tensor source target start end reason for_node source_residence target_residence"
)
RESIDENCE = columns("tensor pool from_cycle to_cycle transfer available last_use")
EVENT = columns("time bytes earlier")


class State(NamedTuple):
    """The problem and what has been decided of it.

    nodes: lower groups are decided first; in a group the node that is ready first if
        by_ready_time, else the lowest. missing: predecessors that aren't decided.
    tensors: readers_left, nodes that aren't decided; offchip_at, when it is there or NEVER.
    places: residence, the open one or -1; pinned, the last node that held it fast; next and
        previous, ring of the places of a pool with an open residence, whose head is row
        first_ring + pool.
    pools: open_bytes, of residences without an end yet; newest event of the timeline.
    links: oldest and newest busy interval; before cycle filled_to no gap is as long as filled_for
        cycles. busy: intervals in which a link isn't free, those that touch joined; in decision
        order a link is busy from BEFORE_ALL to the end of its last transfer.
    followers: nodes that wait for the maker of a tensor. route_links: links of the routes.
    core_free: first free cycle of each core. counts: rows of transfers, of residences and of busy
        intervals; source and target of a route that is missing.
    """

    nodes: Table
    needs: Table
    tensors: Table
    places: Table
    pools: Table
    routes: Table
    links: Table
    busy: Table
    transfers: Table
    residences: Table
    events: Table
    followers: Int64s
    route_links: Int64s
    core_free: Int64s
    order: Int64s
    counts: Int64s
    cores: int
    first_ring: int
    latency_cycles: int
    by_ready_time: int
    just_in_time: int
    prefetch: int
    in_gaps: int


def empty_state(problem: SchedulingProblem, at: Places, rows: int) -> State:
    """Nothing decided yet, and room for some rows of transfers and residences."""
    followers, tensors = _tensors(problem, at)
    return State(
        nodes=_nodes(problem, at),
        needs=_table(
            NEED, problem.needs.size, tensor=problem.needs, place=at.of_need, residence=-1
        ),
        tensors=tensors,
        places=_places(problem, at),
        pools=_table(POOL, problem.pool_bytes.size, bytes=problem.pool_bytes, newest=-1),
        routes=_table(
            ROUTE,
            problem.route_pointers.size - 1,
            first=problem.route_pointers[:-1],
            end=problem.route_pointers[1:],
        ),
        links=_table(
            LINK,
            problem.link_width_bits.size,
            width_bits=problem.link_width_bits,
            oldest=-1,
            newest=-1,
        ),
        busy=_table(BUSY, rows),
        transfers=_table(TRANSFER, rows),
        residences=_table(RESIDENCE, rows),
        events=_table(EVENT, 2 * rows),
        followers=followers,
        route_links=problem.route_links,
        core_free=_zeros(problem.offchip),
        order=_zeros(problem.layer.size),
        counts=_zeros(5),
        cores=problem.offchip,
        first_ring=at.tensor.size,
        latency_cycles=problem.latency_cycles,
        by_ready_time=int(problem.policy == "latency" and problem.order is None),
        just_in_time=int(problem.policy == "memory"),
        prefetch=int(problem.prefetch_weights),
        in_gaps=int(problem.links == "gaps"),
    )


def _table(record: np.dtype[Any], rows: int, **columns: Int64s | Bools | int) -> Table:
    """A table of records, zero except for these columns."""
    table = np.zeros(rows, dtype=record)
    for name, values in columns.items():
        table[name] = values
    return table


def _nodes(problem: SchedulingProblem, at: Places) -> Table:
    nodes = problem.layer.size
    streams = np.bincount(problem.need_node[problem.need_streamed], minlength=nodes) > 0
    return _table(
        NODE,
        nodes,
        stack=_stack(problem),
        group=_group(problem),
        core=problem.core,
        cycles=problem.cycles,
        output_tensor=problem.output_tensor,
        output_place=at.of_output,
        reads_stream=streams,
        writes_stream=problem.output_streamed,
        first_need=problem.need_pointers[:-1],
        end_need=problem.need_pointers[1:],
        residence=-1,
        missing=np.bincount(_following(problem)[1], minlength=nodes),
    )


def _stack(problem: SchedulingProblem) -> Int64s:
    return np.zeros_like(problem.layer) if problem.stack is None else problem.stack


def _group(problem: SchedulingProblem) -> Int64s:
    """Rank of each node's group, see `State`: its place in the order, stack and depth, or stack."""
    if problem.order is not None:
        return np.argsort(problem.order)
    if problem.policy == "latency":
        return _stack(problem)
    layers = len(problem.layer_names)
    return (_stack(problem) + 1) * layers - problem.layer


def _tensors(problem: SchedulingProblem, at: Places) -> tuple[Int64s, Table]:
    """Followers of the makers of tensors, one tensor after the other, and all tensors."""
    tensors = problem.tensor_bytes.size
    made, follower = _following(problem)
    order = np.argsort(made, kind="stable")
    pointers = np.searchsorted(made[order], np.arange(tensors + 1))
    table = _table(
        TENSOR,
        tensors,
        bytes=problem.tensor_bytes,
        is_weight=problem.tensor_is_weight,
        is_final=problem.tensor_is_final,
        first_place=at.pointers[:-1],
        end_place=at.pointers[1:],
        first_follower=pointers[:-1],
        end_follower=pointers[1:],
        readers_left=np.bincount(problem.needs, minlength=tensors),
        offchip_at=np.where(problem.tensor_maker < 0, 0, NEVER),
    )
    return follower[order], table


def _following(problem: SchedulingProblem) -> tuple[Int64s, Int64s]:
    """Pairs of a tensor that a node makes and a node that waits for it.

    A node waits for the makers of its needs and, unless an order is given, for the one before it in
    its layer on its core.
    """
    made = problem.tensor_maker[problem.needs] >= 0
    tensor, node = problem.needs[made], problem.need_node[made]
    if problem.order is not None:
        return tensor, node
    row = np.lexsort((problem.core, problem.layer))
    same = (np.diff(problem.layer[row]) == 0) & (np.diff(problem.core[row]) == 0)
    before, after = row[:-1][same], row[1:][same]
    return np.append(tensor, problem.output_tensor[before]), np.append(node, after)


def _places(problem: SchedulingProblem, at: Places) -> Table:
    """The places, and behind them the heads of the rings of the pools."""
    held, rows = at.tensor.size, at.tensor.size + problem.pool_bytes.size
    ring = np.arange(rows)
    table = _table(PLACE, rows, residence=-1, pinned=-1, next=ring, previous=ring)
    for name, values in (
        ("tensor", at.tensor),
        ("pool", at.pool),
        ("core", at.core),
        ("readers_left", at.readers),
    ):
        table[name][:held] = values
    return table


def _zeros(*shape: int) -> Int64s:
    return np.zeros(shape, dtype=np.int64)
