"""The sparse core as a PE array: dense identity, sparsity of a layer, packed weights, bad specs."""

import re
from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hw_models.pe_array.borrowing_array import BorrowingArray, BorrowingSpec, LayerSparsity
from hw_models.pe_array.borrowing_groups import GroupLayout
from hw_models.pe_array.timing import TIMING_COLUMNS
from traces.errors import InputError

WINDOW = np.ones(4, np.int64)
GRIFFIN = ("AB(2,0,0,2,0,1,on)", "B(8,0,1,on)", "A(2,1,1,on)")
METADATA_BITS, WORD_BITS = 5, 8  # B(8,0,1): 17 candidates
CONV = [1, 1, 64, 64, 8, 8, 3, 3]


def spec(**changes):
    values = {
        "kind": "borrowing",
        "lanes": 16,
        "columns": 16,
        "rows": 4,
        "configurations": GRIFFIN,
        "edge": "wrap",
        "abuf_steps": 9,
        "bbuf_steps": 3,
        **changes,
    }
    return BorrowingSpec(**values)


def timing(sparsity, *shapes):
    array = BorrowingArray(spec()).for_layer(sparsity)
    rows = array.timing(np.array(shapes, np.int64), WINDOW)
    return [dict(zip(TIMING_COLUMNS, row, strict=True)) for row in rows.tolist()]


@given(st.lists(st.integers(1, 9), min_size=8, max_size=8))
@settings(max_examples=100)
def test_dense_tiles_take_every_step(shape):
    b, g, k, c, oy, ox, fy, fx = shape
    m, depth = b * oy * ox, c * fy * fx
    (found,) = timing(LayerSparsity(), shape)
    layout = GroupLayout.of(g, depth, k, spec().core)
    assert found == {
        "cycles": ceil(m / 4) * layout.steps(spec().core),
        "fill_cycles": 0,
        "input_reads": ceil(layout.columns / 16) * m * g * depth,
        "weight_reads": ceil(m / 4) * g * k * depth,
        "psum_reads": 0,
        "psum_writes": m * g * k,
    }
    array = BorrowingArray(spec())
    shapes = np.array([shape], np.int64)
    assert found["cycles"] * array.peak_macs_per_cycle >= m * depth * g * k
    assert array.imbalance_cycles(shapes).tolist() == [0]
    assert array.overlap_cycles(shapes).tolist() == [0]
    assert array.weight_ratio(shapes[0]) == 1


@pytest.mark.parametrize(
    ("sparsity", "configuration", "speedup"),
    [
        # Long-run speed-ups of iid masks, references/borrowing_golden.csv's source, section 8.
        (LayerSparsity(), "dense", 1),
        (LayerSparsity(weight_density=0.19), "B(8,0,1,on)", 3.557),
        (LayerSparsity(input_density=0.57), "A(2,1,1,on)", 1.587),
        (LayerSparsity(0.19, 0.57), "AB(2,0,0,2,0,1,on)", 2.770),
    ],
)
def test_the_hybrid_morphs_for_its_layer(sparsity, configuration, speedup):
    array = BorrowingArray(spec()).for_layer(sparsity)
    assert array.borrowing.name == configuration
    shape = [1, 1, 64, 256, 8, 8, 3, 3]
    dense, sparse = timing(LayerSparsity(), shape)[0], timing(sparsity, shape)[0]
    assert dense["cycles"] / sparse["cycles"] == pytest.approx(speedup, rel=0.05)


@pytest.mark.parametrize("weights", [1.0, 0.19])
@pytest.mark.parametrize("inputs", [1.0, 0.57])
def test_imbalance_is_what_waiting_adds(weights, inputs):
    array = BorrowingArray(spec()).for_layer(LayerSparsity(weights, inputs))
    shapes = np.array([CONV], np.int64)
    cycles = array.timing(shapes, WINDOW)[0, 0]
    dense = timing(LayerSparsity(), CONV)[0]["cycles"]
    (imbalance,) = array.imbalance_cycles(shapes)
    share = weights * inputs if "A" in array.borrowing.mode else weights
    assert cycles - imbalance == pytest.approx(share * dense, rel=0.03)
    assert imbalance > 0 or weights == inputs == 1


def test_packed_weights_carry_metadata():
    array = BorrowingArray(spec()).for_layer(LayerSparsity(weight_density=0.19))
    ratio = array.weight_ratio(np.array(CONV, np.int64))
    packed = 1 + Fraction(METADATA_BITS, WORD_BITS)
    (found,), (dense,) = timing(array.sparsity, CONV), timing(LayerSparsity(), CONV)
    assert found["weight_reads"] == ceil(dense["weight_reads"] * ratio)
    assert ratio == packed * Fraction(found["cycles"], dense["cycles"]).limit_denominator(10**6)


def test_depthwise_groups_lie_side_by_side():
    """32 groups of 9 taps: 2 products of 9 steps; weights off the diagonal are skipped zeros."""
    shape = [1, 32, 1, 1, 8, 8, 3, 3]
    dense, sparse = (timing(LayerSparsity(w), shape)[0] for w in (1.0, 0.19))
    assert dense["cycles"] == 2 * 9 * (8 * 8 // 4)
    assert sparse["cycles"] < dense["cycles"] / 3


def test_equal_questions_have_equal_answers_and_seeds_name_layers():
    one, again, other = (
        timing(LayerSparsity(0.3, 0.5, seed=seed), CONV, CONV) for seed in (1, 1, 2)
    )
    assert one == again
    assert one[0] == one[1]
    assert one != other


def test_no_tiles():
    assert BorrowingArray(spec()).timing(np.empty((0, 8), np.int64), WINDOW).shape == (0, 6)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (
            {"abuf_steps": 8},
            "abuf_steps must be at least 9, which the window of AB(2,0,0,2,0,1,on) spans, not 8",
        ),
        (
            {"bbuf_steps": 2},
            "bbuf_steps must be at least 3, which the window of AB(2,0,0,2,0,1,on) spans, not 2",
        ),
        (
            {"rows": 1},
            "A(2,1,1,on): da3 must be less than the PEs it reaches over (1), not 1",
        ),
        (
            {"configurations": ("B(-1,0,0)",)},
            "B(-1,0,0): a distance must be a whole number from 0 to 999, not '-1'",
        ),
    ],
)
def test_impossible_specs(changes, rule):
    with pytest.raises(ValidationError, match=re.escape(f"Value error, {rule} [")):
        spec(**changes)


def test_just_deep_enough():
    assert spec(configurations=("B(8,0,1)",), abuf_steps=9, bbuf_steps=1).bbuf_steps == 1


@pytest.mark.parametrize("density", [-0.1, 1.1])
def test_densities_of_a_layer(density):
    rule = f"^density must be from 0 to 1, not {density}$"
    with pytest.raises(InputError, match=rule):
        LayerSparsity(weight_density=density)
    with pytest.raises(InputError, match=rule):
        LayerSparsity(input_density=density)


def test_loop_sizes_are_checked():
    rule = r"^tile shape 0: k must be at least 1, not 0$"
    with pytest.raises(ValueError, match=rule):
        timing(LayerSparsity(), [1, 1, 0, 1, 1, 1, 1, 1])
