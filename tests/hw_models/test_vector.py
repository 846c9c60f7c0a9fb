import pytest

from hw_models.pe_array.vector import (
    VectorExtent,
    function_cost,
    post_op_cycles,
    post_op_passes,
    vector_cycles,
    vector_functions,
    vector_operations,
)
from hw_models.yaml_file import InputError
from simulator.workload.functions import FUNCTIONS

LANES = 16


@pytest.mark.parametrize("outputs", [1, LANES - 1, LANES, LANES + 1])
def test_one_operation_each_takes_a_cycle_for_every_lanes_full(outputs):
    assert vector_cycles("relu", VectorExtent(outputs), LANES) == -(-outputs // LANES)


def test_pooling_visits_every_element_of_the_window():
    outputs, window = 10 * LANES, 3 * 3
    extent = VectorExtent(outputs, window=window)
    assert vector_cycles("max", extent, LANES) == 10 * window
    assert vector_cycles("average", extent, LANES) == 10 * (window + 1)


def test_a_function_of_several_inputs_is_applied_once_less():
    extent = VectorExtent(LANES, inputs=4)
    assert vector_cycles("add", extent, LANES) == 3


def test_softmax_reduces_every_row_through_a_tree_of_lanes():
    rows, row = 8, 100
    cost = function_cost("softmax")
    tree_steps = 4  # 16 lanes
    extent = VectorExtent(rows * row, row=row)
    spread = -(-rows * row // LANES) * cost.per_output
    assert vector_cycles("softmax", extent, LANES) == spread + rows * (1 + 2 * tree_steps)


@pytest.mark.parametrize(("lanes", "steps"), [(1, 0), (2, 1), (3, 2), (64, 3)])
def test_the_tree_is_no_deeper_than_row_and_lanes(lanes, steps):
    row = 8
    cost = function_cost("rms_norm")
    spread = -(-row // lanes) * cost.per_output
    expected = spread + cost.per_row + cost.reductions * steps
    assert vector_cycles("rms_norm", VectorExtent(row, row=row), lanes) == expected


@pytest.mark.parametrize("function", sorted(vector_functions()))
def test_every_function_costs_something_and_more_lanes_never_cost_more(function):
    extent = VectorExtent(1000, window=4, inputs=2, row=50)
    cycles = [vector_cycles(function, extent, 1 << bits) for bits in range(11)]
    spread = cycles[0] - vector_cycles(function, VectorExtent(50, window=4, row=50), 1)
    assert min(cycles) >= 1
    assert spread > 0
    assert vector_operations(function, extent) >= extent.outputs


def test_operations_count_lanes_that_are_used_only():
    extent = VectorExtent(LANES + 1, window=9)
    assert vector_operations("max", extent) == (LANES + 1) * 9


def test_a_chain_of_post_ops_takes_their_sum_and_at_least_one_pass():
    assert post_op_passes(()) == 1
    assert post_op_passes(("relu",)) == 1
    chain = ("requantise", "hard_swish")
    passes = sum(function_cost(name).per_output for name in chain)
    assert post_op_passes(chain) == passes
    assert post_op_cycles(chain, 3 * LANES + 1, LANES) == 4 * passes


def test_every_name_that_an_imported_layer_can_carry_is_known():
    assert set(vector_functions()) >= FUNCTIONS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("soft_max", r"not 'soft_max' \(did you mean softmax\?\)$"),
        ("zzz", r"^vector function must be one of vector_functions.yaml, not 'zzz'$"),
    ],
)
def test_unknown_functions_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        vector_cycles(name, VectorExtent(1), LANES)


def test_row_functions_are_no_post_ops():
    with pytest.raises(ValueError, match=r"^a post-op must be element by element, not 'softmax'$"):
        post_op_passes(("relu", "softmax"))


@pytest.mark.parametrize("key", ["outputs", "window", "inputs", "row"])
def test_extents_without_elements_are_refused(key):
    sizes = {"outputs": 1} | {key: 0}
    with pytest.raises(ValueError, match=rf"^{key} must be at least 1, not 0$"):
        VectorExtent(**sizes)


def test_a_vector_unit_without_lanes_is_refused():
    with pytest.raises(ValueError, match=r"^lanes must be at least 1, not 0$"):
        vector_cycles("relu", VectorExtent(1), 0)
