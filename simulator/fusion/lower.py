"""A schedule as a tile program: the same order on every core and link, at whatever times.

Steps are nodes and transfers in the order of their starts in the schedule. A transfer is a LOAD,
STORE or SEND in the queue of the first link of its route, a node a COMPUTE. A node that streams
operands is cut into chunks, each with its LOAD and STORE, two of which may be under way.
Rules: ARCHITECTURE.md FUSE-7 to FUSE-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hw_models.floorplan import Floorplan
from hw_models.links import link_graph
from hw_models.spec import OPERANDS
from hw_models.tile_cost import is_on_array
from simulator.fusion.costs import NodeCosts, chip_cycles
from simulator.fusion.credits import Credits, credits
from simulator.fusion.graph import FusedGraph
from simulator.fusion.problem import SchedulingProblem
from simulator.fusion.schedule import Schedule
from simulator.fusion.schedule_kernel import FINAL_STORE, STREAM
from simulator.lowering.builder import ProgramBuilder
from simulator.program import COMPUTE, CREDIT, DATA, LOAD, SEND, STORE, SYNC, Int64s, TileProgram

STREAM_CHUNKS = 16
"""Pieces of a node that streams; the first load and the last store are not hidden."""
ALIGNMENT_BYTES = 64
"""Of tensors in DRAM."""


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


def lower_schedule(parts: Parts) -> TileProgram:
    """The program of a schedule."""
    return _Lowering(parts).program()


class _Lowering:
    """Steps are numbered in the order of starts; entities are nodes, then transfers."""

    def __init__(self, parts: Parts) -> None:
        self.graph, self.problem, self.schedule = parts.graph, parts.problem, parts.schedule
        self.costs, self.plan, self.eager = parts.costs, parts.plan, parts.eager
        self.nodes = self.graph.layer.size
        self.dram = len(self.plan.cores)
        every = self.schedule.transfers
        self.kept = np.flatnonzero(every["reason"] != STREAM)
        self.transfers = {name: column[self.kept] for name, column in every.items()}
        self.builder = ProgramBuilder()

    def program(self) -> TileProgram:
        slots = self.schedule.residences
        count = slots["pool"].size
        self.builder.add_tasks(self.rows, self._columns())
        self.builder.add_slots(
            count, {"buffer": slots["pool"], "offset": -1, "bytes": self._residence_bytes}
        )
        self._add_edges()
        self._add_uses()
        self._add_trains()
        names = tuple(layer.name for layer in self.graph.workload.layers)
        return self.builder.build(self.plan, names)

    # -- the order of steps and rows

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
        reader = np.repeat(np.arange(self.nodes), np.diff(self.graph.need_pointers))
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
        reader = np.repeat(np.arange(self.nodes), np.diff(self.graph.need_pointers))
        residence = self.schedule.need_residence
        source = self.transfers["source_residence"]
        sent = np.flatnonzero(source >= 0)
        return (
            np.concatenate([residence[residence >= 0], source[sent]]),
            np.concatenate([reader[residence >= 0], self.nodes + sent]),
        )

    @cached_property
    def credits(self) -> Credits:
        residence, reader = self.users
        last = self.step[self.maker].copy()
        np.maximum.at(last, residence, self.step[reader])
        table = self.schedule.residences
        return credits(
            table["pool"],
            self._residence_bytes,
            self.step[self.maker],
            last,
            table["to_cycle"],
            self.problem.pool_bytes,
        )

    @cached_property
    def _residence_bytes(self) -> Int64s:
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

    # -- columns

    def _columns(self) -> dict[str, Int64s]:
        columns = {name: np.full(self.rows, -1, dtype=np.int64) for name in _MINUS_ONE}
        columns |= {name: np.zeros(self.rows, dtype=np.int64) for name in _ZERO}
        columns["kind"][:] = SYNC
        self._fill_nodes(columns)
        self._fill_streams(columns)
        self._fill_transfers(columns, self.first[self.nodes :])
        return columns

    def _fill_nodes(self, columns: dict[str, Int64s]) -> None:
        node, chunk = np.nonzero(self.computing >= 0)
        rows, pieces = self.computing[node, chunk], self.chunks[node]
        is_mac = np.array([layer.is_mac for layer in self.graph.workload.layers])
        outputs = (self.graph.high - self.graph.low).prod(axis=1)
        macs = self.graph.shape.prod(axis=1) * is_mac[self.graph.layer]
        columns["kind"][rows] = COMPUTE
        columns["unit"][rows] = self._units[node]
        columns["layer"][rows] = self.graph.layer[node]
        for name, whole in (
            ("cycles", self.cycles),
            ("port_cycles", self.cycles - np.minimum(self.cycles, self.fed_cycles)),
            ("macs", macs),
            ("elements", outputs),
        ):
            columns[name][rows] = _share(whole[node], chunk, pieces)

    @cached_property
    def _units(self) -> Int64s:
        """The PE array of each node's core, or its vector unit for what the array can't compute."""
        cores = self.plan.cores
        units = np.array([(core.vector_unit, core.pe_array) for core in cores])
        layers = self.graph.workload.layers
        on_array = np.array(
            [[is_on_array(core.spec, layer.op.value) for layer in layers] for core in cores]
        )
        core = self.problem.core
        return units[core, on_array[core, self.graph.layer].astype(np.int64)]

    @cached_property
    def fed_cycles(self) -> Int64s:
        """Chip cycles of each node with ports wide enough."""
        return chip_cycles(self.costs.of_nodes("array_cycles"), self.problem.core, self.plan)

    @cached_property
    def cycles(self) -> Int64s:
        """Chip cycles of each node with its operands at hand; transfers bring what is streamed."""
        return np.where(self.reads + self.writes > 0, self.fed_cycles, self.problem.cycles)

    def _fill_streams(self, columns: dict[str, Int64s]) -> None:
        """Loads and stores of the chunks of nodes that stream."""
        node, chunk = np.nonzero((self.computing >= 0) & (self.reads > 0)[:, None])
        rows = self._stream_load_rows[node, chunk]
        self._move(columns, rows, node, LOAD, _share(self.reads[node], chunk, self.chunks[node]))
        node, chunk = np.nonzero((self.computing >= 0) & (self.writes > 0)[:, None])
        rows = self.computing[node, chunk] + 1
        self._move(columns, rows, node, STORE, _share(self.writes[node], chunk, self.chunks[node]))

    @cached_property
    def _stream_load_rows(self) -> Int64s:
        """Rows of the loads of chunks: the first in front, others before the chunk before."""
        rows = np.full_like(self.computing, -1)
        rows[:, 0] = self.first[: self.nodes]
        rows[:, 1:] = np.where(self.computing[:, 1:] >= 0, self.computing[:, :-1] - 1, -1)
        return rows

    def _move(
        self, columns: dict[str, Int64s], rows: Int64s, node: Int64s, kind: int, moved: Int64s
    ) -> None:
        core = self.problem.core[node]
        ends = (self.dram, core) if kind == LOAD else (core, self.dram)
        columns["kind"][rows] = kind
        columns["unit"][rows] = self._queue(*np.broadcast_arrays(*ends))
        columns["layer"][rows] = self.graph.layer[node]
        columns["operand"][rows] = OPERANDS.index("input" if kind == LOAD else "output")
        columns["buffer"][rows] = self.problem.activation_pool[core]
        columns["bytes"][rows] = columns["run_bytes"][rows] = moved
        for name in _COUNTS:
            columns[name][rows] = 1

    def _queue(self, source: Int64s, target: Int64s) -> Int64s:
        """The unit of the first link from one core to another."""
        graph = link_graph(self.plan.chip)
        ways = sorted(set(zip(source.tolist(), target.tolist(), strict=True)))
        table = np.full((self.dram + 1, self.dram + 1), -1, dtype=np.int64)
        for way in ways:
            table[way] = self.plan.links[graph.route(*way)[0]]
        return table[source, target]

    def _fill_transfers(self, columns: dict[str, Int64s], rows: Int64s) -> None:
        source, target, tensor = (self.transfers[n] for n in ("source", "target", "tensor"))
        comes, goes = (self.transfers[f"{n}_residence"] for n in ("target", "source"))
        pool = self.schedule.residences["pool"]
        held = np.where(comes >= 0, comes, goes)
        kind = np.select([source == self.dram, target == self.dram], [LOAD, STORE], SEND)
        moved = self.graph.tensor_bytes[tensor]
        is_weight = self.graph.tensor_is_weight[tensor]
        operand = np.where(is_weight, OPERANDS.index("weight"), OPERANDS.index("input"))
        columns["kind"][rows] = kind
        columns["unit"][rows] = self._queue(source, target)
        columns["layer"][rows] = self._layer_of_transfers
        columns["operand"][rows] = np.where(kind == STORE, OPERANDS.index("output"), operand)
        columns["buffer"][rows] = pool[held]
        columns["source_buffer"][rows] = np.where(kind == SEND, pool[goes], -1)
        columns["slot"][rows] = held
        if not self.eager:
            columns["release"][rows] = self.transfers["start"]
        columns["bytes"][rows] = moved
        off_chip = kind != SEND
        columns["address"][rows] = self._address[tensor] * off_chip
        columns["run_bytes"][rows] = moved * off_chip
        for name in _COUNTS:
            columns[name][rows] = off_chip

    @cached_property
    def _layer_of_transfers(self) -> Int64s:
        """A weight belongs to its layer, what is fetched to its reader, the rest to the maker."""
        tensor, for_node = self.transfers["tensor"], self.transfers["for_node"]
        maker = self.graph.tensor_maker[tensor]
        by_tensor = np.where(maker >= 0, maker, self.first_reader[tensor])
        fetched = (self.transfers["target"] != self.dram) & ~self.graph.tensor_is_weight[tensor]
        return self.graph.layer[np.where(fetched, for_node, by_tensor)]

    @cached_property
    def _address(self) -> Int64s:
        """First DRAM byte of each tensor."""
        room = -(-self.graph.tensor_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        return np.cumsum(room) - room

    # -- dependences

    def _add_edges(self) -> None:
        first, last, maker = self.first, self.last, self.maker
        residence, reader = self.users
        for target in self._entries(reader):
            self.builder.add_edges(last[maker[residence]], target, DATA)
        self._add_edges_through_dram()
        self._add_stream_edges()
        link_rows = self._link_rows
        step_entity = np.argsort(self.step)
        waiting = np.flatnonzero(self.credits.before >= 0)
        self.builder.add_edges(
            link_rows[self.credits.before[waiting]], first[step_entity[waiting]], CREDIT
        )
        self._add_chains(link_rows, last)

    def _entries(self, entities: Int64s) -> list[Int64s]:
        """Rows at which entities begin: the first computation."""
        rows = self.first[entities].copy()
        is_node = entities < self.nodes
        rows[is_node] = self.computing[entities[is_node], 0]
        return [rows]

    def _add_edges_through_dram(self) -> None:
        """What is read from DRAM must have been written there."""
        writer = self._dram_writer
        tensor = self.transfers["tensor"]
        fetched = (self.transfers["source"] == self.dram) & (self.graph.tensor_maker[tensor] >= 0)
        rows = self.first[self.nodes :][fetched]
        self.builder.add_edges(self.last[writer[tensor[fetched]]], rows, DATA)
        streamed = (self.schedule.need_residence < 0) & (
            self.graph.tensor_maker[self.graph.needs] >= 0
        )
        reader = np.repeat(np.arange(self.nodes), np.diff(self.graph.need_pointers))[streamed]
        source = self.last[writer[self.graph.needs[streamed]]]
        self.builder.add_edges(source, self.first[reader], DATA)

    @cached_property
    def _dram_writer(self) -> Int64s:
        """The entity that first writes each tensor to DRAM, its maker where nothing else does."""
        writer = np.maximum(self.graph.tensor_maker, 0)
        stored = np.flatnonzero(self.transfers["target"] == self.dram)[::-1]
        writer[self.transfers["tensor"][stored]] = self.nodes + stored
        return writer

    def _add_stream_edges(self) -> None:
        """Within nodes that stream: load, compute, store; two loaded chunks at a time."""
        loads, stores = self.reads > 0, self.writes > 0
        load, compute = self._stream_load_rows[loads], self.computing[loads]
        there = load >= 0
        self.builder.add_edges(load[there], compute[there], DATA)
        later = there[:, 2:]
        self.builder.add_edges(compute[:, :-2][later], load[:, 2:][later], CREDIT)
        made = self.computing[stores]
        made = made[made >= 0]
        self.builder.add_edges(made, made + 1, DATA)

    @cached_property
    def _link_rows(self) -> Int64s:
        """Row of the SYNC of each link of the chains."""
        entity = np.argsort(self.step)
        steps = np.array(self.credits.step, dtype=np.int64)
        return self.first[entity[steps]] - 1

    def _add_chains(self, link_rows: Int64s, last: Int64s) -> None:
        link_of = np.full(self.maker.size, -1, dtype=np.int64)
        for link, left in enumerate(self.credits.chain):
            link_of[left] = link
        residence, reader = self.users
        gone = link_of[residence] >= 0
        self.builder.add_edges(last[reader[gone]], link_rows[link_of[residence[gone]]], CREDIT)
        made = np.flatnonzero(link_of >= 0)
        self.builder.add_edges(last[self.maker[made]], link_rows[link_of[made]], CREDIT)
        previous = np.array(self.credits.previous, dtype=np.int64)
        some = np.flatnonzero(previous >= 0)
        self.builder.add_edges(link_rows[previous[some]], link_rows[some], CREDIT)

    # -- slots and ports

    def _add_uses(self) -> None:
        """A residence is held from the start of its maker to the end of its last reader."""
        residence, reader = self.users
        every = np.arange(self.maker.size)
        for rows in (self._entries(self.maker)[0], self.last[self.maker]):
            self.builder.add_uses(rows, every)
        self.builder.add_uses(self.last[reader], residence)

    def _add_trains(self) -> None:
        buffers = {
            (core.index, b.spec.name): b.index for core in self.plan.cores for b in core.buffers
        }
        node, chunk = np.nonzero(self.computing >= 0)
        rows, kind, core = (
            self.computing[node, chunk],
            self.costs.kind[node],
            self.problem.core[node],
        )
        for number, cost in enumerate(self.costs.costs):
            mine = kind == number
            if not mine.any():
                continue
            where = int(core[mine][0])
            for name, write, moved in cost.trains:
                share = _share(
                    np.full(int(mine.sum()), moved), chunk[mine], self.chunks[node[mine]]
                )
                self.builder.add_trains(
                    rows[mine], buffers[where, name], write, share, np.zeros_like(share)
                )


_MINUS_ONE = ("unit", "layer", "operand", "slot", "buffer", "source_buffer")
_COUNTS = ("count_1", "count_2", "count_3")
_ZERO = (
    "kind",
    "cycles",
    "port_cycles",
    "macs",
    "release",
    "elements",
    "bytes",
    "address",
    "run_bytes",
    *_COUNTS,
)


def _share(whole: Int64s, chunk: Int64s, pieces: Int64s) -> Int64s:
    """Of something cut into pieces as even as possible, what falls to a chunk."""
    return whole * (chunk + 1) // pieces - whole * chunk // pieces
