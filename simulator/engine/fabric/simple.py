"""The simple memory system: DRAM as latency and bandwidth, wires, buffers with whole-width ports.

Rules: ARCHITECTURE.md MEM-2, SRAM-1, SRAM-2, DMA-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hw_models.floorplan import BufferPlan, CorePlan, Floorplan
from simulator.engine.fabric.fabric import Fabric, Stage
from simulator.engine.fabric.network import wires_of
from simulator.engine.fabric.port import SRAM_CAUSES, Port, interface_port
from simulator.engine.fabric.resource import OperandPort, Resource


class SimpleFabric(Fabric):
    """One port for DRAM, one for the bus or one for each core, one or two for every buffer."""

    def __init__(self, plan: Floorplan) -> None:
        super().__init__(plan)
        chip = plan.chip
        self.dram = interface_port(chip, "dram")
        self.network = wires_of(plan)
        self.dram_cycles = chip.cycles_ceil(chip.dram.access_latency_ns)
        self.resources += [self.dram, *self.network.resources]
        self.ports: dict[int, tuple[OperandPort, OperandPort]] = {
            buffer.index: _ports(buffer) for core in plan.cores for buffer in core.buffers
        }
        self.resources += [p for ports in self.ports.values() for p in dict.fromkeys(ports)]

    def load_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """DRAM, network and the buffer's write port, all after the latencies of the first two."""
        links = self.network.way(self.dram_node, core.index)
        return self._way(core, (self.dram, *links, self.ports[buffer.index][1]))

    def store_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """DRAM, network and the buffer's read port."""
        links = self.network.way(core.index, self.dram_node)
        return self._way(core, (self.dram, *links, self.ports[buffer.index][0]))

    def send_way(self, source: BufferPlan, target: BufferPlan) -> Sequence[Stage]:
        """The links, and a port of the buffer at either end."""
        links = self.network.way(self.core_of[source.index], self.core_of[target.index])
        latency = self.plan.noc_ports[self.core_of[source.index]].request_cycles
        servers = (*links, self.ports[source.index][0], self.ports[target.index][1])
        return [Stage(server, latency) for server in servers]

    def operand_port(self, buffer: BufferPlan, write: bool) -> OperandPort | None:
        """The buffer's read or write port."""
        return self.ports[buffer.index][write]

    def _way(self, core: CorePlan, servers: Sequence[Resource]) -> Sequence[Stage]:
        latency = self.plan.noc_ports[core.index].request_cycles + self.dram_cycles
        return [Stage(server, latency) for server in servers]


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
