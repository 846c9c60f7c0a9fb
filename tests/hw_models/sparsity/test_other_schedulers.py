"""Cores with schedulers of their own: against loops over every unit, and at their limits."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.pe_array.borrowing_window import Core
from hw_models.sparsity.other_schedulers import (
    CHUNK,
    CLUSTER_UNITS,
    OUTPUT_GROUP,
    SCHEDULERS,
    VECTOR,
    dense_cycles,
    scnn_cycles,
    sparten_cycles,
    two_of_four_cycles,
)

CORE = Core()


def sparten_plain(a, b, core):
    total = 0
    for position in a:
        for group in range(0, b.shape[1], CLUSTER_UNITS):
            for chunk in range(0, len(position), CHUNK):
                some = slice(chunk, chunk + CHUNK)
                filters = b[some, group : group + CLUSTER_UNITS].T
                total += max(1, *(int((position[some] & filt).sum()) for filt in filters))
    return ceil(total / (core.multipliers // CLUSTER_UNITS))


def scnn_plain(a, b, core):
    pes = core.multipliers // VECTOR**2
    run = ceil(len(a) / pes)
    total = 0
    for group in range(0, b.shape[1], OUTPUT_GROUP):
        slowest = 1
        for first in range(0, len(a), run):
            cycles = 0
            for k in range(len(b)):
                weights = int(b[k, group : group + OUTPUT_GROUP].sum())
                activations = int(a[first : first + run, k].sum())
                cycles += ceil(weights / VECTOR) * ceil(activations / VECTOR)
            slowest = max(slowest, cycles)
        total += slowest
    return total


@given(
    *(st.integers(1, most) for most in (9, 150, 70)),
    st.sampled_from([0.0, 0.2, 1.0]),
    st.integers(0, 2**32),
)
@settings(max_examples=40)
def test_cycles_are_those_of_the_loops(m, k, n, density, seed):
    generator = np.random.default_rng(seed)
    a, b = generator.random((m, k)) < density, generator.random((k, n)) < density
    core = Core(4, 8, 2)
    assert sparten_cycles(a, b, core) == sparten_plain(a, b, core)
    assert scnn_cycles(a, b, core) == scnn_plain(a, b, core)


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda scheduler: scheduler.name)
def test_dense_operands_that_fill_the_core_take_dense_cycles(scheduler):
    a, b = np.ones((256, 512), bool), np.ones((512, 64), bool)
    assert scheduler.cycles(a, b, CORE) == dense_cycles(a, b, CORE)
    assert scheduler.source
    assert scheduler.approximated


def test_two_of_four_halves_the_steps_of_weights_that_comply():
    a, b = np.ones((8, 64), bool), np.zeros((64, 32), bool)
    b[1::2] = True
    assert two_of_four_cycles(a, b, CORE) == dense_cycles(a, b, CORE) / 2
    b[0, 5] = True
    assert two_of_four_cycles(a, b, CORE) == dense_cycles(a, b, CORE)


def test_two_of_four_with_a_short_last_group():
    a, b = np.ones((4, 6), bool), np.ones((6, 16), bool)
    b[:4:2] = False
    assert two_of_four_cycles(a, b, Core(2, 16, 4)) == ceil(6 / 2 / 2)
