"""Credits: what has come never exceeds the room that departures waited for have left."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fusion.credits import credits


def arrays(*columns):
    return [np.array(column, dtype=np.int64) for column in columns]


def test_a_newcomer_waits_for_the_departure_that_makes_room():
    # Three tensors of 4 in a pool of 8: the third waits for the first to go, which is the first.
    found = credits(*arrays([0, 0, 0], [4, 4, 4], [0, 1, 3], [2, 2, 3], [10, 20, 30], [8]))
    assert found.before.tolist() == [-1, -1, -1, 0]
    assert [list(left) for left in found.chain] == [[0]]
    assert found.previous == [-1]
    assert found.step == [3]


def test_links_of_a_pool_follow_one_another():
    size, maker = [4, 4, 4, 4], [0, 1, 2, 3]
    found = credits(*arrays([0] * 4, size, maker, [0, 1, 2, 3], [1, 2, 3, 4], [4]))
    assert [list(left) for left in found.chain] == [[0], [1], [2]]
    assert found.previous == [-1, 0, 1]


def test_pools_have_chains_of_their_own():
    found = credits(*arrays([0, 1, 0, 1], [4] * 4, [0, 1, 2, 3], [0, 1, 2, 3], [1] * 4, [4, 8]))
    assert [list(left) for left in found.chain] == [[0]]
    assert found.before.tolist() == [-1, -1, 0, -1]


def test_what_can_never_fit_is_refused():
    with pytest.raises(ValueError, match=r"^pool 0 lacks 1 bytes at step 1$"):
        credits(*arrays([0, 0], [4, 4], [0, 1], [1, 1], [9, 9], [7]))


@given(st.data())
def test_whatever_waits_for_its_credits_finds_room(data):
    """The most that can be there at once: all that came, less what was waited for."""
    n = data.draw(st.integers(1, 12))
    size = data.draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))
    last = [data.draw(st.integers(step, n)) for step in range(n)]
    until = data.draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    alive = [sum(size[i] for i in range(step + 1) if last[i] >= step) for step in range(n)]
    room = max(alive)
    found = credits(*arrays([0] * n, size, range(n), last, until, [room]))
    for step in range(n):
        gone, link = [], int(found.before[step])
        while link >= 0:
            gone += found.chain[link]
            link = found.previous[link]
        assert len(set(gone)) == len(gone)
        assert all(last[i] < step for i in gone)
        assert sum(size[: step + 1]) - sum(size[i] for i in gone) <= room
