from math import sqrt
from statistics import fmean, median

import pytest

from hw_models.chip_files import load_chip, preset_names
from hw_models.cost.action_table import action_rows, rows_of
from hw_models.cost.energy import TIME_ACTIONS, ActionEnergies, mac_pj
from hw_models.cost.interpolation import log_log, log_log_grid
from hw_models.cost.sram import (
    SRAM_NODES_NM,
    nearest_sram_node_nm,
    sram_access_pj,
    sram_area_grid,
    sram_grid,
)
from hw_models.cost.technology import energy_factor, nominal_vdd_v
from hw_models.spec import PrecisionSpec

INT8 = PrecisionSpec(input_bits=8, weight_bits=8, psum_bits=32, output_bits=8)
WIDEST = 512


def cell(component, action, width, node):
    rows = rows_of(component, action, node)
    return next(row.pj for row in rows if row.width_bits == str(width))


def test_the_table_keeps_its_sources():
    assert len(action_rows()) > 600
    assert all(row.source and row.flag for row in action_rows())


def test_an_unknown_action_is_refused():
    message = r"^energy_actions.csv must have a row for sram fold$"
    with pytest.raises(ValueError, match=message):
        rows_of("sram", "fold")


def published_factors():
    rows = rows_of("scaling_energy", "factor vs 45nm 0.9 V")
    return [(int(r.node_nm), float(r.vdd_v), r.pj) for r in rows if r.node_nm != "12"]


@pytest.mark.parametrize(("node", "vdd", "factor"), published_factors())
def test_scaling_gives_the_factors_of_the_table(node, vdd, factor):
    assert energy_factor(45, 0.9, node, vdd) == pytest.approx(factor, rel=1e-3)
    assert nominal_vdd_v(node) == pytest.approx(vdd)


def test_scaling_there_and_back_is_nothing():
    there = energy_factor(65, 1.0, 7, 0.7)
    assert there * energy_factor(7, 0.7, 65, 1.0) == pytest.approx(1)


@pytest.mark.parametrize("node", [6, 131])
def test_scaling_outside_the_paper_is_refused(node):
    with pytest.raises(ValueError, match=rf"^technology_nm must be between 7 and 130, not {node}$"):
        nominal_vdd_v(node)


def test_interpolation_is_exact_for_a_power():
    exponent = 0.5
    points = {x: 3 * x**exponent for x in (1.0, 8.0, 64.0)}
    for x in (0.25, 1.0, 5.0, 64.0, 500.0):
        assert log_log(points, x) == pytest.approx(3 * x**exponent)


def test_interpolation_between_two_points_is_their_geometric_mean_in_the_middle():
    assert log_log({1.0: 2.0, 4.0: 8.0}, 2.0) == pytest.approx(sqrt(2 * 8))


def test_interpolation_needs_two_points():
    with pytest.raises(ValueError, match=r"^points must be at least 2, not 1$"):
        log_log({1.0: 1.0}, 2.0)


def test_a_grid_without_some_corners_uses_the_columns_that_have_two_points():
    grid = {(1, 64): 1.0, (4, 64): 2.0, (1, 128): 2.0, (4, 128): 4.0, (4, 256): 9.0}
    assert log_log_grid(grid, 2, 64) == pytest.approx(sqrt(1 * 2))
    assert log_log_grid(grid, 1, 128) == pytest.approx(2)


def test_int8_mac_at_45_nm_is_multiply_plus_add():
    scale = energy_factor(45, 0.9, 45, nominal_vdd_v(45))
    expected = cell("int_mult", "mult", 8, 45) + cell("int_add", "add", 32, 45)
    assert mac_pj(INT8, 45) == pytest.approx(expected * scale)


def test_mixed_widths_multiply_at_their_geometric_mean():
    mixed = PrecisionSpec(input_bits=16, weight_bits=4, psum_bits=32, output_bits=16)
    assert mac_pj(mixed, 28) == pytest.approx(mac_pj(INT8, 28))


def test_wider_operands_and_older_nodes_cost_more():
    int16 = PrecisionSpec(input_bits=16, weight_bits=16, psum_bits=32, output_bits=16)
    assert mac_pj(int16, 28) > 2 * mac_pj(INT8, 28)
    assert mac_pj(INT8, 65) > mac_pj(INT8, 28) > mac_pj(INT8, 16)


@pytest.mark.parametrize("node", SRAM_NODES_NM)
@pytest.mark.parametrize("action", ["read", "write"])
def test_a_measured_sram_is_given_back(node, action):
    for (kib, bits), pj in sram_grid(action, node).items():
        got = sram_access_pj(action, int(kib * 1024), int(bits), node, WIDEST)
        assert got == pytest.approx(pj)


def held_out_errors(grid):
    """Error of every grid point between others, predicted from them."""
    errors = []
    least, most = (end(kib for kib, _ in grid) for end in (min, max))
    for point, value in grid.items():
        if least < point[0] < most:
            others = {key: other for key, other in grid.items() if key != point}
            errors.append(abs(log_log_grid(others, *point) / value - 1))
    return errors


@pytest.mark.parametrize("node", SRAM_NODES_NM)
def test_srams_left_out_of_the_grid_are_predicted_within_ten_percent(node):
    """On average; single points of CACTI jump where it changes an array's organisation."""
    errors = {name: held_out_errors(sram_grid(name, node)) for name in ("read", "write", "leakage")}
    errors["area"] = held_out_errors(sram_area_grid(node))
    assert fmean(errors["read"] + errors["write"]) < 0.10
    assert fmean(errors["read"]) < 0.08
    assert fmean(errors["write"]) < 0.13
    assert fmean(errors["leakage"]) < 0.05
    assert fmean(errors["area"]) < 0.07
    for name, found in errors.items():
        assert median(found) < 0.10, name


def test_a_word_wider_than_any_array_comes_from_arrays_side_by_side():
    one = sram_access_pj("read", 64 * 1024, 512, 28, WIDEST)
    assert sram_access_pj("read", 256 * 1024, 2048, 28, WIDEST) == pytest.approx(4 * one)


@pytest.mark.parametrize(("node", "nearest"), [(7, 22), (24, 22), (25, 28), (65, 28)])
def test_other_nodes_scale_from_the_nearest_measured_one(node, nearest):
    assert nearest_sram_node_nm(node) == nearest
    scale = energy_factor(nearest, nominal_vdd_v(nearest), node, nominal_vdd_v(node))
    here, there = (sram_access_pj("read", 8192, 64, n, WIDEST) for n in (node, nearest))
    assert here == pytest.approx(there * scale)


@pytest.mark.parametrize("name", preset_names())
def test_every_action_of_a_chip_has_energy_and_source(name):
    chip = load_chip(name)
    energies = ActionEnergies.of(chip)
    buffers = [f"{core.name}.{b.name}" for core in chip.cores for b in core.buffers]
    accesses = [f"{b}.{access}_byte" for b in buffers for access in ("read", "write")]
    of_cores = [f"{c.name}.{name}" for c in chip.cores for name in ("pe_store", *TIME_ACTIONS)]
    for action in ("mac", "vector_operation", "noc_byte", "dram_byte", *accesses, *of_cores):
        entry = energies.of_action(action)
        free = action == "noc_byte" and chip.noc.kind == "links"
        assert entry.pj > 0 or (free and entry.pj == 0)
        assert len(entry.source) > 20
    assert len(energies.entries) == 4 + len(accesses) + len(of_cores)
    assert energies.as_dict()["mac"]["pj"] == energies.of_action("mac").pj


def test_dram_costs_what_the_chip_file_says():
    chip = load_chip("edge_os_16x16")
    got = ActionEnergies.of(chip).of_action("dram_byte").pj
    assert got == pytest.approx(8 * chip.dram.pj_per_bit)


def test_a_byte_of_a_buffer_is_its_share_of_the_access_of_a_bank():
    chip = load_chip("nvdla_large")
    cbuf = chip.cores[0].buffer_of("weight")
    bank_kib, bits = cbuf.size_bytes // cbuf.banks // 1024, 8 * cbuf.width_bytes
    measured = sram_grid("read", 28)[bank_kib, bits]
    got = ActionEnergies.of(chip).of_action("core.cbuf.read_byte").pj
    assert got == pytest.approx(measured / cbuf.width_bytes)


def test_a_bus_byte_is_wire_energy_times_length():
    wire_pj_per_bit_mm, length_mm = 0.0993, 2.0
    got = ActionEnergies.of(load_chip("tpu_v1")).of_action("noc_byte")
    assert got.pj == pytest.approx(8 * wire_pj_per_bit_mm * length_mm)
    assert "assumed" in got.source


def test_an_unknown_action_of_a_chip_names_the_known_ones():
    with pytest.raises(ValueError, match=r"^action must be one of mac, .*, not 'mug'$"):
        ActionEnergies.of(load_chip("eyeriss")).of_action("mug")
