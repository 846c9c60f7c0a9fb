"""Stream's memories and links, matched with units of presets."""

import re

import pytest

from hw_models.chip_files import load_chip
from validation.multicore.stream_tables import Busy, Peak, busy_links, link_here, peaks


def memory(name, bits, cores):
    return {"name": name, "peak_bits_or_busy_cycles": bits, "cores": cores}


def test_memories_of_one_name_stand_in_the_order_of_their_cores():
    rows = [
        memory("l1_w", 8 * 10, "[0  2  3]"),
        memory("l1_i_o", 8 * 11, "[0  1  2  3  4]"),
        memory("l1_w", 8 * 12, "[1  4]"),
        memory("l1_i_o", 8 * 13, "[0  1  2  3  4]"),
        memory("l1_w", 8 * 14, "[0  2  3]"),
        memory("dram", 8 * 15, "[5]"),
    ]
    assert peaks(rows, load_chip("aimc_4x4")) == [
        Peak("cimu0_1.weights", 10),
        Peak("cimu0_1.activations", 11),
        Peak("cimu2_3.weights", 12),
        Peak("cimu2_3.activations", 13),
        Peak("cimu4_11.weights", 14),
    ]


def test_a_shared_memory_is_one_and_an_empty_one_is_left_out():
    rows = [memory("sram_256KB", 80, "[0  1  2  3]"), memory("rf_16B", 0, "[1]")]
    assert peaks(rows, load_chip("diana")) == [Peak("shared.l1", 10)]


def test_a_memory_too_many_is_told():
    rows = [memory("l1_w", 80, "[0]")] * 2
    rule = r"^cores must have one that isn't listed before, not '\[0\]'$"
    with pytest.raises(ValueError, match=rule):
        peaks(rows, load_chip("diana"))


@pytest.mark.parametrize(
    ("preset", "theirs", "ours"),
    [
        ("depfin", "Core(1)->Any", "noc.bus"),
        ("diana", "Core(4)->Any", "noc.l2_read"),
        ("diana", "Any->Core(4)", "noc.l2_write"),
        ("aimc_4x4", "Core(5)->Core(4)", "noc.cimu14_15_dram"),
        ("aimc_4x4", "Core(2)->Core(3)", "noc.cimu4_11_cimu12_13"),
    ],
)
def test_links_are_found_by_their_ends(preset, theirs, ours):
    rows = [{"name": theirs, "peak_bits_or_busy_cycles": 7, "transfers": 3}]
    assert busy_links(rows, load_chip(preset)) == [Busy(ours, 7, 3)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Core(3)->Core(1)", "name must be that of a link of aimc_4x4, not 'Core(3)->Core(1)'"),
        ("Core(9)->Core(1)", "name must have cores of 0 to 5, not 'Core(9)'"),
        ("bus", "name must be a link between Core(N) or Any, not 'bus'"),
    ],
)
def test_a_link_that_is_not_there_is_told(name, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        link_here(name, load_chip("aimc_4x4"))
