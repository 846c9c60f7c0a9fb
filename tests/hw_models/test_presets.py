"""The chips that come with tilesim: each loads, each number has a source, peaks are published."""

from fractions import Fraction

import pytest

from hw_models.chip_files import (
    chip_data,
    chip_text,
    load_chip,
    preset_names,
)
from hw_models.clock import exact
from hw_models.pe_array.registry import pe_array
from hw_models.sourced import numbers_with_source
from hw_models.spec import OPERANDS

# chip: MACs a cycle, clock in GHz, DRAM GB/s, as in the sources that the files name; 34.15 and
# 17.08 are two and one DDR3-2133 channels with the clock of 0.937 ns that the table gives
PUBLISHED = {
    "tpu_v1": (65_536, "0.7", "34.15"),
    "onnxim_128x128_hbm2": (16_384, "1", "614.6"),
    "onnxim_quad_128x128_hbm2": (65_536, "1", "614.6"),
    "griffin": (1_024, "0.8", "51.2"),
    "onnxim_8x8_ddr4": (64, "1", "6.4"),
    "tpu_like": (1_024, "1", "8"),
    "eyeriss": (168, "0.2", "0.48"),
    "nvdla_small": (64, "1", "1"),
    "nvdla_large": (2_048, "1", "10"),
    "edge_os_16x16": (256, "0.5", "6.4"),
    "gemmini_16x16": (256, "1", "17.08"),
    "depfin": (128 * 16, "0.93", "7.44"),
    "diana": (16 * 16 + 16 * 16 * 3 * 3, "0.27", "8.64"),
    "aimc_4x4": ((4 * 64 + 256) * 256 * 3 * 3 * 2, "0.2", "16"),
    "meta_proto_df": (32 * 2 * 4 * 4, "1", "8"),
    "prertl_mac_array": (32 * 32, "0.5", "4"),
    "prertl_vwa": (168, "0.5", "4"),
    "simba_2x2": (4 * 1024, "1.958", "31.33"),
    "stream_tpu_quad": (4 * 32 * 32, "1", "8"),
    "stream_single_16x16": (16 * 16, "1", "16"),
    "stream_single_32x32": (32 * 32, "1", "16"),
    "stream_single_64x64": (64 * 64, "1", "16"),
    "stream_single_128x128": (128 * 128, "1", "16"),
    "stream_4homo": (4 * 16 * 16, "1", "16"),
    "stream_4homo_bus": (4 * 16 * 16, "1", "8"),
    "stream_4hetero": (3 * 16 * 16 + 3 * 3 * 28, "1", "16"),
    "stream_4hetero_bus": (3 * 16 * 16 + 3 * 3 * 28, "1", "8"),
    "stream_16homo": (16 * 16 * 16, "1", "16"),
    "stream_16hetero": (4 * (3 * 16 * 16 + 3 * 3 * 28), "1", "16"),
    "stream_64homo": (64 * 16 * 16, "1", "16"),
    "stream_64hetero": (16 * (3 * 16 * 16 + 3 * 3 * 28), "1", "16"),
}
every_preset = pytest.mark.parametrize("name", sorted(PUBLISHED))


def numbers(name):
    place, text = chip_text(name)
    return numbers_with_source(chip_data(text, place))


def test_presets_are_the_expected_ones():
    assert preset_names() == sorted(PUBLISHED)


@every_preset
def test_file_and_chip_have_the_same_name(name):
    assert load_chip(name).name == name


@every_preset
def test_every_number_has_a_source(name):
    sources = {key: source for key, (_, source) in numbers(name).items()}
    assert len(sources) > 20
    assert [key for key, source in sources.items() if not source or len(source) < 15] == []


@every_preset
def test_peak_clock_and_dram_are_the_published_ones(name):
    macs, clock_ghz, gb_per_s = PUBLISHED[name]
    chip = load_chip(name)
    assert chip.peak_macs_per_cycle == macs
    assert exact(chip.clock_ghz) == Fraction(clock_ghz)
    got = float(chip.dram_bytes_per_cycle * exact(chip.clock_ghz))
    assert got == pytest.approx(float(gb_per_s), rel=5e-4)


@every_preset
def test_a_tile_of_the_unrolled_loops_fits_every_buffer(name):
    chip = load_chip(name)
    for core in chip.cores:
        loops = pe_array(core.pe_array).spatial_loops
        words = {
            "input": loops.get("c", 1) * loops.get("ox", 1),
            "weight": loops.get("c", 1) * loops.get("k", 1),
            "psum": loops.get("k", 1) * loops.get("ox", 1),
            "output": loops.get("k", 1) * loops.get("ox", 1),
        }
        for operand in OPERANDS:
            buffer = core.buffer_of(operand)
            tile_bytes = words[operand] * chip.precision.bits(operand) // 8
            assert tile_bytes * buffer.slots <= buffer.size_bytes, operand


@every_preset
def test_what_is_not_published_is_said_to_be_assumed(name):
    sources = {key: source for key, (_, source) in numbers(name).items()}
    missing = {key: source for key, source in sources.items() if "not published" in source}
    assert [key for key, source in missing.items() if "assumed" not in source] == []


def test_tpu_v1_reaches_its_published_tera_operations():
    chip = load_chip("tpu_v1")
    published_tops = 92
    tops = 2 * chip.peak_macs_per_cycle * chip.clock_ghz / 1000
    assert round(tops) == published_tops


def test_eyeriss_reaches_its_published_peak():
    chip = load_chip("eyeriss")
    published_gmacs = 33.6  # JSSC 52(1) 2017, section VI
    assert chip.peak_macs_per_cycle * chip.clock_ghz == pytest.approx(published_gmacs)


def test_nvdla_accumulators_hold_a_longest_stripe_of_all_kernels():
    for name in ("nvdla_small", "nvdla_large"):
        chip = load_chip(name)
        core = chip.cores[0]
        stripe_sums = core.pe_array.stripe_cycles * core.pe_array.unroll.k
        assert core.buffer_of("psum").size_bytes * 8 >= stripe_sums * chip.precision.psum_bits
