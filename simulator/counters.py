"""Action counts of a program per layer, and their energy. Rule: ARCHITECTURE.md COST-1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hw_models.cost.energy import action_energies_pj
from hw_models.floorplan import Floorplan
from hw_models.pe_array.vector import VectorExtent, post_op_passes, vector_operations
from simulator.program import LOAD, STORE, Int64s, TileProgram
from simulator.workload.graph import ROW_OPS, Layer, Workload


@dataclass(frozen=True, slots=True)
class Counter:
    """How often a component did an action for a layer. action: a name of ActionEnergies."""

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
        yield f"{core.name}.pe_array", "mac", total(tasks["macs"][mine], layer_of[mine])
    operations = np.array([_vector_operations(layer) for layer in workload.layers], dtype=np.int64)
    yield "vector_unit", "vector_operation", operations
    yield from _buffer_bytes(program, plan, total)
    moved = tasks["bytes"] > 0
    yield "noc", "noc_byte", total(tasks["bytes"][moved], layer_of[moved])
    granule = plan.chip.dram.granule_bytes
    runs = tasks["count_1"] * tasks["count_2"] * tasks["count_3"]
    bursts = runs * -(-tasks["run_bytes"] // granule) * granule
    yield "dram", "dram_byte", total(bursts[moved], layer_of[moved])


def _buffer_bytes(
    program: TileProgram, plan: Floorplan, total: Callable[[Int64s, Int64s], Int64s]
) -> Iterator[tuple[str, str, Int64s]]:
    tasks, trains = program.tasks, program.trains
    for core in plan.cores:
        for buffer in core.buffers:
            for access, kind, write in (("read", STORE, 0), ("write", LOAD, 1)):
                by_dma = (tasks["buffer"] == buffer.index) & (tasks["kind"] == kind)
                by_unit = (trains["buffer"] == buffer.index) & (trains["write"] == write)
                counts = total(tasks["bytes"][by_dma], tasks["layer"][by_dma])
                counts += total(trains["bytes"][by_unit], tasks["layer"][trains["task"][by_unit]])
                yield buffer.name, f"{core.spec.name}.{buffer.spec.name}.{access}_byte", counts


def _vector_operations(layer: Layer) -> int:
    """Operations of the vector unit for a layer, those on the outputs of a MAC layer included."""
    after = layer.output_elements * post_op_passes(layer.post_ops)
    if layer.is_mac:
        return after
    d = layer.dims
    row = d.g if layer.op in ROW_OPS else 1
    extent = VectorExtent(layer.output_elements, d.fy * d.fx, len(layer.inputs), row)
    own = vector_operations(layer.function, extent)
    return own + after if layer.post_ops else own
