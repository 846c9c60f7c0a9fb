"""Links that take a transfer into a gap before transfers that were decided earlier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.fusion.problem import SchedulingProblem
from simulator.fusion.schedule import FETCH, FINAL_STORE, STREAM, schedule
from tests.simulator.fusion.scheduling_problems import Tile, problem_of

WIDTH_BYTES = 8
PLENTY = 10_000
CYCLES, STORE = 100, 3


def cores_on_a_link(
    *tiles: Tile, cores: int = 2, to_last: Sequence[str] = ("dram",), **options: Any
) -> SchedulingProblem:
    """Cores with links to the next one, and one link of all of them to the memory and back.

    to_last: the links from the memory to the last core.
    """
    across = {(n, n + 1): [f"across{n}"] for n in range(cores - 1)}
    dram = {way: ["dram"] for n in range(cores) for way in ((n, cores), (cores, n))}
    pools = [f"pool{n}" for n in range(cores)]
    problem = problem_of(
        tiles,
        pools=dict.fromkeys(pools, PLENTY),
        activations=pools,
        weights=pools,
        links=dict.fromkeys(["dram", *(f"across{n}" for n in range(cores - 1))], 8 * WIDTH_BYTES),
        routes=across | dram | {(cores, cores - 1): to_last},
        **options,
    )
    return replace(problem, links="gaps")


def stored_tile() -> Tile:
    """A tile of core 0 that uses the link to the memory only after it has ended."""
    return Tile(0, CYCLES, STORE * WIDTH_BYTES, final=True)


def test_loads_of_the_next_rows_go_before_the_final_store_of_a_row() -> None:
    rows, load, move = 6, 2, 4
    moved = move * WIDTH_BYTES
    tiles = (
        *(Tile(0, CYCLES, moved, loads=((f"row{n}", load * WIDTH_BYTES),)) for n in range(rows)),
        *(Tile(1, CYCLES, moved, reads=((0, n),), core=1) for n in range(rows)),
        *(
            Tile(2, CYCLES, STORE * WIDTH_BYTES, reads=((1, n),), core=2, final=True)
            for n in range(rows)
        ),
    )
    problem = cores_on_a_link(*tiles, cores=3)
    one_row = load + 3 * CYCLES + 2 * move + STORE
    assert schedule(replace(problem, links="fifo")).latency == rows * one_row
    assert schedule(problem).latency == one_row + (rows - 1) * CYCLES


@pytest.mark.parametrize(("cycles", "start"), [(CYCLES, 0), (CYCLES + 1, CYCLES + STORE)])
@pytest.mark.parametrize("reason", [FETCH, STREAM])
def test_a_gap_is_taken_if_it_is_long_enough_to_the_cycle(
    reason: int, cycles: int, start: int
) -> None:
    load = ("b", cycles * WIDTH_BYTES)
    second = Tile(1, cycles, 8, loads=(load,), core=1, stream_in=reason == STREAM)
    result = schedule(cores_on_a_link(stored_tile(), second, policy="latency", order=np.arange(2)))
    assert result.transfers["reason"].tolist() == [FINAL_STORE, reason]
    assert result.transfers["start"].tolist() == [CYCLES, start]


@pytest.mark.parametrize("cycles", [CYCLES // 2, CYCLES // 2 + 1])
def test_a_transfer_waits_for_a_gap_after_there_is_room(cycles: int) -> None:
    freed = CYCLES // 2
    tiles = (
        stored_tile(),
        Tile(1, freed, PLENTY, core=1),
        Tile(2, 10, 8, loads=(("b", cycles * WIDTH_BYTES),), core=1),
    )
    result = schedule(cores_on_a_link(*tiles, policy="latency", order=np.arange(3)))
    fits = freed + cycles <= CYCLES
    assert result.transfers["start"].tolist() == [CYCLES, freed if fits else CYCLES + STORE]


def test_gaps_that_are_filled_are_gone() -> None:
    cycles = CYCLES // 4
    loads = tuple((f"b{n}", cycles * WIDTH_BYTES) for n in range(5))
    tiles = (stored_tile(), Tile(1, 10, 8, loads=loads, core=1))
    result = schedule(cores_on_a_link(*tiles, policy="latency", order=np.arange(2)))
    starts = [n * cycles for n in range(4)]
    assert result.transfers["start"].tolist() == [CYCLES, *starts, CYCLES + STORE]


@pytest.mark.parametrize(
    ("cycles", "start"), [(20, 0), (21, 20 + 30), (70, 20 + 30), (71, 20 + CYCLES + STORE)]
)
def test_a_gap_must_be_one_of_all_links_of_a_route(cycles: int, start: int) -> None:
    first, move = 20, 30
    tiles = (
        Tile(0, first, move * WIDTH_BYTES),
        replace(stored_tile(), layer=1),
        Tile(2, 10, 8, reads=((0, 0),), core=1),
        Tile(3, 10, 8, loads=(("b", cycles * WIDTH_BYTES),), core=1),
    )
    route = ["dram", "across0"]
    problem = cores_on_a_link(*tiles, to_last=route, policy="latency", order=np.arange(4))
    result = schedule(problem)
    assert result.transfers["start"].tolist() == [first + CYCLES, first, start]
