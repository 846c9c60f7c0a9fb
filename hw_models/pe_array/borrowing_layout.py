# mypy: disable-error-code="no-untyped-def"
"""Where the elements of an operand stand: steps, lanes and the shuffle, as words of lane bits.

Rule: ARCHITECTURE.md BORROW-1.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hw_models.pe_array.borrowing import UInt64s

SHUFFLED_LANES = 4
"""Lanes of the groups inside which the shuffle rotates."""


def lane_words(mask: NDArray[np.bool_], lanes: int, pes: int, shuffle: bool) -> UInt64s:
    """An operand as words of lane bits. mask: bool (vectors, depth), True for a nonzero.

    Vectors are rows of A or columns of B; they are filled up to whole tiles of `pes` with zeros.
    Returns: uint64 (tiles, steps, pes).
    """
    vectors, depth = mask.shape
    tiles, steps = -(-vectors // pes), -(-depth // lanes)
    words = np.zeros((tiles, steps, pes), np.uint64)
    _set_bits(mask, lanes, shuffle, words)
    return words


@njit(cache=True)
def place_of(lane, step, lanes, shuffle):
    """The hardware lane of a lane's element: rotated by the step inside each group of 4."""
    if not shuffle:
        return lane
    first = lane - lane % SHUFFLED_LANES
    return first + (lane % SHUFFLED_LANES + step) % min(SHUFFLED_LANES, lanes - first)


@njit(cache=True)
def _set_bits(mask, lanes, shuffle, words):
    pes = words.shape[2]
    for step in range(words.shape[1]):
        first = step * lanes
        places = np.zeros(min(lanes, mask.shape[1] - first), np.uint64)
        for lane in range(len(places)):
            places[lane] = place_of(lane, step, lanes, shuffle)
        for vector in range(mask.shape[0]):
            word = np.uint64(0)
            for lane in range(len(places)):
                word |= np.uint64(mask[vector, first + lane]) << places[lane]
            words[vector // pes, step, vector % pes] = word
