"""The ideal memory system: every transfer takes no time, no port ever limits. Rule: MEM-1."""

from __future__ import annotations

from collections.abc import Sequence

from hw_models.floorplan import BufferPlan, CorePlan
from simulator.engine.fabric.fabric import Fabric, Stage
from simulator.engine.fabric.resource import OperandPort


class IdealFabric(Fabric):
    """No servers at all; dependences and buffer slots remain."""

    def load_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """Nothing lies between DRAM and a buffer."""
        return ()

    def store_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """Nothing lies between a buffer and DRAM."""
        return ()

    def send_way(self, source: BufferPlan, target: BufferPlan) -> Sequence[Stage]:
        """Nothing lies between two buffers."""
        return ()

    def operand_port(self, buffer: BufferPlan, write: bool) -> OperandPort | None:
        """No port limits."""
        return None
