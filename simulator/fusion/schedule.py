"""A list schedule of fused nodes: when each runs, and every transfer, residence and eviction.

One ready node after the other is decided, with all that it needs, for good:
 - the nodes of a layer are decided in order on each core, each when the one before it is;
 - a need that isn't in its pool is fetched from the core that has held it longest, or off-chip,
   with policy "memory" just in time: to arrive when the core is idle and the predecessors have
   ended, if it can; with "latency" as soon as it can;
 - a link serves one transfer at a time, with links "fifo" in the order of decision, without going
   back into gaps; with "gaps" a transfer goes into the earliest one that is long enough, also
   before transfers that were decided earlier;
 - a transfer takes all links of its route for ceil(bits / narrowest width) cycles and starts when
   they are free, its data exist, and the target pool has room from then on;
 - an output takes its room when its node starts. A tensor frees its room in a pool when the last
   node that reads it there ends, provided that readers elsewhere have another copy to go to;
 - if a pool would never have room, tensors are evicted, those with the fewest bytes left to read
   there first (bytes times readers), of equals the longest there; from the cycle when the room is
   wanted they are written off-chip, unless off-chip has them, to be fetched again later;
 - a final output is stored off-chip right after its node was decided;
 - a node with streamed operands blocks its off-chip route for all its cycles;
 - weights that are prefetched are queued before everything else, as long as there is room.

Source: scheduler semantics of Stream (IEEE TC 2024, doi 10.1109/TC.2024.3477938), as observed in
its published runs on three chips; there with links "fifo".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.fusion.problem import (
    Int64s,
    SchedulingProblem,
    check_nodes,
    check_working_sets,
    places,
)
from simulator.fusion.schedule_check import check_conservation, links_of_transfers
from simulator.fusion.schedule_kernel import run
from simulator.fusion.schedule_tables import (
    DONE,
    EVICTION,
    FETCH,
    FINAL_STORE,
    NO_ROUTE,
    RESIDENCE,
    STREAM,
    TABLE_FULL,
    TRANSFER,
    State,
    Table,
    empty_state,
)
from traces.errors import InputError

__all__ = [
    "EVICTION",
    "FETCH",
    "FINAL_STORE",
    "RESIDENCE_COLUMNS",
    "STREAM",
    "TRANSFER_COLUMNS",
    "Schedule",
    "schedule",
]

TRANSFER_COLUMNS = TRANSFER.names or ()
RESIDENCE_COLUMNS = (RESIDENCE.names or ())[:5]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who does what when, in cycles; rows of tables are in order of decision.

    node_start, node_end: int64 (n,). order: int64 (n,), nodes in order of decision.
    transfers: int64 columns tensor, source, target (cores; off-chip is one past the last), start,
        end (links are released), reason (FETCH, EVICTION, FINAL_STORE, STREAM), for_node (-1: a
        prefetch), source_residence and target_residence (-1: off-chip).
    residences: int64 columns tensor, pool, from_cycle, to_cycle, transfer (that filled it, -1: the
        tensor was made there).
    node_residence: int64 (n,), where the output went; need_residence: int64 (m,), where a need
        was read; -1: streamed.
    latency: last end of a node or transfer. pool_peak_bytes: int64 (p,). link_busy_cycles,
        link_transfers: int64 (l,), streams not counted.
    """

    node_start: Int64s
    node_end: Int64s
    order: Int64s
    transfers: dict[str, Int64s]
    residences: dict[str, Int64s]
    node_residence: Int64s
    need_residence: Int64s
    latency: int
    pool_peak_bytes: Int64s
    link_busy_cycles: Int64s
    link_transfers: Int64s


def schedule(problem: SchedulingProblem) -> Schedule:
    """The list schedule of a problem, checked for conservation.

    Raises InputError if a core doesn't exist, an order is impossible, the working set of a node
    exceeds its pool, or a tensor has no way to where it is needed.
    """
    check_nodes(problem)
    at = places(problem)
    check_working_sets(problem, at)
    rows = 2 * (at.tensor.size + problem.layer.size) + 16
    while True:
        state = empty_state(problem, at, rows)
        status = run(state)
        if status != TABLE_FULL:
            break
        rows *= 2
    if status != DONE:
        raise InputError(_reason(problem, status, state))
    result = _schedule(problem, state)
    check_conservation(problem, result)
    return result


def _reason(problem: SchedulingProblem, status: int, state: State) -> str:
    if status == NO_ROUTE:
        source, target = (problem.place_name(int(core)) for core in state.counts[3:])
        return f"links: there must be a route between {source} and {target}, not none"
    raise AssertionError("a working set that was checked didn't fit")


def _columns(table: Table, names: Sequence[str]) -> dict[str, Int64s]:
    return {name: np.ascontiguousarray(table[name]) for name in names}


def _schedule(problem: SchedulingProblem, state: State) -> Schedule:
    transfers = _columns(state.transfers[: state.counts[0]], TRANSFER_COLUMNS)
    residences = _columns(state.residences[: state.counts[1]], RESIDENCE_COLUMNS)
    nodes = _columns(state.nodes, ("start", "end", "residence"))
    busy, count = _link_use(problem, transfers)
    return Schedule(
        node_start=nodes["start"],
        node_end=nodes["end"],
        order=state.order,
        transfers=transfers,
        residences=residences,
        node_residence=nodes["residence"],
        need_residence=_columns(state.needs, ("residence",))["residence"],
        latency=int(max(nodes["end"].max(initial=0), transfers["end"].max(initial=0))),
        pool_peak_bytes=_pool_peaks(problem, residences),
        link_busy_cycles=busy,
        link_transfers=count,
    )


def _pool_peaks(problem: SchedulingProblem, residences: dict[str, Int64s]) -> Int64s:
    """Most bytes that each pool holds at any time; what ends at a cycle is gone in that cycle."""
    size = problem.tensor_bytes[residences["tensor"]]
    peaks = np.zeros(problem.pool_bytes.size, dtype=np.int64)
    for pool in range(peaks.size):
        here = residences["pool"] == pool
        time = np.concatenate([residences["to_cycle"][here], residences["from_cycle"][here]])
        change = np.concatenate([-size[here], size[here]])
        used = np.cumsum(change[np.argsort(time, kind="stable")])
        peaks[pool] = used.max(initial=0)
    return peaks


def _link_use(problem: SchedulingProblem, transfers: dict[str, Int64s]) -> tuple[Int64s, Int64s]:
    links, row = links_of_transfers(problem, transfers)
    counted = transfers["reason"][row] != STREAM
    duration = (transfers["end"] - transfers["start"])[row]
    busy, count = np.zeros((2, problem.link_width_bits.size), dtype=np.int64)
    np.add.at(busy, links[counted], duration[counted])
    np.add.at(count, links[counted], 1)
    return busy, count
