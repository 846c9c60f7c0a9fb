"""Convolution windows: how many input positions the windows of neighbouring outputs touch."""

from __future__ import annotations

from numba import njit


@njit(cache=True)
def distinct_inputs(outputs: int, taps: int, stride: int, dilation: int) -> int:
    """Input rows (or columns) that `outputs` neighbouring outputs touch with `taps` taps each.

    Output i touches i * stride + j * dilation for tap j. Equal positions of different (i, j) form
    chains with a fixed step (dilation / gcd, -stride / gcd), so the positions are all pairs less
    those that have a predecessor in their chain.
    """
    a, b = stride, dilation
    while b:
        a, b = b, a % b
    later_outputs = max(0, outputs - dilation // a)
    earlier_taps = max(0, taps - stride // a)
    return outputs * taps - later_outputs * earlier_taps


def distinct_inputs_plain(outputs: int, taps: int, stride: int, dilation: int) -> int:
    """`distinct_inputs` by writing down every position."""
    return len({i * stride + j * dilation for i in range(outputs) for j in range(taps)})
