"""Bits of an integer in compiled functions."""

from numba import njit

from hw_models.dram.bits import trailing_zeros


@njit
def lowest(bits):
    return trailing_zeros(bits)


def test_the_lowest_bit_is_found_at_every_place():
    for place in range(63):
        assert lowest(1 << place) == place
        assert lowest(3 << place if place < 62 else 1 << place) == place
