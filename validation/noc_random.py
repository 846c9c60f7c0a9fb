"""Knuth's lagged Fibonacci generators, which BookSim2 uses: with them the same packets run.

ran_array (30-bit integers, differences) and ranf_array (52-bit fractions, sums), of which the first
100 of every 1009 numbers are used. Source: D. E. Knuth, The Art of Computer Programming, volume 2,
section 3.6 and exercise 3.6-15, as of 2002.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from hw_models.kernel import Int64s

LONG_LAG, SHORT_LAG = 100, 37
CYCLE = 1009
"""Numbers made for LONG_LAG that are used."""
SQUARINGS, WARM_UP = 69, 10 * (2 * LONG_LAG - 1)

DRAWN, OLDEST, BITS, SIGN = range(LONG_LAG, LONG_LAG + 4)
"""A stream: its last LONG_LAG numbers, a ring; how many of them were drawn; where the oldest is;
bits of a number; -1 if numbers are differences, 1 if they are sums."""


def integers(seed: int) -> Int64s:
    """A stream of integers below 2**30. seed: from 0 to 2**30 - 3."""
    return _stream(30, -1, seed, (seed + 2) & ~1)


def fractions(seed: int) -> Int64s:
    """A stream of fractions, in units of 2**-52."""
    return _stream(52, 1, seed, 2 * (seed + 2))


def _stream(bits: int, sign: int, seed: int, first: int) -> Int64s:
    """Start a stream: the power of z that belongs to the seed, modulo the trinomial of the lags."""
    modulus = 1 << bits
    powers = []
    for _ in range(LONG_LAG):
        powers.append(first)
        first = 2 * first if 2 * first < modulus else 2 * first - modulus + 2
    powers[1] += 1
    left, squarings = seed, SQUARINGS
    while squarings:
        powers = _folded([p for power in powers for p in (power, 0)], sign, sign, modulus)
        if left % 2:
            powers = _folded([0, *powers], sign, 1, modulus)
        if left:
            left //= 2
        else:
            squarings -= 1
    stream = np.array([*powers[SHORT_LAG:], *powers[:SHORT_LAG], 0, 0, bits, sign], dtype=np.int64)
    _advance(stream, WARM_UP)
    return stream


def _folded(powers: list[int], sign: int, last_sign: int, modulus: int) -> list[int]:
    """A polynomial modulo z**100 = sign * z**37 + last_sign."""
    powers = list(powers)
    while len(powers) > LONG_LAG:
        top = powers.pop()
        for lag, factor in ((LONG_LAG - SHORT_LAG, sign), (LONG_LAG, last_sign)):
            at = len(powers) - lag
            powers[at] = (powers[at] + factor * top) % modulus
    return powers


@njit(cache=True)
def _advance(stream, steps):
    mask = (1 << stream[BITS]) - 1
    for _ in range(steps):
        oldest = stream[OLDEST]
        recent = (oldest + LONG_LAG - SHORT_LAG) % LONG_LAG
        stream[oldest] = (stream[oldest] + stream[SIGN] * stream[recent]) & mask
        stream[OLDEST] = oldest + 1 if oldest + 1 < LONG_LAG else 0


@njit(cache=True)
def draw(stream):
    """The next number of a stream."""
    if stream[DRAWN] == LONG_LAG:
        _advance(stream, CYCLE)
        stream[DRAWN] = 0
    stream[DRAWN] += 1
    return stream[(stream[OLDEST] + stream[DRAWN] - 1) % LONG_LAG]
