"""Errors laid against the causes of the simulation."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.validation.analytical.cases import result
from traces.schema import CAUSES
from validation.analytical.calibration import factor, repairs
from validation.analytical.explain import OVERESTIMATE, LayerError, layer_error
from validation.analytical.figures import close_conditions, kendall_tau, regret_pct
from validation.analytical.prediction import DRAM, EMPTY, FILL, IDEAL, Prediction


def test_causes_that_the_model_lacks_explain_what_it_misses():
    simulated = result(100, 50, {IDEAL: 60, FILL: 10, DRAM: 30})
    error = layer_error(Prediction(70, causes={IDEAL: 50, DRAM: 20}), simulated)

    assert error.explained == {EMPTY: 10, FILL: 10, DRAM: 10}
    assert error.error_cycles == -30
    assert error.error_pct == 30


def test_a_total_is_laid_against_computing_first():
    simulated = result(100, 50, {IDEAL: 60, FILL: 10, DRAM: 30})
    assert layer_error(Prediction(65), simulated).explained == {FILL: 5, DRAM: 30}


def test_what_no_cause_takes_up_is_an_overestimate():
    error = layer_error(Prediction(70), result(50, 50, {IDEAL: 50}))
    assert error.explained == {OVERESTIMATE: -20}


@given(
    st.dictionaries(st.sampled_from(CAUSES), st.integers(0, 10**9), max_size=6),
    st.dictionaries(st.sampled_from([*CAUSES, EMPTY]), st.floats(0, 1e9), max_size=6),
    st.integers(0, 10**9),
    st.booleans(),
)
def test_explanations_add_up_to_the_error(simulated, predicted, ideal, total_only):
    causes = {} if total_only else predicted
    layer = result(sum(simulated.values()), ideal, simulated)
    error = layer_error(Prediction(sum(predicted.values()), causes=causes), layer)

    assert error.unexplained_cycles == 0
    assert sum(error.explained.values()) == error.simulated - error.predicted
    assert abs(error.predicted - sum(predicted.values())) <= 1


def test_a_ledger_with_a_hole_shows():
    error = layer_error(Prediction(10, causes={IDEAL: 10}), result(100, 10, {IDEAL: 97}))
    assert error.unexplained_cycles == 3


@pytest.mark.parametrize(
    ("left", "right", "tau"),
    [
        ([1, 2, 3], [10, 20, 30], 1),
        ([1, 2, 3], [30, 20, 10], -1),
        ([1, 2, 3], [10, 30, 20], 1 / 3),
        ([1, 1, 2], [10, 20, 30], 2 / (2 * 3) ** 0.5),
    ],
)
def test_kendall(left, right, tau):
    assert kendall_tau(left, right) == pytest.approx(tau)


def test_kendall_of_a_model_that_sees_no_difference_is_undefined():
    assert isnan(kendall_tau([5, 5], [1, 2]))


def test_regret_is_what_the_chosen_design_is_slower():
    assert regret_pct([3, 1, 2], [100, 130, 120]) == pytest.approx(30)
    assert regret_pct([1, 2], [100, 130]) == 0


def _errors(*pairs):
    """Layers of 100 simulated cycles each: predicted cycles, and by how much DRAM explains them."""
    return [
        LayerError(f"l{i}", "matmul", 100 - missed, 100, {DRAM: missed} if missed else {})
        for i, missed in enumerate(pairs)
    ]


def test_a_condition_names_the_share_below_which_all_layers_are_close():
    (condition,) = close_conditions(_errors(1, 2, 4, 20, 30))
    assert (condition.cause, condition.share_pct, condition.layers) == (DRAM, 20, 3)


def test_the_missing_cause_repairs_a_model_and_a_constant_does_less():
    found = repairs(_errors(1, 30, 2, 10, 5, 40))

    assert (found[0].term, found[0].factor, found[0].after_pct) == (DRAM, 1, 0)
    assert found[0].before_pct == pytest.approx((1 + 30 + 2 + 10 + 5 + 40) / 6)
    assert all(repair.after_pct > 0 for repair in found[1:])


def test_a_repair_is_tested_on_layers_that_did_not_fit_it():
    # Layers 0 and 2 miss a tenth, 1 and 3 half: each half's factor is wrong for the other.
    repair = next(r for r in repairs(_errors(10, 50, 10, 50)) if r.term == "constant")
    assert repair.after_pct == pytest.approx(40)


def test_a_factor_of_no_layers_is_nothing():
    assert factor([], lambda _error: 1.0) == 0
