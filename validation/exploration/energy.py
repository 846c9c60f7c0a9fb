"""Energy of a fused program as Stream counts it: accesses of its published costs, no leakage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hw_models.floorplan import Floorplan
from hw_models.links import link_graph
from hw_models.pe_array.dataflow import DataflowSpec
from simulator.fusion.compile import FusedProgram
from simulator.fusion.schedule import STREAM
from simulator.program import Int64s

BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class Energy:
    """Parts of the energy. core_pj: of all tiles, their operands in the buffers of their core.

    moved_pj: of transfers, in buffers at both ends and on links. dram_pj: of DRAM; dram_bytes: read
    and written there.
    """

    core_pj: float
    moved_pj: float
    dram_pj: float
    dram_bytes: int

    @property
    def total_pj(self) -> float:
        """All of it."""
        return self.core_pj + self.moved_pj + self.dram_pj


def program_energy(fused: FusedProgram) -> Energy:
    """Energy of a program by its schedule: tiles, transfers, evictions, streams, final stores.

    A transfer reads the buffer that it comes from and writes the one that it goes to in accesses of
    their whole width; each takes the energy that the core's array spec gives (cores with another
    array: none here). Streamed operands cost their DRAM accesses, those made again included; all
    else of them is in the tiles. Source: Stream (arXiv 2212.10612), energy of a schedule.
    """
    rows, plan = fused.schedule.transfers, fused.compiled.plan
    moves = rows["reason"] != STREAM
    sizes = fused.graph.tensor_bytes[rows["tensor"][moves]]
    source, target = rows["source"][moves], rows["target"][moves]
    weight = fused.graph.tensor_is_weight[rows["tensor"][moves]]
    dram = len(plan.cores)
    dram_bytes = int(sizes[(source == dram) | (target == dram)].sum()) + streamed_bytes(fused)
    buffers = _access_pj(plan, "read", source, weight, sizes)
    buffers += _access_pj(plan, "write", target, weight, sizes)
    return Energy(
        fused.costs.energy_pj,
        buffers + _link_pj(plan, source, target, sizes),
        dram_bytes * BITS_PER_BYTE * plan.chip.dram.pj_per_bit,
        dram_bytes,
    )


def streamed_bytes(fused: FusedProgram) -> int:
    """Bytes that tiles stream from and to DRAM."""
    problem = fused.problem
    return int(problem.stream_read_bytes.sum() + problem.stream_write_bytes.sum())


def _access_pj(plan: Floorplan, way: str, where: Int64s, weight: Any, sizes: Int64s) -> float:
    """Energy of the buffers of cores at one end of transfers."""
    total = 0.0
    for core in plan.cores:
        array = core.spec.pe_array
        if not isinstance(array, DataflowSpec):
            continue
        energies = {buffer.name: buffer for buffer in array.buffers}
        for operand in ("weight", "input"):
            buffer = core.buffer_of(operand).spec
            mine = (where == core.index) & (weight == (operand == "weight"))
            accesses = int((-(-sizes[mine] // buffer.bytes_per_cycle)).sum())
            if accesses and buffer.name in energies:
                total += accesses * getattr(energies[buffer.name], f"{way}_pj")
    return total


def _link_pj(plan: Floorplan, source: Int64s, target: Int64s, sizes: Int64s) -> float:
    """Energy of links with an energy of their own."""
    links, nodes = link_graph(plan.chip), len(plan.cores) + 1
    moved = np.bincount(source * nodes + target, sizes, minlength=nodes * nodes)
    return sum(
        BITS_PER_BYTE * float(moved[a * nodes + b]) * (links.pj_per_bit[link] or 0.0)
        for (a, b), route in links.routes.items()
        if moved[a * nodes + b]
        for link in route
    )
