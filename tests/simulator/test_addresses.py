from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.lowering.addresses import RUN_COLUMNS, FeatureBox, dram_addresses, packed_runs
from tests.simulator.networks import chip, residual_network
from traces.errors import InputError


def bytes_of(runs, i):
    """Every byte of a transfer, in the order in which its runs list them."""
    address, run, n1, s1, n2, s2, n3, s3 = (int(runs[name][i]) for name in RUN_COLUMNS)
    return [
        address + i3 * s3 + i2 * s2 + i1 * s1 + offset
        for i3, i2, i1, offset in product(range(n3), range(n2), range(n1), range(run))
    ]


@st.composite
def boxes(draw):
    shape = tuple(draw(st.integers(1, 5)) for _ in range(4))
    first = tuple(draw(st.integers(0, size - 1)) for size in shape)
    extent = tuple(draw(st.integers(1, size - at)) for size, at in zip(shape, first, strict=True))
    return shape, first, extent


@given(boxes(), st.sampled_from([8, 16, 32]), st.integers(0, 99))
def test_the_runs_of_a_box_are_its_bytes_each_once(box, bits, address):
    shape, first, extent = box
    arrays = (tuple(np.array([n]) for n in numbers) for numbers in (first, extent))
    found = bytes_of(FeatureBox(shape, *arrays).runs(address, bits), 0)
    size = bits // 8
    expected = set()
    for place in product(*(range(a, a + n) for a, n in zip(first, extent, strict=True))):
        element = int(np.ravel_multi_index(place, shape))
        expected.update(address + element * size + byte for byte in range(size))
    assert len(found) == len(expected)
    assert set(found) == expected


def test_rows_that_are_whole_are_one_run():
    box = FeatureBox((1, 6, 4, 3), zero(4), tuple(np.array([n]) for n in (1, 2, 4, 3)))
    runs = box.runs(0, 8)
    assert runs["run_bytes"].tolist() == [2 * 4 * 3]
    assert runs["count_1"].tolist() == [1]


def zero(n):
    return tuple(np.array([0]) for _ in range(n))


def test_packed_tiles_lie_one_behind_the_other_in_order_of_first_use():
    keys = np.array([3, 1, 3, 0])
    sizes = np.array([10, 20, 10, 7])
    runs = packed_runs(keys, sizes, 1000)
    assert runs["address"].tolist() == [1000, 1010, 1000, 1030]
    assert runs["run_bytes"].tolist() == sizes.tolist()


def test_tensors_do_not_overlap_in_dram():
    workload = residual_network()
    spec = chip()
    at = dram_addresses(workload, spec)
    ends = sorted((at[t.name], at[t.name] + t.elements) for t in workload.tensors.values())
    assert all(end <= start for (_, end), (start, _) in pairwise(ends))
    assert all(address % 4096 == 0 for address in at.values())


def test_a_network_too_large_for_the_dram_is_refused():
    with pytest.raises(InputError, match=r"^residual needs \d+ bytes of DRAM, \d+ more than small"):
        dram_addresses(residual_network(), chip(capacity_mib=1).model_copy(
            update={"dram": chip().dram.model_copy(update={"capacity_mib": 0})}
        ))  # fmt: skip
