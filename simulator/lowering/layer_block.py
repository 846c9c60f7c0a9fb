"""One part of a layer as a block of tasks: loads, computations, stores, and what they wait for.

The block is built as arrays over the steps of the part (its tiles in loop order). Every step has
the same kinds of possible tasks; a `TaskGrid` says which exist. Rules: PROG-1 to PROG-5.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hw_models.floorplan import DMA_OF, CorePlan
from hw_models.spec import OPERANDS, PrecisionSpec
from simulator.lowering.buffer_map import BufferMap, Region
from simulator.lowering.builder import ProgramBuilder
from simulator.lowering.residency import assign_slots
from simulator.lowering.steps import part_steps
from simulator.lowering.task_grid import Bools, Int64s, TaskGrid
from simulator.lowering.tensor_bands import Made, band_sources
from simulator.lowering.tile_boxes import tensor_shape, tile_runs
from simulator.mapping.mapping import Mapping
from simulator.mapping.part import Part
from simulator.mapping.streams import TILED_LOOPS, Role, Stream
from simulator.mapping.tile_costs import PORT_READ, imbalance_cycles, tile_costs
from simulator.program import COMPUTE, CREDIT, DATA, LOAD, STORE

OUTPUT_PLACES = [TILED_LOOPS.index(loop) for loop in ("b", "g", "k", "oy", "ox")]


@dataclass(slots=True)
class Stayer:
    """A feature map that lies in its buffer as a whole: its region and its slot."""

    region: Region
    slot: int


@dataclass(slots=True)
class Tensors:
    """What lowering knows of the tensors while it goes from layer to layer.

    address: first DRAM byte. made: of those made so far. stayers: feature maps kept on a core.
    """

    address: dict[str, int]
    made: dict[str, Made] = field(default_factory=dict)
    stayers: dict[str, Stayer] = field(default_factory=dict)


@dataclass(slots=True)
class CoreState:
    """What lowering knows of a core: its buffers' maps, by buffer, and the tensors of the chip."""

    core: CorePlan
    precision: PrecisionSpec
    tensors: Tensors
    maps: dict[int, BufferMap]


class LayerBlock:
    """Builds the block of one part on one core. Use once: construct, then `emit`."""

    def __init__(
        self,
        builder: ProgramBuilder,
        state: CoreState,
        part: Part,
        streams: tuple[Stream, ...],
        mapping: Mapping,
    ) -> None:
        self.builder, self.state, self.part = builder, state, part
        self.mapping = mapping
        self.steps = part_steps(part, mapping)
        self.reads = [s for s in streams if s.role is Role.READ]
        self.psum = next((s for s in streams if s.role is Role.ACCUMULATE), None)
        self.output = streams[-1]
        self.bytes = {s.name: self.steps.tile_bytes(s) for s in streams}
        self.kept = {
            s.name: assign_slots(self.steps.keys(s), mapping.slots[s.name])
            for s in streams
            if s.has_slots and s.role is not Role.WRITE
        }
        extents = self.steps.extent, *self.steps.input_extents
        self.costs = tile_costs(part.layer, state.core, state.precision, streams, *extents)
        self.outputs: Int64s = self.steps.extent[:, OUTPUT_PLACES].prod(axis=1)
        self.final = self._final_steps()
        self.grid = TaskGrid(self._present(), builder.task_count)
        self._next_offset: dict[int, int] = {}
        self._offsets: dict[str, Int64s] = {}

    def emit(self) -> tuple[Int64s, Int64s]:
        """Add the block. Returns the tasks whose ends make the output, and their steps."""
        self._set_columns()
        for stream in self.reads:
            if stream.resident:
                self._read_stayer(stream)
            else:
                self._emit_read(stream)
        if self.psum is not None:
            self._emit_psum(self.psum)
        if self.output.has_slots:
            self._emit_output(self.output)
        self._emit_flow()
        self._emit_trains()
        self.builder.add_tasks(self.grid.count, self.grid.columns)
        return self._made()[self.final], self.final

    # -- which tasks there are

    @property
    def _finish(self) -> str:
        """The kind of task that completes an output tile on the chip."""
        return "compute" if self.psum is None else "post"

    @property
    def first_finish(self) -> int:
        """The first task that writes a finished output tile on the chip."""
        return int(self.grid[self._finish][self.final[0]])

    def _made(self) -> Int64s:
        """The task of each final step after which others may read the output tile."""
        return self.grid["store" if self._is_stored else self._finish]

    @property
    def _is_stored(self) -> bool:
        return not self.output.resident

    def _final_steps(self) -> Int64s:
        """Steps after which an output tile is complete."""
        keys = self.steps.keys(self.psum) if self.psum is not None else np.arange(len(self.steps))
        _, from_end = np.unique(keys[::-1], return_index=True)
        return np.sort(keys.size - 1 - from_end)

    def _present(self) -> dict[str, Bools]:
        n = len(self.steps)
        final = np.zeros(n, dtype=bool)
        final[self.final] = True
        present = {
            f"load {s.name}": self.kept[s.name].loaded & (self.bytes[s.name] > 0)
            for s in self.reads
            if not s.resident
        }
        reload, spill = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        if self.psum is not None:
            sums = self.kept["psum"]
            reload = sums.loaded & (sums.previous >= 0)
            spill[sums.previous[reload]] = True
        present |= {"reload": reload, "compute": np.ones(n, dtype=bool), "spill": spill}
        if self.psum is not None:
            present["post"] = final
        if self._is_stored:
            present["store"] = final
        return present

    # -- columns

    def _set_columns(self) -> None:
        grid, core = self.grid, self.state.core
        grid.columns["layer"] = np.full(grid.count, self.part.index, dtype=np.int64)
        for stream in self.reads:
            self._set_transfer(
                f"load {stream.name}", LOAD, stream, stream.bits, self.bytes[stream.name]
            )
        if self.psum is not None:
            for task, kind in (("reload", LOAD), ("spill", STORE)):
                self._set_transfer(task, kind, self.psum, self.psum.bits, self.bytes["psum"])
            grid.set("post", kind=COMPUTE, unit=core.vector_unit, cycles=self.costs.post_cycles)
        bits = self.output.bits
        self._set_transfer("store", STORE, self.output, bits, self.bytes["output"])
        unit = core.vector_unit if self.psum is None else core.pe_array
        taps = self.part.layer.dims.fy * self.part.layer.dims.fx
        macs = 0 if self.psum is None else self.steps.extent.prod(axis=1) * taps
        grid.set("compute", kind=COMPUTE, unit=unit, cycles=self.costs.cycles, macs=macs)
        overlap = np.concatenate([[0], self.costs.overlap_cycles[:-1]])  # layers begin anew
        uneven = imbalance_cycles(self.part.layer, core, self.steps.extent)
        grid.set("compute", fill_cycles=self.costs.fill_cycles, overlap_cycles=overlap)
        grid.set("compute", imbalance_cycles=uneven)
        grid.set(self._finish, elements=self.outputs)

    def _set_transfer(self, task: str, kind: int, stream: Stream, bits: int, moved: Int64s) -> None:
        unit = self.state.core.dma[DMA_OF[stream.operand]]
        address = self.state.tensors.address[stream.tensor]
        runs = tile_runs(stream, self.part, self.steps, bits, moved, address)
        self.grid.set(task, kind=kind, unit=unit, buffer=stream.buffer, bytes=moved)
        self.grid.set(task, operand=OPERANDS.index(stream.operand), **runs)

    # -- slots

    def _slot_offsets(self, stream: Stream) -> tuple[int, int, list[Region], list[list[int]]]:
        """Lay out the slots of a stream: offset, bytes of one, and per slot region and holders."""
        size = self.steps.slot_bytes(stream)
        base = self._next_offset.get(stream.buffer, 0)
        count = self.mapping.slots[stream.name]
        self._next_offset[stream.buffer] = base + count * size
        taken = [
            self.state.maps[stream.buffer].take(base + i * size, base + (i + 1) * size)
            for i in range(count)
            if size
        ]
        return base, size, [region for region, _ in taken], [holders for _, holders in taken]

    def _hold_slots(self, stream: Stream, slot: Int64s, filler: Int64s, release: Int64s) -> None:
        """Give each tile a slot from the start of its filler to the end of its release.

        slot, filler, release: per tile, in order of time; tiles of a slot follow one another.
        """
        base, size, regions, holders = self._slot_offsets(stream)
        self._offsets[stream.name] = base + self._slot_of_step(stream) * size
        instances = self.builder.add_slots(
            slot.size, {"buffer": stream.buffer, "offset": base + slot * size, "bytes": size}
        )
        self._note_slots(filler, instances)
        self._note_slots(release, instances)
        self.builder.add_uses(filler, instances)
        self.builder.add_uses(release, instances)
        order = np.argsort(slot, kind="stable")
        same = slot[order][1:] == slot[order][:-1]
        before, after = order[:-1][same], order[1:][same]
        self.builder.add_edges(release[before], filler[after], CREDIT)
        for region, earlier in zip(regions, holders, strict=True):
            region.holders = earlier  # where no tile comes, who was there before remains
        used, first = np.unique(slot, return_index=True)
        _, from_end = np.unique(slot[::-1], return_index=True)
        for i, at, last in zip(used, first, slot.size - 1 - from_end, strict=True):
            if regions:
                self.builder.add_edges(holders[i], filler[at], CREDIT)
                regions[i].holders = [int(release[last])]

    def _slot_of_step(self, stream: Stream) -> Int64s:
        """Number of the slot that every step uses of a stream."""
        if stream.role is Role.WRITE:
            turn = np.zeros(len(self.steps), dtype=np.int64)
            turn[self.final] = np.arange(self.final.size) % self.mapping.slots["output"]
            return turn
        return self.kept[stream.name].slot

    def _note_slots(self, tasks: Int64s, slots: Int64s) -> None:
        """Say in the columns of transfers which slot they fill or empty."""
        columns = self.grid.columns
        columns.setdefault("slot", np.full(self.grid.count, -1, dtype=np.int64))
        rows = tasks - self.grid.first
        moves = columns["kind"][rows] != COMPUTE
        columns["slot"][rows[moves]] = slots[moves]

    def _emit_read(self, stream: Stream) -> None:
        kept, load, compute = (
            self.kept[stream.name],
            self.grid[f"load {stream.name}"],
            self.grid["compute"],
        )
        tiles = np.flatnonzero(kept.loaded)
        # A tile of nothing but padding has no load; its computation stands in for it.
        filler = np.where(load[tiles] >= 0, load[tiles], compute[tiles])
        self._hold_slots(stream, kept.slot[tiles], filler, compute[kept.last_use[tiles]])
        loaded = tiles[load[tiles] >= 0]
        self.builder.add_edges(load[loaded], compute[loaded], DATA)
        self._wait_for_data(stream, loaded, load[loaded])

    def _read_stayer(self, stream: Stream) -> None:
        stayer, compute = self.state.tensors.stayers[stream.tensor], self.grid["compute"]
        _, first = np.unique(self.steps.keys(stream), return_index=True)
        self._wait_for_data(stream, first, compute[first])
        self.builder.add_uses(compute[-1], stayer.slot)
        stayer.region.holders.append(int(compute[-1]))

    def _emit_psum(self, stream: Stream) -> None:
        kept, grid = self.kept["psum"], self.grid
        done = grid["store"] if self.output.in_place else grid["post"]
        release = np.where(grid["spill"] >= 0, grid["spill"], done)
        tiles = np.flatnonzero(kept.loaded)
        filler = np.where(grid["reload"][tiles] >= 0, grid["reload"][tiles], grid["compute"][tiles])
        self._hold_slots(stream, kept.slot[tiles], filler, release[kept.last_use[tiles]])
        back = np.flatnonzero(grid["reload"] >= 0)
        self.builder.add_edges(grid["spill"][kept.previous[back]], grid["reload"][back], DATA)
        self.builder.add_edges(grid["reload"][back], grid["compute"][back], DATA)
        away = np.flatnonzero(grid["spill"] >= 0)
        self.builder.add_edges(grid["compute"][away], grid["spill"][away], DATA)

    def _emit_output(self, stream: Stream) -> None:
        slot = self._slot_of_step(stream)[self.final]
        filler, release = self.grid[self._finish][self.final], self.grid["store"][self.final]
        self._hold_slots(stream, slot, filler, release)

    # -- what follows what

    def _emit_flow(self) -> None:
        grid, final = self.grid, self.final
        if self.psum is not None:
            self.builder.add_edges(grid["compute"][final], grid["post"][final], DATA)
        if self._is_stored:
            self.builder.add_edges(grid[self._finish][final], grid["store"][final], DATA)

    def _wait_for_data(self, stream: Stream, steps: Int64s, tasks: Int64s) -> None:
        """Let tasks wait for the rows of the tensor that the tiles of their steps need."""
        made = self.state.tensors.made.get(stream.tensor)
        if made is None or not steps.size:
            return
        aligned = stream.windows is not None and "oy" in stream.loops
        aligned &= made.shape == tensor_shape(stream, self.part)
        src, which = band_sources(made, self.steps, steps, aligned=aligned)
        self.builder.add_edges(src, tasks[which], DATA)

    def _emit_trains(self) -> None:
        compute, psum_bits = self.grid["compute"], self.state.precision.psum_bits
        for (buffer, direction), moved in self.costs.port_bytes.items():
            again = np.zeros_like(moved)
            if self.psum is not None and direction == PORT_READ and buffer == self.psum.buffer:
                # Sums begun by an earlier tile along c are read back by this one.
                continues = self._occurred_before(self.psum)
                again = continues * (-(-self.outputs * psum_bits // 8))
            offset = self._train_offset(buffer, direction)
            self.builder.add_trains(compute, buffer, direction, moved + again, offset)
        for (buffer, direction), moved in self.costs.post_port_bytes.items():
            posts, offset = self.grid["post"], self._train_offset(buffer, direction)
            at = self.final
            self.builder.add_trains(posts[at], buffer, direction, moved[at], offset[at])

    def _train_offset(self, buffer: int, direction: int) -> Int64s:
        """Where the words lie that a computation reads from or writes to a buffer, at every step.

        Of several operands that share the buffer, the first stands for all.
        """
        other = Role.WRITE if direction == PORT_READ else Role.READ
        for stream in (*self.reads, *([self.psum] if self.psum else []), self.output):
            if stream.buffer != buffer or stream.role is other:
                continue
            if stream.name in self._offsets:
                return self._offsets[stream.name]
            if stream.resident:
                low = self.state.tensors.stayers[stream.tensor].region.low
                return np.full(len(self.steps), low)
        return np.zeros(len(self.steps), dtype=np.int64)

    def _occurred_before(self, stream: Stream) -> Bools:
        return self.kept[stream.name].previous >= 0
