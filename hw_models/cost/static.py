"""Energy that goes with time: leakage of every core, its clock network, busy or gated.

Rules: ARCHITECTURE.md ENERGY-8, ENERGY-9.
"""

from __future__ import annotations

from typing import NamedTuple

from hw_models.cost.area import ChipArea, chip_area
from hw_models.cost.model import model_numbers
from hw_models.cost.sram import sram_leakage_mw
from hw_models.cost.technology import area_factor, energy_factor, nominal_vdd_v
from hw_models.spec import ChipSpec, CoreSpec


class CorePower(NamedTuple):
    """What one core takes in each chip cycle, in pJ.

    leakage: always. clock: when it computes. gated_clock: when it doesn't.
    """

    leakage_pj: float
    clock_pj: float
    gated_clock_pj: float


def core_power(chip: ChipSpec, core: CoreSpec) -> CorePower:
    """Leakage and clock of one copy of a core."""
    area = chip_area(chip)
    clock = _clock_pj_per_mm2(chip.technology_nm) * _mm2(area, core)
    leakage = leakage_mw(chip, core, area) / chip.clock_ghz
    return CorePower(leakage, clock, clock * model_numbers()["gated_clock_share"])


def leakage_mw(chip: ChipSpec, core: CoreSpec, area: ChipArea) -> float:
    """Leakage of one copy of a core: its SRAM banks by CACTI, its logic by area.

    A buffer that cores share leaks in the first of them.
    """
    model, node = model_numbers(), chip.technology_nm
    banks = sum(
        number
        * b.banks
        * sram_leakage_mw(
            b.size_bytes // b.banks, 8 * b.width_bytes, node, model["widest_array_bits"]
        )
        for b, number in chip.buffers_of(core)
    )
    known_mm2 = area.mm2_of(core.name, "logic") / area_factor(model["logic_leakage_node_nm"], node)
    return (banks + model["logic_leakage_mw_per_mm2"] * known_mm2) / core.count


def _mm2(area: ChipArea, core: CoreSpec) -> float:
    return sum(area.mm2_of(core.name, kind) for kind in ("logic", "sram")) / core.count


def _clock_pj_per_mm2(node_nm: int) -> float:
    """Per cycle. Energy of the same clock tree scales like logic, the area that it covers too."""
    model = model_numbers()
    known = model["clock_node_nm"]
    supplies = nominal_vdd_v(known), nominal_vdd_v(node_nm)
    energy = energy_factor(known, supplies[0], node_nm, supplies[1])
    return model["clock_pj_per_mm2_cycle"] * energy / area_factor(known, node_nm)
