"""Stream's names of chips, single ports and other links."""

import re

import pytest

from hw_models.chip_files import load_chip
from hw_models.noc_spec import DRAM
from validation.multicore.hardware import PRESETS, chip_of

REMARK = "TPU_like_quad_core (PyPI stream-dse 0.0.8; see md section 3)"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_name_has_a_preset_with_pooling_and_simd_last(name):
    assert chip_of(name).core_names[-2:] == ["pooling", "simd"]


def test_the_longest_name_counts():
    assert chip_of("HW2_4homo_mesh_dpDRAM") == load_chip("stream_4homo")
    assert chip_of(REMARK) == load_chip("stream_tpu_quad")


def test_a_single_port_is_one_link_of_half_the_bandwidth():
    one, two = chip_of("HW2_4homo_mesh"), chip_of("HW2_4homo_mesh_dpDRAM")
    [link] = [link for link in one.noc.links if DRAM in link.ends]
    assert not link.directed
    assert one.dram.bandwidth_gb_per_s == two.dram.bandwidth_gb_per_s / 2
    assert len(one.noc.links) == len(two.noc.links) - 1


@pytest.mark.parametrize(
    ("cell", "remarks", "bits"),
    [
        ("HW2_4homo_mesh_dpDRAM, 32 bit/cycle links", "", 32),
        ("HW2_4homo_mesh_dpDRAM", "rn18_4homo_fused_link32", 32),
        ("TPU_like_quad_core (PyPI stream-dse 0.0.8; links 128)", "", 128),
        (REMARK, "one output row per tile (OY split fully)", 64),
    ],
)
def test_links_between_cores_take_the_width_that_is_told(cell, remarks, bits):
    chip, before = chip_of(cell, remarks), chip_of(cell.split(",")[0].split(" ")[0])
    for link, was in zip(chip.noc.links, before.noc.links, strict=True):
        keeps = DRAM in was.ends or was.width_bytes > 512
        assert link.width_bytes == (was.width_bytes if keeps else bits // 8)


def test_unknown_hardware_names_the_known():
    message = f"hardware must be one of {', '.join(PRESETS)}, not 'HW9'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        chip_of("HW9")


def test_links_of_odd_width_are_refused():
    with pytest.raises(ValueError, match=r"^links must be a multiple of 8 bits wide, not 12$"):
        chip_of("HW2_4homo_bus", "links 12")
