"""Energy per action of a chip: what one MAC, one byte moved or one vector operation costs.

Rules: ARCHITECTURE.md COST-1 to COST-6. A run counts actions; energy is counts times these values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import sqrt

from hw_models.chip_files import without_sources
from hw_models.cost.action_table import rows_of
from hw_models.cost.interpolation import log_log
from hw_models.cost.sram import Access, nearest_sram_node_nm, sram_access_pj
from hw_models.cost.technology import SOURCE as SCALING
from hw_models.cost.technology import energy_factor, nominal_vdd_v
from hw_models.spec import BufferSpec, ChipSpec, CoreSpec, PrecisionSpec
from hw_models.yaml_file import parse_yaml

BITS_PER_BYTE = 8
WIRE_CONFIG = "28nm full-swing repeated wire; 30 % delay penalty"
"""Row of the action table whose wires a bus is made of."""

ACCESSES: tuple[Access, ...] = ("read", "write")


@dataclass(frozen=True, slots=True)
class ActionEnergy:
    """Energy of one action. source: where the value comes from and how it was scaled."""

    action: str
    pj: float
    source: str


@dataclass(frozen=True, slots=True)
class ActionEnergies:
    """Energies of all actions of a chip.

    Actions: "mac", "vector_operation", "noc_byte", "dram_byte", and for each buffer
    "CORE.BUFFER.read_byte" and "CORE.BUFFER.write_byte".
    """

    entries: tuple[ActionEnergy, ...]

    @classmethod
    def of(cls, chip: ChipSpec) -> ActionEnergies:
        """The energies of a chip. Raises ValueError for a node outside the scaling table."""
        mac = _mac(chip)
        vector = ActionEnergy("vector_operation", mac.pj, f"as a MAC: {mac.source}")
        buffers = (_buffers(chip, core) for core in chip.cores)
        flat = [energy for energies in buffers for energy in energies]
        return cls((mac, vector, *flat, _noc_byte(), _dram_byte(chip)))

    def of_action(self, action: str) -> ActionEnergy:
        """The energy of one action. Raises ValueError for an unknown one."""
        for entry in self.entries:
            if entry.action == action:
                return entry
        known = ", ".join(entry.action for entry in self.entries)
        raise ValueError(f"action must be one of {known}, not {action!r}")


@lru_cache(maxsize=8)
def action_energies_pj(chip: ChipSpec) -> dict[str, float]:
    """Energy of every action of a chip by name."""
    return {entry.action: entry.pj for entry in ActionEnergies.of(chip).entries}


def mac_pj(precision: PrecisionSpec, node_nm: int) -> float:
    """Energy of an integer multiply-accumulate at a node and its nominal supply.

    A multiplication at the geometric mean of the two operands' widths and an addition at the width
    of the partial sum, each log-log between the widths of the table.
    """
    width = sqrt(precision.input_bits * precision.weight_bits)
    model = _model()
    here = (node_nm, nominal_vdd_v(node_nm))
    scale = energy_factor(model["arithmetic_node_nm"], model["arithmetic_vdd_v"], *here)
    return scale * (
        log_log(_by_width("int_mult", "mult"), width)
        + log_log(_by_width("int_add", "add"), precision.psum_bits)
    )


@lru_cache(maxsize=1)
def _model() -> dict:
    table = files("hw_models.cost") / "tables" / "energy_model.yaml"
    return without_sources(parse_yaml(table.read_text(encoding="utf-8"), table.name))


def _by_width(component: str, action: str) -> dict[float, float]:
    rows = rows_of(component, action, _model()["arithmetic_node_nm"])
    return {float(row.width_bits): row.pj for row in rows}


def _mac(chip: ChipSpec) -> ActionEnergy:
    p, node = chip.precision, chip.technology_nm
    source = (
        f"int_mult {p.input_bits} x {p.weight_bits} bit + int_add {p.psum_bits} bit, Horowitz "
        f"ISSCC 2014 at 45 nm, log-log in width; to {node} nm by {SCALING}"
    )
    return ActionEnergy("mac", mac_pj(p, node), source)


def _buffers(chip: ChipSpec, core: CoreSpec) -> Iterator[ActionEnergy]:
    for buffer in core.buffers:
        for access in ACCESSES:
            yield _buffer_byte(chip, core, buffer, access)


def _buffer_byte(
    chip: ChipSpec, core: CoreSpec, buffer: BufferSpec, access: Access
) -> ActionEnergy:
    bank_bytes, node = buffer.size_bytes // buffer.banks, chip.technology_nm
    bits = buffer.width_bytes * BITS_PER_BYTE
    pj = sram_access_pj(access, bank_bytes, bits, node, _model()["widest_array_bits"])
    known = nearest_sram_node_nm(node)
    source = (
        f"CACTI 7.0 at {known} nm, a bank of {bank_bytes} bytes and {bits} bits, log-log in "
        f"capacity and width; to {node} nm by {SCALING}"
    )
    name = f"{core.name}.{buffer.name}.{access}_byte"
    return ActionEnergy(name, pj / buffer.width_bytes, source)


def _noc_byte() -> ActionEnergy:
    wire = next(r for r in rows_of("noc_link", "flit-hop wire") if r.config == WIRE_CONFIG)
    length_mm = _model()["bus_length_mm"]
    source = f"{wire.source}, {wire.config}, {length_mm} mm (assumed), not scaled with the node"
    return ActionEnergy("noc_byte", wire.pj * length_mm * BITS_PER_BYTE, source)


def _dram_byte(chip: ChipSpec) -> ActionEnergy:
    pj = chip.dram.pj_per_bit * BITS_PER_BYTE
    return ActionEnergy("dram_byte", pj, f"chip file, dram.pj_per_bit ({chip.dram.standard})")
