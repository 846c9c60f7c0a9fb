"""The borrowing window: its twin, the worked example, the invariants, modes, bad input."""

import re
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.pe_array.borrowing import Element, run_window_plain
from hw_models.pe_array.borrowing_events import digest_of, metadata_bits, window_choices
from hw_models.pe_array.borrowing_layout import lane_words
from hw_models.pe_array.borrowing_schedule import Operands, packed_weights, sources_of, stage
from hw_models.pe_array.borrowing_schedule import tile_cycles as run
from hw_models.pe_array.borrowing_window import (
    KINDS,
    NO_REACH,
    Borrowing,
    Core,
    kind_of,
    offsets_of,
    parse_borrowing,
)
from hw_models.sparsity.congruential import congruential_mask
from traces.errors import InputError

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
SMALL = Core(4, 3, 2)


def pending_words(mask, lanes):
    """bool (rows, groups, pes, lanes) as the kernel's words."""
    rows, groups, pes, _ = mask.shape
    per_word = 64 // lanes
    words = np.zeros((rows, pes, ceil(groups / per_word)), np.uint64)
    for row, group, pe, lane in zip(*np.nonzero(mask), strict=True):
        bit = int(group % per_word) * lanes + int(lane)
        words[row, pe, group // per_word] |= np.uint64(1 << bit)
    return words


def choices_plain(mask, offsets, wrap, lane_order):
    _, groups, pes, lanes = mask.shape
    waiting = [Element(*map(int, place)) for place in np.argwhere(mask)]
    cycles, events = run_window_plain(waiting, mask.shape, offsets, wrap, lane_order)
    found = np.full((cycles, groups, pes, lanes), -1)
    for event in events:
        place = (event.cycle, event.group, event.pe, event.lane)
        assert found[place] == -1
        found[place] = offsets.index(event.offset)
    return found


densities = st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.9, 1.0])


@st.composite
def windows(draw):
    """A mask (rows, groups, pes, lanes) and a window that fits it."""
    sizes = tuple(draw(st.integers(1, most)) for most in (9, 5, 4, 20))
    reach = (
        draw(st.integers(0, 4)),
        draw(st.integers(0, min(3, sizes[3] - 1))),
        draw(st.integers(0, min(2, sizes[2] - 1))),
    )
    offsets = offsets_of(reach, draw(st.sampled_from(["time", "space"])))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    mask = generator.random(sizes) < draw(densities)
    return mask, offsets, draw(st.booleans())


@given(windows(), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=300)
def test_kernel_and_twin_execute_the_same_in_every_slot(window, random, mirrored):
    mask, offsets, wrap = window
    lanes = mask.shape[3]
    order = list(range(lanes))
    random.shuffle(order)
    if mirrored:
        offsets = tuple((step, -lane, pe) for step, lane, pe in offsets)
    found = window_choices(
        pending_words(mask, lanes),
        np.array(offsets, np.int64),
        lanes,
        wrap,
        np.array(order, np.int64),
        mask.shape[1],
    )
    np.testing.assert_array_equal(found, choices_plain(mask, offsets, wrap, tuple(order)))


@given(windows())
@settings(max_examples=200)
def test_invariants_of_a_run(window):
    mask, offsets, wrap = window
    rows, groups, pes, lanes = mask.shape
    waiting = [Element(*map(int, place)) for place in np.argwhere(mask)]
    cycles, events = run_window_plain(waiting, mask.shape, offsets, wrap, tuple(range(lanes)))
    ahead, aside, neighbours = (max(offset[axis] for offset in offsets) for axis in range(3))
    sources = [
        (e.base + e.offset[0], e.group, (e.pe + e.offset[2]) % pes, (e.lane + e.offset[1]) % lanes)
        for e in events
    ]
    assert sorted(sources) == sorted(map(tuple, waiting))
    assert ceil(rows / (1 + ahead)) <= cycles <= rows
    assert cycles * groups * pes * lanes >= len(waiting)
    if not waiting:
        assert cycles == ceil(rows / (1 + ahead))
    if ahead == 0 or mask.all():
        assert cycles == rows
    for event in events:
        step, lane, pe = event.offset
        assert 0 <= step <= ahead
        assert 0 <= lane <= aside
        assert 0 <= pe <= neighbours
        assert step >= 1 or (lane, pe) == (0, 0)


ROWS = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]], bool)


@pytest.mark.parametrize(
    ("reach", "wrap", "cycles", "digest"),
    [
        ((0, 0, 0), True, 4, 0x53FC43B46C3487B5),
        ((1, 0, 0), True, 3, 0x9486808588BA2F5F),
        ((1, 1, 0), False, 3, 0x8FE5D3AFFC3C7F95),
        ((1, 1, 0), True, 2, 0x914E6A5794000070),
        ((2, 1, 0), False, 3, 0x65AEACB6E5ADBD77),
        ((2, 1, 0), True, 2, 0x3C4A3A05C583777F),
    ],
)
def test_worked_example(reach, wrap, cycles, digest):
    """Digests: the example that comes with references/borrowing_golden.csv."""
    offsets = np.array(offsets_of(reach), np.int64)
    words = pending_words(ROWS[:, None, None, :], 4)
    found = window_choices(words, offsets, 4, wrap, np.arange(4), 1)
    assert len(found) == cycles
    assert digest_of(found, offsets, False, FNV_OFFSET) == digest


@pytest.mark.parametrize("lanes", [1, 4, 6, 64])
def test_shuffle_rotates_groups_of_four_by_the_step(lanes):
    depth = 5 * lanes - lanes // 2
    for k in range(depth):
        mask = np.zeros((1, depth), bool)
        mask[0, k] = True
        step, lane = divmod(k, lanes)
        group = 4 * (lane // 4)
        size = min(4, lanes - group)
        place = group + (lane % 4 + step) % size
        words = lane_words(mask, lanes, 2, shuffle=True)
        assert words.shape == (1, ceil(depth / lanes), 2)
        assert int(words[0, step, 0]) == 1 << place
        assert words.sum() == words[0, step, 0]


@st.composite
def designs(draw):
    core = Core(draw(st.integers(1, 9)), draw(st.integers(1, 5)), draw(st.integers(1, 4)))

    def reach(pes):
        most = (3, min(2, core.lanes - 1), min(1, pes - 1))
        return tuple(draw(st.integers(0, limit)) for limit in most)

    mode = draw(st.sampled_from(["dense", "A", "B", "AB"]))
    a = reach(core.rows) if "A" in mode else NO_REACH
    b = reach(core.columns) if "B" in mode else NO_REACH
    edge, order = draw(st.sampled_from(["wrap", "clamp"])), draw(st.sampled_from(["time", "space"]))
    return core, Borrowing(mode, a, b, draw(st.booleans()), edge, order)


@st.composite
def masks(draw):
    m, k, n = draw(st.integers(1, 9)), draw(st.integers(1, 30)), draw(st.integers(1, 11))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    return generator.random((m, k)) < draw(densities), generator.random((k, n)) < draw(densities)


def window_plain(mask, borrowing, offsets):
    """Cycles and events of bool (rows, groups, pes, lanes)."""
    waiting = [Element(*map(int, place)) for place in np.argwhere(mask)]
    order = tuple(range(mask.shape[3]))
    return run_window_plain(waiting, mask.shape, offsets, borrowing.edge == "wrap", order)


def placed(vectors, core, pes, first, shuffle):
    """bool (steps, pes, lanes) of some vectors (count, depth), each element where it stands."""
    found = np.zeros((ceil(vectors.shape[1] / core.lanes), pes, core.lanes), bool)
    for vector, k in zip(*np.nonzero(vectors[first : first + pes]), strict=True):
        step, lane = divmod(int(k), core.lanes)
        group = lane // 4 * 4
        size = min(4, core.lanes - group)
        found[step, vector, group + (lane - group + step) % size if shuffle else lane] = True
    return found


def cycles_plain(borrowing, core, a, b):
    """Cycles of every output tile, by the twin on one element after the other."""
    tiles = [
        [placed(a, core, core.rows, i, borrowing.shuffle) for i in range(0, len(a), core.rows)],
        [
            placed(b.T, core, core.columns, j, borrowing.shuffle)
            for j in range(0, b.shape[1], core.columns)
        ],
    ]
    return np.array([[_tile_plain(borrowing, x, y) for y in tiles[1]] for x in tiles[0]])


def _tile_plain(borrowing, a, b):
    if borrowing.mode == "dense":
        return len(a)
    if borrowing.mode == "A":
        return window_plain(a[:, None], borrowing, offsets_of(borrowing.a, borrowing.order))[0]
    packed, events = window_plain(b[:, None], borrowing, offsets_of(borrowing.b, borrowing.order))
    if borrowing.mode == "B":
        return packed
    pairs = np.zeros((packed, b.shape[1], a.shape[1], a.shape[2]), bool)
    for e in events:
        lane = (e.lane + e.offset[1]) % a.shape[2]
        pairs[e.cycle, e.pe, :, e.lane] = a[e.base + e.offset[0], :, lane]
    return window_plain(pairs, borrowing, offsets_of(borrowing.a, borrowing.order))[0]


@given(designs(), masks())
@settings(max_examples=200)
def test_tiles_of_every_mode_and_their_bounds(design, operands):
    (core, borrowing), (a, b) = design, operands
    words = Operands.of(a, b, core, borrowing.shuffle)
    found = run(borrowing, core, words)
    np.testing.assert_array_equal(found.cycles, cycles_plain(borrowing, core, a, b))
    steps = ceil(a.shape[1] / core.lanes)
    assert found.total == found.cycles.sum()
    assert (found.cycles <= found.packed_rows).all()
    assert (found.packed_rows <= steps).all()
    assert (found.packed_rows >= ceil(steps / (1 + borrowing.b[0]))).all()
    assert (found.cycles * (1 + borrowing.a[0]) >= found.packed_rows).all()


@given(masks(), st.integers(0, 2), st.booleans())
def test_dual_without_run_time_reach_is_mode_b(operands, ahead, shuffle):
    words = Operands.of(*operands, SMALL, shuffle)
    dual = run(Borrowing("AB", NO_REACH, (ahead, 1, 1), shuffle), SMALL, words)
    single = run(Borrowing("B", NO_REACH, (ahead, 1, 1), shuffle), SMALL, words)
    np.testing.assert_array_equal(dual.cycles, single.cycles)


@given(masks(), st.integers(0, 2))
def test_dual_with_dense_weights_of_whole_tiles_is_mode_a(operands, ahead):
    a = operands[0]
    words = Operands.of(a, np.ones((a.shape[1], 2 * SMALL.columns), bool), SMALL, True)
    dual = run(Borrowing("AB", (ahead, 1, 1), (2, 1, 1)), SMALL, words)
    single = run(Borrowing("A", (ahead, 1, 1)), SMALL, words)
    np.testing.assert_array_equal(dual.cycles, single.cycles)


@given(masks(), st.sampled_from(["A(2,1,1)", "B(4,0,1)", "AB(2,0,0,2,0,1)"]))
def test_tiles_do_not_depend_on_each_other(operands, name):
    borrowing = parse_borrowing(name)
    words = Operands.of(*operands, SMALL, True)
    every = run(borrowing, SMALL, words).cycles
    rows, columns = np.arange(len(words.a))[::-1], np.arange(len(words.b))[::-1]
    reversed_tiles = run(borrowing, SMALL, words, rows, columns).cycles
    np.testing.assert_array_equal(reversed_tiles, every[::-1, ::-1])


def test_packed_weights_select_every_weight_once():
    generator = np.random.default_rng(3)
    b = generator.random((70, 16)) < 0.3
    core, borrowing = Core(), parse_borrowing("B(2,5,0)")
    words = Operands.of(np.ones((1, 70), bool), b, core, True)
    offsets = borrowing.offline_offsets
    sources, source_of = sources_of(offsets)
    arguments = stage(borrowing, core, offsets)
    selects, bases = packed_weights(words.b[0], *arguments, source_of, len(sources))
    assert sum(int(word).bit_count() for word in selects.ravel()) == b.sum()
    assert len(bases) == run(borrowing, core, words).packed_rows[0]


LONG_RUN = [
    # Design, speed-up with wrapped and with clamped edges, and M, N of the product.
    ("B(4,0,1)", 2.718, 2.310, 4, 256),
    ("B(8,0,1)", 3.557, 2.837, 4, 256),
    ("B(2,5,0)", 2.550, 1.753, 4, 256),
    ("A(2,1,0)", 1.465, 1.324, 64, 16),
    ("A(2,1,1)", 1.587, 1.299, 64, 16),
    ("AB(2,0,0,2,0,1)", 2.770, 2.557, 16, 64),
]


@pytest.mark.parametrize(("name", "wrap", "clamp", "m", "n"), LONG_RUN)
def test_long_run_speedups_of_iid_masks(name, wrap, clamp, m, n):
    """Means of three seeds, measured by the two implementations behind the golden table.

    81 % zero weights, 43 % zero activations, K = 2304, core (16, 16, 4).
    """
    depth, core = 2304, Core()
    found = {"wrap": [], "clamp": []}
    for seed in (1, 2, 3):
        a = congruential_mask((m, depth), 1, 100 + seed, 430, None)
        b = congruential_mask((depth, n), 0, 200 + seed, 810, None)
        words = Operands.of(a, b, core, True)
        for edge, speedups in found.items():
            tiles = run(parse_borrowing(name, edge), core, words)
            speedups.append(words.steps * tiles.cycles.size / tiles.total)
    means = [sum(speedups) / len(speedups) for speedups in found.values()]
    assert means == pytest.approx([wrap, clamp], abs=0.0005001)


@pytest.mark.parametrize(
    ("reach", "bits"), [((4, 0, 1), 4), ((8, 0, 1), 5), ((2, 0, 1), 3), ((2, 5, 0), 4)]
)
def test_metadata_bits(reach, bits):
    assert metadata_bits(offsets_of(reach)) == bits


def test_candidates_by_kind_and_order():
    assert offsets_of((2, 1, 0)) == ((0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 1, 0))
    assert offsets_of((2, 1, 0), "space") == ((0, 0, 0), (1, 0, 0), (2, 0, 0), (1, 1, 0), (2, 1, 0))
    some = ((0, 0, 0), (1, 0, 0), (2, -1, 0), (1, 0, 1), (1, 2, 1))
    assert tuple(kind_of(offset) for offset in some) == KINDS


@pytest.mark.parametrize(
    "text", ["A(2,1,0,on)", "B(4,0,1,on)", "B(2,5,0,off)", "AB(2,0,0,2,0,1,on)", "dense"]
)
def test_notation_is_read_and_written(text):
    assert parse_borrowing(text).name == text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("C(1,0,0)", "design must be like dense, A(2,1,0) or B(4,0,1,off), not 'C(1,0,0)'"),
        ("A(2,1)", "A(2,1): must have 3 distances, not 2"),
        ("AB(2,0,0,on)", "AB(2,0,0,on): must have 6 distances, not 3"),
        ("A(2,-1,0)", "A(2,-1,0): a distance must be a whole number from 0 to 999, not '-1'"),
        ("B(1.5,0,0)", "B(1.5,0,0): a distance must be a whole number from 0 to 999, not '1.5'"),
    ],
)
def test_bad_notation(text, rule):
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        parse_borrowing(text)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Borrowing("A", (2, -1, 0)), "A: da2 must be an int of at least 0, not -1"),
        (lambda: Borrowing("B", b=(0.5, 0, 0)), "B: db1 must be an int of at least 0, not 0.5"),
        (
            lambda: Borrowing("A", offsets=((1, 0, 0),)),
            "A: offsets must begin with the own slot (0, 0, 0), not (1, 0, 0)",
        ),
        (
            lambda: Borrowing("A", offsets=((0, 0, 0), (0, 1, 0))),
            "A: offsets must reach ahead in time and no PE back",
        ),
        (
            lambda: parse_borrowing("A(1,16,0)").check(Core()),
            "A(1,16,0,on): da2 must be less than the lanes of the core (16), not 16",
        ),
        (
            lambda: parse_borrowing("A(1,0,4)").check(Core()),
            "A(1,0,4,on): da3 must be less than the PEs it reaches over (4), not 4",
        ),
        (
            lambda: parse_borrowing("AB(1,0,0,1,0,16)").check(Core()),
            "AB(1,0,0,1,0,16,on): db3 must be less than the PEs it reaches over (16), not 16",
        ),
        (
            lambda: Borrowing("A", (1, 0, 0), lane_order=(0, 0)).check(Core(2, 1, 1)),
            "A(1,0,0,on): lane_order must name each of 2 lanes once",
        ),
        (lambda: Core(65), "core: lanes must be at most 64, not 65"),
        (lambda: Core(16, 0), "core: columns must be an int of at least 1, not 0"),
    ],
)
def test_impossible_windows_and_cores(make, rule):
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        make()


def test_widest_windows_that_fit():
    parse_borrowing("AB(1,15,3,1,15,15)").check(Core())


def test_operands_must_share_their_depth():
    with pytest.raises(ValueError, match=r"^b must have 5 rows, the columns of a, not 6$"):
        Operands.of(np.ones((2, 5), bool), np.ones((6, 2), bool), SMALL, True)
