"""Generated masks: how dense, how clustered, the same from the same seed; bad models."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.sparsity.congruential import congruential_mask
from hw_models.sparsity.masks import magnitude_mask, parse_mask_model
from traces.errors import InputError

SHAPE = (200, 300)


def mask(text, density=0.3, shape=SHAPE, axis=0, seed=(1, 2)):
    return parse_mask_model(text).mask(shape, density, axis, seed)


@pytest.mark.parametrize("text", ["iid", "channel:50", "block:2x2"])
@pytest.mark.parametrize("density", [0.0, 0.2, 0.9, 1.0])
def test_density_is_met(text, density):
    found = mask(text, density)
    assert found.shape == SHAPE
    assert found.dtype == np.bool_
    assert found.mean() == pytest.approx(density, abs=0.02)


@pytest.mark.parametrize("text", ["iid", "channel:4", "2:4", "block:3x5"])
def test_seeds_name_masks(text):
    np.testing.assert_array_equal(mask(text), mask(text))
    assert (mask(text) != mask(text, seed=(1, 3))).any()


@pytest.mark.parametrize("axis", [0, 1])
def test_clustered_channels_differ_as_a_beta_distribution(axis):
    """Variance of channel densities: p (1 - p) / (concentration + 1), plus what iid draws add."""
    density, concentration = 0.3, 4
    found = mask("channel:4", density, (2000, 2000), axis).mean(axis=1 - axis)
    assert found.var() == pytest.approx(density * (1 - density) / (concentration + 1), rel=0.1)
    assert found.mean() == pytest.approx(density, abs=0.02)


@given(st.integers(0, 5), st.integers(1, 5), st.integers(1, 17))
def test_n_of_m_in_every_group(kept, group, depth):
    kept = min(kept, group)
    found = mask(f"{kept}:{group}", 0.5, (7, depth))
    whole = depth // group * group
    groups = found[:, :whole].reshape(7, -1, group)
    assert (groups.sum(axis=2) == kept).all()
    assert (found[:, whole:].sum(axis=1) <= kept).all()


def test_blocks_are_all_or_none():
    found = mask("block:4x5", 0.5, (9, 11))
    for top in range(0, 9, 4):
        for left in range(0, 11, 5):
            block = found[top : top + 4, left : left + 5]
            assert block.all() or not block.any()


def test_magnitude_pruning_keeps_the_largest():
    weights = np.array([[0.1, -0.9, 0.5], [0.0, -0.2, 0.9]])
    expected = {0: 0, 1: 1, 2: 2, 3: 3, 5: 5, 6: 5}
    for kept, nonzero in expected.items():
        found = magnitude_mask(weights, kept / 6)
        assert found.sum() == nonzero
        assert np.abs(weights)[found].min(initial=1) >= np.abs(weights)[~found].max(initial=0)
    assert magnitude_mask(weights, 1 / 6)[0, 1], "the first of equals stays"


def test_congruential_masks_start_as_told():
    """u mod 1000 of seed 1: 774 153 196 870 34 795 130 902 (source of the golden table)."""
    draws = [774, 153, 196, 870, 34, 795, 130, 902]
    for limit in (153, 154, 500, 902, 903):
        found = congruential_mask((2, 4), 1, 1, limit, None).ravel()
        assert found.tolist() == [draw >= limit for draw in draws]
    by_lane = congruential_mask((2, 4), 1, 1, 1000, 0)
    assert by_lane.tolist() == [[True, False, False, False]] * 2
    by_row = congruential_mask((2, 4), 0, 1, 1000, 0)
    assert by_row.tolist() == [[True] * 4, [False] * 4]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("random", "mask model must be iid, channel:C, N:M or block:VxD, not 'random'"),
        ("3:2", "3:2: N must be at most M (2), not 3"),
        ("0:0", "0:0: N must be at most M (0), not 0"),
        ("channel:0", "channel:0: must have numbers greater than 0, not 0.0"),
        ("block:0x4", "block:0x4: must have numbers greater than 0, not 0"),
    ],
)
def test_bad_models(text, rule):
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        parse_mask_model(text)


@pytest.mark.parametrize("density", [-0.01, 1.01])
def test_densities_outside_0_to_1(density):
    rule = f"^{re.escape(f'density must be from 0 to 1, not {density}')}$"
    with pytest.raises(InputError, match=rule):
        mask("iid", density)
    with pytest.raises(InputError, match=rule):
        magnitude_mask(np.ones(3), density)
