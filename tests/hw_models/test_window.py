from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.pe_array.window import distinct_inputs, distinct_inputs_plain

small = st.integers(1, 9)


@settings(deadline=None)
@given(small, small, small, small)
def test_distinct_inputs_are_those_written_down(outputs, taps, stride, dilation):
    expected = distinct_inputs_plain(outputs, taps, stride, dilation)
    assert distinct_inputs(outputs, taps, stride, dilation) == expected


def test_a_convolution_without_gaps_touches_its_whole_span():
    outputs, taps, stride = 55, 11, 4
    assert distinct_inputs(outputs, taps, stride, 1) == (outputs - 1) * stride + taps


def test_a_stride_beyond_the_window_skips_inputs():
    outputs, taps, stride = 28, 1, 2
    assert distinct_inputs(outputs, taps, stride, 1) == outputs * taps
