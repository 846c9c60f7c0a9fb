from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hw_models.clock import TickClock
from hw_models.server import shares
from hw_models.windows import joined_windows, window_intervals

BUSY, WAIT, IDLE = 2, 5, 16


def test_windows_of_one_cause_are_joined_and_mixed_ones_packed():
    ends = np.array([10, 20, 30])
    ticks = np.array([[10, 0, 0], [10, 0, 0], [4, 6, 0]])
    table = window_intervals(0, ends, ticks, (BUSY, WAIT, IDLE), TickClock(Fraction(1)))
    assert table["start"].tolist() == [0, 20, 24]
    assert table["end"].tolist() == [20, 24, 30]
    assert table["cause"].tolist() == [BUSY, BUSY, WAIT]
    assert table["packed"].tolist() == [0, 1, 1]


windows = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20
)
rates = st.fractions(min_value=Fraction(1, 5), max_value=Fraction(9), max_denominator=9)


@given(windows, rates, st.integers(0, 100))
def test_intervals_tile_the_time_in_any_clock_domain(counts, rate, first):
    ticks = np.array(counts)
    ends = first + np.cumsum(ticks.sum(axis=1))
    clock = TickClock(rate)
    table = window_intervals(first, ends, ticks, (BUSY, WAIT, IDLE), clock)
    at = clock.tick_to_chip_ceil(first)
    for start, end in zip(table["start"], table["end"], strict=True):
        assert start == at
        assert end > start
        at = end
    assert at == clock.tick_to_chip_ceil(int(ends[-1]))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=5), st.integers(0, 200))
def test_shares_use_up_all_cycles_and_none_without_a_tick(ticks, cycles):
    parts = shares(ticks, sum(ticks), cycles)
    assert sum(parts) == (cycles if sum(ticks) else 0)
    assert all(part == 0 for part, n in zip(parts, ticks, strict=True) if n == 0)


@given(rates, st.integers(0, 10**9))
def test_crossing_clock_domains_rounds_up_and_never_loses_time(rate, cycle):
    clock = TickClock(rate)
    tick = clock.chip_to_tick_ceil(cycle)
    assert (tick - 1) * rate < cycle <= tick * rate
    assert clock.tick_to_chip_ceil(tick) >= cycle


@given(windows, st.integers(1, 40))
def test_joined_windows_keep_every_count_and_end_where_windows_ended(given_windows, least):
    ticks = np.array(given_windows)
    ends = np.cumsum(ticks.sum(axis=1))
    joined_ends, joined_ticks = joined_windows(ends, ticks, least)
    assert joined_ends[-1] == ends[-1]
    assert np.isin(joined_ends, ends).all()
    lengths = np.diff(joined_ends, prepend=0)
    assert joined_ticks.sum(axis=1).tolist() == lengths.tolist()
    assert (np.diff(joined_ends // least) > 0).all()
    assert joined_ticks.sum(axis=0).tolist() == ticks.sum(axis=0).tolist()


def test_windows_are_joined_stretch_by_stretch():
    ends, ticks = joined_windows(
        np.array([3, 9, 12, 25]), np.array([[3, 0], [1, 5], [3, 0], [0, 13]]), 10
    )
    assert ends.tolist() == [9, 12, 25]
    assert ticks.tolist() == [[4, 5], [3, 0], [0, 13]]
