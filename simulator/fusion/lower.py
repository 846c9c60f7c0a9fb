"""A schedule as a tile program: the same order on every core and link, at whatever times.

Steps are nodes and transfers in the order of their starts in the schedule. A transfer is a LOAD,
STORE or SEND in the queue of the first link of its route, a node a COMPUTE. A node that streams
operands is cut into chunks, each with its LOAD and STORE, two of which may be under way.
Rules: ARCHITECTURE.md FUSE-7 to FUSE-9.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hw_models.links import link_graph
from hw_models.spec import OPERANDS
from hw_models.tile_cost import is_on_array
from simulator.fusion.costs import chip_cycles
from simulator.fusion.rows import Parts, Rows
from simulator.lowering.builder import ProgramBuilder
from simulator.program import COMPUTE, CREDIT, DATA, LOAD, SEND, STORE, SYNC, Int64s, TileProgram

ALIGNMENT_BYTES = 64
"""Of tensors in DRAM."""


def lower_schedule(parts: Parts) -> TileProgram:
    """The program of a schedule."""
    return _Lowering(parts).program()


class _Lowering(Rows):
    """Fills the rows with columns, edges, slots and trains."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.dram = len(self.plan.cores)
        self.builder = ProgramBuilder()

    def program(self) -> TileProgram:
        slots = self.schedule.residences
        count = slots["pool"].size
        self.builder.add_tasks(self.rows, self._columns())
        self.builder.add_slots(
            count, {"buffer": slots["pool"], "offset": -1, "bytes": self.residence_bytes}
        )
        self._add_edges()
        self._add_uses()
        self._add_trains()
        names = tuple(layer.name for layer in self.graph.workload.layers)
        return self.builder.build(self.plan, names)

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
        rows = self.stream_load_rows[node, chunk]
        self._move(columns, rows, node, LOAD, _share(self.reads[node], chunk, self.chunks[node]))
        node, chunk = np.nonzero((self.computing >= 0) & (self.writes > 0)[:, None])
        rows = self.computing[node, chunk] + 1
        self._move(columns, rows, node, STORE, _share(self.writes[node], chunk, self.chunks[node]))

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
        link_rows = self.link_rows
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
        reader = self.graph.need_node[streamed]
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
        load, compute = self.stream_load_rows[loads], self.computing[loads]
        there = load >= 0
        self.builder.add_edges(load[there], compute[there], DATA)
        later = there[:, 2:]
        self.builder.add_edges(compute[:, :-2][later], load[:, 2:][later], CREDIT)
        made = self.computing[stores]
        made = made[made >= 0]
        self.builder.add_edges(made, made + 1, DATA)

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
