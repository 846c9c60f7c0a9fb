"""The rows of a fused program: nodes and transfers in the order of the schedule, laid out.

Steps are nodes and transfers in the order of their starts. A node that streams operands has several
rows, and a SYNC of the chains of credits stands before the step that waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hw_models.floorplan import Floorplan
from simulator.fusion.costs import NodeCosts
from simulator.fusion.credits import Credits, credits
from simulator.fusion.graph import FusedGraph
from simulator.fusion.problem import SchedulingProblem
from simulator.fusion.schedule import Schedule
from simulator.fusion.schedule_kernel import FINAL_STORE, STREAM
from simulator.program import Int64s

STREAM_CHUNKS = 16
"""Pieces of a node that streams; the first load and the last store are not hidden."""


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a fused program is made of.

    eager: transfers are issued as soon as their data and room are there, not at the cycles of the
    schedule at the earliest.
    """

    graph: FusedGraph
    problem: SchedulingProblem
    schedule: Schedule
    costs: NodeCosts
    plan: Floorplan
    eager: bool = False


class Rows:
    """Steps are numbered in the order of starts; entities are nodes, then transfers."""

    def __init__(self, parts: Parts) -> None:
        self.graph, self.problem, self.schedule = parts.graph, parts.problem, parts.schedule
        self.costs, self.plan, self.eager = parts.costs, parts.plan, parts.eager
        self.nodes = self.graph.layer.size
        every = self.schedule.transfers
        self.kept = np.flatnonzero(every["reason"] != STREAM)
        self.transfers = {name: column[self.kept] for name, column in every.items()}

    @cached_property
    def step(self) -> Int64s:
        """Of every entity, its place in the order of the schedule's starts.

        What starts together keeps the order in which it was decided.
        """
        place = np.empty(self.nodes, dtype=np.int64)
        place[self.schedule.order] = np.arange(self.nodes)
        for_node, last = self.transfers["for_node"], self.transfers["reason"] == FINAL_STORE
        of_transfer = 3 * np.where(for_node < 0, 0, place[for_node]) + 2 * last
        decided = np.concatenate([3 * place + 1, of_transfer])
        start = np.concatenate([self.schedule.node_start, self.transfers["start"]])
        step = np.empty(start.size, dtype=np.int64)
        step[np.lexsort((decided, start))] = np.arange(start.size)
        return step

    @cached_property
    def first_reader(self) -> Int64s:
        """Of every tensor, the first node that reads it; the last of all where none does."""
        reader = self.graph.need_node
        found = np.full(self.graph.tensor_bytes.size, self.nodes - 1, dtype=np.int64)
        np.minimum.at(found, self.graph.needs, reader)
        return found

    @cached_property
    def maker(self) -> Int64s:
        """Of every residence, the entity that fills it."""
        filled = self.schedule.residences["transfer"]
        maker = np.full(filled.size, -1, dtype=np.int64)
        kept = self.schedule.node_residence >= 0
        maker[self.schedule.node_residence[kept]] = np.flatnonzero(kept)
        number = np.full(self.schedule.transfers["tensor"].size, -1, dtype=np.int64)
        number[self.kept] = np.arange(self.kept.size)
        by_transfer = filled >= 0
        maker[by_transfer] = self.nodes + number[filled[by_transfer]]
        return maker

    @cached_property
    def users(self) -> tuple[Int64s, Int64s]:
        """Pairs of a residence and an entity that reads it."""
        reader = self.graph.need_node
        residence = self.schedule.need_residence
        source = self.transfers["source_residence"]
        sent = np.flatnonzero(source >= 0)
        return (
            np.concatenate([residence[residence >= 0], source[sent]]),
            np.concatenate([reader[residence >= 0], self.nodes + sent]),
        )

    @cached_property
    def credits(self) -> Credits:
        """What each step waits for so that its pool has room."""
        residence, reader = self.users
        last = self.step[self.maker].copy()
        np.maximum.at(last, residence, self.step[reader])
        table = self.schedule.residences
        return credits(
            table["pool"],
            self.residence_bytes,
            self.step[self.maker],
            last,
            table["to_cycle"],
            self.problem.pool_bytes,
        )

    @cached_property
    def residence_bytes(self) -> Int64s:
        """Of every residence."""
        return self.graph.tensor_bytes[self.schedule.residences["tensor"]]

    @cached_property
    def reads(self) -> Int64s:
        """Bytes that each node streams in."""
        return self.costs.of_nodes("stream_read_bytes")

    @cached_property
    def writes(self) -> Int64s:
        """Bytes that each node streams out."""
        return self.costs.of_nodes("stream_write_bytes")

    @cached_property
    def chunks(self) -> Int64s:
        """Pieces of each node: no more than bytes that are streamed, so that each moves some."""
        least = np.full(self.nodes, STREAM_CHUNKS, dtype=np.int64)
        for moved in (self.reads, self.writes):
            least = np.where(moved > 0, np.minimum(least, moved), least)
        return np.where(self.reads + self.writes > 0, least, 1)

    @cached_property
    def own_rows(self) -> Int64s:
        """Rows of each entity, in the order of steps."""
        own = np.ones(self.step.size, dtype=np.int64)
        own[: self.nodes] = self.chunks * (1 + (self.reads > 0) + (self.writes > 0))
        rows = np.empty_like(own)
        rows[self.step] = own
        return rows

    @cached_property
    def ends(self) -> Int64s:
        """Of each step, the row after its last; the link of a chain comes before its first."""
        steps = np.array(self.credits.step, dtype=np.int64)
        return np.cumsum(self.own_rows + np.bincount(steps, minlength=self.own_rows.size))

    @property
    def rows(self) -> int:
        """Rows of the program."""
        return int(self.ends[-1]) if self.ends.size else 0

    @cached_property
    def first(self) -> Int64s:
        """First row of each entity."""
        return (self.ends - self.own_rows)[self.step]

    @cached_property
    def computing(self) -> Int64s:
        """Rows of the computations, (nodes, STREAM_CHUNKS); -1 beyond those of a node.

        A load of chunk i + 1 stands before the computation of chunk i, its store after it.
        """
        chunk = np.arange(STREAM_CHUNKS)[None, :]
        loads, stores = (self.reads > 0)[:, None], (self.writes > 0)[:, None]
        before = np.minimum(chunk + 2, self.chunks[:, None]) * loads + chunk * stores
        rows = self.first[: self.nodes, None] + before + chunk
        return np.where(chunk < self.chunks[:, None], rows, -1)

    @cached_property
    def last(self) -> Int64s:
        """Row after which each entity is done."""
        last = self.first.copy()
        done = self.computing.max(axis=1) + (self.writes > 0)
        last[: self.nodes] = done
        return last

    @cached_property
    def stream_load_rows(self) -> Int64s:
        """Rows of the loads of chunks: the first in front, others before the chunk before."""
        rows = np.full_like(self.computing, -1)
        rows[:, 0] = self.first[: self.nodes]
        rows[:, 1:] = np.where(self.computing[:, 1:] >= 0, self.computing[:, :-1] - 1, -1)
        return rows

    @cached_property
    def link_rows(self) -> Int64s:
        """Row of the SYNC of each link of the chains."""
        entity = np.argsort(self.step)
        steps = np.array(self.credits.step, dtype=np.int64)
        return self.first[entity[steps]] - 1
