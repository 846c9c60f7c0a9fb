# mypy: disable-error-code="no-untyped-def"
"""Masks drawn by a linear congruential generator, as the reference tables of schedules use them.

Multiplier and increment: Knuth, "MMIX", as in references/borrowing_golden.csv.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

MULTIPLIER, INCREMENT = np.uint64(6364136223846793005), np.uint64(1442695040888963407)
STRUCTURED_LANES = 4


def congruential_mask(
    shape: tuple[int, int], depth_axis: int, seed: int, zeros: int, zeros_first: int | None
) -> NDArray[np.bool_]:
    """A mask drawn row by row, True for a nonzero. zeros: zeros per mille.

    zeros_first: those of the elements whose index along `depth_axis` is a multiple of 4.
    """
    first = zeros if zeros_first is None else zeros_first
    return _drawn(*shape, depth_axis, np.uint64(seed), np.uint64(zeros), np.uint64(first))


@njit(cache=True)
def _drawn(rows, columns, depth_axis, state, zeros, zeros_first):
    mask = np.empty((rows, columns), np.bool_)
    for row in range(rows):
        for column in range(columns):
            state = state * MULTIPLIER + INCREMENT
            depth = column if depth_axis == 1 else row
            limit = zeros_first if depth % STRUCTURED_LANES == 0 else zeros
            mask[row, column] = (state >> np.uint64(33)) % np.uint64(1000) >= limit
    return mask
