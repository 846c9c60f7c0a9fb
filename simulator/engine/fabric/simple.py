"""The simple memory system: DRAM as latency and bandwidth, a bus, buffers with whole-width ports.

Rules: ARCHITECTURE.md MEM-2, SRAM-1, SRAM-2, DMA-4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from hw_models.floorplan import BufferPlan, CorePlan, Floorplan
from hw_models.kernel import Kernel
from hw_models.port import PortCauses, port_kernel
from simulator.engine.fabric.fabric import Fabric, Stage
from simulator.engine.fabric.resource import (
    UNPACED,
    Int64s,
    Job,
    OperandPort,
    Resource,
    pace_of,
    spread,
)

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


class Port(OperandPort):
    """A server with the port kernel: one beat a tick, round robin."""

    def __init__(
        self, name: str, bytes_per_beat: int, cycles_per_tick: Fraction, causes: PortCauses
    ) -> None:
        super().__init__(name, [name])
        self.bytes_per_beat, self.cycles_per_tick = bytes_per_beat, cycles_per_tick
        self.causes = causes

    @property
    def bytes_per_cycle(self) -> Fraction:
        """Peak rate."""
        return self.bytes_per_beat / self.cycles_per_tick

    def build(self) -> Kernel:
        """The port kernel."""
        return port_kernel(self.owners, self.cycles_per_tick, self.causes)

    def transfers(self, moved: Mapping[str, Int64s], cycles_per_byte: Fraction | None) -> list[Job]:
        """Beats and pace of every transfer."""
        pace = UNPACED
        if cycles_per_byte is not None:
            pace = pace_of(cycles_per_byte * self.bytes_per_beat / self.cycles_per_tick)
        return [(beats, *pace) for beats in self._beats(moved).tolist()]

    def trains(self, moved_bytes: Int64s, offset: Int64s, cycles: Int64s) -> list[Job]:
        """Beats and pace of every train."""
        beats = -(-moved_bytes // self.bytes_per_beat)
        num, den = spread(cycles, beats, self.cycles_per_tick)
        return list(zip(beats.tolist(), num.tolist(), den.tolist(), strict=True))

    def served_by(self, job: Job) -> int:
        """Beats."""
        return job[0]

    def _beats(self, moved: Mapping[str, Int64s]) -> Int64s:
        return -(-moved["bytes"] // self.bytes_per_beat)


class BurstPort(Port):
    """A port that moves whole bursts for every contiguous run of bytes. Rule: DMA-4."""

    def _beats(self, moved: Mapping[str, Int64s]) -> Int64s:
        runs = moved["count_1"] * moved["count_2"] * moved["count_3"]
        return runs * -(-moved["run_bytes"] // self.bytes_per_beat)


class SimpleFabric(Fabric):
    """One port for DRAM, one for the bus, one or two for every buffer."""

    def __init__(self, plan: Floorplan) -> None:
        super().__init__(plan)
        chip = plan.chip
        granule = chip.dram.access_bytes
        self.dram = BurstPort("dram", granule, granule / chip.dram_bytes_per_cycle, DRAM_CAUSES)
        self.noc = Port("noc", chip.noc.width_bytes, Fraction(1), NOC_CAUSES)
        self.latency_cycles = chip.noc.latency_cycles + chip.cycles_ceil(
            chip.dram.access_latency_ns
        )
        self.resources += [self.dram, self.noc]
        self.ports: dict[int, tuple[OperandPort, OperandPort]] = {
            buffer.index: _ports(buffer) for core in plan.cores for buffer in core.buffers
        }
        self.resources += [p for ports in self.ports.values() for p in dict.fromkeys(ports)]

    def load_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """DRAM, bus and the buffer's write port, all after the latencies of the first two."""
        return self._way(self.ports[buffer.index][1])

    def store_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """DRAM, bus and the buffer's read port."""
        return self._way(self.ports[buffer.index][0])

    def operand_port(self, buffer: BufferPlan, write: bool) -> OperandPort | None:
        """The buffer's read or write port."""
        return self.ports[buffer.index][write]

    def _way(self, port: Resource) -> Sequence[Stage]:
        return [Stage(server, self.latency_cycles) for server in (self.dram, self.noc, port)]


def _ports(buffer: BufferPlan) -> tuple[Port, Port]:
    """Read and write port of a buffer; one and the same where they are shared. Rule: SRAM-1."""
    width = buffer.spec.bytes_per_cycle
    if buffer.spec.ports == "1r1w":
        return (
            Port(f"{buffer.name}.read", width, Fraction(1), SRAM_CAUSES),
            Port(f"{buffer.name}.write", width, Fraction(1), SRAM_CAUSES),
        )
    tick = Fraction(1, 2) if buffer.spec.ports == "2rw" else Fraction(1)
    shared = Port(f"{buffer.name}.port", width, tick, SRAM_CAUSES)
    return shared, shared
