import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.pe_array.spatial import SpatialArray, SpatialSpec, UnrollSpec, stripes
from hw_models.pe_array.timing import SHAPE_COLUMNS, TIMING_COLUMNS
from hw_models.yaml_file import InputError, build

PLAIN_WINDOW = np.array([1, 1, 1, 1], dtype=np.int64)
ATOM_C, ATOM_K, LOAD, STRIPE, PIPELINE = 64, 32, 32, 64, 18


def nvdla(**changed):
    keys = {
        "kind": "spatial",
        "unroll": {"k": ATOM_K, "c": ATOM_C},
        "pipeline_cycles": PIPELINE,
        "stripe_cycles": STRIPE,
        "weight_load_cycles": LOAD,
        "batch_in_stripe": False,
    }
    return SpatialArray(build(SpatialSpec, keys | changed, "chip.yaml"))


def timing(array, window=PLAIN_WINDOW, **loops):
    shape = np.array([[loops.get(name, 1) for name in SHAPE_COLUMNS]], dtype=np.int64)
    return dict(zip(TIMING_COLUMNS, array.timing(shape, window)[0].tolist(), strict=True))


@st.composite
def arrays(draw):
    load = draw(st.integers(1, 4))
    extents = draw(st.lists(st.integers(1, 3), min_size=8, max_size=8))
    spec = SpatialSpec(
        kind="spatial",
        unroll=UnrollSpec(**dict(zip(SHAPE_COLUMNS, extents, strict=True))),
        pipeline_cycles=draw(st.integers(0, 3)),
        stripe_cycles=draw(st.integers(2 * load - 1, 2 * load + 5)),
        weight_load_cycles=load,
        batch_in_stripe=draw(st.booleans()),
    )
    return SpatialArray(spec)


tiles = st.lists(st.integers(1, 4), min_size=8, max_size=8)
windows = st.lists(st.integers(1, 3), min_size=4, max_size=4)


@settings(max_examples=60, deadline=None)
@given(arrays(), tiles, windows)
def test_kernel_equals_stepping_through_every_cycle(array, tile, window):
    shapes, window = np.array([tile], dtype=np.int64), np.array(window, dtype=np.int64)
    assert array.timing(shapes, window).tolist() == array.timing_plain(shapes, window).tolist()


def test_a_full_layer_takes_one_cycle_per_atomic_operation():
    k_groups, c_groups, fy, oy, ox = 2, 3, 3, 7, 9
    got = timing(nvdla(), k=k_groups * ATOM_K, c=c_groups * ATOM_C, oy=oy, ox=ox, fy=fy, fx=fy)
    atomic_operations = k_groups * c_groups * fy * fy * oy * ox
    assert got["cycles"] == LOAD + atomic_operations + PIPELINE
    assert got["fill_cycles"] == LOAD + PIPELINE


@pytest.mark.parametrize("positions", [LOAD - 1, LOAD, LOAD + 1])
def test_a_stripe_shorter_than_the_weight_load_waits_for_it(positions):
    steps = 5
    got = timing(nvdla(), c=steps * ATOM_C, ox=positions)
    last_stripe = positions
    others = (steps - 1) * max(positions, LOAD)
    assert got["cycles"] == LOAD + others + last_stripe + PIPELINE


def test_batch_in_stripe_hides_the_weight_load_of_a_fully_connected_layer():
    batch, steps = LOAD, 4
    alone = timing(nvdla(), b=batch, c=steps * ATOM_C)
    together = timing(nvdla(batch_in_stripe=True), b=batch, c=steps * ATOM_C)
    assert together["cycles"] == LOAD + batch * steps + PIPELINE
    assert alone["cycles"] == LOAD + (batch * steps - 1) * LOAD + 1 + PIPELINE
    assert alone["weight_reads"] == batch * together["weight_reads"]


def test_a_depthwise_layer_uses_one_lane_of_each_kind():
    channels, oy, ox, fy = 7, 8, 8, 3
    got = timing(nvdla(), g=channels, oy=oy, ox=ox, fy=fy, fx=fy)
    assert got["cycles"] == LOAD + channels * fy * fy * oy * ox + PIPELINE


def test_inputs_are_read_again_for_every_kernel_group_and_tap():
    k, c, oy, ox, fy = 2 * ATOM_K, 40, 4, 4, 3
    got = timing(nvdla(), k=k, c=c, oy=oy, ox=ox, fy=fy, fx=fy)
    assert got["input_reads"] == 2 * c * oy * ox * fy * fy
    assert got["weight_reads"] == k * c * fy * fy  # 16 positions are one stripe
    assert (got["psum_reads"], got["psum_writes"]) == (0, k * oy * ox)


def test_taps_unrolled_with_columns_share_the_inputs_between_them():
    columns, taps = 8, 3
    array = nvdla(unroll={"ox": columns, "fx": taps})
    assert timing(array, ox=columns, fx=taps)["input_reads"] == columns + taps - 1


def test_weights_change_every_cycle_when_the_accumulators_hold_one_position():
    columns, kernels, channels, rows = 128, 16, 24, 5
    array = nvdla(unroll={"ox": columns, "k": kernels}, stripe_cycles=1, weight_load_cycles=1)
    got = timing(array, k=kernels, c=channels, oy=rows, ox=columns)
    assert got["cycles"] == 1 + rows * channels + PIPELINE
    assert got["weight_reads"] == kernels * channels * rows
    assert got["input_reads"] == columns * channels * rows


@pytest.mark.parametrize(
    ("positions", "expected"),
    [(1, 1), (16, 1), (17, 2), (24, 2), (25, 3), (31, 3), (32, 2), (48, 3), (49, 4)],
)
def test_stripes_are_cut_as_the_sequencer_does(positions, expected):
    assert stripes(positions, 16) == expected


def test_peak_is_the_product_of_the_extents():
    assert nvdla().peak_macs_per_cycle == ATOM_C * ATOM_K
    assert nvdla().spatial_loops == {"k": ATOM_K, "c": ATOM_C}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"stripe_cycles": 62},
            r"^chip.yaml: stripe_cycles must be at least 2 \* weight_load_cycles - 1 \(63\), "
            r"not 62$",
        ),
        ({"unroll": {"z": 2}}, r"^chip.yaml: unroll.z is not a known key$"),
        ({"unroll": {"k": 0}}, r"^chip.yaml: unroll.k must be at least 1, not 0$"),
        ({"batch_in_stripe": 1}, r"^chip.yaml: batch_in_stripe must be true or false, not 1$"),
    ],
)
def test_impossible_specs_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        nvdla(**changed)


def test_tiles_without_work_are_refused():
    with pytest.raises(ValueError, match=r"^tile shape 0: oy must be at least 1, not 0$"):
        timing(nvdla(), oy=0)


def test_tiles_beyond_64_bits_are_refused():
    size = 1 << 20
    with pytest.raises(ValueError, match=rf"^tile shape 0: .* not those of {size**3} MACs$"):
        timing(nvdla(), k=size, c=size, ox=size)
