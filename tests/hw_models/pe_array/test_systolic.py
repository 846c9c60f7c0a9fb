"""The systolic kernel: closed forms, its plain twin, packing of groups, accesses, bad input."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hw_models.pe_array.systolic import (
    DATAFLOW_CODES,
    SystolicArray,
    SystolicSpec,
    systolic_timing,
    systolic_timing_plain,
)
from hw_models.pe_array.timing import SHAPE_COLUMNS, TIMING_COLUMNS

WINDOW = np.ones(4, np.int64)
OVERLAPS = ("serial", "double_buffered")
EVERY_SPEC = [(dataflow, overlap) for dataflow in sorted(DATAFLOW_CODES) for overlap in OVERLAPS]


def array(dataflow, overlap="serial", rows=8, cols=4):
    return SystolicArray(
        SystolicSpec(kind="systolic", rows=rows, cols=cols, dataflow=dataflow, fold_overlap=overlap)
    )


def timing(pe_array, **sizes):
    """Timing of one tile as a dict."""
    shape = np.array([[sizes.get(loop, 1) for loop in SHAPE_COLUMNS]], np.int64)
    return dict(zip(TIMING_COLUMNS, pe_array.timing(shape, WINDOW)[0].tolist(), strict=True))


def gemm(pe_array, m, n, depth, groups=1):
    return timing(pe_array, ox=m, k=n, c=depth, g=groups)


@given(
    shapes=st.lists(st.lists(st.integers(1, 12), min_size=8, max_size=8), min_size=1, max_size=4),
    rows=st.integers(1, 20),
    cols=st.integers(1, 20),
    code=st.sampled_from(sorted(DATAFLOW_CODES.values())),
    overlapped=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_kernel_equals_its_plain_twin(shapes, rows, cols, code, overlapped):
    shapes = np.array(shapes, np.int64)
    found = systolic_timing(shapes, rows, cols, code, overlapped)
    assert found.tolist() == systolic_timing_plain(shapes, rows, cols, code, overlapped).tolist()


@given(
    m=st.integers(1, 40),
    folds=st.integers(1, 5),
    rows=st.integers(1, 12),
    cols=st.integers(1, 12),
    dataflow=st.sampled_from(["os", "ws", "is"]),
)
@settings(deadline=None, max_examples=60)
def test_tiles_that_overlap_take_as_long_as_their_folds_in_one_tile(m, folds, rows, cols, dataflow):
    made = array(dataflow, "double_buffered", rows, cols)
    loop = {"os": "g", "ws": "c", "is": "c"}[dataflow]
    one = {"ox": m, "k": cols, "c": rows} if dataflow != "is" else {"ox": cols, "k": m, "c": rows}
    whole = {**one, loop: one.get(loop, 1) * folds}
    shape = np.array([[one.get(name, 1) for name in SHAPE_COLUMNS]], np.int64)
    overlap = int(made.overlap_cycles(shape)[0])
    if dataflow == "os" and m > rows:
        return  # several folds already
    expected = folds * timing(made, **one)["cycles"] - (folds - 1) * overlap
    assert timing(made, **whole)["cycles"] == expected


def test_serial_output_stationary_folds_wait_for_skew_on_both_sides():
    rows, cols, m, n, depth = 8, 4, 20, 9, 30
    folds = 3 * 3  # ceil(20 / 8) row folds, ceil(9 / 4) column folds
    found = gemm(array("os", rows=rows, cols=cols), m, n, depth)
    assert found["cycles"] == folds * (depth + rows + cols - 2)
    assert found["fill_cycles"] == folds * (rows + cols - 2)


@pytest.mark.parametrize(("dataflow", "m", "n"), [("ws", 30, 9), ("is", 9, 30)])
def test_serial_stationary_folds_pay_the_load_too(dataflow, m, n):
    rows, cols, depth, stream = 8, 4, 20, 30
    folds = 3 * 3
    found = gemm(array(dataflow, rows=rows, cols=cols), m, n, depth)
    assert found["cycles"] == folds * (stream + 2 * rows + cols - 2)
    assert found["fill_cycles"] == folds * (2 * rows + cols - 2)


@pytest.mark.parametrize("stream", [7, 8, 9, 30])
def test_double_buffering_starts_a_stream_every_p_or_t_cycles(stream):
    rows, cols, folds = 8, 4, 3 * 2
    found = gemm(array("ws", "double_buffered", rows, cols), stream, 8, 20)
    gap = max(stream, rows)
    assert found["cycles"] == rows + (folds - 1) * gap + stream + (rows - 1) + (cols - 1)
    assert found["fill_cycles"] == found["cycles"] - folds * stream


@pytest.mark.parametrize("depth", [7, 8, 9, 30])
def test_double_buffered_outputs_drain_beside_the_next_stream(depth):
    rows, cols, folds = 8, 4, 3 * 2
    found = gemm(array("os", "double_buffered", rows, cols), 20, 8, depth)
    assert found["cycles"] == (folds - 1) * max(depth, rows) + depth + (rows - 1) + (cols - 1)


@pytest.mark.parametrize("dataflow", sorted(DATAFLOW_CODES))
def test_a_single_fold_gains_nothing_from_double_buffering(dataflow):
    serial, overlapped = (gemm(array(dataflow, overlap), 4, 4, 8) for overlap in OVERLAPS)
    assert serial == overlapped


@pytest.mark.parametrize(("dataflow", "overlap"), EVERY_SPEC)
def test_edge_folds_pay_the_whole_array(dataflow, overlap):
    pe_array = array(dataflow, overlap, rows=8, cols=8)
    full, edge = gemm(pe_array, 16, 16, 16), gemm(pe_array, 9, 9, 9)
    stream = {"os": "c", "ws": "ox", "is": "k"}[dataflow]
    nine_streamed = timing(pe_array, **({"ox": 16, "k": 16, "c": 16} | {stream: 9}))
    assert edge["cycles"] == nine_streamed["cycles"] < full["cycles"]


def test_depthwise_groups_are_packed_along_the_diagonal():
    rows, cols, window, pixels, channels = 32, 32, 9, 49, 64
    pe_array = array("ws", "serial", rows, cols)
    found = timing(pe_array, g=channels, oy=7, ox=7, fy=3, fx=3)
    packed = min(rows // window, cols // 1)
    assert packed == 3
    folds = -(-channels // packed)
    assert found["cycles"] == folds * (pixels + 2 * rows + cols - 2)
    assert found["input_reads"] == channels * pixels * window
    assert found["weight_reads"] == channels * window
    assert (found["psum_writes"], found["psum_reads"]) == (channels * pixels, 0)


@pytest.mark.parametrize(
    ("dataflow", "tile", "packed"),
    [
        ("ws", {"c": 8, "k": 2, "ox": 5}, 1),  # all P rows
        ("ws", {"c": 4, "k": 2, "ox": 5}, 2),
        ("ws", {"c": 1, "k": 3, "ox": 5}, 1),  # only one in Q columns
        ("ws", {"c": 9, "k": 1, "ox": 5}, 1),  # more than P rows: folds of single groups
        ("is", {"c": 2, "k": 5, "ox": 1}, 4),
        ("is", {"c": 2, "k": 5, "ox": 2}, 2),
        ("os", {"c": 5, "k": 1, "ox": 1}, 1),  # never
    ],
)
def test_groups_share_a_fold_where_both_sides_leave_room(dataflow, tile, packed):
    groups, rows = 4, 8
    pe_array = array(dataflow, rows=rows, cols=4)
    alone, together = timing(pe_array, **tile), timing(pe_array, **tile, g=groups)
    assert together["cycles"] == groups // packed * alone["cycles"]
    for column in TIMING_COLUMNS[2:]:
        assert together[column] == groups * alone[column]


@pytest.mark.parametrize(
    ("dataflow", "reads"),
    [
        # (input, weight, psum read, psum written) of M N K = 20 9 30 on 8 x 4
        ("os", (20 * 30 * 3, 9 * 30 * 3, 0, 20 * 9)),
        ("ws", (20 * 30 * 3, 9 * 30, 20 * 9 * 3, 20 * 9 * 4)),
        ("is", (20 * 30, 9 * 30 * 5, 20 * 9 * 3, 20 * 9 * 4)),
    ],
)
def test_words_moved_per_fold(dataflow, reads):
    found = gemm(array(dataflow, rows=8, cols=4), 20, 9, 30)
    assert tuple(found[column] for column in TIMING_COLUMNS[2:]) == reads


@pytest.mark.parametrize(("dataflow", "overlap"), EVERY_SPEC)
def test_tiles_that_are_multiples_of_the_spatial_loops_use_every_pe(dataflow, overlap):
    pe_array = array(dataflow, overlap)
    extents = {loop: 3 * size for loop, size in pe_array.spatial_loops.items()}
    (streamed,) = {"ox", "k", "c"} - set(extents)
    found = timing(pe_array, **extents, **{streamed: 50})
    streaming_cycles = found["cycles"] - found["fill_cycles"]
    macs = np.prod(list(extents.values())) * 50
    assert streaming_cycles * pe_array.peak_macs_per_cycle == macs


def test_kernel_does_five_million_shapes_a_second():
    shapes = np.random.default_rng(5).integers(1, 64, (200_000, 8))
    pe_array = array("ws", "double_buffered", 32, 32)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        pe_array.timing(shapes, WINDOW)
        seconds.append(time.perf_counter() - start)
    assert len(shapes) / min(seconds) >= 5e6


def test_no_shapes_no_rows():
    assert array("os").timing(np.empty((0, 8), np.int64), WINDOW).shape == (0, len(TIMING_COLUMNS))


@pytest.mark.parametrize("loop", SHAPE_COLUMNS)
def test_a_loop_of_no_size_is_refused(loop):
    shapes = np.ones((3, 8), np.int64)
    shapes[1, SHAPE_COLUMNS.index(loop)] = 0
    with pytest.raises(ValueError, match=rf"^tile shape 1: {loop} must be at least 1, not 0$"):
        array("ws").timing(shapes, WINDOW)


def test_counts_beyond_64_bits_are_refused_and_not_wrapped():
    macs, most_cycles_per_mac = 2**58, 2 * 8 + 4 + 1
    fits = np.array([[1, 1, 2**20, 2**19, 2**19, 1, 1, 1]], np.int64)
    assert macs * most_cycles_per_mac < 2**63
    assert array("ws").timing(fits, WINDOW)[0, 0] > 0
    rule = rf"^tile shape 0: cycles must fit in 64 bits, not those of {macs * 2} MACs$"
    with pytest.raises(ValueError, match=rule):
        array("ws").timing(fits * [2, 1, 1, 1, 1, 1, 1, 1], WINDOW)


def test_great_sizes_in_different_rows_are_no_reason_to_refuse():
    shapes = np.ones((8, 8), np.int64)
    np.fill_diagonal(shapes, 2**20)
    assert len(array("is").timing(shapes, WINDOW)) == len(shapes)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rows", 0),
        ("cols", -4),
        ("rows", 2**14 + 1),
        ("rows", 8.0),
        ("cols", True),
        ("dataflow", "rs"),
        ("fold_overlap", "parallel"),
        ("kind", "spatial"),
        ("depth", 3),
    ],
)
def test_an_impossible_spec_is_refused(key, value):
    good = {
        "kind": "systolic",
        "rows": 8,
        "cols": 4,
        "dataflow": "ws",
        "fold_overlap": "serial",
    }
    assert SystolicSpec.model_validate(good).rows == 8
    with pytest.raises(ValidationError) as caught:
        SystolicSpec.model_validate(good | {key: value})
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]
