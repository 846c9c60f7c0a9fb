"""The compiled search over orders against the models that it stands for."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw_models.chip_files import load_chip, preset_names
from hw_models.nest.order import factors, orders
from hw_models.nest.search_tables import LOOPS, candidates
from hw_models.pe_array import dataflow_search
from hw_models.pe_array.dataflow import DataflowSpec
from hw_models.pe_array.dataflow_cost import dataflow_cost
from hw_models.pe_array.dataflow_search import best_nest, best_nest_plain
from hw_models.pe_array.tile import Stream, Tile
from hw_models.yaml_file import InputError


def different_cores():
    """Cores with a dataflow array of all presets, by their place; of equal ones the first."""
    found = {}
    for name in preset_names():
        for n, core in enumerate(load_chip(name).cores):
            if isinstance(core.pe_array, DataflowSpec):
                found.setdefault((core.pe_array, core.buffers), (name, n))
    return list(found.values())


OPS = ("conv2d", "matmul", "pool", "elementwise", "activation")
sizes = st.tuples(
    st.integers(1, 2),
    *3 * [st.sampled_from((1, 2, 3, 7, 16, 21, 64, 100))],
    st.integers(1, 4),
    st.sampled_from((1, 4, 15, 28, 75, 112)),
    *2 * [st.integers(1, 5)],
)
streams = st.builds(
    Stream,
    st.frozensets(st.sampled_from(("input", "weight", "output"))),
    st.sampled_from((8, 64)),
    st.sampled_from(("1rw", "1r1w")),
)


def found_cost(place, tile, search):
    core = load_chip(place[0]).cores[place[1]]
    try:
        return dataflow_cost(core, core.pe_array, tile, search=search)
    except InputError as error:
        return str(error)


def tile_of(place, op, size, stride, stream):
    return Tile(op, size, (stride, stride, 1, 1), load_chip(place[0]).precision, stream)


@settings(max_examples=25, deadline=None)
@given(
    place=st.sampled_from(different_cores()),
    op=st.sampled_from(OPS),
    size=sizes,
    stride=st.integers(1, 3),
    stream=streams,
)
@example(("diana", 2), "activation", (1, 21, 1, 1, 2, 64, 1, 1), 1, Stream())
def test_the_best_order_is_that_of_the_plain_search(place, op, size, stride, stream):
    tile = tile_of(place, op, size, stride, stream)
    plain = found_cost(place, tile, best_nest_plain)
    assert found_cost(place, tile, best_nest) == plain


@pytest.mark.parametrize("place", different_cores(), ids="{0[0]}-{0[1]}".format)
def test_the_best_order_is_that_of_the_plain_search_on_every_core(place):
    for op in ("conv2d", "elementwise"):
        tile = tile_of(place, op, (1, 8, 6, 4, 1, 28, 3, 1), 1, Stream())
        assert found_cost(place, tile, best_nest) == found_cost(place, tile, best_nest_plain)


@given(size=st.lists(st.integers(1, 12), min_size=8, max_size=8))
@settings(max_examples=20, deadline=None)
def test_candidates_are_all_orders_and_sets_have_different_numbers(size):
    steps = dict(zip(LOOPS, size, strict=True))
    tried, every = candidates(steps), factors(steps)
    outer, inner = every[:-6], every[-6:]
    expected = [[*order, *reversed(outer)] for order in orders(inner)]
    assert [[tried.loops[n] for n in row] for row in tried.rows] == expected
    loops, sizes, weights = tried.orders.transpose(1, 0, 2)
    assert [LOOPS[n] for n in loops.flat] == [one for order in expected for one, _ in order]
    assert list(sizes.flat) == [n for order in expected for _, n in order]
    numbers = {}
    for order, row in zip(expected, weights, strict=True):
        for stop in range(len(row) + 1):
            number = int(np.sum(row[:stop]))
            assert numbers.setdefault(number, sorted(order[:stop])) == sorted(order[:stop])
            assert number < tried.sets


def test_a_tile_whose_counts_may_exceed_64_bits_takes_the_plain_search(monkeypatch):
    called = []
    monkeypatch.setattr(dataflow_search, "best_nest_plain", lambda *given: called.append(given))
    place, huge = ("depfin", 0), 1 << 20
    tile = tile_of(place, "conv2d", (1, 1, huge, huge, huge, 1, 1, 1), 1, Stream())
    assert found_cost(place, tile, best_nest).startswith("core core: a tile must fit")
    assert called
