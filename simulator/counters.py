"""Action counts per layer and their energy: of a program, and of the time that its run took.

Rules: ARCHITECTURE.md ENERGY-1, ENERGY-5, ENERGY-9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hw_models.cost.energy import TIME_ACTIONS, action_energies_pj
from hw_models.cost.network import router_hops
from hw_models.floorplan import CorePlan, Floorplan
from hw_models.pe_array.vector import VectorExtent, post_op_passes, vector_operations
from simulator.mapping.layer_array import layer_array
from simulator.program import STORE, Int64s, TileProgram
from simulator.workload.graph import ROW_OPS, Layer, Workload
from traces.schema import CAUSES


@dataclass(frozen=True, slots=True)
class Counter:
    """How often a component did an action for a layer (-1: for none). action: a name of
    ActionEnergies."""

    layer: int
    component: str
    action: str
    count: int
    energy_pj: float


def action_counters(
    program: TileProgram, plan: Floorplan, workload: Workload
) -> tuple[Counter, ...]:
    """All counters of a program that has run, by layer and component."""
    pj = action_energies_pj(plan.chip)
    return tuple(
        Counter(layer, component, action, count, count * pj[action])
        for component, action, counts in _per_layer(program, plan, workload)
        for layer, count in enumerate(counts.tolist())
        if count
    )


def layer_energies_pj(counters: Iterable[Counter], layers: int) -> list[dict[str, float]]:
    """Energy of each layer by component, as plain data."""
    found: list[dict[str, float]] = [{} for _ in range(layers)]
    for counter in counters:
        of_layer = found[counter.layer]
        of_layer[counter.component] = of_layer.get(counter.component, 0.0) + counter.energy_pj
    return found


def time_counters(
    plan: Floorplan, spans: Int64s, kept: Mapping[str, Int64s]
) -> tuple[Counter, ...]:
    """Cycles of leakage and clock of every core and layer, once a run has ended.

    spans: [start, end) of each layer, (n, 2), that follow one another. kept: intervals of the
    ledger. A core's clock runs while its array or vector unit is busy, else it is gated.
    """
    layers = np.arange(len(spans))
    return _time_counters(plan, [(spans, layers)] * len(plan.cores), kept)


def interleaved_time_counters(
    plan: Floorplan, kept: Mapping[str, Int64s], layer: Int64s
) -> tuple[Counter, ...]:
    """`time_counters` where tiles of several layers take turns: a core's cycles are those of the
    layer that its array, or if that has no work its vector unit, works on or waits for.

    layer: of each interval's task, -1 for none, whose cycles then belong to no layer.
    """
    stays = []
    for core in plan.cores:
        with_work = kept["unit"][layer >= 0]
        unit = core.pe_array if core.pe_array in with_work else core.vector_unit
        mine = kept["unit"] == unit
        spans = np.stack([kept["start"][mine], kept["end"][mine]], axis=1)
        stays.append((spans, layer[mine]))
    return _time_counters(plan, stays, kept)


def _time_counters(
    plan: Floorplan, stays: Iterable[tuple[Int64s, Int64s]], kept: Mapping[str, Int64s]
) -> tuple[Counter, ...]:
    """stays: for each core [start, end) of times, (n, 2), and the layer that each belongs to."""
    pj = action_energies_pj(plan.chip)
    found = []
    for core, (spans, layers) in zip(plan.cores, stays, strict=True):
        busy = _busy_cycles(kept, (core.pe_array, core.vector_unit), spans)
        names, place = np.unique(layers, return_inverse=True)
        spent = np.zeros((names.size, 2), dtype=np.int64)
        np.add.at(spent, place, np.stack([spans[:, 1] - spans[:, 0], busy], axis=1))
        whole, busy = spent.T
        for name, count in zip(TIME_ACTIONS, (whole, busy, whole - busy), strict=True):
            action = f"{core.spec.name}.{name}"
            component = _time_component(core.name, name)
            found += [
                Counter(layer, component, action, n, n * pj[action])
                for layer, n in zip(names.tolist(), count.tolist(), strict=True)
                if n
            ]
    return tuple(found)


def time_words(plan: Floorplan) -> dict[str, set[str]]:
    """Components and actions that `time_counters` may name."""
    names = [(core, action) for core in plan.cores for action in TIME_ACTIONS]
    return {
        "component": {_time_component(core.name, action) for core, action in names},
        "action": {f"{core.spec.name}.{action}" for core, action in names},
    }


def _time_component(core: str, action: str) -> str:
    return f"{core}.{'leakage' if action == 'leakage_cycle' else 'clock'}"


def _busy_cycles(kept: Mapping[str, Int64s], units: tuple[int, ...], spans: Int64s) -> Int64s:
    """Cycles of each span in which at least one of some units is busy."""
    busy = np.array([cause.startswith("busy/") for cause in CAUSES])
    mine = np.isin(kept["unit"], units) & busy[kept["cause"]]
    edges = np.concatenate([kept["start"][mine], kept["end"][mine]])
    steps = np.repeat([1, -1], edges.size // 2)
    order = np.argsort(edges, kind="stable")
    edges, active = edges[order], np.cumsum(steps[order])
    lengths = np.where(active[:-1] > 0, np.diff(edges), 0)
    if not lengths.size:
        return np.zeros(len(spans), dtype=np.int64)
    done = np.concatenate([[0], np.cumsum(lengths)])
    inside = np.clip(np.searchsorted(edges, spans, side="right") - 1, 0, lengths.size - 1)
    part = np.where(active[inside] > 0, np.clip(spans - edges[inside], 0, lengths[inside]), 0)
    before = done[inside] + part
    return before[:, 1] - before[:, 0]


def _per_layer(
    program: TileProgram, plan: Floorplan, workload: Workload
) -> Iterator[tuple[str, str, Int64s]]:
    """Component, action, and its count for each layer."""
    tasks, layers = program.tasks, len(program.layers)
    layer_of = tasks["layer"]

    def total(amount: Int64s, at: Int64s) -> Int64s:
        counts = np.zeros(layers, dtype=np.int64)
        np.add.at(counts, at, amount)
        return counts

    for core in plan.cores:
        mine = tasks["unit"] == core.pe_array
        macs = _executed(total(tasks["macs"][mine], layer_of[mine]), core, workload)
        yield f"{core.name}.pe_array", "mac", macs
        yield f"{core.name}.pe_store", f"{core.spec.name}.pe_store", macs
    operations = np.array(
        [vector_operations_of(layer) for layer in workload.layers], dtype=np.int64
    )
    yield "vector_unit", "vector_operation", operations
    yield from _buffer_bytes(program, plan, total)
    moved = tasks["bytes"] > 0
    yield from _network_bytes(program, plan, total)
    granule = plan.chip.dram.access_bytes
    runs = tasks["count_1"] * tasks["count_2"] * tasks["count_3"]
    bursts = runs * -(-tasks["run_bytes"] // granule) * granule
    yield "dram", "dram_byte", total(bursts[moved], layer_of[moved])


def _executed(macs: Int64s, core: CorePlan, workload: Workload) -> Int64s:
    """Of each layer's multiply-accumulates on a core, those that it does not skip."""
    shares = [layer_array(core.spec, layer).executed_share for layer in workload.layers]
    done = [round(n * share) for n, share in zip(macs.tolist(), shares, strict=True)]
    return np.array(done, dtype=np.int64)


def _network_bytes(
    program: TileProgram, plan: Floorplan, total: Callable[[Int64s, Int64s], Int64s]
) -> Iterator[tuple[str, str, Int64s]]:
    """Bytes on a bus; with routers, those in each router and on each link of a core's way to DRAM.

    Rule: ARCHITECTURE.md ENERGY-6.
    """
    tasks, ways = program.tasks, router_hops(plan.chip)
    if ways is None:
        moving = tasks["bytes"] > 0
        yield "noc", "noc_byte", total(tasks["bytes"][moving], tasks["layer"][moving])
        return
    routers = links = np.zeros(len(program.layers), dtype=np.int64)
    for core, hops in zip(plan.cores, ways, strict=True):
        buffers = [b for b, at in plan.core_of_buffers.items() if at == core.index]
        mine = (tasks["bytes"] > 0) & np.isin(tasks["buffer"], buffers)
        moved = total(tasks["bytes"][mine], tasks["layer"][mine])
        routers, links = routers + moved * (hops + 1), links + moved * hops
    yield "noc", "noc_router_byte", routers
    yield "noc", "noc_link_byte", links


def _buffer_bytes(
    program: TileProgram, plan: Floorplan, total: Callable[[Int64s, Int64s], Int64s]
) -> Iterator[tuple[str, str, Int64s]]:
    tasks, trains = program.tasks, program.trains
    home = plan.core_of_buffers
    for core in plan.cores:
        for buffer in (b for b in core.buffers if home[b.index] == core.index):
            here, left = (tasks[end] == buffer.index for end in ("buffer", "source_buffer"))
            stored = tasks["kind"] == STORE
            for access, by_mover, write in (
                ("read", (here & stored) | left, 0),
                ("write", here & ~stored, 1),
            ):
                by_unit = (trains["buffer"] == buffer.index) & (trains["write"] == write)
                counts = total(tasks["bytes"][by_mover], tasks["layer"][by_mover])
                counts += total(trains["bytes"][by_unit], tasks["layer"][trains["task"][by_unit]])
                yield buffer.name, f"{core.spec.name}.{buffer.spec.name}.{access}_byte", counts


def vector_operations_of(layer: Layer) -> int:
    """Operations of the vector unit for a layer, those on the outputs of a MAC layer included."""
    after = layer.output_elements * post_op_passes(layer.post_ops)
    if layer.is_mac:
        return after
    d = layer.dims
    row = d.g if layer.op in ROW_OPS else 1
    extent = VectorExtent(layer.output_elements, d.fy * d.fx, len(layer.inputs), row)
    own = vector_operations(layer.function, extent)
    return own + after if layer.post_ops else own
