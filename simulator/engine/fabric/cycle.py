"""The cycle-accurate memory system. Rules: ARCHITECTURE.md MEM-3."""

from __future__ import annotations

from hw_models.floorplan import Floorplan
from simulator.engine.fabric.banks import banked_ports
from simulator.engine.fabric.simple import SimpleFabric


class CycleFabric(SimpleFabric):
    """DRAM and bus of the simple system, buffers bank by bank."""

    def __init__(self, plan: Floorplan) -> None:
        super().__init__(plan)
        self.resources = [self.dram, self.noc]
        self.ports = {
            buffer.index: banked_ports(buffer, plan.chip.noc.width_bytes)
            for core in plan.cores
            for buffer in core.buffers
        }
        self.resources += [p for ports in self.ports.values() for p in dict.fromkeys(ports)]
