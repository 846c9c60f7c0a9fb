"""Lowering: a network and the mapping of its layers become a tile program.

Layers are lowered one after another; tiles of the next may be fetched while one still computes, as
far as buffers and data allow. Rules: ARCHITECTURE.md PROG-1 to PROG-5, MAP-1 to MAP-8.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw_models.floorplan import CorePlan, Floorplan, floorplan
from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError
from simulator.allocation.shares import Allocation, split
from simulator.lowering.addresses import dram_addresses
from simulator.lowering.buffer_map import BufferMap
from simulator.lowering.builder import ProgramBuilder
from simulator.lowering.layer_block import CoreState, LayerBlock, Stayer, Tensors
from simulator.lowering.parts import layer_parts
from simulator.lowering.placement import Placement, place_features
from simulator.lowering.tensor_bands import Bands, add_bands, join_parts
from simulator.mapping.mapper import Plan, find_mapping, least_bytes
from simulator.mapping.mapping import LayerMappingSpec
from simulator.mapping.part import Part
from simulator.mapping.streams import Stream, layer_streams
from simulator.program import CREDIT, Compiled, TileProgram
from simulator.workload.graph import Workload


@dataclass(frozen=True, slots=True)
class Lowered:
    """A program with what was decided on the way.

    plans: mapping and prediction of every layer; where it has several parts, the mapping is that of
        the part that moves most, and cycles are those of the core that takes longest.
    placements: the feature maps that stay on each core. allocation: the shares of every layer.
    """

    program: TileProgram
    plan: Floorplan
    plans: dict[str, Plan]
    placements: tuple[Placement, ...]
    allocation: Allocation

    @property
    def stays(self) -> frozenset[str]:
        """Tensors that never go to DRAM."""
        return frozenset(name for placement in self.placements for name in placement.stays)

    @property
    def compiled(self) -> Compiled:
        """What running it takes, however it was made."""
        predicted = tuple(self.plans[layer].cycles for layer in self.program.layers)
        cores = tuple(frozenset(share.core for share in shares) for shares in self.allocation)
        return Compiled(self.program, self.plan, predicted, cores)


def lower(
    workload: Workload,
    chip: ChipSpec,
    objective: str = "latency",
    given: MappingOf[str, LayerMappingSpec] | None = None,
    allocation: Allocation | None = None,
) -> Lowered:
    """Lower a network for a chip.

    objective: what the mapping search minimises (mapping.search.OBJECTIVES). given: mappings by
    layer name that replace the search. allocation: which core computes what; by default every
    layer divided over all cores. Raises InputError when a layer fits in no legal tiling, and for
    cores that compute side by side in one buffer.
    """
    plan = floorplan(chip)
    shares = split(workload, plan) if allocation is None else allocation
    _refuse_shared(plan, {share.core for layer in shares for share in layer})
    return _Lowering(workload, plan, objective, given or {}, shares).run()


class _Lowering:
    def __init__(
        self,
        workload: Workload,
        plan: Floorplan,
        objective: str,
        given: MappingOf[str, LayerMappingSpec],
        allocation: Allocation,
    ) -> None:
        self.workload, self.plan, self.objective, self.given = workload, plan, objective, given
        self.allocation = allocation
        self.precision = plan.chip.precision
        self.builder = ProgramBuilder()
        self.parts = [
            layer_parts(index, layer, shares)
            for index, (layer, shares) in enumerate(zip(workload.layers, allocation, strict=True))
        ]
        self.tensors = Tensors(dram_addresses(workload, plan.chip))
        self.states = [
            CoreState(
                core, self.precision, self.tensors, {b.index: BufferMap() for b in core.buffers}
            )
            for core in plan.cores
        ]
        users = [frozenset(share.core for share in shares) for shares in allocation]
        self.placements = tuple(
            place_features(workload, core, self.precision.output_bits, users, self._least_bytes)
            for core in plan.cores
        )
        self.found: dict[object, Plan] = {}

    def run(self) -> Lowered:
        plans: dict[str, Plan] = {}
        for index, layer in enumerate(self.workload.layers):
            lowered = [(part, *self._lower_part(part)) for part in self.parts[index]]
            shape = (layer.dims.b, layer.dims.oy, layer.dims.ox, layer.dims.g * layer.dims.k)
            bands = [part_bands for _, _, part_bands in lowered]
            self.tensors.made[layer.output] = join_parts(self.builder, index, shape, bands)
            plans[layer.name] = _whole([(part.core, plan) for part, plan, _ in lowered])
        names = tuple(layer.name for layer in self.workload.layers)
        program = self.builder.build(self.plan, names)
        return Lowered(program, self.plan, plans, self.placements, self.allocation)

    def _lower_part(self, part: Part) -> tuple[Plan, Bands]:
        state, placement = self.states[part.core], self.placements[part.core]
        streams = self._streams(part, placement.on_chip(part.index))
        plan = self._plan_of(part, streams)
        block = LayerBlock(self.builder, state, part, streams, plan.mapping)
        output = streams[-1]
        if output.resident and output.tensor not in self.tensors.stayers:
            self._settle(placement, state, output.tensor, block.first_finish)
        made, final = block.emit()
        if output.resident:
            self._hold(output.tensor, int(made[-1]))
        return plan, add_bands(self.builder, part, block.steps, made, final)

    def _streams(self, part: Part, on_chip: frozenset[str] = frozenset()) -> tuple[Stream, ...]:
        return layer_streams(part.layer, self.plan.cores[part.core], self.precision, on_chip)

    def _plan_of(self, part: Part, streams: tuple[Stream, ...]) -> Plan:
        """The mapping of a part; parts of the same shape in the same situation share a search."""
        core, placement = self.plan.cores[part.core], self.placements[part.core]
        free = {buffer.index: buffer.spec.size_bytes for buffer in core.buffers}
        if placement.buffer in free:
            free[placement.buffer] = placement.free_bytes(part.index)
        given = self.given.get(part.layer.name)
        if given is not None:
            return find_mapping(part, core, self.plan, streams, free, self.objective, given)
        key = _situation(part, core, streams, free)
        if key not in self.found:
            self.found[key] = find_mapping(part, core, self.plan, streams, free, self.objective)
        return self.found[key]

    def _least_bytes(self, index: int, buffer: int) -> int:
        """Bytes that the smallest tiles of a layer take in a buffer."""
        return max(
            least_bytes(part, self.plan.cores[part.core], self._streams(part), buffer)
            for part in self.parts[index]
        )

    def _settle(
        self, placement: Placement, state: CoreState, tensor: str, first_writer: int
    ) -> None:
        """Give a feature map its place; its first writer waits for what was there."""
        stay = placement.stays[tensor]
        low, high = stay.offset, stay.offset + stay.size
        region, holders = state.maps[placement.buffer].take(low, high)
        self.builder.add_edges(holders, first_writer, CREDIT)
        columns = {"buffer": placement.buffer, "offset": low, "bytes": stay.size}
        slot = int(self.builder.add_slots(1, columns)[0])
        self.builder.add_uses(first_writer, slot)
        self.tensors.stayers[tensor] = Stayer(region, slot)

    def _hold(self, tensor: str, last_writer: int) -> None:
        stayer = self.tensors.stayers[tensor]
        self.builder.add_uses(last_writer, stayer.slot)
        stayer.region.holders.append(last_writer)


def _refuse_shared(plan: Floorplan, cores: set[int]) -> None:
    # Each core lays out its buffers by itself, which would give the same bytes to several.
    users: dict[int, str] = {}
    for core in (plan.cores[number] for number in sorted(cores)):
        for buffer in core.buffers:
            first = users.setdefault(buffer.index, core.name)
            if first != core.name:
                raise InputError(
                    f"{plan.chip.name}: {first} and {core.name} must have buffers of their own to "
                    f"compute layers one after another, not both {buffer.name}; --granularity "
                    "compiles for cores that share"
                )


def _situation(
    part: Part, core: CorePlan, streams: tuple[Stream, ...], free: dict[int, int]
) -> object:
    """What the mapping of a part depends on: equal parts on equal cores have equal ones."""
    numbers = {index: place for place, index in enumerate(free)}
    shapes = tuple(replace(s, tensor="", buffer=numbers.get(s.buffer, -1)) for s in streams)
    layer, room = part.layer, tuple(free.values())
    what = (layer.dims, layer.op, layer.function, layer.post_ops, part.first, part.extent)
    return what, (layer.weight_density, layer.input_density), (core.spec, shapes, room)


def _whole(parts: Sequence[tuple[int, Plan]]) -> Plan:
    """The plan of a layer from those of its parts: one after another on a core, cores at once."""
    cycles: dict[int, float] = {}
    for core, plan in parts:
        cycles[core] = cycles.get(core, 0.0) + plan.cycles
    return Plan(
        max((plan for _, plan in parts), key=lambda plan: plan.dram_bytes).mapping,
        max(cycles.values()),
        sum(plan.dram_bytes for _, plan in parts),
        sum(plan.energy_pj for _, plan in parts),
    )
