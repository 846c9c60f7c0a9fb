"""How the processes of a chip are wired for a program: server rows, DMA routes, operand trains.

A server row holds one job at a time, so every requester gets rows of its own: a DMA engine one per
lane on each server of its routes, a compute unit one per operand train. Rules: DMA-2, SRAM-1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hw_models.dma import Leg, Route
from hw_models.floorplan import DMA_OF, BufferPlan, CorePlan, Floorplan
from hw_models.port import PortCauses
from hw_models.server import KernelServer
from hw_models.spec import Operand, ns_to_chip_cycles_ceil
from hw_models.unit import Train
from simulator.program import LOAD, STORE, TileProgram

UNPACED = (0, 1)


DRAM_CAUSES = PortCauses(
    ("busy/transfer", "stall/dram_latency", "idle/no_work"),
    ("stall/dram_bandwidth", "stall/dram_bandwidth", "stall/dram_queue", "stall/dram_latency"),
)
NOC_CAUSES = PortCauses(
    ("busy/transfer", "stall/operand_wait", "idle/no_work"),
    ("stall/noc_bandwidth", "stall/noc_contention", "stall/noc_contention", "stall/operand_wait"),
)
SRAM_CAUSES = PortCauses(
    ("busy/transfer", "stall/operand_wait", "idle/no_work"),
    ("stall/sram_bandwidth", "stall/bank_conflict", "stall/bank_conflict", "stall/operand_wait"),
)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """A server before it is built. bytes_per_beat: moved in one tick of cycles_per_tick cycles."""

    unit: int
    cycles_per_tick: Fraction
    bytes_per_beat: int
    causes: PortCauses
    owners: list[int] = field(default_factory=list)

    @property
    def bytes_per_cycle(self) -> Fraction:
        """Peak rate."""
        return self.bytes_per_beat / self.cycles_per_tick

    def claim(self, owner: int, rows: int) -> int:
        """Reserve rows for a requester of a core; returns the first."""
        first = 1 + len(self.owners)
        self.owners.extend([owner] * rows)
        return first


def server_plans(plan: Floorplan) -> dict[int, ServerPlan]:
    """Every server of a chip, by unit, still without rows."""
    chip = plan.chip
    granule = chip.dram.granule_bytes
    plans = [
        ServerPlan(plan.dram, granule / chip.dram_bytes_per_cycle, granule, DRAM_CAUSES),
        ServerPlan(plan.noc, Fraction(1), chip.noc.width_bytes, NOC_CAUSES),
    ]
    for core in plan.cores:
        for buffer in core.buffers:
            rate = Fraction(1, 2) if buffer.spec.ports == "2rw" else Fraction(1)
            plans += [
                ServerPlan(unit, rate, buffer.spec.bytes_per_cycle, SRAM_CAUSES)
                for unit in sorted({buffer.read_unit, buffer.write_unit})
            ]
    return {server.unit: server for server in plans}


@dataclass(frozen=True, slots=True)
class LegPlan:
    """One server of a route before it is built; see `hw_models.dma.Leg`."""

    server: ServerPlan
    first_row: int
    pace: tuple[int, int]


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """The way of a transfer between DRAM and a buffer, before its servers are built."""

    legs: tuple[LegPlan, ...]
    latency_cycles: int

    def build(self, servers: dict[int, KernelServer]) -> Route:
        """The route over the built servers."""
        legs = (Leg(servers[leg.server.unit], leg.first_row, leg.pace) for leg in self.legs)
        return Route(tuple(legs), self.latency_cycles)


def dma_routes(
    plan: Floorplan, core: CorePlan, operand: Operand, servers: dict[int, ServerPlan]
) -> dict[tuple[int, int], RoutePlan]:
    """Routes of the DMA engine of an operand: (task kind, buffer) -> route. Claims their rows."""
    lanes = core.spec.dma.outstanding
    rows = {unit: servers[unit].claim(core.index, lanes) for unit in (plan.dram, plan.noc)}
    latency = plan.chip.noc.latency_cycles + ns_to_chip_cycles_ceil(
        plan.chip.dram.latency_ns, plan.chip.clock_ghz
    )
    routes = {}
    for buffer in _buffers_of(core, operand):
        for kind, unit in ((LOAD, buffer.write_unit), (STORE, buffer.read_unit)):
            if unit not in rows:
                rows[unit] = servers[unit].claim(core.index, lanes)
            way = [servers[u] for u in (plan.dram, plan.noc, unit)]
            slowest = min(server.bytes_per_cycle for server in way)
            legs = tuple(LegPlan(s, rows[s.unit], _pace(s, slowest)) for s in way)
            routes[kind, buffer.index] = RoutePlan(legs, latency)
    return routes


def _buffers_of(core: CorePlan, engine: Operand) -> list[BufferPlan]:
    served = [operand for operand, dma in DMA_OF.items() if dma == engine]
    return [b for b in core.buffers if any(operand in b.spec.holds for operand in served)]


def _pace(server: ServerPlan, slowest_bytes_per_cycle: Fraction) -> tuple[int, int]:
    """Ticks between beats when the slowest server of the route sets the rate. Rule: DMA-3."""
    if server.bytes_per_cycle == slowest_bytes_per_cycle:
        return UNPACED
    ticks = server.bytes_per_cycle / slowest_bytes_per_cycle
    return ticks.numerator, ticks.denominator


def transfer_beats(
    program: TileProgram, rows: NDArray[np.int64], legs: tuple[LegPlan, ...]
) -> list[tuple[int, ...]]:
    """Beats of tasks on the legs of a route; the first leg, DRAM, bursts run by run."""
    tasks = {name: column[rows] for name, column in program.tasks.items()}
    runs = tasks["count_1"] * tasks["count_2"] * tasks["count_3"]
    dram, *others = (leg.server.bytes_per_beat for leg in legs)
    beats = [runs * -(-tasks["run_bytes"] // dram)]
    beats += [-(-tasks["bytes"] // width) for width in others]
    return list(zip(*(column.tolist() for column in beats), strict=True))


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """Rows claimed for the operand trains: (unit, buffer, write) -> (server, row)."""

    rows: dict[tuple[int, int, int], tuple[ServerPlan, int]]

    @classmethod
    def claim(
        cls, program: TileProgram, plan: Floorplan, servers: dict[int, ServerPlan]
    ) -> TrainPlan:
        """Claim a row for every operand that a unit of the program moves."""
        buffers = {b.index: (core, b) for core in plan.cores for b in core.buffers}
        units = program.tasks["unit"][program.trains["task"]]
        keys = np.unique(
            np.stack([units, program.trains["buffer"], program.trains["write"]], axis=1), axis=0
        )
        rows = {}
        for unit, index, write in keys.tolist():
            core, buffer = buffers[index]
            server = servers[buffer.write_unit if write else buffer.read_unit]
            rows[unit, index, write] = server, server.claim(core.index, 1)
        return cls(rows)

    def build(
        self, program: TileProgram, servers: dict[int, KernelServer]
    ) -> dict[int, list[Train]]:
        """The trains of each task, spread evenly over its cycles. Rule: ARCHITECTURE.md SRAM-2."""
        trains: dict[int, list[Train]] = {}
        table = program.trains
        units = program.tasks["unit"][table["task"]].tolist()
        cycles = program.tasks["cycles"][table["task"]].tolist()
        columns = (table[name].tolist() for name in ("task", "buffer", "write", "bytes"))
        for unit, length, task, buffer, write, moved in zip(units, cycles, *columns, strict=True):
            server, row = self.rows[unit, buffer, write]
            beats = -(-moved // server.bytes_per_beat)
            rate = server.cycles_per_tick
            pace = (length * rate.denominator, beats * rate.numerator) if length else UNPACED
            trains.setdefault(task, []).append(Train(servers[server.unit], row, beats, pace))
        return trains
