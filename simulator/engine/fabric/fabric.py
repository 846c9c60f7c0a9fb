"""What a model of the memory system answers: the ways of transfers and the ports of buffers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from hw_models.floorplan import BufferPlan, CorePlan, Floorplan
from simulator.engine.fabric.resource import OperandPort, Resource


@dataclass(frozen=True, slots=True)
class Stage:
    """One server on the way of a transfer.

    offset_cycles: from the start of the transfer to the first beat that can reach the server.
    """

    resource: Resource
    offset_cycles: int


class Fabric(ABC):
    """A memory system for a chip; holds the resources that its ways lead over."""

    def __init__(self, plan: Floorplan) -> None:
        self.plan = plan
        self.resources: list[Resource] = []
        self.core_of = plan.core_of_buffers
        self.dram_node = len(plan.cores)

    @abstractmethod
    def load_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """From DRAM to a buffer."""

    @abstractmethod
    def store_way(self, core: CorePlan, buffer: BufferPlan) -> Sequence[Stage]:
        """From a buffer to DRAM; DRAM comes first here too, as it is held responsible first."""

    @abstractmethod
    def send_way(self, source: BufferPlan, target: BufferPlan) -> Sequence[Stage]:
        """From one core's buffer to that of another."""

    @abstractmethod
    def operand_port(self, buffer: BufferPlan, write: bool) -> OperandPort | None:
        """The port through which computations move operands; None where it never limits."""
