"""Bursts of byte runs: the compiled count against the bytes themselves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hw_models.dram.bursts import bursts_of, bursts_of_plain

counts, strides = st.integers(1, 4), st.integers(0, 200)
runs = st.tuples(
    st.integers(0, 300), st.integers(1, 150), counts, strides, counts, strides, counts, strides
)


@given(st.lists(runs, min_size=1, max_size=5), st.sampled_from([8, 32, 64]))
def test_bursts_are_those_that_hold_the_bytes_of_each_run(given_runs, granule):
    found = bursts_of(np.array(given_runs, dtype=np.int64), granule)
    assert found.tolist() == [bursts_of_plain(run, granule) for run in given_runs]


def test_two_runs_in_one_burst_fetch_it_twice():
    size, granule = 16, 64
    run = (0, size, 2, size, 1, 0, 1, 0)
    assert bursts_of(np.array([run]), granule).tolist() == [2]
