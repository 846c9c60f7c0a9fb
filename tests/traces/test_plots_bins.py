import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from traces.plots.bins import CycleBins, amount_in_bins, even_bins, joined

ROWS = 3
intervals = st.lists(
    st.tuples(st.integers(0, ROWS - 1), st.integers(0, 60), st.integers(0, 40)), max_size=12
)
boundaries = st.lists(st.integers(0, 120), min_size=2, max_size=9, unique=True).map(sorted)


@given(intervals, boundaries)
def test_cycles_in_bins_are_those_counted_one_by_one(given_intervals, bounds):
    bins = CycleBins(ROWS, np.array(bounds))
    expected = np.zeros((ROWS, len(bounds) - 1), dtype=int)
    for row, start, length in given_intervals:
        bins.add(np.array([row]), np.array([start]), np.array([start + length]))
        for cycle in range(start, start + length):
            for b in range(len(bounds) - 1):
                expected[row, b] += bounds[b] <= cycle < bounds[b + 1]
    assert bins.cycles().tolist() == expected.tolist()


def test_cycles_of_a_long_run_are_exact():
    # Many intervals in one batch, at times where a float has no place for a single cycle left.
    end = 1 << 40
    start = np.arange(1000, dtype=np.int64) * 1_000_003 + (1 << 39)
    bins = CycleBins(1, even_bins(end, 7))
    bins.add(np.zeros(1000, dtype=np.int64), start, start + 777)
    assert bins.cycles().sum() == 1000 * 777


@given(intervals, boundaries)
def test_an_amount_is_spread_evenly_over_its_interval(given_intervals, bounds):
    start = np.array([s for _, s, _ in given_intervals], dtype=np.int64)
    length = np.array([n for *_, n in given_intervals], dtype=np.int64) + 1
    amount = np.arange(start.size) + 5
    got = amount_in_bins(start, start + length, amount, np.array(bounds))
    expected = np.zeros(len(bounds) - 1)
    for s, n, bytes_moved in zip(start, length, amount, strict=True):
        for b in range(len(bounds) - 1):
            cycles = max(0, min(s + n, bounds[b + 1]) - max(s, bounds[b]))
            expected[b] += bytes_moved * cycles / n
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_an_amount_that_moves_at_once_is_in_the_bin_of_its_moment():
    at = np.array([10])
    assert amount_in_bins(at, at, np.array([7]), np.array([0, 10, 20])).tolist() == [0, 7]


def test_even_bins_cover_the_run_with_whole_cycles():
    assert even_bins(10, 100).tolist() == list(range(11))
    assert even_bins(10, 3).tolist() == [0, 4, 8, 10]


def test_joined_bins_keep_their_sum():
    amounts, bounds = joined(np.array([[1, 2, 3, 4, 5]]), np.array([0, 4, 8, 12, 16, 18]), 3)
    assert amounts.tolist() == [[3, 7, 5]]
    assert bounds.tolist() == [0, 8, 16, 18]
