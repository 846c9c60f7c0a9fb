"""The mapping search: reuse against a simulated loop nest, the winner against brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hw_models.floorplan import floorplan
from simulator.allocation.shares import Share
from simulator.lowering.parts import layer_parts
from simulator.mapping.candidates import tile_candidates
from simulator.mapping.mapper import find_mapping
from simulator.mapping.mapping import LayerMappingSpec
from simulator.mapping.search import MAX_LEVELS, OBJECTIVES, reuse_levels
from simulator.mapping.streams import layer_streams
from simulator.mapping.window import Window
from simulator.workload.graph import LoopDims
from tests.simulator.networks import NetworkBuilder, chip
from traces.errors import InputError

orders = st.permutations(range(6))
masks = st.lists(st.booleans(), min_size=6, max_size=6)
tile_counts = st.lists(st.integers(1, 3), min_size=6, max_size=6)


def key_sequence(counts, relevant, order):
    for place in product(*(range(counts[loop]) for loop in order)):
        at = dict(zip(order, place, strict=True))
        yield tuple(at[loop] for loop in range(6) if relevant[loop])


def loads_with_least_recently_used(keys, slots):
    held, loads = [], 0
    for key in keys:
        loads += key not in held
        held = [k for k in held if k != key][-(slots - 1) :] if slots > 1 else []
        held.append(key)
    return loads


@given(tile_counts, masks, orders)
def test_each_way_to_reuse_loads_what_a_simulated_loop_nest_does(counts, relevant, order):
    slots, loads = np.zeros(MAX_LEVELS, np.int64), np.zeros(MAX_LEVELS, np.int64)
    ways = reuse_levels(np.array(counts), np.array(relevant), np.array(order), 1, slots, loads)
    assert ways >= 1
    keys = list(key_sequence(counts, relevant, order))
    for way in range(ways):
        assert loads[way] == loads_with_least_recently_used(keys, int(slots[way]))
    assert loads[ways - 1] == len(set(keys))
    assert sorted(set(loads[:ways].tolist()), reverse=True) == loads[:ways].tolist()


@given(tile_counts, masks, orders)
def test_with_double_buffering_every_way_has_a_slot_to_prefetch_into(counts, relevant, order):
    slots, loads = np.zeros(MAX_LEVELS, np.int64), np.zeros(MAX_LEVELS, np.int64)
    single, single_loads = slots.copy(), loads.copy()
    args = np.array(counts), np.array(relevant), np.array(order)
    ways = reuse_levels(*args, 2, slots, loads)
    assert ways == reuse_levels(*args, 1, single, single_loads)
    assert loads.tolist() == single_loads.tolist()
    distinct = len(set(key_sequence(counts, relevant, order)))
    for way in range(ways):
        assert slots[way] == min(distinct, single[way] + 1)


def conv(k=24, c=20, size=10, taps=3, stride=1, pad=1):
    n = NetworkBuilder()
    n.conv(n.input(c, size, size), k, taps=taps, stride=stride, pad=pad)
    return n.build().layers[0]


def whole(layer):
    return layer_parts(0, layer, [Share(0)])[0]


def plan_for(layer, spec, objective="latency", given=None, capacity=None):
    plan = floorplan(spec)
    core = plan.cores[0]
    free = capacity or {b.index: b.spec.size_bytes for b in core.buffers}
    streams = layer_streams(layer, core, spec.precision)
    return find_mapping(whole(layer), core, plan, streams, free, objective, given)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_no_other_mapping_is_cheaper_by_the_same_cost(objective):
    """Every candidate tiling in every order, costed one at a time, is at least as expensive."""
    layer, spec = conv(), chip()
    best = plan_for(layer, spec, objective)
    figures = {
        "latency": lambda p: p.cycles,
        "energy": lambda p: p.energy_pj,
        "edp": lambda p: p.cycles * p.energy_pj,
        "dram_bytes": lambda p: p.dram_bytes,
    }
    cost = figures[objective]
    others = 0
    for tile in tile_candidates(whole(layer), {"k": 8, "c": 8}, thorough=False)[::9]:
        loops = dict(zip(("b", "g", "k", "c", "oy", "ox"), tile.tolist(), strict=True))
        for order in (("k", "c", "oy", "ox"), ("c", "oy", "ox", "k"), ("oy", "ox", "k", "c")):
            try:
                other = plan_for(layer, spec, objective, LayerMappingSpec(tile=loops, order=order))
            except InputError:
                continue
            others += 1
            assert cost(best) <= cost(other) * 1.003
    assert others > 50


def test_a_layer_that_fits_nowhere_names_the_buffer_and_the_missing_bytes():
    layer = conv(taps=3)
    with pytest.raises(
        InputError,
        match=r"^layer conv0: no legal tiling fits core\.weights: the smallest needs 32 bytes, "
        r"16 more than the 16 free$",
    ):
        plan_for(layer, chip(), capacity={0: 4096, 1: 16})


def test_a_given_mapping_is_used_as_it_is():
    spec = LayerMappingSpec(
        tile={"k": 8, "oy": 5}, order=("oy", "k"), slots={"weight": 3, "input": 2, "psum": 2}
    )
    mapping = plan_for(conv(), chip(on_chip=65536, weights=8192), given=spec).mapping
    assert mapping.tile == {"b": 1, "g": 1, "k": 8, "c": 20, "oy": 5, "ox": 10}
    assert mapping.order == ("b", "g", "c", "ox", "oy", "k")
    assert mapping.slots == {"weight": 3, "input": 2, "psum": 2}


def test_without_double_buffering_one_slot_is_enough():
    assert plan_for(conv(), chip(slots=1), "dram_bytes").mapping.slots["weight"] >= 1
    fewest = plan_for(conv(), chip(slots=1, on_chip=2048, weights=512)).mapping.slots
    assert min(fewest.values()) == 1


@given(
    st.integers(1, 12), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3)
)
def test_the_inputs_of_a_tile_are_those_that_its_windows_touch(out, taps, stride, dilation, pad):
    reach = (taps - 1) * dilation + 1
    size = (out - 1) * stride + reach - 2 * pad
    assume(size >= 1)
    window = Window(size, out, taps, stride, dilation, pad)
    for start, n in ((0, out), (0, 1), (out // 2, out - out // 2)):
        low, high = (int(a) for a in window.inputs(np.int64(start), np.int64(n)))
        touched = {
            o * stride - pad + t * dilation for o in range(start, start + n) for t in range(taps)
        }
        inside = {i for i in touched if 0 <= i < size}
        assert inside <= set(range(low, high))
        if inside and dilation == 1 and stride <= taps:
            assert (low, high) == (min(inside), max(inside) + 1)


def test_sums_are_over_all_tiles():
    window = Window(size=10, outputs=10, taps=3, pad=1)
    largest, total = window.sums(4, 0, 10)
    rows = [(0, 5), (3, 9), (7, 10)]
    assert total == sum(high - low for low, high in rows)
    assert largest == max(high - low for low, high in rows)


def test_loop_sizes_must_be_positive_ints():
    with pytest.raises(ValueError, match=r"^k must be an int of at least 1, not 0$"):
        LoopDims(k=0)
    with pytest.raises(ValueError, match=r"^pad_top must be an int of at least 0, not -1$"):
        LoopDims(pad_top=-1)
