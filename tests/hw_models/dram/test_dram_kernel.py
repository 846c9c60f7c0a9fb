"""The DRAM kernel against plain loops over clocks: streams, and transfers under the server."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.dram.channel import TICK_CAUSES
from hw_models.dram.kernel import WINDOW_CAUSES, dram_kernel
from hw_models.dram.plain import PlainTransfer, stream_plain, transfers_plain
from hw_models.dram.plain_channel import CAUSES
from hw_models.dram.standard import load_standard
from hw_models.dram.stream import run_stream
from hw_models.dram.system import CONTROLLERS, PAGE_POLICIES, DramSystem
from tests.hw_models.kernel_runs import run_kernel

END = 5_000

SYSTEMS = {
    "DDR4": DramSystem(load_standard("DDR4_2400"), ranks=2, address_map="ro-ch-ra-ba-bg-co"),
    "DDR4 two channels": DramSystem(
        load_standard("DDR4_2400"), address_map="ro-ra-ba-co-bg-ch", channels=2
    ),
    "LPDDR4": DramSystem(load_standard("LPDDR4_3200_x16"), refresh="per_bank"),
    "HBM2": DramSystem(load_standard("HBM2_2000"), channels=4),
    "GDDR6": DramSystem(load_standard("GDDR6_24Gbps")),
    "R2 DDR4": DramSystem(load_standard("DDR4_3200AA"), "active_list_hits"),
    "R2 HBM2": DramSystem(
        load_standard("HBM2_2000_pseudo"), "active_list", address_map="RoBaRaCoCh", channels=2
    ),
    "R2 HBM2 hashed": DramSystem(
        load_standard("HBM2_2400_onnxim"), "active_list", channels=4, channel_hash="ipoly"
    ),
    "R2 LPDDR5": DramSystem(load_standard("LPDDR5_6400"), "active_list", address_map="RoBaRaCoCh"),
    "R2 LPDDR5 per bank": DramSystem(
        load_standard("LPDDR5_6400"), "active_list", refresh="per_bank"
    ),
    "DDR4 closed": DramSystem(load_standard("DDR4_2400"), page_policy="closed"),
    "R2 HBM2 closed": DramSystem(
        load_standard("HBM2_2000_pseudo"), "active_list", page_policy="closed"
    ),
    "R2 DDR4 closed": DramSystem(load_standard("DDR4_2400R"), "active_list", "closed"),
}


def test_the_systems_cover_all_controllers_and_policies():
    assert {system.controller for system in SYSTEMS.values()} == set(CONTROLLERS)
    assert {system.page_policy for system in SYSTEMS.values()} == set(PAGE_POLICIES)
    assert len(CAUSES) == TICK_CAUSES == len(WINDOW_CAUSES)


def granules(draw, system, count):
    """Granules that meet often: few rows of few banks, some of them the same."""
    rows = draw(st.integers(1, 4))
    near = st.integers(0, 40)
    far = st.integers(0, system.capacity_bytes // system.map.granule_bytes - 1)
    pool = [draw(far) for _ in range(rows)]
    return [
        (draw(st.sampled_from(pool)) + draw(near))
        % (system.capacity_bytes // system.map.granule_bytes)
        for _ in range(count)
    ]


@st.composite
def streams(draw, system):
    count = draw(st.integers(1, 70))
    places = np.array(granules(draw, system, count), dtype=np.int64) * system.map.granule_bytes
    writes = draw(st.sampled_from([0, 1, 2, 5]))
    stores = np.array([draw(st.integers(0, 5)) < writes for _ in range(count)], dtype=np.int64)
    return places, stores, draw(st.sampled_from([1, 4])), draw(st.sampled_from([0, 0, 7, 150]))


@pytest.mark.parametrize("name", sorted(SYSTEMS))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_stream_takes_as_long_as_in_the_plain_loop(name, data):
    system = SYSTEMS[name]
    stream = data.draw(streams(system))
    if data.draw(st.booleans()):
        system = replace(system, kept_writes=8)
    assert run_stream(system, *stream) == stream_plain(system, *stream)


def run_server(system, transfers, owners, cycles_per_tick, *, reverse=False):
    """What the server says of each transfer, and the cycles of each channel by cause."""
    names = [f"channel{i}" for i in range(system.channels)]
    kernel = dram_kernel(system, owners, cycles_per_tick)
    submissions = [(transfer.arrival, transfer.row, transfer[2:]) for transfer in transfers]
    results, ledger = run_kernel(kernel, names, submissions, END, reverse=reverse)
    return results, [ledger.unit_cycles(name) for name in names]


@st.composite
def transfers_of(draw, system, rows):
    granule = system.map.granule_bytes
    found = []
    for row in range(1, rows + 1):
        at = 0
        for _ in range(draw(st.integers(1, 2))):
            at += draw(st.integers(0, 60))
            run = draw(st.integers(1, 3 * granule))
            stride = draw(st.sampled_from([granule, 3 * granule, 8192, 65536 + granule]))
            count = draw(st.integers(1, 3))
            place = draw(st.integers(0, system.capacity_bytes // 2))
            found.append(
                PlainTransfer(
                    at,
                    row,
                    at + draw(st.integers(0, 30)),
                    draw(st.sampled_from([0, 8192, place])),
                    run,
                    count,
                    stride,
                    draw(st.integers(1, 2)),
                    granule,
                    1,
                    2 * stride,
                    draw(st.integers(0, 1)),
                    draw(st.sampled_from([0, 0, 7])),
                    draw(st.integers(1, 3)),
                )
            )
            at += END // 2  # a row holds one job at a time
    return found


@pytest.mark.parametrize("name", sorted(SYSTEMS))
@settings(max_examples=6, deadline=None)
@given(data=st.data(), reverse=st.booleans())
def test_the_server_equals_a_plain_loop_that_knows_all_arrivals(name, data, reverse):
    system = SYSTEMS[name]
    owners = data.draw(st.sampled_from([(0,), (0, 1), (0, 0, 1, 2)]))
    transfers = data.draw(transfers_of(system, len(owners)))
    expected, channels = transfers_plain(system, transfers, owners, END)
    results, ledgers = run_server(system, transfers, owners, Fraction(1), reverse=reverse)
    assert [results[task] for task in range(len(transfers))] == expected
    for found, ticks in zip(ledgers, channels, strict=True):
        causes = zip(WINDOW_CAUSES, (ticks[cause] for cause in CAUSES), strict=True)
        # The server's windows end with the last completion; what follows counts as idle.
        assert sum(found.values()) == END
        for cause, count in causes:
            if cause != "idle/no_work":
                assert found.get(cause, 0) == count


def test_a_system_that_keeps_writes_back_takes_no_transfers():
    system = replace(SYSTEMS["DDR4"], kept_writes=8)
    with pytest.raises(ValueError, match=r"^kept_writes must be 0 under transfers, not 8$"):
        dram_kernel(system, [0], Fraction(1))


@pytest.mark.parametrize("cycles_per_tick", [Fraction(3, 2), Fraction(5, 6)])
def test_a_transfer_ends_at_the_chip_cycle_after_its_last_tick(cycles_per_tick):
    system = SYSTEMS["R2 DDR4"]
    granule = system.map.granule_bytes
    transfer = PlainTransfer(0, 1, 0, 0, 20 * granule, 1, 0, 1, 0, 1, 0, 0, 0, 1)
    [(end, *ticks)], _ = transfers_plain(system, [transfer], [0], 500)
    results, _ = run_server(system, [transfer], [0], cycles_per_tick)
    assert results[0] == (-(-end * cycles_per_tick // 1), *ticks)
    clocks = system.standard.timing_clocks
    row_open = 1 + clocks.rcd_rd
    assert end == row_open + 19 * clocks.ccd_l + clocks.cl + clocks.bl


def test_bursts_of_one_core_wait_for_those_of_another_by_name():
    system = SYSTEMS["R2 DDR4"]
    size = 64 * system.map.granule_bytes
    shape = (0, size, 1, 0, 1, 0, 1, 0, 0, 0, 1)
    transfers = [PlainTransfer(0, row, 0, *shape) for row in (1, 2)]
    same, _ = run_server(system, transfers, [0, 0], Fraction(1))
    other, _ = run_server(system, transfers, [0, 1], Fraction(1))
    queued = -2
    assert [same[task][queued] for task in range(2)] == [0, 0]
    assert all(other[task][queued] > 0 for task in range(2))
    assert [same[task][0] for task in range(2)] == [other[task][0] for task in range(2)]
