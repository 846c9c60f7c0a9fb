"""What every type of PE array promises, whatever it is."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw_models.pe_array.borrowing_array import BorrowingSpec
from hw_models.pe_array.dataflow import DataflowSpec
from hw_models.pe_array.registry import PE_ARRAYS, pe_array
from hw_models.pe_array.row_stationary import RowStationarySpec
from hw_models.pe_array.spatial import SpatialSpec, UnrollSpec
from hw_models.pe_array.systolic import SystolicSpec
from hw_models.pe_array.timing import SHAPE_COLUMNS, TIMING_COLUMNS
from hw_models.pe_array.window import distinct_inputs_plain


def systolic(dataflow, overlap):
    return SystolicSpec(kind="systolic", rows=4, cols=3, dataflow=dataflow, fold_overlap=overlap)


def spatial(batch_in_stripe, **unroll):
    return SpatialSpec(
        kind="spatial",
        unroll=UnrollSpec(**unroll),
        pipeline_cycles=5,
        stripe_cycles=8,
        weight_load_cycles=4,
        batch_in_stripe=batch_in_stripe,
    )


def row_stationary(psum_add_cycles):
    return RowStationarySpec(
        kind="row_stationary",
        rows=6,
        cols=5,
        ifmap_spad_words=6,
        filter_spad_words=24,
        psum_spad_words=8,
        ifmap_words_per_cycle=1,
        filter_words_per_cycle=2,
        psum_words_per_cycle=2,
        psum_add_cycles=psum_add_cycles,
        pipeline_cycles=3,
    )


def dataflow(lanes, *unrollings):
    return DataflowSpec(
        kind="dataflow",
        lanes=lanes,
        unrollings=unrollings,
        mac_pj=0.04,
        stores=(),
        buffers=(),
        mapping="latency",
        last_store="waits",
    )


SPECS = {
    **{
        f"systolic_{dataflow}_{overlap}": systolic(dataflow, overlap)
        for dataflow in ("os", "ws", "is")
        for overlap in ("serial", "double_buffered")
    },
    "spatial_channels": spatial(False, k=4, c=3),
    "spatial_columns": spatial(True, k=2, ox=4),
    "spatial_taps": spatial(True, g=2, fy=3, fx=3),
    "borrowing": BorrowingSpec(
        kind="borrowing",
        lanes=8,
        columns=4,
        rows=2,
        configurations=("AB(2,0,0,2,0,1,on)", "B(4,0,1,on)"),
        edge="wrap",
        abuf_steps=9,
        bbuf_steps=3,
    ),
    "dataflow_channels": dataflow((4, 3), ("k", "c"), ("g",)),
    "dataflow_window": dataflow((5, 3, 2), ("ox", "fx", "fy")),
    "row_stationary": row_stationary(1),
    "row_stationary_free_adds": row_stationary(0),
}
tiles = st.lists(st.integers(1, 6), min_size=8, max_size=8)
windows = st.lists(st.integers(1, 2), min_size=4, max_size=4)
every_array = pytest.mark.parametrize("name", sorted(SPECS))
few = settings(max_examples=25, deadline=None)


def timings(name, shapes, window):
    array = pe_array(SPECS[name])
    rows = array.timing(np.array(shapes, dtype=np.int64), np.array(window, dtype=np.int64))
    return [dict(zip(TIMING_COLUMNS, row, strict=True)) for row in rows.tolist()]


def test_every_registered_array_is_in_the_battery():
    assert {spec.kind for spec in SPECS.values()} == set(PE_ARRAYS)


@every_array
@few
@given(tile=tiles, window=windows)
def test_no_array_beats_its_peak(name, tile, window):
    got = timings(name, [tile], window)[0]
    peak = pe_array(SPECS[name]).peak_macs_per_cycle
    assert got["cycles"] >= -(-int(np.prod(tile)) // peak)


@every_array
@few
@given(tile=tiles, window=windows)
def test_filling_leaves_time_to_compute(name, tile, window):
    got = timings(name, [tile], window)[0]
    peak = pe_array(SPECS[name]).peak_macs_per_cycle
    assert 0 <= got["fill_cycles"] < got["cycles"]
    assert got["cycles"] - got["fill_cycles"] >= -(-int(np.prod(tile)) // peak)


@every_array
@few
@given(tile=tiles, window=windows, loop=st.integers(0, 7))
def test_a_longer_loop_never_takes_less_time(name, tile, window, loop):
    if name == "borrowing":
        tile[1] = 1  # with groups another layout may take over, which no order binds (BORROW-8)
        assume(loop != 1)
    longer = [size + (i == loop) for i, size in enumerate(tile)]
    short, long = timings(name, [tile, longer], window)
    assert long["cycles"] >= short["cycles"]


@every_array
@few
@given(tile=tiles, window=windows)
def test_every_operand_is_moved_at_least_once(name, tile, window):
    got = timings(name, [tile], window)[0]
    b, g, k, c, oy, ox, fy, fx = tile
    rows = distinct_inputs_plain(oy, fy, window[0], window[2])
    columns = distinct_inputs_plain(ox, fx, window[1], window[3])
    assert got["input_reads"] >= b * g * c * rows * columns
    assert got["weight_reads"] >= g * k * c * fy * fx
    assert got["psum_writes"] >= b * g * k * oy * ox
    assert got["psum_reads"] == got["psum_writes"] - b * g * k * oy * ox


@every_array
@few
@given(batch=st.lists(tiles, min_size=1, max_size=5), window=windows)
def test_a_tile_is_timed_alike_alone_and_among_others(name, batch, window):
    together = timings(name, batch, window)
    assert together == [timings(name, [tile], window)[0] for tile in batch]
    assert together == timings(name, batch, window)


@every_array
def test_a_single_multiply_accumulate_has_a_timing(name):
    got = timings(name, [[1] * len(SHAPE_COLUMNS)], [1, 1, 1, 1])[0]
    assert got["cycles"] >= 1
    assert (got["input_reads"], got["weight_reads"]) == (1, 1)
    assert (got["psum_reads"], got["psum_writes"]) == (0, 1)


@every_array
def test_no_tiles_have_no_timing(name):
    empty = np.zeros((0, len(SHAPE_COLUMNS)), dtype=np.int64)
    assert pe_array(SPECS[name]).timing(empty, np.ones(4, dtype=np.int64)).shape == (0, 6)


@every_array
def test_a_tile_of_many_full_blocks_nears_the_peak(name):
    array = pe_array(SPECS[name])
    tile = [array.spatial_loops.get(loop, 1) for loop in SHAPE_COLUMNS]
    tile = [size * times for size, times in zip(tile, (1, 1, 12, 12, 12, 12, 1, 1), strict=True)]
    got = timings(name, [tile], [1, 1, 1, 1])[0]
    assert np.prod(tile) / got["cycles"] > 0.25 * array.peak_macs_per_cycle


def test_equal_specs_share_an_array():
    assert pe_array(spatial(False, k=4)) is pe_array(spatial(False, k=4))
