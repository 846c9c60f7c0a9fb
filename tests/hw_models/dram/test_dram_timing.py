"""Each timing parameter by itself: schedules of a few requests, as arithmetic.

A request taken in at the end of clock 0 is in its bank queue after clock 1, so that its first
command is issued in clock 2; a read that returns at clock c ends the run after c + 1 clocks.
"""

import numpy as np
import pytest

from hw_models.dram.standard import load_standard
from hw_models.dram.stream import run_stream
from hw_models.dram.system import DramSystem

FIRST_COMMAND = 2
DDR4 = load_standard("DDR4_2400")
LPDDR4 = load_standard("LPDDR4_3200_x16")
T = DDR4.timing_clocks


def with_clocks(standard=DDR4, **clocks):
    """The standard with some timing parameters changed so that they decide."""
    timing = standard.timing_clocks.model_copy(update=clocks)
    return standard.model_copy(update={"timing_clocks": timing})


def place(system, row=0, group=0, bank=0, column=0):
    """The address of a burst."""
    fields = system.map.fields
    values = {"ro": row, "bg": group, "ba": bank, "co": column}
    return sum(value << fields[name].shift for name, value in values.items())


def clocks(system, *bursts, per_clock=8, interval=0):
    """Clocks of a run of bursts, each a letter r or w and its place."""
    addresses = np.array([place(system, **where) for _, where in bursts], dtype=np.int64)
    stores = np.array([kind == "w" for kind, _ in bursts], dtype=np.int64)
    return run_stream(system, addresses, stores, per_clock, interval)[0]


def read(**where):
    return "r", where


def write(**where):
    return "w", where


def returned(read_command):
    """Clocks of a run whose last command is a read."""
    return read_command + T.cl + T.bl + 1


def test_a_read_of_a_closed_bank_takes_trcd_and_tcl():
    system = DramSystem(DDR4)
    assert clocks(system, read()) == returned(FIRST_COMMAND + T.rcd_rd)


def test_the_active_list_takes_a_request_one_clock_sooner():
    system = DramSystem(DDR4, "active_list")
    assert clocks(system, read()) == returned(FIRST_COMMAND - 1 + T.rcd_rd)


@pytest.mark.parametrize("controller", ["bank_queues", "active_list"])
@pytest.mark.parametrize(
    ("changes", "second_activate"),
    [
        ({"rp": 100}, T.ras + 100),
        ({"ras": 150, "rc": 0}, 150 + T.rp),
        ({"rc": 300}, 300),
        ({"rtp": 120}, T.rcd_rd + 120 + T.rp),
    ],
)
def test_another_row_of_a_bank_waits_for_trp_tras_trc_trtp(controller, changes, second_activate):
    system = DramSystem(with_clocks(**changes), controller)
    first = FIRST_COMMAND - (controller == "active_list")
    expected = returned(first + second_activate + T.rcd_rd)
    assert clocks(system, read(), read(row=1)) == expected


def test_another_row_waits_for_write_recovery():
    system = DramSystem(with_clocks(wr=100))
    first_write = FIRST_COMMAND + T.rcd_wr
    precharge = first_write + T.cwl + T.bl + 100
    assert clocks(system, write(), read(row=1)) == returned(precharge + T.rp + T.rcd_rd)


@pytest.mark.parametrize(
    ("changes", "second", "gap"),
    [
        ({"ccd_l": 40}, {"column": 1}, 40),
        ({"ccd_s": 30}, {"group": 1}, 30),
        ({"ccd_s": 1, "ccd_l": 1, "bl": T.bl}, {"column": 1}, T.bl),
    ],
)
def test_reads_follow_each_other_at_tccd_or_a_burst(changes, second, gap):
    system = DramSystem(with_clocks(**changes))
    expected = returned(FIRST_COMMAND + T.rcd_rd + gap)
    assert clocks(system, read(), read(**second)) == expected


@pytest.mark.parametrize(
    ("changes", "second", "gap"),
    [({"rrd_l": 50}, {"bank": 1}, 50), ({"rrd_s": 45}, {"group": 1}, 45)],
)
def test_activates_follow_each_other_at_trrd(changes, second, gap):
    system = DramSystem(with_clocks(**changes))
    expected = returned(FIRST_COMMAND + gap + T.rcd_rd)
    assert clocks(system, read(), read(**second)) == expected


@pytest.mark.parametrize("faw", [4 * T.rrd_s, 200])
def test_the_fifth_activate_waits_for_tfaw(faw):
    system = DramSystem(with_clocks(faw=faw))
    banks = [read(group=i % 4, bank=i // 4) for i in range(5)]
    expected = returned(FIRST_COMMAND + max(faw, 4 * T.rrd_s) + T.rcd_rd)
    assert clocks(system, *banks) == expected
    fourth = returned(FIRST_COMMAND + 3 * T.rrd_s + T.rcd_rd)
    assert clocks(system, *banks[:4]) == fourth


@pytest.mark.parametrize(
    ("changes", "second", "turn"),
    [({"wtr_l": 60}, {"column": 1}, 60), ({"wtr_s": 70, "wtr_l": 70}, {"group": 1}, 70)],
)
def test_a_read_after_a_write_waits_for_twtr(changes, second, turn):
    system = DramSystem(with_clocks(**changes))
    first_write = FIRST_COMMAND + T.rcd_wr
    expected = returned(first_write + T.cwl + T.bl + turn)
    assert clocks(system, write(), read(**second)) == expected


def test_a_write_after_a_read_waits_for_the_bus_to_turn():
    system = DramSystem(with_clocks(rtw=80))
    first_read = FIRST_COMMAND + T.rcd_rd
    expected = first_read + T.cl + T.bl + 80 - T.cwl + 1
    assert clocks(system, read(), write(column=1), interval=1) == expected


def test_a_refresh_closes_the_row_and_takes_trfc():
    system = DramSystem(DDR4)
    activate = T.refi + T.rp + T.rfc
    expected = returned(activate + T.rcd_rd)
    assert clocks(system, read(), read(column=1), interval=T.refi - 1) == expected


def test_a_refresh_due_later_disturbs_nothing():
    system = DramSystem(with_clocks(refi=2 * T.refi))
    expected = T.refi - 1 + returned(FIRST_COMMAND)
    assert clocks(system, read(), read(column=1), interval=T.refi - 1) == expected


def test_per_bank_refresh_blocks_one_bank_only():
    system, t = DramSystem(LPDDR4, refresh="per_bank"), LPDDR4.timing_clocks
    data = t.cl + t.bl + 1
    same = clocks(system, read(), read(column=1), interval=t.refi_pb - 1)
    assert same == t.refi_pb + t.rp + t.rfc_pb + t.rcd_rd + data
    other = clocks(system, read(), read(bank=1), interval=t.refi_pb - 1)
    assert other == t.refi_pb + 1 + t.rcd_rd + data


def test_a_closed_page_saves_the_precharge_of_the_next_row():
    system = DramSystem(with_clocks(rc=0, ras=1), page_policy="closed")
    second = T.rcd_rd + T.bl + T.rtp + T.rp
    assert clocks(system, read(), read(row=1)) == returned(FIRST_COMMAND + second + T.rcd_rd)


@pytest.mark.parametrize(("hits", "activates"), [(3, 2), (4, 3)])
def test_a_row_conflict_lets_four_accesses_of_the_open_row_pass_at_most(hits, activates):
    system = DramSystem(with_clocks(rtp=1, ras=1))
    places = [place(system), place(system, row=1)]
    places += [place(system, column=1 + i) for i in range(hits)]
    stores = np.zeros(len(places), dtype=np.int64)
    _, counts = run_stream(system, np.array(places, dtype=np.int64), stores, len(places))
    assert counts.activates == activates
