from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.pe_array.dataflow import DataflowArray, DataflowSpec, steps_of
from hw_models.pe_array.timing import SHAPE_COLUMNS, TIMING_COLUMNS
from hw_models.yaml_file import InputError, build

WINDOW = np.ones(4, dtype=np.int64)
STORE = {
    "name": "registers",
    "holds": ["weight"],
    "size_bits": 8,
    "width_bits": 8,
    "banks": 1,
    "ports": "1r1w",
    "read_pj": 1.0,
    "write_pj": 1.2,
    "shared_along": [0],
}


def spec(**changed):
    keys = {
        "kind": "dataflow",
        "lanes": [128, 16],
        "unrollings": [["ox", "k"]],
        "mac_pj": 0.04,
        "stores": [STORE],
        "buffers": [],
        "mapping": "latency",
        "last_store": "waits",
    }
    return build(DataflowSpec, keys | changed, "chip.yaml")


def timing(array, **loops):
    shape = np.array([[loops.get(name, 1) for name in SHAPE_COLUMNS]], dtype=np.int64)
    return dict(zip(TIMING_COLUMNS, array.timing(shape, WINDOW)[0].tolist(), strict=True))


def test_steps_are_those_of_the_unrolled_loops():
    got = timing(DataflowArray(spec()), ox=960, k=56, fy=5, fx=5)
    assert got["cycles"] == -(-960 // 128) * -(-56 // 16) * 5 * 5
    assert got["weight_reads"] == 56 * 5 * 5
    assert got["input_reads"] == (960 + 4) * 5 * -(-56 // 16)


def test_a_tile_takes_the_unrolling_that_fills_the_array():
    array = DataflowArray(spec(lanes=[16, 16], unrollings=[["k", "c"], ["g"]], stores=[]))
    assert timing(array, k=32, c=16, ox=7)["cycles"] == 2 * 7
    assert timing(array, g=32, ox=7)["cycles"] == 2 * 7
    assert array.peak_macs_per_cycle == 16 * 16
    assert array.spatial_loops == {"k": 16, "c": 16}


sizes = st.lists(st.integers(1, 5), min_size=8, max_size=8)


@settings(max_examples=50, deadline=None)
@given(size=sizes, lanes=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_steps_cover_every_product_once(size, lanes):
    array = spec(lanes=list(lanes), stores=[])
    extents = dict(zip(SHAPE_COLUMNS, size, strict=True))
    spread = dict(zip(("ox", "k"), lanes, strict=True))
    steps = set()
    for point in product(*(range(n) for n in size)):
        loops = zip(SHAPE_COLUMNS, point, strict=True)
        steps.add(tuple(i // spread.get(loop, 1) for loop, i in loops))
    assert prod(steps_of(array, 0, extents).values()) == len(steps)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"unrollings": [["ox", "k", "c"]]},
            "unrollings must be of at most 2 different loops, not ox, k, c",
        ),
        (
            {"unrollings": [["ox", "ox"]]},
            "unrollings must be of at most 2 different loops, not ox, ox",
        ),
        (
            {"stores": [STORE | {"shared_along": [0, 2]}]},
            "stores must be shared along dimensions below 2, not registers along 2",
        ),
        ({"lanes": [0, 16]}, "lanes[0] must be at least 1, not 0"),
        ({"mapping": "area"}, "mapping must be one of 'latency' or 'energy', not 'area'"),
        ({"last_store": None}, "last_store must be one of 'waits' or 'overlaps', not None"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(changed, problem):
    with pytest.raises(InputError) as error:
        spec(**changed)
    assert str(error.value) == f"chip.yaml: {problem}"
