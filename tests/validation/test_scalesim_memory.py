"""The model of SCALE-Sim's memory: every kernel against its plain twin, artefacts by example."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.scalesim.addresses import (
    NO_WORD,
    fold_requests,
    ifmap_operand,
    requests_per_fold,
    stream_plain,
    streams,
    word_address,
)
from validation.scalesim.calc_memory import calc_reads, flushing_misses, flushing_misses_plain
from validation.scalesim.clock import (
    Reads,
    results_in_line,
    results_plain,
    run_layer,
    run_lines,
    run_lines_plain,
)
from validation.scalesim.layer import ConvLayer, Machine, array_counts, folding
from validation.scalesim.user_memory import (
    fetch_list,
    fetch_list_plain,
    read_window,
    sets_of_words,
    user_reads,
    window_moves,
    window_moves_plain,
)
from validation.scalesim.write_buffer import PlainWriteBuffer, write_buffer

OPERANDS = ("ifmap", "filter")
NO_MOVES = Reads(np.empty(0, np.int32), 0)


@st.composite
def layers(draw):
    """Small layers, strides that need not divide, windows as large as the feature map."""
    filt = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    extra = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    return ConvLayer(
        filt[0] + extra[0],
        filt[1] + extra[1],
        *filt,
        channels=draw(st.integers(1, 3)),
        num_filters=draw(st.integers(1, 6)),
        stride_h=draw(st.integers(1, 4)),
        stride_w=draw(st.integers(1, 4)),
    )


machines = st.builds(
    Machine,
    rows=st.integers(1, 5),
    cols=st.integers(1, 5),
    dataflow=st.sampled_from(["os", "ws", "is"]),
    ifmap_sram_words=st.just(0),
    filter_sram_words=st.just(0),
    ofmap_sram_words=st.just(0),
)


def folded(layer, machine):
    return folding(layer, machine, array_counts(layer, machine)["cycles"])


def one_stream(layer, machine, operand):
    """Operand and stream for the kernels, and the lines of requests of the twin."""
    fold = folded(layer, machine)
    kernel_side = streams(layer, machine.dataflow, fold)[OPERANDS.index(operand)]
    return (*kernel_side, stream_plain(layer, machine.dataflow, fold, operand))


@pytest.mark.parametrize("operand", OPERANDS)
@given(layer=layers(), machine=machines)
@settings(deadline=None, max_examples=40)
def test_requests_equal_those_placed_word_by_word(operand, layer, machine):
    tables, stream, plain = one_stream(layer, machine, operand)
    lines, words = np.empty((2, requests_per_fold(stream)), np.int32)
    found = [[] for _ in plain]
    for fold in range(stream.row_folds * stream.col_folds):
        count = fold_requests(tables, stream, fold, lines, words)
        for line, word in zip(lines[:count], words[:count], strict=True):
            found[fold * stream.fold_cycles + line].append(word)
    assert found == plain


def test_windows_partly_outside_ask_for_nothing_there():
    layer = ConvLayer(4, 4, 3, 3, 1, 1, 2, 2)  # (4 - 3) is not a multiple of 2: a second window
    assert (layer.out_h, layer.m, layer.depth) == (2, 4, 9)
    last_window = [word_address(ifmap_operand(layer), 3, tap) for tap in range(9)]
    assert last_window == [10, 11, NO_WORD, 14, 15, NO_WORD, *[NO_WORD] * 3]


@pytest.mark.parametrize("operand", OPERANDS)
@given(layer=layers(), machine=machines, capacity=st.integers(1, 40))
@settings(deadline=None, max_examples=40)
def test_flushing_cache_equals_a_set_that_is_cleared(operand, layer, machine, capacity):
    tables, stream, plain = one_stream(layer, machine, operand)
    assert flushing_misses(tables, stream, capacity) == flushing_misses_plain(plain, capacity)


@pytest.mark.parametrize("operand", OPERANDS)
@given(layer=layers(), machine=machines)
@settings(deadline=None, max_examples=20)
def test_an_operand_that_fits_is_read_once_and_prefetched_before_cycle_0(operand, layer, machine):
    tables, stream, plain = one_stream(layer, machine, operand)
    distinct = len({word for line in plain for word in line})
    set_words = 1024 // 100
    reads = calc_reads(tables, stream, 1024)
    assert reads.dram_words == distinct
    assert reads.prefetch_cycles == -(-(-(-distinct // set_words) * set_words) // 10)


def test_a_stream_that_fills_the_buffer_is_prefetched_just_in_time():
    layer = ConvLayer(100, 100, 1, 100, 1, 1, 1, 1)  # a GEMM with 10,000 words of ifmap
    machine = Machine(4, 4, "ws", 1024, 1024, 1024)
    tables, stream, _ = one_stream(layer, machine, "ifmap")
    capacity = 50 * (1024 // 100)
    reads = calc_reads(tables, stream, machine.ifmap_sram_words)
    assert reads.prefetch_cycles == capacity // 10 - machine.rows  # first asked for in cycle P


@pytest.mark.parametrize("operand", OPERANDS)
@given(layer=layers(), machine=machines)
@settings(deadline=None, max_examples=40)
def test_fetch_list_equals_the_stacked_folds(operand, layer, machine):
    tables, stream, _ = one_stream(layer, machine, operand)
    plain = fetch_list_plain(layer, machine.dataflow, folded(layer, machine), operand)
    listed, places = fetch_list(tables, stream)
    assert listed.tolist() == [word for word in plain if word != NO_WORD]
    assert places == len(plain)


@given(
    listed=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    set_words=st.integers(1, 7),
)
@settings(deadline=None, max_examples=40)
def test_sets_of_a_word_are_those_that_list_it(listed, set_words):
    firsts, sets = sets_of_words(np.array(listed, np.int32), set_words, 10)
    for word in range(10):
        places = {place // set_words for place, other in enumerate(listed) if other == word}
        assert sets[firsts[word] : firsts[word + 1]].tolist() == sorted(places)


@pytest.mark.parametrize("operand", OPERANDS)
@given(layer=layers(), machine=machines, half_words=st.integers(1, 60))
@settings(deadline=None, max_examples=40)
def test_window_moves_equal_those_of_python_sets(operand, layer, machine, half_words):
    tables, stream, lines = one_stream(layer, machine, operand)
    listed, _ = fetch_list(tables, stream)
    window = read_window(len(listed), 2 * half_words)
    moves = window_moves(tables, stream, window, *sets_of_words(listed, window.set_words,
                                                                tables.words))  # fmt: skip
    assert moves.tolist() == window_moves_plain(lines, listed.tolist(), 2 * half_words)


@pytest.mark.parametrize(
    ("listed_words", "sets", "active", "step"),
    [
        (10, 1, 1, 0),  # all in one part-filled set
        (11, 2, 2, 0),  # a full set, and an empty one behind it
        (47 * 11 - 1, 47, 47, 0),
        (47 * 11, 48, 47, 1),  # ceil(512 / 11) = 47 sets are seen at a time
        (5000, 455, 47, 47),
    ],
)
def test_window_of_a_kilobyte(listed_words, sets, active, step):
    assert read_window(listed_words, 1024) == (11, sets, active, step)


def test_whole_chunks_are_counted_as_reads():
    layer = ConvLayer(40, 50, 1, 50, 1, 7, 1, 1)
    machine = Machine(4, 4, "os", 1024, 1024, 1024)
    tables, stream, lines = one_stream(layer, machine, "ifmap")
    bandwidth, chunk = 7, -(-512 // 7)
    reads = user_reads(tables, stream, 1024, bandwidth)
    moves = sum(window_moves_plain(lines, fetch_list(tables, stream)[0].tolist(), 1024))
    assert moves > 0
    assert reads.dram_words == (1 + moves) * chunk * bandwidth
    assert (reads.prefetch_cycles, reads.move_cycles) == (chunk, chunk + 1)


@given(layer=layers(), machine=machines)
@settings(deadline=None, max_examples=40)
def test_results_per_line_equal_results_placed_one_by_one(layer, machine):
    fold = folded(layer, machine)
    found = [
        results_in_line(fold, index, place)
        for index in range(fold.row_folds * fold.col_folds)
        for place in range(fold.fold_cycles)
    ]
    assert found == results_plain(fold)


@given(
    layer=layers(),
    machine=machines,
    sram_words=st.integers(1, 12).map(lambda half: 2 * half),
    words_per_cycle=st.integers(1, 9),
    move_cycles=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=80)
def test_clock_equals_its_twin_with_lists_and_objects(
    layer, machine, sram_words, words_per_cycle, move_cycles, seed
):
    fold = folded(layer, machine)
    lines = fold.row_folds * fold.col_folds * fold.fold_cycles
    rng = np.random.default_rng(seed)
    reads = [
        Reads((rng.integers(0, 3, lines) * (rng.random(lines) < 0.2)).astype(np.int32), cycles)
        for cycles in move_cycles
    ]
    for ifmap, filters in ((NO_MOVES, NO_MOVES), (reads[0], NO_MOVES), tuple(reads)):
        kernel = run_lines(fold, ifmap, filters, write_buffer(sram_words, words_per_cycle))
        plain = PlainWriteBuffer(sram_words, words_per_cycle)
        assert kernel == run_lines_plain(fold, ifmap, filters, plain)


def test_a_late_chunk_stalls_twice_and_an_early_one_not():
    """One GEMM of a row of PEs: 10 lines, chunks of 20 cycles asked for in lines 3 and 5."""
    fold = folded(ConvLayer(1, 10, 1, 10, 1, 1, 1, 1), Machine(1, 1, "os", 0, 0, 0))
    assert fold.fold_cycles == 10
    moves, chunk = np.zeros(10, np.int32), 20
    moves[3] = 1
    late = (chunk - 1) - (3 + 1)
    output = write_buffer(1024, 1)
    assert run_layer(fold, Reads(moves, chunk), NO_MOVES, output).stall_cycles == 2 * late
    moves[5] = 1
    now = 5 + 2 * late
    still_late = max(0, (2 * chunk - 1) - (now + 1))
    clock = run_layer(fold, Reads(moves, chunk), NO_MOVES, output)
    assert clock.stall_cycles == 2 * late + 2 * still_late
    assert clock.total_cycles == 9 + clock.stall_cycles


def test_a_line_closed_early_counts_as_full_inside_a_later_drain():
    """Six results of one PE in cycles 1 to 6; 8 words, lines of 2, drains of 4 words.

    The fifth leaves fewer than 4 words free: its line is closed with one empty place, and the two
    lines before it are drained in cycles 5 and 6. The last drain, cycles 6 and 7, holds the closed
    line and one with the sixth result; only the empty place of the latter is subtracted.
    """
    fold = folded(ConvLayer(6, 1, 1, 1, 1, 1, 1, 1), Machine(1, 1, "ws", 0, 0, 0))
    clock = run_layer(fold, NO_MOVES, NO_MOVES, write_buffer(8, 2))
    assert clock.dram_words_written == 2 * 2 + (2 * 2 - 1)
    assert (clock.total_cycles, clock.stall_cycles, clock.last_write_cycle) == (6, 0, 7)
