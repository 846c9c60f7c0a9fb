"""Axes to loops: every element of a tensor belongs to one step of the loops."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.workload.graph import LOOPS
from simulator.workload.loops import map_axes
from simulator.workload.values import channel_after_reshape, first_channel

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=6).map(tuple)


@st.composite
def broadcast(draw):
    """A shape, its channel axis and an operand that is broadcast over some axes."""
    shape = draw(SHAPES)
    channel = draw(st.integers(0, len(shape) - 1))
    operand = tuple(size if draw(st.booleans()) else 1 for size in shape)
    first = draw(st.integers(0, len(shape) - 1))
    return shape, channel, operand[first:]


@given(broadcast())
def test_loops_cover_every_element_once(case):
    shape, channel, operand = case
    dims, _ = map_axes(shape, channel, [shape, operand])
    assert prod(dims.loops) == prod(shape)
    assert dims.g == shape[channel]
    assert (dims.iy, dims.ix) == (dims.oy, dims.ox)


@given(broadcast())
def test_operand_reads_at_least_what_it_has_and_all_when_it_is_whole(case):
    shape, channel, operand = case
    dims, (whole, part) = map_axes(shape, channel, [shape, operand])
    sizes = dict(zip(LOOPS, dims.loops, strict=True))
    assert prod(sizes[name] for name in whole) == prod(shape)
    assert prod(sizes[name] for name in part) >= prod(operand)


@given(broadcast())
def test_operand_of_up_to_four_axes_reads_exactly_what_it_has(case):
    shape, channel, operand = case
    if len(shape) <= 4:
        dims, (_, part) = map_axes(shape, channel, [shape, operand])
        sizes = dict(zip(LOOPS, dims.loops, strict=True))
        assert prod(sizes[name] for name in part) == prod(operand)


@given(SHAPES, st.data())
def test_channel_stays_where_a_reshape_splits_other_axes(shape, data):
    """Splitting the axis before the channel moves the channel by one place."""
    channel = data.draw(st.integers(0, len(shape) - 1))
    if shape[channel] > 1:
        split = (*shape[:channel], 1, *shape[channel:])
        assert channel_after_reshape(shape, channel, split) == channel + 1


@pytest.mark.parametrize(
    ("shape", "channel", "new_shape", "new_channel"),
    [
        ((1, 768, 14, 14), 1, (1, 768, 196), 1),  # patches of an image
        ((1, 116, 28, 28), 1, (1, 2, 58, 28, 28), 2),  # shuffle: the inner part of the channel
        ((1, 58, 2, 28, 28), 1, (1, 116, 28, 28), 1),
        ((2, 49, 96), 2, (2, 49, 3, 32), 3),  # heads
        ((2, 512, 1, 1), 1, (2, 512), 1),  # flatten
        ((2, 512, 7, 7), 1, (2, 25088), 1),
        ((5, 1, 4, 4), 1, (5, 16), 1),  # a map of one channel has none to follow
    ],
)
def test_channel_after_a_reshape(shape, channel, new_shape, new_channel):
    assert channel_after_reshape(shape, channel, new_shape) == new_channel


@pytest.mark.parametrize(
    ("shape", "channel"), [((), 0), ((5,), 0), ((2, 5), 1), ((2, 7, 5), 2), ((2, 3, 4, 5), 1)]
)
def test_channel_of_what_comes_from_outside(shape, channel):
    assert first_channel(shape) == channel
