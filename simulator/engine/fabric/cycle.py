"""The cycle-accurate memory system: rows of DRAM, hops, banks. Rules: ARCHITECTURE.md MEM-3, MEM-4.

A chip whose DRAM has no standard keeps the DRAM of the simple system.
"""

from __future__ import annotations

from collections.abc import Sequence

from hw_models.dram_spec import standard_latency_ns
from hw_models.floorplan import BufferPlan, CorePlan, Floorplan
from hw_models.spec import ChipSpec
from simulator.engine.fabric.banks import banked_ports
from simulator.engine.fabric.dram import DramServer
from simulator.engine.fabric.fabric import Fabric, Stage
from simulator.engine.fabric.network import network_of
from simulator.engine.fabric.port import interface_port
from simulator.engine.fabric.resource import OperandPort, Resource


class CycleFabric(Fabric):
    """One server for DRAM, one for the interface to it where that is slower, network, buffers."""

    def __init__(self, plan: Floorplan) -> None:
        super().__init__(plan)
        chip = plan.chip
        self.memory, self.network = _memory(chip), network_of(plan)
        self.ports = {
            buffer.index: banked_ports(buffer, chip.noc.width_bytes)
            for core in plan.cores
            for buffer in core.buffers
        }
        ports = (p for both in self.ports.values() for p in dict.fromkeys(both))
        self.resources += [*self.memory, *self.network.resources, *ports]
        self.access_cycles = chip.cycles_ceil(chip.dram.access_latency_ns)
        self.controller_cycles = _controller_cycles(chip)

    def load_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """The request goes to DRAM; the others follow as soon as the first data can be there."""
        dram, *interface = self.memory
        noc = self.plan.noc_ports[core.index]
        data = noc.request_cycles + self.access_cycles
        return [
            Stage(dram, noc.request_cycles + self.controller_cycles),
            *(Stage(server, data) for server in interface),
            *(Stage(link, data) for link in self.network.way(self.dram_node, core.index)),
            Stage(self.ports[buffer.index][1], data + noc.reply_cycles),
        ]

    def store_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """Buffer and network begin at once, DRAM when the first data can be there."""
        dram, *interface = self.memory
        data = self.plan.noc_ports[core.index].request_cycles
        return [
            Stage(dram, data + self.controller_cycles),
            *(Stage(server, data) for server in interface),
            *(Stage(link, 0) for link in self.network.way(core.index, self.dram_node)),
            Stage(self.ports[buffer.index][0], 0),
        ]

    def send_way(self, source: BufferPlan, target: BufferPlan) -> Sequence[Stage]:
        """Links and the buffer it leaves begin at once, the other when the first data are there."""
        ends = self.core_of[source.index], self.core_of[target.index]
        head = self.plan.noc_ports[ends[0]].request_cycles
        return [
            *(Stage(link, 0) for link in self.network.way(*ends)),
            Stage(self.ports[source.index][0], 0),
            Stage(self.ports[target.index][1], head),
        ]

    def operand_port(self, buffer: BufferPlan, write: bool) -> OperandPort | None:
        """The read or write side of the buffer's banks."""
        return self.ports[buffer.index][write]


def _memory(chip: ChipSpec) -> list[Resource]:
    """DRAM, and the interface to it where that is slower."""
    system = chip.dram.system
    if system is None:
        return [interface_port(chip, "dram")]
    dram = DramServer("dram", system, chip.clock_ghz)
    slower = chip.dram_bytes_per_cycle < dram.bytes_per_cycle
    return [dram, interface_port(chip, "dram_interface")] if slower else [dram]


def _controller_cycles(chip: ChipSpec) -> int:
    """Latency before DRAM that is not the DRAM's own."""
    table = chip.dram.table
    own_ns = standard_latency_ns(table) if table is not None else 0
    return chip.cycles_ceil(chip.dram.access_latency_ns - own_ns)
