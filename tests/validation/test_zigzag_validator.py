"""Our model in ZigZag's style against ZigZag, and its parts on small nests."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.nest.hierarchy import Direction, Machine, Memory, Nest, Port
from hw_models.nest.latency import _open_cycles, double_buffered, nest_latency
from hw_models.nest.transfers import transfers
from hw_models.yaml_file import InputError
from validation.zigzag import REFERENCES, validate

RUNS = REFERENCES / "zigzag_runs.csv"
BITS = {"I": 8, "W": 8, "O": 8, "P": 16}


def few_rows(tmp_path, *lines, **changes):
    """The reference file with its header and some of its rows."""
    given_lines = RUNS.read_text().splitlines()
    header = next(i for i, line in enumerate(given_lines) if not line.startswith("#"))
    rows = [given_lines[header + 1 + line] for line in lines]
    path = Path(tmp_path) / "runs.csv"
    content = "\n".join([given_lines[header], *rows, ""])
    for old, new in changes.items():
        content = content.replace(old, new)
    path.write_text(content)
    return path


def test_every_row_is_exact():
    result = validate(RUNS)

    assert result.passed
    assert (len(result.rows), result.exact_rows) == (27, 27)
    assert result.summary_line().endswith("main=cycles equal_accesses=27 simulated=20")


def test_a_wrong_figure_fails(tmp_path):
    result = validate(few_rows(tmp_path, 0, **{"1249013,": "1349013,"}))

    assert not result.passed
    assert result.rows[0]["cycles_error_pct"] == pytest.approx(100 * 100_000 / 1_349_013)


def test_an_unknown_accelerator_is_named(tmp_path):
    path = few_rows(tmp_path, 0, tpu_like="tpu")
    known = "edge_tpu_like, meta_prototype, tesla_npu_like, tpu_like"
    problem = f"{path}: line 2: accelerator must be one of {known}, not 'tpu'"
    with pytest.raises(InputError, match=f"^{re.escape(problem)}$"):
        validate(path)


def test_a_mapping_of_other_loops_for_an_operand_is_refused(tmp_path):
    path = few_rows(tmp_path, 0, **{"W: [[(FX, 7), (FY, 7)": "W: [[(FX, 7), (FY, 6)"})
    with pytest.raises(InputError, match=r"temporal loops must be as many for every operand"):
        validate(path)


def machine(width_bits, size_bits=1 << 20):
    """One buffer for everything under an outer memory with one port of some width."""
    every = tuple((operand, way) for operand in "OWI" for way in Direction)
    ports = tuple(Port(1 << 30, 1, (served,)) for served in every)
    inner = Memory("inner", size_bits, ports)
    return Machine((inner, Memory("outer", 1 << 40, (Port(width_bits, 1, every),))))


def nest(k, c, outer_k):
    """k x c products in the buffer, outer_k times with other weights; nothing unrolled."""
    inner, outer = [("C", c), ("K", k)], [("K", outer_k)]
    spatial = {operand: [[], [], []] for operand in "OWI"}
    temporal = {operand: [inner, outer] for operand in "OWI"}
    return Nest({"K": k * outer_k, "C": c}, spatial, temporal, 1, BITS).settled()


def test_a_wide_port_leaves_the_loops_alone():
    latency = nest_latency(nest(4, 8, 16), machine(1 << 20))
    assert (latency.loop_cycles, latency.stall_cycles) == (4 * 8 * 16, 0)


def test_a_narrow_port_makes_every_period_wait_for_its_weights():
    k, c, rounds, width = 4, 8, 16, 4
    latency = nest_latency(nest(k, c, rounds), machine(width))

    weights, outputs = k * c * 8 // width, k * 8 // width
    late = (weights - k * c + outputs) * (rounds - 1)  # both move while the other computes
    assert latency.stall_cycles >= (weights - k * c) * (rounds - 1)
    assert latency.stall_cycles <= late + k * c
    assert latency.slowest == "outer"


def test_words_are_counted_for_every_period():
    k, c, rounds = 4, 8, 16
    moved = {
        (t.operand, t.memory.name, t.direction): t
        for t in transfers(nest(k, c, rounds), machine(64))
    }
    weights = moved["W", "outer", Direction.TO_LOW]
    assert (weights.elements, weights.periods, weights.period_cycles) == (k * c, rounds, k * c)
    assert weights.words == k * c * 8 // 64 * rounds
    assert ("O", "inner", Direction.FROM_HIGH) not in moved  # no partial sum leaves the buffer


def test_a_buffer_that_is_nearly_full_is_not_double_buffered():
    k, c = 4, 8
    bits = k * c * 8 + c * 8 + k * 16
    assert ("W", 1) in double_buffered(nest(k, c, 2), machine(64, 8 * bits))
    # Weights change as a whole only along K, so a quarter of them suffices twice.
    assert ("I", 1) not in double_buffered(nest(k, c, 2), machine(64, c * 8 + c * 8))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 60)), min_size=1, max_size=4))
def test_open_cycles_are_those_of_a_mask(steps):
    slots, period = [], 1
    for factor, window in steps:
        period *= factor
        slots.append((period, min(window, period)))
    mask = np.zeros(2 * period, dtype=bool)
    for length, window in slots:
        mask |= np.arange(2 * period) % length < window

    for until in (period, 2 * period, period // 2):
        assert _open_cycles(until, slots) == mask[:until].sum()
