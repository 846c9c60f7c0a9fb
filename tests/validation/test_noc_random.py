"""The random numbers against the check values that their author published."""

from validation.noc_random import CYCLE, LONG_LAG, OLDEST, _advance, draw, fractions, integers

SEED, TIMES = 310952, 2009
"""Knuth, ran_array and ranf_array: after TIMES arrays of CYCLE numbers with this seed."""
INTEGER, FRACTION = 995235265, 0.36410514377569680455


def oldest_after(stream, steps):
    _advance(stream, steps)
    return int(stream[stream[OLDEST]])


def test_integers_are_those_of_the_published_check():
    # the check prints the first number of the array after TIMES others
    assert oldest_after(integers(SEED), TIMES * CYCLE) == INTEGER


def test_fractions_are_those_of_the_published_check():
    # the check prints the state after TIMES arrays
    assert oldest_after(fractions(SEED), TIMES * CYCLE) * 2.0**-52 == FRACTION


def test_of_each_cycle_only_the_first_numbers_are_drawn():
    drawn, skipping = integers(1), integers(1)
    for _ in range(LONG_LAG):
        draw(drawn)
    assert draw(drawn) == oldest_after(skipping, CYCLE)
