import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.pe_array.row_stationary import RowStationaryArray, RowStationarySpec, SetMapping
from hw_models.pe_array.row_stationary_plain import (
    Layout,
    best_mapping_plain,
    cycles_summed,
    fits_summed,
    layouts_plain,
    least_cycles_plain,
    words_summed,
)
from hw_models.pe_array.timing import SHAPE_COLUMNS, TIMING_COLUMNS

SILICON = Path(__file__).parents[2] / "validation" / "references" / "silicon.csv"
CLOCK_MHZ = 200
EYERISS = RowStationarySpec(
    kind="row_stationary",
    rows=12,
    cols=14,
    ifmap_spad_words=12,
    filter_spad_words=224,
    psum_spad_words=24,
    ifmap_words_per_cycle=1,
    filter_words_per_cycle=4,
    psum_words_per_cycle=4,
    psum_add_cycles=1,
    pipeline_cycles=3,
)
PLAIN_WINDOW = np.array([1, 1, 1, 1], dtype=np.int64)


def shape_of(**loops):
    return np.array([loops.get(name, 1) for name in SHAPE_COLUMNS], dtype=np.int64)


def timing(shape, window=PLAIN_WINDOW, spec=EYERISS):
    row = RowStationaryArray(spec).timing(shape[None], window)[0]
    return dict(zip(TIMING_COLUMNS, row.tolist(), strict=True))


@st.composite
def machines(draw):
    size = st.integers(1, 5)
    return RowStationarySpec(
        kind="row_stationary",
        rows=draw(size),
        cols=draw(size),
        ifmap_spad_words=draw(size),
        filter_spad_words=draw(st.integers(1, 8)),
        psum_spad_words=draw(st.integers(1, 3)),
        ifmap_words_per_cycle=draw(st.integers(1, 2)),
        filter_words_per_cycle=draw(st.integers(1, 3)),
        psum_words_per_cycle=draw(st.integers(1, 3)),
        psum_add_cycles=draw(st.integers(0, 1)),
        pipeline_cycles=draw(st.integers(0, 2)),
    )


tiles = st.lists(st.integers(1, 3), min_size=8, max_size=8)
windows = st.lists(st.integers(1, 2), min_size=4, max_size=4)


@settings(max_examples=60, deadline=None)
@given(machines(), tiles, windows)
def test_kernel_finds_the_best_of_all_layouts(spec, tile, window):
    shape, window = np.array(tile, dtype=np.int64), np.array(window, dtype=np.int64)
    got = RowStationaryArray(spec).timing(shape[None], window)[0].tolist()
    assert got[0] == least_cycles_plain(shape, window, spec)


@settings(max_examples=60, deadline=None)
@given(machines(), tiles, windows)
def test_kernel_counts_what_its_layout_does_pass_by_pass(spec, tile, window):
    shape, window = np.array(tile, dtype=np.int64), np.array(window, dtype=np.int64)
    array = RowStationaryArray(spec)
    layout = Layout(spec, shape, window, array.mapping(shape, window))
    assert layout.fits
    assert array.timing(shape[None], window)[0].tolist() == layout.timing()


@settings(max_examples=40, deadline=None)
@given(machines(), tiles, windows, st.integers(0, 1 << 16))
def test_sums_of_a_mapping_are_those_of_its_layout(spec, tile, window, choice):
    shape, window = np.array(tile, dtype=np.int64), np.array(window, dtype=np.int64)
    layouts = list(layouts_plain(shape, window, spec))
    fitting = [layout for layout in layouts if layout.fits]
    assert fitting == [layout for layout in layouts if fits_summed(layout)]
    layout = fitting[choice % len(fitting)]
    cycles, _, *words = layout.timing()
    assert (cycles_summed(layout), words_summed(layout)) == (cycles, sum(words))
    assert RowStationaryArray(spec).cycles_of(shape, window, layout.mapping) == cycles


@st.composite
def larger_machines(draw):
    """Arrays on networks of any speed: with fast ones many mappings take as many cycles."""
    speed = st.sampled_from((1, 2, 3, 5, 64))
    return RowStationarySpec(
        kind="row_stationary",
        rows=draw(st.integers(1, 7)),
        cols=draw(st.integers(1, 6)),
        ifmap_spad_words=draw(st.integers(1, 12)),
        filter_spad_words=draw(st.integers(1, 40)),
        psum_spad_words=draw(st.integers(1, 8)),
        ifmap_words_per_cycle=draw(speed),
        filter_words_per_cycle=draw(speed),
        psum_words_per_cycle=draw(speed),
        psum_add_cycles=draw(st.integers(0, 2)),
        pipeline_cycles=draw(st.integers(0, 3)),
    )


larger_tiles = st.tuples(*(st.integers(1, most) for most in (3, 3, 12, 8, 8, 8, 5, 5)))


@settings(max_examples=200, deadline=None)
@given(larger_machines(), larger_tiles, st.tuples(*[st.integers(1, 3)] * 4))
def test_search_finds_what_comparing_all_mappings_finds(spec, tile, window):
    shape, window = np.array(tile, dtype=np.int64), np.array(window, dtype=np.int64)
    best = best_mapping_plain(shape, window, spec)
    assert RowStationaryArray(spec).mapping(shape, window) == best


def test_of_mappings_as_fast_the_one_that_moves_the_fewest_words_is_taken():
    k, ox = 4, 8
    spec = EYERISS.model_copy(update={"rows": 1, "cols": 1, "filter_words_per_cycle": 1})
    shape = shape_of(k=k, ox=ox)
    array = RowStationaryArray(spec)
    ways = [SetMapping(e=1, p=p, q=1, r=1, t=1) for p in (1, 2, 4)]
    assert len({array.cycles_of(shape, PLAIN_WINDOW, way) for way in ways}) == 1
    assert array.mapping(shape, PLAIN_WINDOW) == ways[-1]
    assert timing(shape, spec=spec)["input_reads"] == ox


def test_of_mappings_as_fast_with_as_many_words_the_lowest_strips_are_taken():
    k, oy = 2, 2  # as many filter words as ifmap words, so it's the same which are sent twice
    fast = {f"{operand}_words_per_cycle": 64 for operand in ("ifmap", "filter", "psum")}
    spec = EYERISS.model_copy(update=fast | {"rows": 1, "cols": 2, "psum_spad_words": 1})
    shape = shape_of(k=k, oy=oy)
    array = RowStationaryArray(spec)
    low, high = SetMapping(e=1, p=1, q=1, r=1, t=2), SetMapping(e=2, p=1, q=1, r=1, t=1)
    ways = [Layout(spec, shape, PLAIN_WINDOW, way).timing() for way in (low, high)]
    assert [way[2:4] for way in ways] == [[oy, 2 * k], [2 * oy, k]]
    assert (ways[0][0], sum(ways[0][2:])) == (ways[1][0], sum(ways[1][2:]))
    assert array.mapping(shape, PLAIN_WINDOW) == low


def test_low_strips_leave_room_to_add_channels_up_on_the_array():
    c, oy, ox = 4, 4, 8
    one_column = {"rows": c, "cols": 1, "ifmap_spad_words": 1, "psum_add_cycles": 0}
    speeds = {"ifmap_words_per_cycle": 64, "psum_words_per_cycle": 1}
    spec = EYERISS.model_copy(update=one_column | speeds)
    shape = shape_of(c=c, oy=oy, ox=ox)
    best = SetMapping(e=1, p=1, q=1, r=c, t=1)
    assert RowStationaryArray(spec).mapping(shape, PLAIN_WINDOW) == best
    load, psums = c // spec.filter_words_per_cycle, ox
    assert timing(shape, spec=spec)["cycles"] == oy * (load + psums) + c + spec.pipeline_cycles


def test_filters_rather_wait_in_a_pe_than_leave_room_for_one_too_many():
    k, ox = 3, 8
    slow_psums = {"psum_words_per_cycle": 1, "psum_add_cycles": 0}
    spec = EYERISS.model_copy(update=slow_psums | {"rows": 1, "cols": 2})
    shape = shape_of(k=k, ox=ox)
    array = RowStationaryArray(spec)
    in_turn, side_by_side = (SetMapping(e=1, p=p, q=1, r=1, t=t) for p, t in ((k, 1), (2, 2)))
    cycles = [array.cycles_of(shape, PLAIN_WINDOW, way) for way in (in_turn, side_by_side)]
    assert array.mapping(shape, PLAIN_WINDOW) == in_turn
    assert cycles[1] - cycles[0] == (2 * 2 - k) * ox


def test_a_dilated_filter_makes_an_uneven_cut_the_better_one():
    oy, dilation = 4, 2
    fast = {f"{operand}_words_per_cycle": 64 for operand in ("ifmap", "filter", "psum")}
    spec = EYERISS.model_copy(update=fast | {"rows": 2, "cols": 3})
    shape, window = shape_of(oy=oy, fy=2), np.array([1, 1, dilation, 1], dtype=np.int64)
    array = RowStationaryArray(spec)
    even, uneven = (SetMapping(e=e, p=1, q=1, r=1, t=1) for e in (2, 3))
    assert array.cycles_of(shape, window, even) == array.cycles_of(shape, window, uneven)
    assert array.mapping(shape, window) == uneven
    three_rows, last_row = {0, 1, 2, 3, 4}, {3, 5}  # where two rows each need {0, 1, 2, 3}
    assert timing(shape, window, spec)["input_reads"] == len(three_rows) + len(last_row)


def test_a_pass_is_filter_load_then_multiplying_and_adding_up():
    filters, channels, oy, ox, taps = 16, 2, 27, 27, 5
    shape = shape_of(k=filters, c=channels, oy=oy, ox=ox, fy=taps, fx=taps)
    load = filters * channels * taps * taps // EYERISS.filter_words_per_cycle
    compute = ox * filters * (channels * taps + EYERISS.psum_add_cycles)
    drain = taps + EYERISS.pipeline_cycles
    assert timing(shape)["cycles"] == load + compute + drain
    assert timing(shape)["fill_cycles"] == load + drain


def test_psum_delivery_bounds_a_pass_with_few_channels():
    filters, oy, ox, taps = 16, 13, 224, 3
    shape = shape_of(k=filters, oy=oy, ox=ox, fy=taps, fx=taps)
    load = filters * taps * taps // EYERISS.filter_words_per_cycle
    psums = filters * oy * ox // EYERISS.psum_words_per_cycle
    drain = taps + EYERISS.pipeline_cycles
    assert timing(shape)["cycles"] == load + psums + drain


def test_ifmap_delivery_bounds_a_pointwise_layer():
    channels, oy, ox = 240, 14, 56
    cycles = timing(shape_of(k=64, c=channels, oy=oy, ox=ox))["cycles"]
    assert cycles >= channels * oy * ox // EYERISS.ifmap_words_per_cycle


def test_a_fully_connected_layer_waits_for_its_filters():
    k, c = 512, 512
    got = timing(shape_of(k=k, c=c))
    assert got["fill_cycles"] >= k * c // EYERISS.filter_words_per_cycle
    assert got["fill_cycles"] > 0.9 * got["cycles"]


def test_a_filter_taller_than_the_array_runs_in_equal_parts():
    fy, ox = 2 * EYERISS.rows, 40
    parts = 2
    one = timing(shape_of(ox=ox, fy=fy // parts, fx=3))
    two = timing(shape_of(ox=ox, fy=fy, fx=3))
    drain = EYERISS.rows + EYERISS.pipeline_cycles
    assert two["cycles"] - drain == parts * (one["cycles"] - drain)
    assert (two["psum_writes"], two["psum_reads"]) == (parts * ox, ox)


def test_accesses_of_a_tile_of_several_passes():
    k, c, oy, ox, taps = 64, 8, 13, 13, 3
    shape = shape_of(k=k, c=c, oy=oy, ox=ox, fy=taps, fx=taps)
    mapping = RowStationaryArray(EYERISS).mapping(shape, PLAIN_WINDOW)
    filter_groups = -(-k // (mapping.p * mapping.t))
    channel_groups = -(-c // (mapping.q * mapping.r))
    got = timing(shape)
    assert got["input_reads"] == filter_groups * c * (oy + taps - 1) * (ox + taps - 1)
    assert got["weight_reads"] == k * c * taps * taps
    assert got["psum_writes"] == channel_groups * k * oy * ox
    assert got["psum_reads"] == (channel_groups - 1) * k * oy * ox


# Chen et al., JSSC 52(1) 2017, Table III (values from memory): images n and filters m whose psums
# stay in the global buffer, rows e of a strip, and the mapping (e, p, q, r, t).
# name: tile, stride, tiles of the layer for a batch of 4, published mapping
ALEXNET = {
    "CONV1": (
        {"k": 96, "c": 3, "oy": 7, "ox": 55, "fy": 11, "fx": 11},
        4,
        4 * 8,
        SetMapping(7, 16, 1, 1, 2),
    ),
    "CONV2": (
        {"k": 64, "c": 48, "oy": 27, "ox": 27, "fy": 5, "fx": 5},
        1,
        4 * 2 * 2,
        SetMapping(27, 16, 2, 1, 1),
    ),
    "CONV3": (
        {"b": 4, "k": 64, "c": 256, "oy": 13, "ox": 13, "fy": 3, "fx": 3},
        1,
        6,
        SetMapping(13, 16, 4, 1, 4),
    ),
    "CONV4": (
        {"b": 4, "k": 64, "c": 192, "oy": 13, "ox": 13, "fy": 3, "fx": 3},
        1,
        2 * 3,
        SetMapping(13, 16, 3, 2, 2),
    ),
    "CONV5": (
        {"b": 4, "k": 64, "c": 192, "oy": 13, "ox": 13, "fy": 3, "fx": 3},
        1,
        2 * 2,
        SetMapping(13, 16, 3, 2, 2),
    ),
}


def published(network, metric):
    lines = [x for x in SILICON.read_text().splitlines() if not x.startswith("#")]
    rows = [r for r in csv.DictReader(lines) if r["chip"] == "Eyeriss" and r["metric"] == metric]
    return {r["layer"]: float(r["value"]) for r in rows if r["network"] == network}


def alexnet_case(layer):
    loops, stride, tiles, mapping = ALEXNET[layer]
    window = np.array([stride, stride, 1, 1], dtype=np.int64)
    return shape_of(**loops), window, tiles, mapping


def error_pct(cycles, milliseconds):
    return 100 * (cycles / (1000 * CLOCK_MHZ * milliseconds) - 1)


def test_alexnet_processing_time_is_that_of_the_chip_within_ten_percent():
    measured = published("AlexNet", "processing_latency")
    errors = []
    for layer in ALEXNET:
        shape, window, tiles, _ = alexnet_case(layer)
        errors.append(error_pct(tiles * timing(shape, window)["cycles"], measured[layer]))
    assert np.mean(np.abs(errors)) < 4
    assert max(errors, key=abs) < 10


@pytest.mark.parametrize("layer", sorted(ALEXNET))
def test_the_published_mapping_is_legal_and_never_better_than_the_one_found(layer):
    shape, window, _, mapping = alexnet_case(layer)
    array = RowStationaryArray(EYERISS)
    assert Layout(EYERISS, shape, window, mapping).fits
    assert array.cycles_of(shape, window, mapping) >= timing(shape, window)["cycles"]
    assert array.active_pes(shape, mapping) == published("AlexNet", "active_pes")[layer]


@pytest.mark.parametrize("layer", ["CONV1", "CONV2", "CONV3"])
def test_the_search_finds_the_published_mapping_again(layer):
    shape, window, _, mapping = alexnet_case(layer)
    assert RowStationaryArray(EYERISS).mapping(shape, window) == mapping


# The mapping of VGG-16 isn't published. These tiles are the ones that the active PEs and the size
# of the buffer imply: strips of 13 or 14 rows, as many filters and, twice, as many channels as fit.
# layer: tile, rows of the layer, tiles of each strip for a batch of 3
VGG16 = {
    "CONV1-1": ({"k": 16, "oy": 13, "ox": 224}, 224, 3 * 4 * 3),
    "CONV1-2": ({"k": 16, "oy": 13, "ox": 224}, 224, 64 * 4 * 3),
    "CONV2-1": ({"k": 32, "oy": 13, "ox": 112}, 112, 64 * 4 * 3),
    "CONV2-2": ({"k": 32, "oy": 13, "ox": 112}, 112, 128 * 4 * 3),
    "CONV3-1": ({"k": 64, "c": 2, "oy": 13, "ox": 56}, 56, 64 * 4 * 3),
    "CONV3-2": ({"k": 64, "c": 2, "oy": 13, "ox": 56}, 56, 128 * 4 * 3),
    "CONV4-1": ({"k": 64, "c": 256, "oy": 14, "ox": 28}, 28, 8 * 3),
    "CONV4-2": ({"k": 64, "c": 512, "oy": 14, "ox": 28}, 28, 8 * 3),
    "CONV5-1": ({"b": 3, "k": 64, "c": 512, "oy": 14, "ox": 14}, 14, 8),
}


@pytest.mark.parametrize("layer", sorted(VGG16))
def test_vgg16_processing_time_with_the_implied_tiles(layer):
    tile, rows, tiles_per_strip = VGG16[layer]
    whole, rest = divmod(rows, tile["oy"])
    cycles = whole * timing(shape_of(fy=3, fx=3, **tile))["cycles"]
    if rest:
        cycles += timing(shape_of(fy=3, fx=3, **(tile | {"oy": rest})))["cycles"]
    milliseconds = published("VGG16", "processing_latency")[layer]
    assert abs(error_pct(tiles_per_strip * cycles, milliseconds)) < 7


@pytest.mark.parametrize("layer", sorted(VGG16))
def test_vgg16_active_pes_with_the_implied_tiles(layer):
    shape = shape_of(fy=3, fx=3, **VGG16[layer][0])
    array = RowStationaryArray(EYERISS)
    active = array.active_pes(shape, array.mapping(shape, PLAIN_WINDOW))
    assert active == published("VGG16", "active_pes")[layer]


def test_peak_is_one_mac_per_pe():
    assert RowStationaryArray(EYERISS).peak_macs_per_cycle == 12 * 14
