"""Area of chips, PE stores, network, leakage and clock: arithmetic over rows of the tables."""

import pytest

from hw_models.chip_files import load_chip, preset_names
from hw_models.cost.action_table import rows_of
from hw_models.cost.area import buffer_um2, chip_area
from hw_models.cost.arithmetic import mac_pj, mac_um2
from hw_models.cost.energy import ActionEnergies
from hw_models.cost.model import model_numbers
from hw_models.cost.network import (
    hop_pj_per_bit,
    link_pj_per_bit,
    router_hops,
    router_pj_per_bit,
)
from hw_models.cost.pe_storage import pe_storage_pj, pe_storage_um2
from hw_models.cost.sram import sram_area_grid, sram_area_um2, sram_grid, sram_leakage_mw
from hw_models.cost.static import core_power
from hw_models.cost.technology import area_factor, energy_factor, nominal_vdd_v
from hw_models.noc_spec import RoutedSpec
from hw_models.spec import PrecisionSpec

INT8 = PrecisionSpec(input_bits=8, weight_bits=8, psum_bits=32, output_bits=8)
INT16 = PrecisionSpec(input_bits=16, weight_bits=16, psum_bits=16, output_bits=16)
REGISTER = rows_of("register", "read")[0]


def logic_scale(node, known):
    return energy_factor(known, nominal_vdd_v(known), node, nominal_vdd_v(node))


def test_area_scales_by_the_factors_of_the_table():
    for row in rows_of("scaling_area", "factor vs 45nm"):
        assert area_factor(45, int(row.node_nm)) == pytest.approx(row.pj)
    assert area_factor(65, 28) * area_factor(28, 65) == pytest.approx(1)


def test_an_int8_mac_takes_a_multiplier_and_an_adder():
    by_width = {
        (row.component, row.width_bits): row.um2
        for name in (("int_mult", "mult"), ("int_add", "add"))
        for row in rows_of(*name, 45)
        if row.area_um2
    }
    expected = by_width["int_mult", "8"] + by_width["int_add", "32"]
    assert mac_um2(INT8, 45) == pytest.approx(expected)
    assert mac_um2(INT8, 28) == pytest.approx(expected * area_factor(45, 28))


@pytest.mark.parametrize("node", [22, 28])
def test_measured_areas_and_leakages_are_given_back(node):
    for (kib, bits), um2 in sram_area_grid(node).items():
        assert sram_area_um2(int(kib * 1024), int(bits), node, 512) == pytest.approx(um2)
        mw = sram_grid("leakage", node)[kib, bits]
        assert sram_leakage_mw(int(kib * 1024), int(bits), node, 512) == pytest.approx(mw)


def test_a_buffer_is_its_banks():
    buffer = load_chip("nvdla_large").cores[0].buffer_of("weight")
    bank_kib = buffer.size_bytes // buffer.banks // 1024
    measured = sram_area_grid(28)[bank_kib, 8 * buffer.width_bytes]
    assert buffer_um2(buffer, 28) == pytest.approx(buffer.banks * measured)


@pytest.mark.parametrize("name", preset_names())
def test_the_area_of_a_chip_is_the_sum_of_named_parts_with_sources(name):
    chip = load_chip(name)
    area = chip_area(chip)
    assert area.mm2 == pytest.approx(sum(part.um2 for part in area.components) / 1e6)
    for core in chip.cores:
        both = sum(area.mm2_of(core.name, kind) for kind in ("logic", "sram"))
        mine = [p.um2 for p in area.components if p.component.startswith(f"{core.name}.")]
        assert both == pytest.approx(sum(mine) / 1e6)
    assert all(part.um2 > 0 and len(part.source) > 20 for part in area.components)
    assert area.as_dict()["components"][0]["component"] == area.components[0].component


def test_areas_are_below_those_of_whole_chips():
    """Published: Eyeriss core 12.25 mm2, NVDLA 5.5 mm2, TPU v1 at most 331 mm2."""
    for name, most in (("eyeriss", 12.25), ("nvdla_large", 5.5), ("tpu_v1", 331)):
        assert 0.1 * most < chip_area(load_chip(name)).mm2 < most


def test_a_systolic_mac_writes_and_reads_input_and_sum_and_reads_the_weight():
    chip = load_chip("tpu_v1")
    bits = 2 * 8 + 8 + 2 * 32
    scale = logic_scale(28, int(REGISTER.node_nm))
    expected = REGISTER.pj * bits * scale
    assert pe_storage_pj(chip, chip.cores[0]) == pytest.approx(expected)


def test_a_pe_of_eyeriss_uses_two_register_pads_and_a_file_as_costly_as_a_mac():
    chip = load_chip("eyeriss")
    register = REGISTER.pj * 16 * logic_scale(65, int(REGISTER.node_nm))
    ifmap, psums, file = register, 2 * register, mac_pj(INT16, 65)
    assert pe_storage_pj(chip, chip.cores[0]) == pytest.approx(ifmap + psums + file)
    registers = 16 * (12 + 24) * REGISTER.um2 * area_factor(int(REGISTER.node_nm), 65)
    pad = sram_area_um2(2 * 224, 16, 65, 512)
    assert pe_storage_um2(chip, chip.cores[0]) == pytest.approx(registers + pad)


def test_a_hop_is_a_router_and_a_link():
    wire, length_mm = 0.0993, 1.5
    assert link_pj_per_bit(length_mm) == pytest.approx(wire * length_mm)
    flit_pj, flit_bits = (30 + 60) / 2, 128
    supplied = energy_factor(65, 1.0, 65, nominal_vdd_v(65))
    assert router_pj_per_bit(65) == pytest.approx(flit_pj / flit_bits * supplied)
    assert hop_pj_per_bit(65, length_mm) == pytest.approx(
        router_pj_per_bit(65) + link_pj_per_bit(length_mm)
    )


def mesh_chip(rows, columns):
    chip = load_chip("edge_os_16x16")
    noc = RoutedSpec(kind="mesh", width_bytes=16, sizes=(columns, rows))
    cores = (chip.cores[0].model_copy(update={"count": rows * columns}),)
    return chip.model_copy(update={"noc": noc, "cores": cores})


def test_a_byte_on_a_mesh_passes_a_router_more_than_links():
    chip = mesh_chip(2, 2)
    hops = [0, 1, 1, 2]
    assert sorted(router_hops(chip)) == hops
    assert router_hops(load_chip("tpu_v1")) is None
    energies, node = ActionEnergies.of(chip), chip.technology_nm
    link = 8 * link_pj_per_bit(model_numbers()["router_pitch_mm"])
    router = 8 * router_pj_per_bit(node)
    assert energies.of_action("noc_link_byte").pj == pytest.approx(link)
    assert energies.of_action("noc_router_byte").pj == pytest.approx(router)
    mean = sum(h * link + (h + 1) * router for h in hops) / len(hops)
    assert energies.of_action("noc_byte").pj == pytest.approx(mean)


def test_leakage_is_that_of_banks_and_of_logic_by_area():
    chip = load_chip("nvdla_large")
    core, area = chip.cores[0], chip_area(chip)
    banks = sum(
        b.banks * sram_leakage_mw(b.size_bytes // b.banks, 8 * b.width_bytes, 28, 512)
        for b in core.buffers
    )
    logic = model_numbers()["logic_leakage_mw_per_mm2"] * area.mm2_of("core", "logic")
    power = core_power(chip, core)
    assert power.leakage_pj == pytest.approx((banks + logic) / chip.clock_ghz)


def test_the_clock_of_eyeriss_takes_a_third_of_its_published_power():
    chip = load_chip("eyeriss")
    published_mw = 278
    power = core_power(chip, chip.cores[0])
    assert power.clock_pj * chip.clock_ghz == pytest.approx(published_mw / 3, rel=0.02)
    share = model_numbers()["gated_clock_share"]
    assert power.gated_clock_pj == pytest.approx(share * power.clock_pj)
    entry = ActionEnergies.of(chip).of_action("core.clock_cycle")
    assert entry.pj == power.clock_pj


def test_copies_of_a_core_cost_each_what_one_does():
    chip = load_chip("edge_os_16x16")
    (core,) = chip.cores
    four = chip.model_copy(update={"cores": (core.model_copy(update={"count": 4}),)})
    assert chip_area(four).mm2 == pytest.approx(4 * chip_area(chip).mm2)
    assert core_power(four, four.cores[0]) == pytest.approx(core_power(chip, core))


def test_areas_of_a_table_replace_those_of_the_model():
    chip = load_chip("nvdla_large")
    given = chip_area(chip, {"system.core.cbuf": 2e6, "system.other": 1})
    (cbuf,) = [part for part in given.components if part.component == "core.cbuf"]
    assert cbuf.um2 == 2e6
    own = buffer_um2(chip.cores[0].buffer_of("weight"), 28)
    assert given.mm2 - chip_area(chip).mm2 == pytest.approx((2e6 - own) / 1e6)
