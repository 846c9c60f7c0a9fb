"""Lowering: a network and the mapping of its layers become a tile program for one core.

Layers are lowered one after another; tiles of the next may be fetched while one still computes, as
far as buffers and data allow. Rules: ARCHITECTURE.md PROG-1 to PROG-5, MAP-1 to MAP-8.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace

from hw_models.floorplan import CorePlan, Floorplan, floorplan
from hw_models.spec import ChipSpec
from simulator.lowering.addresses import dram_addresses
from simulator.lowering.buffer_map import BufferMap
from simulator.lowering.builder import ProgramBuilder
from simulator.lowering.layer_block import CoreState, LayerBlock, Stayer
from simulator.lowering.parts import Part, layer_parts
from simulator.lowering.placement import Placement, place_features
from simulator.lowering.tensor_bands import Bands, add_bands, join_bands
from simulator.lowering.tile_boxes import tensor_shape
from simulator.mapping.mapper import Plan, find_mapping, least_bytes
from simulator.mapping.mapping import LayerMappingSpec
from simulator.mapping.streams import Stream, layer_streams
from simulator.program import CREDIT, TileProgram
from simulator.workload.graph import Workload


@dataclass(frozen=True, slots=True)
class Lowered:
    """A program with what was decided on the way.

    plans: mapping and prediction of every layer; the mapping of a concatenation is that of the
        part that moves most.
    placement: the feature maps that stay on the chip.
    """

    program: TileProgram
    plan: Floorplan
    plans: dict[str, Plan]
    placement: Placement


def lower(
    workload: Workload,
    chip: ChipSpec,
    objective: str = "latency",
    given: MappingOf[str, LayerMappingSpec] | None = None,
) -> Lowered:
    """Lower a network for the first core of a chip.

    objective: what the mapping search minimises (mapping.search.OBJECTIVES). given: mappings by
    layer name that replace the search. Raises InputError when a layer fits in no legal tiling.
    """
    return _Lowering(workload, chip, objective, given or {}).run()


class _Lowering:
    def __init__(
        self,
        workload: Workload,
        chip: ChipSpec,
        objective: str,
        given: MappingOf[str, LayerMappingSpec],
    ) -> None:
        self.workload, self.chip, self.objective, self.given = workload, chip, objective, given
        self.plan = floorplan(chip)
        self.core: CorePlan = self.plan.cores[0]
        self.builder = ProgramBuilder()
        self.state = CoreState(
            self.core,
            chip.precision,
            dram_addresses(workload, chip),
            {buffer.index: BufferMap() for buffer in self.core.buffers},
        )
        self.placement = place_features(
            workload, self.core, chip.precision.output_bits, self._least_bytes
        )
        self.found: dict[object, Plan] = {}

    def run(self) -> Lowered:
        plans: dict[str, Plan] = {}
        for index, layer in enumerate(self.workload.layers):
            parts = [self._lower_part(part) for part in layer_parts(self.workload, index)]
            bands = [part_bands for _, part_bands in parts]
            self.state.ready[layer.output] = join_bands(self.builder, index, bands)
            plans[layer.name] = _whole([plan for plan, _ in parts])
        names = tuple(layer.name for layer in self.workload.layers)
        program = self.builder.build(self.plan, names)
        return Lowered(program, self.plan, plans, self.placement)

    def _lower_part(self, part: Part) -> tuple[Plan, Bands]:
        streams = self._streams(part, self.placement.on_chip(part.index))
        plan = self._plan_of(part, streams)
        block = LayerBlock(self.builder, self.state, part, streams, plan.mapping)
        output = streams[-1]
        if output.resident and output.tensor not in self.state.stayers:
            self._settle(output.tensor, block.first_finish)
        made, final = block.emit()
        if output.resident:
            self._hold(output.tensor, int(made[-1]))
        shape = tensor_shape(output, part)
        return plan, add_bands(self.builder, part.index, shape, block.steps, made, final)

    def _streams(self, part: Part, on_chip: frozenset[str] = frozenset()) -> tuple[Stream, ...]:
        return layer_streams(part.layer, self.core, self.chip.precision, on_chip)

    def _plan_of(self, part: Part, streams: tuple[Stream, ...]) -> Plan:
        """The mapping of a part; layers of the same shape in the same situation share a search."""
        free = {buffer.index: buffer.spec.size_bytes for buffer in self.core.buffers}
        if self.placement.buffer in free:
            free[self.placement.buffer] = self.placement.free_bytes(part.index)
        given = self.given.get(part.layer.name)
        layer = part.layer
        shapes = tuple(replace(stream, tensor="") for stream in streams)
        key = (layer.dims, layer.op, layer.function, layer.post_ops, shapes, tuple(free.items()))
        if given is not None or key not in self.found:
            plan = find_mapping(layer, self.core, self.plan, streams, free, self.objective, given)
            if given is not None:
                return plan
            self.found[key] = plan
        return self.found[key]

    def _least_bytes(self, index: int, buffer: int) -> int:
        """Bytes that the smallest tiles of a layer take in a buffer."""
        parts = layer_parts(self.workload, index)
        return max(least_bytes(p.layer, self.core, self._streams(p), buffer) for p in parts)

    def _settle(self, tensor: str, first_writer: int) -> None:
        """Give a feature map its place; its first writer waits for what was there."""
        stay = self.placement.stays[tensor]
        buffer = self.placement.buffer
        low, high = stay.offset, stay.offset + stay.size
        region, holders = self.state.maps[buffer].take(low, high)
        self.builder.add_edges(holders, first_writer, CREDIT)
        columns = {"buffer": buffer, "offset": low, "bytes": stay.size}
        slot = int(self.builder.add_slots(1, columns)[0])
        self.builder.add_uses(first_writer, slot)
        self.state.stayers[tensor] = Stayer(region, slot)

    def _hold(self, tensor: str, last_writer: int) -> None:
        stayer = self.state.stayers[tensor]
        self.builder.add_uses(last_writer, stayer.slot)
        stayer.region.holders.append(last_writer)


def _whole(parts: list[Plan]) -> Plan:
    """The plan of a layer from those of its parts, which run one after another."""
    return Plan(
        max(parts, key=lambda plan: plan.dram_bytes).mapping,
        sum(plan.cycles for plan in parts),
        sum(plan.dram_bytes for plan in parts),
        sum(plan.energy_pj for plan in parts),
    )
