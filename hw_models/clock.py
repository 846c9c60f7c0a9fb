"""Clock domains: exact crossing between chip cycles and the ticks of a component.

A component's tick lasts `cycles_per_tick` chip cycles, a fraction. Tick k covers the chip time
[k * cycles_per_tick, (k + 1) * cycles_per_tick). Rule: ARCHITECTURE.md TIME-2.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import simpy

if TYPE_CHECKING:

    class CycleEnvironment(simpy.Environment):
        """A SimPy environment whose time is an integer count of chip cycles. Rule: TIME-1."""

        @property
        def now(self) -> int:
            """The current chip cycle."""

else:
    # SimPy keeps the type of the delays it is given, and every delay here is an int.
    CycleEnvironment = simpy.Environment


class TickClock:
    """Converts between chip cycles and ticks; integers in and out, rounded up."""

    __slots__ = ("cycles_per_tick", "denominator", "numerator")

    def __init__(self, cycles_per_tick: Fraction) -> None:
        if cycles_per_tick <= 0:
            raise ValueError(f"cycles_per_tick must be positive, not {cycles_per_tick}")
        self.cycles_per_tick = cycles_per_tick
        self.numerator = cycles_per_tick.numerator
        self.denominator = cycles_per_tick.denominator

    def chip_to_tick_ceil(self, cycle: int) -> int:
        """The first tick that begins at or after a chip cycle."""
        return -(-cycle * self.denominator // self.numerator)

    def tick_to_chip_ceil(self, tick: int) -> int:
        """The first chip cycle at or after the beginning of a tick (the end of the one before)."""
        return -(-tick * self.numerator // self.denominator)


MOST_DIGITS = 9


def few_digits(number: float) -> float:
    """A decimal number that exact arithmetic can take; for pydantic. Raises ValueError.

    Times are counted in 64-bit fractions, which numbers like 0.1 + 0.2 would overflow.
    """
    value = exact(number)
    if max(value.numerator, value.denominator) >= 10**MOST_DIGITS:
        raise ValueError(f"must have at most {MOST_DIGITS} digits, not {number!r}")
    return number


def exact(number: float) -> Fraction:
    """A decimal number as the user wrote it, without binary rounding: 0.7 is 7/10."""
    return Fraction(str(number))
