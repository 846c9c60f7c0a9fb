"""The analytical cost of a network on a chip: the mapping search, without a program or a run.

Tilings of a layer and what they cost on an array don't depend on the size of the buffers or on the
memory, so points that differ only in those share them. The search itself is the mapper's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from hw_models.cost.energy import ACCESSES, TIME_ACTIONS, action_energies_pj
from hw_models.floorplan import CorePlan, Floorplan, floorplan
from hw_models.pe_array.registry import pe_array
from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError
from simulator.allocation.shares import split
from simulator.counters import vector_operations_of as vector_operations
from simulator.lowering.parts import layer_parts
from simulator.lowering.placement import Placement, place_features
from simulator.mapping import mapper
from simulator.mapping.candidates import tile_candidates
from simulator.mapping.mapper import Float64s, Tilings
from simulator.mapping.part import Part
from simulator.mapping.search import OBJECTIVES, Problem, search
from simulator.mapping.streams import TILED_LOOPS, Stream, layer_streams
from simulator.mapping.tile_costs import tile_costs
from simulator.mapping.window import Window
from simulator.workload.graph import Workload

MOST_CORES = 12
"""Cores whose tilings are kept at a time; a network's take some ten megabytes."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the analytical cost says of a network on a chip."""

    cycles: float
    dram_bytes: float
    energy_pj: float


@dataclass(frozen=True, slots=True)
class PartCosts:
    """All tilings of a part, float64 (n,) each: cycles, and bytes through each port.

    needs: bytes that each buffer needs at least, int64 (n,).
    """

    tilings: Tilings
    array_cycles: Float64s
    vector_cycles: Float64s
    port_bytes: dict[tuple[int, int], Float64s]
    needs: dict[int, np.ndarray]


class Screening:
    """Analytical costs, with a memory of the tilings of the cores that were last asked for."""

    def __init__(self) -> None:
        self._cores: OrderedDict[str, dict[object, PartCosts]] = OrderedDict()

    def estimate(self, workload: Workload, chip: ChipSpec, objective: str) -> Estimate:
        """Cycles, DRAM bytes and energy of a network whose layers are divided over all cores.

        Raises InputError when a layer fits in no legal tiling.
        """
        return _ChipScreening(self, workload, chip, objective).estimate()

    def kept(self, chip: ChipSpec, core: CorePlan) -> dict[object, PartCosts]:
        """Costs that are known of a core, whatever the size of its buffers."""
        data = core.spec.model_dump(mode="json")
        for buffer in data["buffers"]:
            del buffer["size_bytes"]
        key = repr((data, core.index, chip.precision, chip.dram.access_bytes))
        found = self._cores.setdefault(key, {})
        self._cores.move_to_end(key)
        if len(self._cores) > MOST_CORES:
            self._cores.popitem(last=False)
        return found


class _ChipScreening:
    def __init__(
        self, screening: Screening, workload: Workload, chip: ChipSpec, objective: str
    ) -> None:
        self.workload, self.chip, self.objective = workload, chip, objective
        self.plan = floorplan(chip)
        self.kept = {core.index: screening.kept(chip, core) for core in self.plan.cores}
        self.pj = action_energies_pj(chip)
        self.rates = {core.index: mapper.rates_of(core, self.plan) for core in self.plan.cores}
        shares = split(workload, self.plan)
        self.parts = [
            layer_parts(index, layer, shares[index]) for index, layer in enumerate(workload.layers)
        ]
        users = [frozenset(share.core for share in some) for some in shares]
        self.placements = [self._placement(core, users) for core in self.plan.cores]
        self.found: dict[object, tuple[float, float, float, float]] = {}

    def estimate(self) -> Estimate:
        cycles = moved = energy = 0.0
        busy = dict.fromkeys(self.kept, 0.0)
        for parts in self.parts:
            of_core: dict[int, float] = {}
            layer_bytes = 0.0
            for part in parts:
                took, part_bytes, pj, computing = self._part(part)
                busy[part.core] += computing
                of_core[part.core] = of_core.get(part.core, 0.0) + took
                layer_bytes, energy = layer_bytes + part_bytes, energy + pj
            # What cores share is the memory: together they can't be faster than it.
            cycles += max(*of_core.values(), layer_bytes / float(self.chip.dram_bytes_per_cycle))
            moved += layer_bytes
        energy += self._array_pj() + self._time_pj(cycles, busy)
        return Estimate(float(cycles), float(moved), float(energy))

    def _placement(self, core: CorePlan, users: list[frozenset[int]]) -> Placement:
        bits = self.chip.precision.output_bits
        return place_features(self.workload, core, bits, users, self._least_bytes)

    def _least_bytes(self, index: int, buffer: int) -> int:
        needs = [
            self._costs(part, self._streams(part), thorough=False).needs
            for part in self.parts[index]
        ]
        return max(int(need[buffer].min()) if buffer in need else 0 for need in needs)

    def _streams(self, part: Part, on_chip: frozenset[str] = frozenset()) -> tuple[Stream, ...]:
        core = self.plan.cores[part.core]
        return layer_streams(part.layer, core, self.chip.precision, on_chip)

    def _part(self, part: Part) -> tuple[float, float, float, float]:
        """Cycles, DRAM bytes, pJ and cycles of computing; equal parts are looked at once."""
        placement = self.placements[part.core]
        streams = self._streams(part, placement.on_chip(part.index))
        capacity = {b.index: b.spec.size_bytes for b in self.plan.cores[part.core].buffers}
        if placement.buffer in capacity:
            capacity[placement.buffer] = placement.free_bytes(part.index)
        key = _shape(part, streams), tuple(capacity.values())
        if key not in self.found:
            self.found[key] = self._search(part, streams, capacity)
        return self.found[key]

    def _search(
        self, part: Part, streams: tuple[Stream, ...], capacity: dict[int, int]
    ) -> tuple[float, float, float, float]:
        costs, fits = self._fitting(part, streams, capacity)
        steps = costs.tilings.counts.prod(axis=1)
        chosen = np.flatnonzero(fits & (steps <= max(mapper.MAX_STEPS, int(steps[fits].min()))))
        tilings = costs.tilings.select(chosen)
        moved = tuple(stream for stream in streams if not stream.resident)
        port_pj = self._port_pj(part, costs)[chosen]
        problem = Problem(
            tilings.counts,
            tilings.tile_bytes,
            tilings.whole_bytes.astype(np.float64),
            tilings.burst_bytes,
            costs.array_cycles[chosen],
            costs.vector_cycles[chosen],
            port_pj,
            np.array([loop in s.loops for s in moved for loop in TILED_LOOPS], bool).reshape(-1, 6),
            np.array([int(s.role) for s in moved], dtype=np.int64),
            np.array([s.buffer if s.has_slots else -1 for s in moved], dtype=np.int64),
            np.array([s.least_slots for s in moved], dtype=np.int64),
            np.zeros(len(moved), dtype=np.int64),
            np.array([capacity.get(b, 0) for b in range(len(self.plan.buffers))], dtype=np.int64),
            mapper.orders_of(None),
            self.rates[part.core],
        )
        slots = np.zeros(len(moved), dtype=np.int64)
        best, _, cycles, moved_bytes, pj = search(problem, OBJECTIVES[self.objective], slots)
        computing = problem.compute_cycles[best] + problem.vector_cycles[best]
        return cycles, moved_bytes, pj, min(cycles, computing)

    def _fitting(
        self, part: Part, streams: tuple[Stream, ...], capacity: dict[int, int]
    ) -> tuple[PartCosts, np.ndarray]:
        for thorough in (False, True):
            costs = self._costs(part, streams, thorough)
            fits = np.ones(len(costs.tilings.tiles), dtype=bool)
            for buffer, needed in costs.needs.items():
                fits &= needed <= capacity[buffer]
            if fits.any():
                return costs, fits
        shortage = mapper.shortage_of(self.plan, costs.needs, capacity)
        raise InputError(f"layer {part.layer.name}: {shortage}")

    def _costs(self, part: Part, streams: tuple[Stream, ...], thorough: bool) -> PartCosts:
        kept, key = self.kept[part.core], (_shape(part, streams), thorough)
        if key not in kept:
            kept[key] = part_costs(part, self.plan.cores[part.core], self.plan, streams, thorough)
        return kept[key]

    def _port_pj(self, part: Part, costs: PartCosts) -> Float64s:
        core = self.plan.cores[part.core]
        names = {buffer.index: buffer.spec.name for buffer in core.buffers}
        energy = np.zeros(len(costs.array_cycles))
        for (index, direction), moved in costs.port_bytes.items():
            action = f"{core.spec.name}.{names[index]}.{ACCESSES[direction]}_byte"
            energy += moved * self.pj[action]
        return energy

    def _array_pj(self) -> float:
        """MACs, what PEs store for them, and operations of the vector units."""
        energy = 0.0
        for parts in self.parts:
            for part in parts:
                if part.layer.is_mac:
                    store = self.pj[f"{self.plan.cores[part.core].spec.name}.pe_store"]
                    energy += _macs(part) * (self.pj["mac"] + store)
        operations = sum(vector_operations(layer) for layer in self.workload.layers)
        return energy + operations * self.pj["vector_operation"]

    def _time_pj(self, cycles: float, busy_cycles: dict[int, float]) -> float:
        """Leakage of all cores, and their clock, which is gated while they don't compute."""
        energy = 0.0
        for core in self.plan.cores:
            leakage, clock, gated = (self.pj[f"{core.spec.name}.{name}"] for name in TIME_ACTIONS)
            busy = min(cycles, busy_cycles[core.index])
            energy += cycles * leakage + busy * clock + (cycles - busy) * gated
        return energy


def part_costs(
    part: Part, core: CorePlan, plan: Floorplan, streams: tuple[Stream, ...], thorough: bool
) -> PartCosts:
    """Costs of all tilings of a part, whether they fit or not."""
    layer, moved = part.layer, tuple(stream for stream in streams if not stream.resident)
    spatial = pe_array(core.spec.pe_array).spatial_loops if layer.is_mac else {}
    tiles = tile_candidates(part, spatial, thorough=thorough)
    tilings = mapper.tilings_of(part, moved, tiles, plan.chip.dram.access_bytes)
    owner, shapes, times = mapper.distinct_tiles(part, tilings)
    rows = Window.of(layer, "y").extent(shapes[:, 4])
    columns = Window.of(layer, "x").extent(shapes[:, 5])
    costs = tile_costs(layer, core, plan.chip.precision, streams, shapes, rows, columns)
    cycles = np.maximum(costs.cycles - costs.overlap_cycles, mapper.port_cycles(core, costs))
    n = len(tiles)
    ports: dict[tuple[int, int], Float64s] = {}
    for port, amount in (*costs.port_bytes.items(), *costs.post_port_bytes.items()):
        ports[port] = ports.get(port, np.zeros(n)) + _sums(owner, times * amount, n)
    on_array = _sums(owner, times * cycles, n)
    on_vector = _sums(owner, times * costs.post_cycles, n)
    return PartCosts(tilings, on_array, on_vector, ports, mapper.needs_of(tilings, moved, None))


def _sums(owner: np.ndarray, amounts: np.ndarray, n: int) -> Float64s:
    """The amounts of each of n owners together."""
    return np.bincount(owner, amounts, minlength=n).astype(np.float64)


def _shape(part: Part, streams: Iterable[Stream]) -> object:
    """What the tilings of a part depend on, but for its core."""
    layer = part.layer
    plain = tuple(replace(stream, tensor="") for stream in streams)
    return layer.dims, layer.op, layer.function, layer.post_ops, part.first, part.extent, plain


def _macs(part: Part) -> int:
    filters = part.layer.dims.fy * part.layer.dims.fx
    return int(np.prod(part.extent, dtype=np.int64)) * filters
