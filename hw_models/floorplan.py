"""The units of a chip that execute tasks, and its buffers, by name and number.

Lowering names the units that it gives tasks to, the engine builds a process for each, the ledger
has an entry for each; all three take the numbers from here. What lies between them (ports, links,
channels) is numbered after them, by the model of the memory system.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from hw_models.noc.topology import Topology
from hw_models.noc_ports import NocPort, noc_ports
from hw_models.pe_array.registry import pe_array
from hw_models.spec import BufferSpec, ChipSpec, CoreSpec, Operand

DMA_OPERANDS: tuple[Operand, ...] = ("input", "weight", "output")
"""One DMA engine each; partial sums that spill go out and come back through that of the output."""

DMA_OF: dict[Operand, Operand] = {
    "input": "input",
    "weight": "weight",
    "psum": "output",
    "output": "output",
}


@dataclass(frozen=True, slots=True)
class BufferPlan:
    """A buffer of one core, with its number on the chip."""

    index: int
    name: str
    spec: BufferSpec


@dataclass(frozen=True, slots=True)
class CorePlan:
    """A core: numbers of its executing units and its buffers."""

    index: int
    name: str
    spec: CoreSpec
    pe_array: int
    vector_unit: int
    dma: dict[Operand, int]
    buffers: tuple[BufferPlan, ...]

    def buffer_of(self, operand: Operand) -> BufferPlan:
        """The buffer that holds an operand."""
        return next(buffer for buffer in self.buffers if operand in buffer.spec.holds)


@dataclass(frozen=True, slots=True)
class Floorplan:
    """All units of a chip that execute tasks. units, buffers: name by number.

    network: the routers, None without any. noc_ports: of every core.
    """

    chip: ChipSpec
    cores: tuple[CorePlan, ...]
    units: tuple[str, ...]
    buffers: tuple[str, ...]
    network: Topology | None
    noc_ports: tuple[NocPort, ...]

    def core_peak_macs(self, core: int) -> int:
        """Multiply-accumulates a cycle of one core."""
        return pe_array(self.cores[core].spec.pe_array).peak_macs_per_cycle

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates a cycle of all cores."""
        return sum(self.core_peak_macs(core.index) for core in self.cores)

    @property
    def compute_units(self) -> tuple[int, ...]:
        """PE arrays and vector units."""
        return tuple(unit for core in self.cores for unit in (core.pe_array, core.vector_unit))


@lru_cache(maxsize=8)
def floorplan(chip: ChipSpec) -> Floorplan:
    """The floorplan of a chip: cores in the order of the file, copies numbered from 0."""
    units: list[str] = []
    buffers: list[str] = []
    specs = [core for core in chip.cores for _ in range(core.count)]
    cores = tuple(
        _core(index, name, spec, units, buffers)
        for index, (name, spec) in enumerate(zip(chip.core_names, specs, strict=True))
    )
    network, ports = noc_ports(chip.noc, chip.core_names)
    return Floorplan(chip, cores, tuple(units), tuple(buffers), network, ports)


def _core(index: int, name: str, spec: CoreSpec, units: list[str], buffers: list[str]) -> CorePlan:
    pe_array = _number(units, f"{name}.pe_array")
    vector_unit = _number(units, f"{name}.vector_unit")
    dma = {operand: _number(units, f"{name}.dma_{operand}") for operand in DMA_OPERANDS}
    plans = tuple(
        BufferPlan(_number(buffers, f"{name}.{buffer.name}"), f"{name}.{buffer.name}", buffer)
        for buffer in spec.buffers
    )
    return CorePlan(index, name, spec, pe_array, vector_unit, dma, plans)


def _number(names: list[str], name: str) -> int:
    names.append(name)
    return len(names) - 1
