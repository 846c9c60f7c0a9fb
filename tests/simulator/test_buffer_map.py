from hypothesis import given
from hypothesis import strategies as st

from simulator.lowering.buffer_map import BufferMap


def test_a_new_region_waits_for_all_that_it_covers():
    buffer = BufferMap()
    for task, (low, high) in enumerate([(0, 10), (10, 20), (30, 40)]):
        region, waits = buffer.take(low, high)
        assert waits == []
        region.holders.append(task)
    _, waits = buffer.take(5, 31)
    assert waits == [0, 1, 2]


def test_what_sticks_out_keeps_its_holders():
    buffer = BufferMap()
    region, _ = buffer.take(0, 30)
    region.holders.append(7)
    buffer.take(10, 20)
    assert buffer.take(0, 10)[1] == [7]
    assert buffer.take(12, 18)[1] == []
    assert buffer.take(20, 21)[1] == [7]


takes = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=25)


@given(takes)
def test_waits_are_the_last_holders_of_every_byte(spans):
    buffer, holder_of = BufferMap(), {}
    for task, (low, size) in enumerate(spans):
        region, waits = buffer.take(low, low + size)
        assert waits == sorted({holder_of[b] for b in range(low, low + size) if b in holder_of})
        region.holders.append(task)
        holder_of.update(dict.fromkeys(range(low, low + size), task))
