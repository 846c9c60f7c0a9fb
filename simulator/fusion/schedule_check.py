"""Conservation laws of a schedule: no room, core or link is used twice, no data too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.fusion.problem import Bools, Int64s, SchedulingProblem
from simulator.fusion.schedule_tables import NEVER, STREAM

if TYPE_CHECKING:
    from simulator.fusion.schedule import Schedule


def check_conservation(problem: SchedulingProblem, result: Schedule) -> None:
    """Raise AssertionError, naming the law, if a schedule breaks one."""
    laws = {
        "pools hold no more than their capacity": result.pool_peak_bytes <= problem.pool_bytes,
        "each core runs one node at a time": _cores_alone(problem, result),
        "each link serves one transfer at a time": _links_alone(problem, result),
        "needs are in their pools while a node reads them": _needs_there(problem, result),
        "needs are streamed from off-chip only after they are there": _streams_late(
            problem, result
        ),
        "transfers read what exists": _sources_exist(problem, result),
    }
    broken = [law for law, holds in laws.items() if not np.all(holds)]
    if broken:
        raise AssertionError(f"schedule: {broken[0]}, not so in this one")


def links_of_transfers(
    problem: SchedulingProblem, transfers: dict[str, Int64s]
) -> tuple[Int64s, Int64s]:
    """Link and row of the table for every link that a transfer occupies."""
    route = transfers["source"] * (problem.offchip + 1) + transfers["target"]
    first = problem.route_pointers[route]
    hops = problem.route_pointers[route + 1] - first
    row = np.repeat(np.arange(route.size), hops)
    hop = np.arange(row.size) - np.repeat(np.cumsum(hops) - hops, hops)
    return problem.route_links[first[row] + hop], row


def _alone(unit: Int64s, start: Int64s, end: Int64s) -> Bools:
    """Whether intervals on the same unit follow each other; bool (intervals - 1,)."""
    order = np.lexsort((end, start, unit))
    unit, start, end = unit[order], start[order], end[order]
    return (unit[1:] != unit[:-1]) | (start[1:] >= end[:-1])


def _cores_alone(problem: SchedulingProblem, result: Schedule) -> Bools:
    return _alone(problem.core, result.node_start, result.node_end)


def _links_alone(problem: SchedulingProblem, result: Schedule) -> Bools:
    """A node that streams both ways over one link occupies it once."""
    transfers = result.transfers
    link, row = links_of_transfers(problem, transfers)
    start, end = transfers["start"][row], transfers["end"][row]
    user = np.where(transfers["reason"] == STREAM, transfers["for_node"], -1)[row]
    order = np.lexsort((user, end, start, link))
    same = (user[order][1:] == user[order][:-1]) & (user[order][1:] >= 0)
    return same | _alone(link, start, end)


def _available(problem: SchedulingProblem, result: Schedule) -> Int64s:
    """First cycle at which all of each residence is there."""
    filled_by = result.residences["transfer"]
    made = result.node_end[problem.tensor_maker[result.residences["tensor"]]]
    arrival = np.append(result.transfers["end"], 0)[filled_by] + problem.latency_cycles
    return np.where(filled_by >= 0, arrival, made)


def _needs_there(problem: SchedulingProblem, result: Schedule) -> Bools:
    held, node = result.need_residence, problem.need_node
    here = held >= 0
    there, reader = held[here], node[here]
    residences = result.residences
    return np.concatenate(
        [
            here != problem.need_streamed,
            residences["tensor"][there] == problem.needs[here],
            residences["pool"][there] == problem.need_pool[here],
            _available(problem, result)[there] <= result.node_start[reader],
            residences["to_cycle"][there] >= result.node_end[reader],
        ]
    )


def _offchip_from(problem: SchedulingProblem, result: Schedule) -> Int64s:
    """First cycle at which each tensor is off-chip."""
    since = np.where(problem.tensor_maker < 0, 0, NEVER)
    written = result.transfers["target"] == problem.offchip
    arrival = result.transfers["end"][written] + problem.latency_cycles
    np.minimum.at(since, result.transfers["tensor"][written], arrival)
    return since


def _streams_late(problem: SchedulingProblem, result: Schedule) -> Bools:
    streamed = problem.need_streamed
    since = _offchip_from(problem, result)[problem.needs[streamed]]
    return since <= result.node_start[problem.need_node[streamed]]


def _sources_exist(problem: SchedulingProblem, result: Schedule) -> Bools:
    transfers, residences = result.transfers, result.residences
    moved = transfers["reason"] != STREAM
    start, source = transfers["start"][moved], transfers["source_residence"][moved]
    onchip = source >= 0
    offchip = _offchip_from(problem, result)[transfers["tensor"][moved]]
    return np.concatenate(
        [
            offchip[~onchip] <= start[~onchip],
            _available(problem, result)[source[onchip]] <= start[onchip],
            residences["to_cycle"][source[onchip]] >= transfers["end"][moved][onchip],
        ]
    )
