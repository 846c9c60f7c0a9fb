"""Standards, address maps, systems and energy: what is refused, and what numbers come out."""

import re
from fractions import Fraction

import pytest

from hw_models.dram.address_map import FIELDS
from hw_models.dram.counts import DramCounts, energy_pj
from hw_models.dram.standard import load_standard, parse_standard, standard_names
from hw_models.dram.system import DramSystem, dram_peak_bytes_per_clock
from hw_models.yaml_file import InputError

DDR4 = load_standard("DDR4_2400")


@pytest.mark.parametrize("name", standard_names())
def test_every_standard_is_whole(name):
    standard = load_standard(name)
    assert standard.name == name
    system = DramSystem(standard)
    org = standard.organisation
    banks = org.pseudo_channels * org.bank_groups * org.banks_per_group
    row_bytes = org.columns * org.bus_bits // 8
    assert system.capacity_bytes == banks * org.rows * row_bytes


def test_standards_of_all_protocols_are_there():
    protocols = {load_standard(name).protocol for name in standard_names()}
    assert protocols == {"DDR3", "DDR4", "LPDDR3", "LPDDR4", "LPDDR5", "HBM2", "GDDR6"}


def test_a_standard_that_does_not_exist_gets_the_nearest_name():
    known = ", ".join(standard_names())
    message = (
        f"no DRAM standard is called 'DDR4_2401': did you mean DDR4_2400? standards are {known}; "
        "a file is given by its path"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_standard("DDR4_2401")


def test_a_standard_with_an_unknown_key_is_refused():
    with pytest.raises(InputError, match=r"^mine\.yaml: "):
        parse_standard("name: mine\nspeed: 3\n", "mine.yaml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ro-ra-bg-ba-co", "ch is missing"),
        ("ro-ra-bg-ba-ch-co-co", "co is there twice"),
    ],
)
def test_an_address_map_must_have_every_field_once(text, problem):
    message = f"address_map must have each of {', '.join(FIELDS)} once, not {text!r} ({problem})"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        DramSystem(DDR4, address_map=text)


def test_an_address_map_of_unknown_fields_is_refused():
    message = "address_map must be made of ro, ra, bg, ba, ch, co, not 'ro-xx-bg-ba-ch-co' ('xx')"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        DramSystem(DDR4, address_map="ro-xx-bg-ba-ch-co")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"controller": "bank_queue"},
            "controller must be one of bank_queues, active_list, active_list_hits, "
            "not 'bank_queue' (did you mean bank_queues?)",
        ),
        ({"page_policy": "x"}, "page_policy must be one of open, closed, not 'x'"),
        (
            {"refresh": "per_bank"},
            "refresh must be all_bank, not per_bank: DDR4_2400 has no per-bank one",
        ),
        ({"channels": 3}, "address_map: the size of ch must be a power of two, not 3"),
        (
            {"channel_hash": "xor", "channels": 2},
            "channel_hash must be one of none, ipoly, not 'xor'",
        ),
    ],
)
def test_a_system_that_does_not_fit_together_is_refused(options, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        DramSystem(DDR4, **options)


@pytest.mark.parametrize(("address", "size"), [(-1, 4), (2**33 - 4, 8)])
def test_a_transfer_past_the_memory_is_refused(address, size):
    system = DramSystem(DDR4)
    assert system.capacity_bytes == 2**33
    system.check_transfer("conv1", system.capacity_bytes - size, size)
    message = (
        f"conv1: bytes {address} to {address + size} must lie in the memory of "
        f"{system.capacity_bytes} bytes"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        system.check_transfer("conv1", address, size)


def test_peak_rates_are_those_of_the_data_bus():
    assert dram_peak_bytes_per_clock(DDR4, 1) == Fraction(64, 4)
    assert dram_peak_bytes_per_clock(load_standard("HBM2_2000"), 8) == 8 * Fraction(64, 2)
    gddr6 = load_standard("GDDR6_24Gbps")
    assert dram_peak_bytes_per_clock(gddr6, 1) == Fraction(256, gddr6.timing_clocks.ccd_s)


def test_hashed_channels_share_consecutive_granules_evenly():
    system = DramSystem(DDR4, channels=16, channel_hash="ipoly")
    granule = system.map.granule_bytes
    places = [system.map.channel(i * granule) for i in range(16 * 64)]
    assert {places.count(channel) for channel in range(16)} == {64}


def test_energy_is_current_times_voltage_times_clocks():
    t, amps, devices = DDR4.timing_clocks, DDR4.currents, DDR4.organisation.devices
    scale = amps.vdd_v * devices * DDR4.tck_ns
    counts = DramCounts(activates=2, reads=3, writes=5, refreshes=7, open_clocks=11, idle_clocks=13)
    energy = energy_pj(DDR4, counts)
    activate = amps.idd0_ma * t.rc - amps.idd3n_ma * t.ras - amps.idd2n_ma * t.rp
    assert energy == pytest.approx(
        {
            "activate": 2 * activate * scale,
            "read": 3 * (amps.idd4r_ma - amps.idd3n_ma) * t.bl * scale,
            "write": 5 * (amps.idd4w_ma - amps.idd3n_ma) * t.bl * scale,
            "refresh": 7 * (amps.idd5ab_ma - amps.idd3n_ma) * t.rfc * scale,
            "background": (11 * amps.idd3n_ma + 13 * amps.idd2n_ma) * scale,
        }
    )


def test_a_standard_without_currents_tells_no_energy():
    message = "LPDDR5_6400: must have currents to tell energy"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        energy_pj(load_standard("LPDDR5_6400"), DramCounts())
