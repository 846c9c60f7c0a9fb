"""Transfers of mapped nests against walking through every step of all loops."""

from itertools import product
from math import ceil, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.nest.energy import transfer_energy_pj
from hw_models.nest.hierarchy import (
    OPERANDS,
    RELEVANT,
    WINDOWS,
    Direction,
    Machine,
    Memory,
    Nest,
    Port,
)
from hw_models.nest.latency import nest_latency
from hw_models.nest.transfers import operand_moves

BITS = {"I": 8, "W": 8, "O": 8, "P": 16}
WIDTH = 16
LOOPS = ("G", "K", "C", "OY", "OX", "FY", "FX")


def memory(name, operand, bits=WIDTH):
    return Memory(name, 1 << 30, tuple(Port(bits, 8, ((operand, way),)) for way in Direction))


MACHINE = Machine(tuple(memory(f"{o}{n}", o) for n in range(2) for o in OPERANDS))
"""Registers and a buffer for each operand, without limits of size."""


@st.composite
def nests(draw):
    """Loops in some order, for each operand cut where its registers end; nothing unrolled."""
    names = draw(st.lists(st.sampled_from(LOOPS), min_size=1, max_size=4, unique=True))
    order = [(name, draw(st.integers(2, 3))) for name in names]
    temporal = {}
    for operand in OPERANDS:
        stop = draw(st.integers(0, len(order)))
        temporal[operand] = [order[:stop], order[stop:]]
    sizes = dict.fromkeys(LOOPS, 1) | dict(order)
    spatial = {operand: [[], [], []] for operand in OPERANDS}
    return Nest(sizes, spatial, temporal, draw(st.integers(1, 2)), BITS)


def walked(nest, operand):
    """Every time that registers get other data: how many, and how many elements at once."""
    inner, outer = nest.temporal[operand]
    moves, held = [], None
    for point in product(*(range(n) for _, n in reversed(outer))):
        at = dict(zip((loop for loop, _ in reversed(outer)), point, strict=True))
        wanted = tuple((loop, i) for loop, i in at.items() if not nest.repeats(operand, loop))
        if wanted != held:
            moves.append(len(touched(nest, operand, inner, at)))
            held = wanted
    return moves


def touched(nest, operand, inner, at):
    elements = set()
    for point in product(*(range(n) for _, n in inner)):
        index = dict.fromkeys(LOOPS, 0) | at | dict(zip((d for d, _ in inner), point, strict=True))
        place = [index[loop] for loop in LOOPS if loop in RELEVANT[operand]]
        for position, tap in WINDOWS.get(operand, ()):
            place.append(index[position] * nest.stride + index[tap])
        elements.add(tuple(place))
    return elements


@settings(max_examples=150, deadline=None)
@given(nest=nests(), operand=st.sampled_from(("W", "I")))
def test_inputs_and_weights_come_as_often_as_they_change(nest, operand):
    nest = nest.settled()
    (filled,) = (
        transfer
        for transfer in operand_moves(nest, MACHINE, operand).transfers
        if transfer.direction is Direction.FROM_HIGH
    )
    assert walked(nest, operand) == [filled.elements] * filled.periods
    assert filled.cycles == ceil(filled.elements * BITS[operand] / WIDTH)
    assert filled.accessed_bits == filled.elements * BITS[operand] * filled.periods


@settings(max_examples=150, deadline=None)
@given(nest=nests())
def test_outputs_leave_as_often_as_they_change_and_return_while_partial(nest):
    nest = nest.settled()
    moves = operand_moves(nest, MACHINE, "O")
    by_way = {(t.memory.name, t.direction): t for t in moves.transfers}
    leaving = by_way["O0", Direction.TO_HIGH]
    assert walked(nest, "O") == [leaving.elements] * leaving.periods
    returns = ("O0", Direction.FROM_HIGH) in by_way
    assert returns == any(nest.repeats("O", loop) for loop, _ in nest.temporal["O"][1])
    assert leaving.bits == BITS["P" if returns else "O"]


@settings(max_examples=50, deadline=None)
@given(nest=nests())
def test_latency_is_at_least_that_of_the_loops_and_of_every_port(nest):
    nest = nest.settled()
    got = nest_latency(nest, MACHINE)
    steps = prod(n for _, n in (loop for level in nest.temporal["O"] for loop in level))
    assert got.loop_cycles == steps
    assert min(got.stall_cycles, got.onload_cycles, got.offload_cycles) >= 0
    inputs = (t for o in ("W", "I") for t in operand_moves(nest, MACHINE, o).transfers)
    for transfer in inputs:
        if transfer.direction is Direction.FROM_HIGH:
            assert got.total_cycles >= transfer.cycles


def test_energy_is_that_of_the_words_on_the_side_of_the_memory():
    buffer = Memory("b", 1 << 20, (Port(16, 8, tuple(("W", way) for way in Direction)),), 3.0, 5.0)
    registers = Memory(
        "r", 1 << 20, (Port(8, 8, tuple(("W", way) for way in Direction)),), 0.25, 0.5
    )
    order = [("K", 4), ("OX", 3)]
    spatial = {operand: [[], [], []] for operand in OPERANDS}
    temporal = {operand: [[], order] for operand in OPERANDS}
    nest = Nest(dict.fromkeys(LOOPS, 1) | dict(order), spatial, temporal, 1, BITS)
    moved = operand_moves(nest, Machine((registers, buffer)), "W").transfers
    got = {(t.memory.name, t.direction): transfer_energy_pj(t) for t in moved}
    fetched = 4 * 3
    assert got["r", Direction.FROM_HIGH] == pytest.approx(fetched * 0.5)
    assert got["b", Direction.TO_LOW] == pytest.approx(fetched / 2 * 3.0)
