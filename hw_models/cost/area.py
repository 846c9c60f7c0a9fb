"""Area of a chip, component by component.

Counted: multipliers and adders, what PEs store, vector lanes, SRAM banks. Not counted: control,
DMA engines, the network, pads, and the room that placement and wires need; so the sum is a lower
bound, which ranks designs of one kind. Rules: ARCHITECTURE.md AREA-1 to AREA-5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hw_models.cost.arithmetic import mac_um2
from hw_models.cost.model import model_numbers
from hw_models.cost.pe_storage import pe_storage_um2
from hw_models.cost.sram import sram_area_um2
from hw_models.pe_array.registry import pe_array
from hw_models.spec import BufferSpec, ChipSpec, CoreSpec

UM2_PER_MM2 = 1e6
BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class ComponentArea:
    """Area of all copies of a component. kind: "logic" or "sram"; source: where it comes from."""

    component: str
    kind: str
    um2: float
    source: str


@dataclass(frozen=True, slots=True)
class ChipArea:
    """Area of a chip by component."""

    chip: str
    node_nm: int
    components: tuple[ComponentArea, ...]

    @property
    def mm2(self) -> float:
        """Sum of all components."""
        return sum(part.um2 for part in self.components) / UM2_PER_MM2

    def mm2_of(self, core: str, kind: str) -> float:
        """Area of a core's logic or SRAM, all copies of the core."""
        parts = (x for x in self.components if x.component.startswith(f"{core}."))
        return sum(x.um2 for x in parts if x.kind == kind) / UM2_PER_MM2

    def as_dict(self) -> dict[str, Any]:
        """Plain data: chip, node_nm, mm2, components."""
        return asdict(self) | {"mm2": self.mm2}


def chip_area(chip: ChipSpec, given_um2: Mapping[str, float] | None = None) -> ChipArea:
    """Area of a chip.

    given_um2: of components that a table gives (`energy_table.load_area_table`), instead of the
    model's; system.core.cbuf in it is core.cbuf here. Raises InputError for a node outside the
    scaling table.
    """
    parts = [part for core in chip.cores for part in _core(chip, core)]
    for name, um2 in (given_um2 or {}).items():
        for i, part in enumerate(parts):
            if name == part.component or name.endswith(f".{part.component}"):
                parts[i] = replace(part, um2=um2, source="area table of the user")
    return ChipArea(chip.name, chip.technology_nm, tuple(parts))


def _core(chip: ChipSpec, core: CoreSpec) -> Iterator[ComponentArea]:
    node, mac = chip.technology_nm, mac_um2(chip.precision, chip.technology_nm)
    pes = core.count * pe_array(core.pe_array).peak_macs_per_cycle
    horowitz = f"Horowitz, ISSCC 2014, at 45 nm; to {node} nm by Stillmaker and Baas"
    yield ComponentArea(f"{core.name}.pe_array.macs", "logic", pes * mac, horowitz)
    stores = pes * pe_storage_um2(chip, core)
    source = "registers of Aladdin at 40 nm; pads of many words as CACTI arrays"
    yield ComponentArea(f"{core.name}.pe_array.stores", "logic", stores, source)
    lanes = core.count * core.vector_unit.lanes
    yield ComponentArea(f"{core.name}.vector_unit", "logic", lanes * mac, f"as MACs: {horowitz}")
    for buffer, number in chip.buffers_of(core):
        area = number * buffer_um2(buffer, node)
        cacti = "CACTI 7.0 at 22 or 28 nm, bank by bank, one port"
        yield ComponentArea(f"{core.name}.{buffer.name}", "sram", area, cacti)


def buffer_um2(buffer: BufferSpec, node_nm: int) -> float:
    """Area of all banks of a buffer, taken as single-ported."""
    widest = model_numbers()["widest_array_bits"]
    bits = buffer.width_bytes * BITS_PER_BYTE
    return buffer.banks * sram_area_um2(buffer.size_bytes // buffer.banks, bits, node_nm, widest)
