"""Finding the mapping of a layer: tilings that fit, their costs, and the cheapest of them."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from hw_models.cost.energy import ACCESSES, action_energies_pj
from hw_models.floorplan import CorePlan, Floorplan
from hw_models.pe_array.registry import pe_array
from hw_models.yaml_file import InputError
from simulator.mapping.candidates import Int64s, tile_candidates
from simulator.mapping.mapping import LayerMappingSpec, Mapping
from simulator.mapping.part import Part
from simulator.mapping.search import OBJECTIVES, Problem, search
from simulator.mapping.streams import TILED_LOOPS, Stream, longest_run_bytes
from simulator.mapping.tile_costs import TileCosts, tile_costs
from simulator.mapping.window import Window

Float64s = NDArray[np.float64]

MAX_STEPS = 1 << 14
"""Tilings with more tiles are tried only where no coarser one fits. Rule: ARCHITECTURE.md MAP-4."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The mapping of a layer and what the analytical cost predicts for it."""

    mapping: Mapping
    cycles: float
    dram_bytes: float
    energy_pj: float


@dataclass(frozen=True, slots=True)
class Tilings:
    """Candidate tilings of a layer as arrays over n of them.

    tiles, counts: (n, 6). tile_bytes: (n, streams) room of the largest tile; whole_bytes: all tiles
    once; burst_bytes: those in whole DRAM bursts.
    """

    tiles: Int64s
    counts: Int64s
    tile_bytes: Int64s
    whole_bytes: Int64s
    burst_bytes: Float64s

    def select(self, chosen: np.ndarray) -> Tilings:
        """The tilings picked by a mask or index array."""
        columns = (self.tiles, self.counts, self.tile_bytes, self.whole_bytes, self.burst_bytes)
        return Tilings(*(column[chosen] for column in columns))


def find_mapping(
    part: Part,
    core: CorePlan,
    plan: Floorplan,
    streams: tuple[Stream, ...],
    capacity: MappingOf[int, int],
    objective: str,
    given: LayerMappingSpec | None = None,
) -> Plan:
    """The cheapest legal mapping of a part of a layer.

    capacity: bytes free for tiles in each buffer of the core. objective: a key of OBJECTIVES.
    given: the user's mapping; only the slots that it leaves out are then chosen here.
    Raises InputError when no tiling fits, naming the buffer and by how many bytes.
    """
    moved = tuple(stream for stream in streams if not stream.resident)
    tilings = _fitting(part, core, plan, moved, capacity, given)
    orders = orders_of(given)
    slots = np.zeros(len(moved), dtype=np.int64)
    problem = Problem(
        tilings.counts,
        tilings.tile_bytes,
        tilings.whole_bytes.astype(np.float64),
        tilings.burst_bytes,
        *_whole_part_costs(part, core, plan, streams, tilings),
        np.array([loop in s.loops for s in moved for loop in TILED_LOOPS], bool).reshape(-1, 6),
        np.array([int(s.role) for s in moved], dtype=np.int64),
        np.array([s.buffer if s.has_slots else -1 for s in moved], dtype=np.int64),
        np.array([s.least_slots for s in moved], dtype=np.int64),
        np.array([_given_slots(given, s) for s in moved], dtype=np.int64),
        np.array([capacity.get(b, 0) for b in range(len(plan.buffers))], dtype=np.int64),
        orders,
        rates_of(core, plan),
    )
    index, order, cycles, dram_bytes, energy_pj = search(problem, OBJECTIVES[objective], slots)
    tile = dict(zip(TILED_LOOPS, tilings.tiles[index].tolist(), strict=True))
    names = tuple(TILED_LOOPS[loop] for loop in orders[order])
    kept = {s.name: int(n) for s, n in zip(moved, slots, strict=True) if s.has_slots}
    return Plan(Mapping(tile, names, kept), cycles, dram_bytes, energy_pj)


def least_bytes(part: Part, core: CorePlan, streams: tuple[Stream, ...], buffer: int) -> int:
    """Bytes that a part's smallest tiles take in a buffer, with the fewest slots."""
    spatial = pe_array(core.spec.pe_array).spatial_loops if part.layer.is_mac else {}
    tilings = tilings_of(part, streams, tile_candidates(part, spatial, thorough=False))
    need = needs_of(tilings, streams, None)
    return int(need[buffer].min()) if buffer in need else 0


def _fitting(
    part: Part,
    core: CorePlan,
    plan: Floorplan,
    streams: tuple[Stream, ...],
    capacity: MappingOf[int, int],
    given: LayerMappingSpec | None,
) -> Tilings:
    """The tilings that fit with the fewest slots; the coarser ones where there is a choice."""
    spatial = pe_array(core.spec.pe_array).spatial_loops if part.layer.is_mac else {}
    for thorough in (False, True):
        tiles = tile_candidates(part, spatial, thorough=thorough)
        if given is not None:
            whole = dict(zip(TILED_LOOPS, part.extent, strict=True)) | given.tile
            wanted = [whole[loop] for loop in TILED_LOOPS]
            tiles = np.minimum([wanted], [part.extent]).astype(np.int64)
        tilings = tilings_of(part, streams, tiles, plan.chip.dram.access_bytes)
        need = needs_of(tilings, streams, given)
        fits = np.ones(len(tiles), dtype=bool)
        for buffer, needed in need.items():
            fits &= needed <= capacity[buffer]
        if fits.any():
            steps = tilings.counts.prod(axis=1)
            few = fits & (steps <= max(MAX_STEPS, int(steps[fits].min())))
            return tilings.select(few)
    raise InputError(f"layer {part.layer.name}: {shortage_of(plan, need, capacity)}")


def shortage_of(plan: Floorplan, need: dict[int, Int64s], capacity: MappingOf[int, int]) -> str:
    """Which buffer even the best tiling overflows, and by how much."""
    over = {buffer: needed - capacity[buffer] for buffer, needed in need.items()}
    worst = np.maximum.reduce(list(over.values()))
    best = int(worst.argmin())
    buffer = max(over, key=lambda b: int(over[b][best]))
    return (
        f"no legal tiling fits {plan.buffers[buffer]}: the smallest needs {need[buffer][best]} "
        f"bytes, {over[buffer][best]} more than the {capacity[buffer]} free"
    )


def tilings_of(
    part: Part, streams: tuple[Stream, ...], tiles: Int64s, granule_bytes: int = 1
) -> Tilings:
    """Candidate tiles of a part as tilings. granule_bytes: what DRAM moves at least."""
    layer, sizes = part.layer, np.array(part.extent, dtype=np.int64)
    largest, summed = {}, {}
    for axis, loop in (("y", 4), ("x", 5)):
        window = Window.of(layer, axis)
        begin, outputs = part.first[loop], part.extent[loop]
        sums = {n: window.sums(n, begin, outputs) for n in np.unique(tiles[:, loop]).tolist()}
        both = np.array([sums[tile] for tile in tiles[:, loop].tolist()], dtype=np.int64)
        largest[axis], summed[axis] = both.reshape(-1, 2).T
    everything = np.broadcast_to(sizes, tiles.shape)
    shape = (len(tiles), len(streams))
    room, whole, burst = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape)
    for i, stream in enumerate(streams):
        moved = stream.bytes_of(tiles, largest["y"], largest["x"])
        room[:, i] = stream.room_of(tiles, largest["y"], largest["x"])
        whole[:, i] = stream.bytes_of(everything, summed["y"], summed["x"])
        run = longest_run_bytes(stream, layer, tiles, largest["y"], largest["x"], moved)
        bursts = -(-run // granule_bytes) * granule_bytes
        burst[:, i] = whole[:, i] * (bursts / np.maximum(run, 1))
    return Tilings(tiles, -(-sizes // tiles), room, whole, burst)


def needs_of(
    tilings: Tilings, streams: tuple[Stream, ...], given: LayerMappingSpec | None
) -> dict[int, Int64s]:
    """Bytes that each buffer needs at least, per tiling."""
    need: dict[int, Int64s] = {}
    for i, stream in enumerate(streams):
        if not stream.has_slots:
            continue
        places = [TILED_LOOPS.index(loop) for loop in stream.loops]
        distinct = tilings.counts[:, places].prod(axis=1)
        slots = np.minimum(stream.least_slots, distinct)
        if _given_slots(given, stream):
            slots = np.full_like(distinct, _given_slots(given, stream))
        taken = slots * tilings.tile_bytes[:, i]
        need[stream.buffer] = need.get(stream.buffer, 0) + taken
    return need


def _given_slots(given: LayerMappingSpec | None, stream: Stream) -> int:
    return given.slots.get(stream.name, 0) if given is not None else 0


def _whole_part_costs(
    part: Part, core: CorePlan, plan: Floorplan, streams: tuple[Stream, ...], tilings: Tilings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cycles on the array, cycles on the vector unit, and pJ of the ports, float64 (n,) each."""
    layer = part.layer
    owner, shapes, times = distinct_tiles(part, tilings)
    rows, columns = (
        Window.of(layer, "y").extent(shapes[:, 4]),
        Window.of(layer, "x").extent(shapes[:, 5]),
    )
    costs = tile_costs(layer, core, plan.chip.precision, streams, shapes, rows, columns)
    cycles = np.maximum(costs.cycles - costs.overlap_cycles, port_cycles(core, costs))
    n = len(tilings.tiles)
    on_array = np.bincount(owner, times * cycles, minlength=n)
    on_vector = np.bincount(owner, times * costs.post_cycles, minlength=n)
    moved = _port_energy(plan, core, costs)
    return on_array, on_vector, np.bincount(owner, times * moved, minlength=n)


def distinct_tiles(part: Part, tilings: Tilings) -> tuple[Int64s, Int64s, Int64s]:
    """The different tile shapes of every tiling: owner (m,), shapes (m, 6), times (m,).

    Along each loop there are full tiles and perhaps one smaller at the edge, so a tiling has at
    most 2 ** 6 shapes.
    """
    sizes = np.array(part.extent, dtype=np.int64)
    edge = sizes % tilings.tiles
    full_times = tilings.counts - (edge > 0)
    owners, shapes, times = [], [], []
    ways = [(False, True) if cut else (False,) for cut in np.any(edge > 0, axis=0).tolist()]
    for corner in product(*ways):
        at_edge = np.array(corner)
        shape = np.where(at_edge, edge, tilings.tiles)
        count = np.where(at_edge, edge > 0, full_times).prod(axis=1)
        present = np.flatnonzero(count)
        owners.append(present)
        shapes.append(shape[present])
        times.append(count[present])
    return np.concatenate(owners), np.concatenate(shapes), np.concatenate(times)


def port_cycles(core: CorePlan, costs: TileCosts) -> Int64s:
    """Cycles that the busiest port needs for the operands of each tile."""
    needed: dict[tuple[int, bool], Int64s] = {}
    for (index, direction), moved in costs.port_bytes.items():
        buffer = next(b for b in core.buffers if b.index == index)
        port = index, bool(direction) and buffer.spec.ports == "1r1w"
        rate = buffer.spec.bytes_per_cycle * (2 if buffer.spec.ports == "2rw" else 1)
        needed[port] = needed.get(port, 0) + -(-moved // rate)
    return np.maximum.reduce(list(needed.values()))


def _port_energy(plan: Floorplan, core: CorePlan, costs: TileCosts) -> Float64s:
    """pJ of the words that array and vector unit move, per tile."""
    energy, pj = np.zeros(costs.cycles.size), action_energies_pj(plan.chip)
    for ports in (costs.port_bytes, costs.post_port_bytes):
        for (index, direction), moved in ports.items():
            buffer = next(b for b in core.buffers if b.index == index)
            name = f"{core.spec.name}.{buffer.spec.name}.{ACCESSES[direction]}_byte"
            energy += moved * pj[name]
    return energy


def orders_of(given: LayerMappingSpec | None) -> Int64s:
    """Loop orders to try: groups outermost, then every order of k, c and the output positions."""
    if given is not None:
        names = given.order or TILED_LOOPS
        rest = [loop for loop in TILED_LOOPS if loop not in names]
        return np.array([[TILED_LOOPS.index(loop) for loop in (*rest, *names)]], dtype=np.int64)
    orders = [("g", *sum(parts, ())) for parts in permutations((("k",), ("c",), ("b", "oy", "ox")))]
    return np.array([[TILED_LOOPS.index(loop) for loop in order] for order in orders])


def rates_of(core: CorePlan, plan: Floorplan) -> np.ndarray:
    """Rates, latency, transfers under way and energy of a core's way to DRAM, for `search`."""
    chip = plan.chip
    latency = plan.noc_ports[core.index].request_cycles + chip.cycles_ceil(
        chip.dram.access_latency_ns
    )
    return np.array(
        [
            float(chip.dram_bytes_per_cycle),
            plan.noc_ports[core.index].width_bytes,
            latency,
            core.spec.dma.outstanding,
            sum(action_energies_pj(chip)[action] for action in ("dram_byte", "noc_byte")),
        ]
    )
