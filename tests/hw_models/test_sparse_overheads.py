"""Overheads: buffer depths and fan-ins, counts of parts, energy by activity, bad input."""

import re

import pytest

from hw_models.cost.sparse_overheads import (
    OPERAND_BITS,
    SUM_BITS,
    UNIT_SETS,
    Activity,
    Counts,
    Sizes,
    core_area_um2,
    energy_fj,
    unit_costs,
)
from hw_models.pe_array.borrowing_window import DENSE, Core, parse_borrowing
from hw_models.sparsity.designs import named_designs
from traces.errors import InputError

CORE = Core()
A_LANES, B_LANES = CORE.lanes * CORE.rows, CORE.lanes * CORE.columns
PES = CORE.rows * CORE.columns

FAN_INS = [
    # Griffin, HPCA 2022 (A and B rows recalled, AB row derived): ABUF, AMUX, BBUF, BMUX, trees.
    ("dense", 1, 1, 1, 1, 1),
    ("A(2,1,0)", 3, 5, 3, 5, 1),
    ("A(2,1,1)", 3, 9, 3, 5, 2),
    ("B(4,0,1)", 5, 5, 1, 1, 2),
    ("B(8,0,1)", 9, 9, 1, 1, 2),
    ("B(2,5,0)", 3, 13, 1, 1, 1),
    ("AB(2,0,0,2,0,1)", 9, 9, 3, 3, 2),
]


@pytest.mark.parametrize(("name", "abuf", "amux", "bbuf", "bmux", "trees"), FAN_INS)
def test_depths_and_fan_ins(name, abuf, amux, bbuf, bmux, trees):
    s = Sizes.of(parse_borrowing(name))
    found = (s.abuf_steps, s.amux_inputs, s.bbuf_steps, s.bmux_inputs, s.trees)
    assert found == (abuf, amux, bbuf, bmux, trees)


def test_tensordash_has_eight_inputs_and_three_rows():
    """TensorDash, arXiv 2009.00748: 3-row staging buffers, 8-input multiplexers."""
    (borrowing,) = named_designs()["tensordash"].configurations
    s = Sizes.of(borrowing)
    assert (s.abuf_steps, s.bbuf_steps) == (3, 3)
    assert (s.amux_inputs, s.bmux_inputs, s.pick_inputs) == (8, 8, 8)


def test_parts_of_a_dual_core():
    parts = Counts(CORE, Sizes.of(parse_borrowing("AB(2,0,0,2,0,1)"))).parts()
    assert parts["multiplier"] == ("multiplier", CORE.multipliers)
    assert parts["ABUF"] == ("register_bit", 9 * A_LANES * OPERAND_BITS + 9 * A_LANES)
    assert parts["BBUF"] == ("register_bit", 3 * B_LANES * (OPERAND_BITS + 3))
    assert parts["AMUX"] == ("mux2_bit", (9 - 1) * OPERAND_BITS * CORE.multipliers)
    assert parts["BMUX"] == ("mux2_bit", (3 - 1) * OPERAND_BITS * CORE.multipliers)
    assert parts["accumulators"] == ("adder_bit", 2 * PES * SUM_BITS)
    assert parts["product steering"] == ("and_bit", 2 * 16 * CORE.multipliers)
    assert parts["pickers"] == ("pick_input", 3 * CORE.multipliers)
    assert parts["shuffler"] == ("mux2_bit", A_LANES / 4 * 12 * OPERAND_BITS)


def test_one_sided_activation_designs_share_multiplexer_and_picker_over_columns():
    parts = Counts(CORE, Sizes.of(parse_borrowing("A(2,1,0)"))).parts()
    assert parts["AMUX"] == ("mux2_bit", (5 - 1) * OPERAND_BITS * A_LANES)
    assert parts["pickers"] == ("pick_input", 5 * A_LANES)
    assert parts["shuffler"] == ("mux2_bit", (A_LANES + B_LANES) / 4 * 12 * OPERAND_BITS)


def test_the_dense_core_has_no_sparse_parts():
    parts = Counts(CORE, Sizes.of(DENSE)).parts()
    sparse = ("product steering", "AMUX", "BMUX", "pickers", "shuffler")
    assert [parts[name][1] for name in sparse] == [0] * len(sparse)


def test_tree_width_is_the_mean_of_its_levels():
    """16 lanes: 8, 4, 2, 1 adders of 16 + 1, 2, 3, 4 bits, counted from the leaves."""
    widths = [17] * 8 + [18] * 4 + [19] * 2 + [20]
    assert Counts(CORE, Sizes()).tree_bits == pytest.approx(sum(widths) / len(widths))


@pytest.mark.parametrize("units", UNIT_SETS)
def test_a_hybrid_has_of_every_part_the_most_that_a_configuration_needs(units):
    configurations = named_designs()["griffin"].configurations
    hybrid = core_area_um2(CORE, configurations, units)
    singles = [core_area_um2(CORE, [one], units) for one in configurations]
    assert hybrid == {part: max(single[part] for single in singles) for part in hybrid}


def test_more_bandwidth_never_makes_an_sram_smaller():
    areas = [core_area_um2(CORE, [parse_borrowing(f"B({d},0,0)")])["SRAM"] for d in range(1, 15)]
    assert areas == sorted(areas)
    assert areas[0] >= core_area_um2(CORE, [DENSE])["SRAM"]


def test_a_gated_part_of_the_hybrid_costs_nothing():
    """In B(8,0,1) the hybrid's weight multiplexers and pickers stand still."""
    configurations = named_designs()["griffin"].configurations
    b = next(one for one in configurations if one.mode == "B")
    used = Sizes.in_use(b, configurations)
    energy = energy_fj(CORE, used, Activity(10, 10, 10, 10, 10))
    assert energy["BMUX"] == energy["pickers"] == 0
    assert energy["AMUX"] > 0


def test_energy_follows_what_switches():
    sizes, cycles = Sizes.of(parse_borrowing("AB(2,0,0,2,0,1)")), 100
    costs = unit_costs()
    half = Activity(cycles, cycles * CORE.multipliers // 2, 250, 110, 64)
    energy = energy_fj(CORE, sizes, half)
    assert energy["multiplier"] == pytest.approx(
        cycles * CORE.multipliers / 2 * costs["multiplier"].energy_fj
    )
    assert energy["AMUX"] == pytest.approx(
        cycles * 8 * OPERAND_BITS * CORE.multipliers * costs["mux2_bit"].energy_fj
    )
    bits = A_LANES * (OPERAND_BITS + 1)
    assert energy["ABUF"] == pytest.approx(250 * bits * costs["register_bit"].energy_fj)
    idle = energy_fj(CORE, sizes, Activity(cycles, 0, 0, 0, 0))
    gated = ("multiplier", "adder trees", "product steering", "ABUF", "BBUF", "A SRAM", "B SRAM")
    assert [idle[part] for part in gated] == [0] * len(gated)


def test_a_selected_path_has_a_stage_for_each_doubling():
    sizes, did = Sizes.of(parse_borrowing("AB(2,0,0,2,0,1)")), Activity(10, 10, 10, 10, 10)
    every, path = (energy_fj(CORE, sizes, did, mux=mux) for mux in ("inputs", "path"))
    assert path["AMUX"] / every["AMUX"] == pytest.approx(3.1699 / 8, rel=1e-4)
    assert path["multiplier"] == every["multiplier"]


def test_activities_add_up():
    assert Activity(1, 2, 3, 4, 5) + Activity(10, 20, 30, 40, 50) == Activity(11, 22, 33, 44, 55)


def test_unknown_unit_costs():
    rule = "unit costs must be one of asap7, scaled_45nm, not 'none'"
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        unit_costs("none")


def test_both_unit_sets_cost_the_same_units():
    one, other = (unit_costs(name) for name in UNIT_SETS)
    assert set(one) == set(other)
