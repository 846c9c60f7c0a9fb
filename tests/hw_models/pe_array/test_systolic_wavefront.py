"""The wavefront oracle: exact products, the kernel's cycles and words, and schedules too tight."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw_models.pe_array.systolic import SystolicArray, SystolicSpec
from hw_models.pe_array.timing import TIMING_COLUMNS
from hw_models.pe_array.wavefront import WavefrontHazardError, run_wavefront
from hw_models.pe_array.wavefront_folds import cut_folds

DATAFLOWS = ("os", "ws", "is")
sizes = st.integers(1, 9)
few = st.integers(1, 5)


def spec(dataflow, overlap, rows, cols):
    return SystolicSpec(
        kind="systolic", rows=rows, cols=cols, dataflow=dataflow, fold_overlap=overlap
    )


def operands(groups, m, n, depth, seed=7):
    rng = np.random.default_rng(seed)
    return rng.integers(-99, 100, (groups, m, depth)), rng.integers(-99, 100, (groups, depth, n))


def kernel_row(array_spec, groups, m, n, depth):
    shape = np.array([[1, groups, n, depth, 1, m, 1, 1]])
    return SystolicArray(array_spec).timing(shape, np.ones(4, np.int64))[0].tolist()


def run_row(run):
    words = run.input_words, run.weight_words, run.psum_words_read, run.psum_words_written
    return [run.cycles, run.fill_cycles, *words]


@pytest.mark.parametrize("overlap", ["serial", "double_buffered"])
@pytest.mark.parametrize("dataflow", DATAFLOWS)
@given(groups=few, m=sizes, n=sizes, depth=sizes, rows=few, cols=few, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_product_is_exact_and_cycles_and_words_are_the_kernels(
    dataflow, overlap, groups, m, n, depth, rows, cols, seed
):
    array_spec = spec(dataflow, overlap, rows, cols)
    a, b = operands(groups, m, n, depth, seed)
    run = run_wavefront(a, b, array_spec)
    assert (run.product == a @ b).all()
    kernel = kernel_row(array_spec, groups, m, n, depth)
    assert len(kernel) == len(TIMING_COLUMNS)
    assert run_row(run) == kernel


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@given(groups=few, m=sizes, n=sizes, depth=sizes, rows=few, cols=few)
@settings(deadline=None, max_examples=25)
def test_streams_one_cycle_closer_collide(dataflow, groups, m, n, depth, rows, cols):
    array_spec = spec(dataflow, "double_buffered", rows, cols)
    a, b = operands(groups, m, n, depth)
    stream = {"os": depth, "ws": m, "is": n}[dataflow]
    gap = max(stream, rows)
    assume(gap > 1 and len(cut_folds(a, b, array_spec)[0]) > 1)
    with pytest.raises(WavefrontHazardError):
        run_wavefront(a, b, array_spec, start_gap=gap - 1)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_streams_further_apart_are_right_and_slower(dataflow):
    array_spec = spec(dataflow, "double_buffered", 3, 2)
    a, b = operands(2, 5, 5, 5)
    folds = len(cut_folds(a, b, array_spec)[0])
    soon, late = (run_wavefront(a, b, array_spec, start_gap=gap) for gap in (5, 7))
    assert (late.product == a @ b).all()
    assert late.cycles == soon.cycles + (folds - 1) * 2


@pytest.mark.parametrize(("dataflow", "m", "n"), [("ws", 6, 2), ("is", 2, 6)])
@pytest.mark.parametrize("overlap", ["serial", "double_buffered"])
def test_packed_groups_do_not_mix(dataflow, overlap, m, n):
    rows, cols, groups, depth = 7, 5, 5, 3
    a, b = operands(groups, m, n, depth)
    array_spec = spec(dataflow, overlap, rows, cols)
    assert len(cut_folds(a, b, array_spec)[0]) == 3  # two groups a fold
    run = run_wavefront(a, b, array_spec)
    assert (run.product == a @ b).all()
    assert run.input_words == groups * m * depth
    assert run.weight_words == groups * n * depth


def test_hazards_are_named():
    a, b = operands(1, 2, 4, 8)
    cases = {
        1: r"^two words enter lane 0 in cycle 4$",  # streams of two cycles, one apart
        2: r"^two stationary words enter column 0 in cycle 5$",  # last row of one, first of next
    }
    for gap, message in cases.items():
        with pytest.raises(WavefrontHazardError, match=message):
            run_wavefront(a, b, spec("ws", "double_buffered", 3, 2), start_gap=gap)
    with pytest.raises(WavefrontHazardError, match=r"^two results on the wire of one column$"):
        run_wavefront(*operands(1, 6, 2, 2), spec("os", "double_buffered", 3, 2), start_gap=2)
    with pytest.raises(
        WavefrontHazardError, match=r"^an operand arrives before its stationary word$"
    ):
        run_wavefront(*operands(1, 2, 4, 3), spec("ws", "double_buffered", 3, 2), start_gap=2)
