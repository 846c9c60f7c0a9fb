"""The units of a chip that execute tasks, and its buffers, by name and number.

Lowering names the units that it gives tasks to, the engine builds a process for each, the ledger
has an entry for each; all three take the numbers from here. What lies between them (ports, links,
channels) is numbered after them, by the model of the memory system.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from hw_models.links import link_graph
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
    """A buffer of a core, with its number on the chip; cores that share it have the same."""

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

    network: the routers, None without any. noc_ports: of every core. links: the unit of every link,
    for programs whose transfers queue at links instead of at the DMA engines of cores.
    """

    chip: ChipSpec
    cores: tuple[CorePlan, ...]
    units: tuple[str, ...]
    buffers: tuple[str, ...]
    network: Topology | None
    noc_ports: tuple[NocPort, ...]
    links: tuple[int, ...] = ()

    @property
    def lanes_of(self) -> dict[int, int]:
        """Units that move tiles, and how many transfers each may have under way."""
        lanes = {unit: c.spec.dma.outstanding for c in self.cores for unit in c.dma.values()}
        return lanes | dict.fromkeys(self.links, 1)

    @property
    def core_of_buffers(self) -> dict[int, int]:
        """The core of each buffer; of a shared one the first."""
        return {b.index: c.index for c in reversed(self.cores) for b in c.buffers}

    def core_peak_macs(self, core: int) -> int:
        """Multiply-accumulates a cycle of one core."""
        return pe_array(self.cores[core].spec.pe_array).peak_macs_per_cycle

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates a cycle of all cores."""
        return self.chip.peak_macs_per_cycle

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


@lru_cache(maxsize=8)
def link_floorplan(chip: ChipSpec) -> Floorplan:
    """The floorplan with a unit for each link instead of the DMA engines of the cores."""
    whole = floorplan(chip)
    units = [name for core in whole.cores for name in _compute_names(core.name)]
    cores = tuple(
        replace(core, pe_array=2 * core.index, vector_unit=2 * core.index + 1, dma={})
        for core in whole.cores
    )
    links = tuple(_number(units, f"{name}.queue") for name in link_graph(chip).names)
    return replace(whole, cores=cores, units=tuple(units), links=links)


def _compute_names(core: str) -> tuple[str, str]:
    return f"{core}.pe_array", f"{core}.vector_unit"


def _core(index: int, name: str, spec: CoreSpec, units: list[str], buffers: list[str]) -> CorePlan:
    pe_array, vector_unit = (_number(units, unit) for unit in _compute_names(name))
    dma = {operand: _number(units, f"{name}.dma_{operand}") for operand in DMA_OPERANDS}
    plans = tuple(_buffer(name, buffer, buffers) for buffer in spec.buffers)
    return CorePlan(index, name, spec, pe_array, vector_unit, dma, plans)


def _buffer(core: str, spec: BufferSpec, buffers: list[str]) -> BufferPlan:
    name = f"{'shared' if spec.shared else core}.{spec.name}"
    number = buffers.index(name) if name in buffers else _number(buffers, name)
    return BufferPlan(number, name, spec)


def _number(names: list[str], name: str) -> int:
    names.append(name)
    return len(names) - 1
