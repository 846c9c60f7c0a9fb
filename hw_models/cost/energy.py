"""Energy per action of a chip: what a MAC, a byte moved, a vector operation or a cycle costs.

A run counts actions; energy is counts times these values. They come from the tables that tilesim
brings along, or from a user's table that the chip names (`hw_models.cost.energy_table`).
Rules: ARCHITECTURE.md ENERGY-1 to ENERGY-10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

from hw_models.cost.arithmetic import mac_pj
from hw_models.cost.energy_table import load_energy_table
from hw_models.cost.model import model_numbers
from hw_models.cost.network import (
    link_energies_pj_per_bit,
    link_pj_per_bit,
    router_hops,
    router_pj_per_bit,
    wire_row,
)
from hw_models.cost.pe_storage import pe_storage_pj
from hw_models.cost.sram import Access, nearest_sram_node_nm, sram_access_pj
from hw_models.cost.static import core_power
from hw_models.cost.technology import SOURCE as SCALING
from hw_models.links import link_graph
from hw_models.pe_array.dataflow import DataflowSpec
from hw_models.spec import BufferSpec, ChipSpec, CoreSpec

__all__ = ["ACCESSES", "ActionEnergies", "ActionEnergy", "action_energies_pj", "mac_pj"]

BITS_PER_BYTE = 8
ACCESSES: tuple[Access, ...] = ("read", "write")
TIME_ACTIONS = ("leakage_cycle", "clock_cycle", "gated_clock_cycle")
"""Actions of a core that happen once a cycle."""


@dataclass(frozen=True, slots=True)
class ActionEnergy:
    """Energy of one action. source: where the value comes from and how it was scaled."""

    action: str
    pj: float
    source: str


@dataclass(frozen=True, slots=True)
class ActionEnergies:
    """Energies of all actions of a chip.

    Actions: "mac", "vector_operation", "noc_byte" (with routers also "noc_router_byte" and
    "noc_link_byte"), "dram_byte"; for each core "CORE.pe_store" (what
    a PE's own registers and pads take for one MAC) and those of TIME_ACTIONS, "CORE.clock_cycle"
    and so on; for each buffer "CORE.BUFFER.read_byte" and "CORE.BUFFER.write_byte".
    """

    entries: tuple[ActionEnergy, ...]

    @classmethod
    def of(cls, chip: ChipSpec) -> ActionEnergies:
        """The energies of a chip.

        Raises InputError for a node outside the scaling table, and for a table of the
        user's that can't be read or lacks an action.
        """
        built_in = tuple(_built_in(chip))
        if chip.energy_table is None:
            return cls(built_in)
        words = {
            f"{core.name}.{b.name}": b.width_bytes for core in chip.cores for b in core.buffers
        }
        table = load_energy_table(chip.energy_table, words, chip.dram.access_bytes)
        given = table.values_of([entry.action for entry in built_in])
        return cls(
            tuple(
                ActionEnergy(entry.action, given[entry.action], chip.energy_table)
                if entry.action in given
                else entry
                for entry in built_in
            )
        )

    def of_action(self, action: str) -> ActionEnergy:
        """The energy of one action. Raises ValueError for an unknown one."""
        for entry in self.entries:
            if entry.action == action:
                return entry
        known = ", ".join(entry.action for entry in self.entries)
        raise ValueError(f"action must be one of {known}, not {action!r}")

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Plain data: action -> pj and source."""
        return {entry.action: {"pj": entry.pj, "source": entry.source} for entry in self.entries}


@lru_cache(maxsize=8)
def action_energies_pj(chip: ChipSpec) -> dict[str, float]:
    """Energy of every action of a chip by name."""
    return {entry.action: entry.pj for entry in ActionEnergies.of(chip).entries}


def _built_in(chip: ChipSpec) -> Iterator[ActionEnergy]:
    mac = _mac(chip)
    yield mac
    yield ActionEnergy("vector_operation", mac.pj, f"as a MAC: {mac.source}")
    for core in chip.cores:
        yield from _core(chip, core)
    yield from _noc(chip)
    yield _dram_byte(chip)


def _core(chip: ChipSpec, core: CoreSpec) -> Iterator[ActionEnergy]:
    node = chip.technology_nm
    source = (
        f"accesses of a MAC (energy_model.yaml) to registers and pads; to {node} nm by {SCALING}"
    )
    yield ActionEnergy(f"{core.name}.pe_store", pe_storage_pj(chip, core), source)
    for buffer in core.buffers:
        for access in ACCESSES:
            yield _buffer_byte(chip, core, buffer, access)
    sources = (
        "SRAM banks by CACTI 7.0 at 350 K, logic by area (assumed density)",
        f"by area, from the clock of Eyeriss (recalled); to {node} nm by {SCALING}",
        "a share of the clock of a busy core (assumed)",
    )
    for action, pj, source in zip(TIME_ACTIONS, core_power(chip, core), sources, strict=True):
        yield ActionEnergy(f"{core.name}.{action}", pj, source)


def _mac(chip: ChipSpec) -> ActionEnergy:
    p, node = chip.precision, chip.technology_nm
    source = (
        f"int_mult {p.input_bits} x {p.weight_bits} bit + int_add {p.psum_bits} bit, Horowitz "
        f"ISSCC 2014 at 45 nm, log-log in width; to {node} nm by {SCALING}"
    )
    return ActionEnergy("mac", mac_pj(p, node), source)


def _buffer_byte(
    chip: ChipSpec, core: CoreSpec, buffer: BufferSpec, access: Access
) -> ActionEnergy:
    """Of a dataflow array's core the chip file says it, of others CACTI."""
    name = f"{core.name}.{buffer.name}.{access}_byte"
    if isinstance(core.pe_array, DataflowSpec):
        (given,) = (entry for entry in core.pe_array.buffers if entry.name == buffer.name)
        pj = given.read_pj if access == "read" else given.write_pj
        return ActionEnergy(name, pj / buffer.bytes_per_cycle, "chip file, pe_array.buffers")
    bank_bytes, node = buffer.size_bytes // buffer.banks, chip.technology_nm
    bits = buffer.width_bytes * BITS_PER_BYTE
    pj = sram_access_pj(access, bank_bytes, bits, node, model_numbers()["widest_array_bits"])
    known = nearest_sram_node_nm(node)
    source = (
        f"CACTI 7.0 at {known} nm, a bank of {bank_bytes} bytes and {bits} bits, log-log in "
        f"capacity and width; to {node} nm by {SCALING}"
    )
    return ActionEnergy(name, pj / buffer.width_bytes, source)


def _noc(chip: ChipSpec) -> Iterator[ActionEnergy]:
    """A byte on a bus or link to DRAM; on routers, a byte in one and on the wires behind it.

    "noc_byte" of routers and of listed links is that of a core's mean way to DRAM, which the
    mapping search uses.
    """
    model, node = model_numbers(), chip.technology_nm
    wire = f"{wire_row().source}, {wire_row().config}"
    if chip.noc.kind == "links":
        graph = link_graph(chip)
        pj = link_energies_pj_per_bit(graph)
        dram = len(graph.nodes) - 1
        mean = fmean(sum(pj[link] for link in graph.route(dram, core)) for core in range(dram))
        source = f"mean way of a core from DRAM; links without pj_per_bit as {wire}"
        yield ActionEnergy("noc_byte", mean * BITS_PER_BYTE, source)
        return
    ways = router_hops(chip)
    if ways is None:
        length_mm = model["bus_length_mm"]
        source = f"{wire}, {length_mm} mm (assumed), not scaled with the node"
        yield ActionEnergy("noc_byte", link_pj_per_bit(length_mm) * BITS_PER_BYTE, source)
        return
    pitch_mm = model["router_pitch_mm"]
    router = router_pj_per_bit(node) * BITS_PER_BYTE
    link = link_pj_per_bit(pitch_mm) * BITS_PER_BYTE
    source = f"ORION 2.0 range (recalled); to {node} nm by {SCALING}"
    yield ActionEnergy("noc_router_byte", router, source)
    source = f"{wire}, {pitch_mm} mm (assumed), not scaled with the node"
    yield ActionEnergy("noc_link_byte", link, source)
    mean = fmean(ways) * link + (fmean(ways) + 1) * router
    yield ActionEnergy("noc_byte", mean, "mean way of a core to DRAM over routers and links")


def _dram_byte(chip: ChipSpec) -> ActionEnergy:
    pj = chip.dram.pj_per_bit * BITS_PER_BYTE
    return ActionEnergy("dram_byte", pj, f"chip file, dram.pj_per_bit ({chip.dram.standard})")
