from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.fusion.problem import SchedulingProblem
from simulator.fusion.schedule import EVICTION, FETCH, FINAL_STORE, STREAM, Schedule, schedule
from simulator.fusion.schedule_check import check_conservation
from tests.simulator.fusion.scheduling_problems import Tile, ints, problem_of
from traces.errors import InputError

WIDTH_BYTES = 8
PLENTY = 10_000
BUS = {"links": {"bus": 8 * WIDTH_BYTES}}


def one_core(*tiles: Tile, pool: int = PLENTY, **options: Any) -> SchedulingProblem:
    """A core with one pool on a bus."""
    return problem_of(
        tiles,
        pools={"sram": pool},
        activations=["sram"],
        weights=["sram"],
        routes={(0, 1): ["bus"], (1, 0): ["bus"]},
        **BUS,
        **options,
    )


def two_cores(*tiles: Tile, shared: bool = False, **options: Any) -> SchedulingProblem:
    """Two cores, with a link to each other, and each with one to the memory."""
    return problem_of(
        tiles,
        **{
            "pools": {"first": PLENTY, "second": PLENTY},
            "activations": ["first", "first" if shared else "second"],
            "weights": ["first", "second"],
            "links": {"across": 8 * WIDTH_BYTES, "dram0": 64, "dram1": 32},
            "routes": {
                (0, 1): ["across"], (1, 0): ["across"], (0, 2): ["dram0"], (2, 0): ["dram0"],
                (1, 2): ["dram1"], (2, 1): ["dram1"],
            },
            **options,
        },
    )  # fmt: skip


def moves(result: Schedule, *columns: str) -> list[tuple[int, ...]]:
    return list(zip(*(result.transfers[c].tolist() for c in columns), strict=True))


def stays(result: Schedule, tensor: int) -> list[tuple[int, int, int]]:
    """Pool, first and last cycle of the residences of a tensor."""
    rows = result.residences
    here = rows["tensor"] == tensor
    columns = (rows[c][here].tolist() for c in ("pool", "from_cycle", "to_cycle"))
    return list(zip(*columns, strict=True))


def test_a_node_waits_for_weight_and_input_and_its_output_is_stored() -> None:
    weight, rows, out, cycles = 40, 16, 24, 100
    result = schedule(
        one_core(Tile(0, cycles, out, loads=(("rows", rows),), weight=("w", weight), final=True))
    )
    start = (weight + rows) // WIDTH_BYTES
    assert result.node_start.tolist() == [start]
    assert result.node_end.tolist() == [start + cycles]
    assert result.latency == start + cycles + out // WIDTH_BYTES
    assert result.transfers["reason"].tolist() == [FETCH, FETCH, FINAL_STORE]
    assert result.link_busy_cycles.tolist() == [(weight + rows + out) // WIDTH_BYTES]
    assert result.pool_peak_bytes.tolist() == [weight + rows + out]


def test_an_input_arrives_when_the_core_is_idle_and_not_before() -> None:
    tiles = [Tile(0, 100, 8, loads=((f"rows{n}", 16),)) for n in range(2)]
    result = schedule(one_core(*tiles))
    assert result.node_start.tolist() == [2, 102]
    assert moves(result, "start", "end") == [(0, 2), (100, 102)]


def test_with_latency_an_input_arrives_as_soon_as_it_can() -> None:
    tiles = [Tile(0, 100, 8, loads=((f"rows{n}", 16),)) for n in range(2)]
    result = schedule(one_core(*tiles, policy="latency"))
    assert result.node_start.tolist() == [2, 102]
    assert moves(result, "start", "end") == [(0, 2), (2, 4)]


def test_tiles_of_a_layer_follow_one_another_and_others_come_between() -> None:
    tiles = (
        *(Tile(0, 10, 8) for _ in range(3)),
        Tile(1, 5, 8, reads=((0, 0),), core=1),
    )
    apart = schedule(two_cores(*tiles, policy="latency"))
    assert apart.order.tolist() == [0, 1, 3, 2]
    given = schedule(two_cores(*tiles, policy="latency", order=ints([2, 1, 0, 3])))
    assert given.order.tolist() == [2, 1, 0, 3]


def test_a_link_serves_in_order_of_decision_so_a_store_holds_up_the_next_load() -> None:
    first = Tile(0, 100, 80, loads=(("a", 16),), final=True)
    second = Tile(0, 100, 80, loads=(("b", 16),), final=True)
    result = schedule(one_core(first, second))
    stored = 2 + 100 + 80 // WIDTH_BYTES
    assert result.node_start.tolist() == [2, stored + 2]


def test_cores_that_share_a_pool_exchange_nothing() -> None:
    tiles = (Tile(0, 10, 32, core=0), Tile(1, 10, 32, reads=((0, 0),), core=1))
    apart, together = schedule(two_cores(*tiles)), schedule(two_cores(*tiles, shared=True))
    assert apart.node_start.tolist() == [0, 10 + 32 // WIDTH_BYTES]
    assert together.node_start.tolist() == [0, 10]
    assert together.transfers["tensor"].size == 0


def test_the_makers_copy_is_freed_when_it_is_sent_and_the_readers_when_it_is_read() -> None:
    tiles = (Tile(0, 10, 32, core=0), Tile(1, 5, 8, reads=((0, 0),), core=1))
    result = schedule(two_cores(*tiles))
    sent = 10 + 32 // WIDTH_BYTES
    assert stays(result, 0) == [(0, 0, sent), (1, 10, sent + 5)]


def test_a_copy_stays_while_another_core_may_still_ask_for_it() -> None:
    tiles = (
        Tile(0, 10, 32, core=0),
        Tile(1, 5, 8, reads=((0, 0),), core=0),
        Tile(2, 5, 8, reads=((0, 0), (1, 0)), core=1),
    )
    result = schedule(two_cores(*tiles))
    assert moves(result, "tensor", "source", "target") == [(0, 0, 1), (1, 0, 1)]
    assert stays(result, 0)[0][2] == result.transfers["end"][0]


def test_a_route_of_two_links_takes_both_for_the_time_of_the_narrower() -> None:
    size, latency = 35, 7
    tiles = (Tile(0, 10, size, core=0), Tile(1, 10, 8, reads=((0, 0),), core=1))
    routes = {(0, 1): ["across", "dram1"], (0, 2): ["dram0"], (1, 2): ["dram1"]}
    result = schedule(two_cores(*tiles, routes=routes, latency_cycles=latency))
    duration = -(-size * 8 // 32)
    assert moves(result, "start", "end") == [(10, 10 + duration)]
    assert result.node_start[1] == 10 + duration + latency
    assert result.link_busy_cycles.tolist() == [duration, 0, duration]


def spilling(**options: Any) -> SchedulingProblem:
    """Tensors of 80, 40 and 48 bytes that are read last; a pool for all but the middle one."""
    return one_core(
        Tile(0, 10, 80),
        Tile(1, 10, 40),
        Tile(2, 10, 48),
        Tile(3, 10, 8, reads=((0, 0), (2, 0))),
        Tile(4, 10, 8, reads=((1, 0),)),
        order=np.arange(5),
        **options,
    )


def test_the_fewest_bytes_left_to_read_are_evicted_and_come_back() -> None:
    result = schedule(spilling(pool=80 + 48 + 8))
    away, wanted = 40 // WIDTH_BYTES, 20
    starts = [0, 10, wanted + away, wanted + away + 10]
    back = starts[-1] + 10
    assert moves(result, "tensor", "reason", "start", "end") == [
        (1, EVICTION, wanted, wanted + away),
        (1, FETCH, back, back + away),
    ]
    assert result.node_start.tolist() == [*starts, back + away]


def test_no_eviction_where_everything_fits_to_the_byte() -> None:
    assert schedule(spilling(pool=80 + 40 + 48 + 8)).transfers["reason"].size == 0


def test_weights_are_dropped_for_free() -> None:
    tiles = [Tile(n, 10, 8, weight=(f"w{n % 2}", 64)) for n in range(3)]
    result = schedule(one_core(*tiles, pool=64 + 8, prefetch_weights=False))
    assert result.transfers["reason"].tolist() == [FETCH] * 3
    assert result.transfers["tensor"].tolist() == [3, 4, 3]


def test_a_node_waits_for_room_that_is_freed_later_instead_of_evicting() -> None:
    tiles = (Tile(0, 50, 60, core=0), Tile(1, 30, 60, core=1))
    pools = {"first": 100, "second": 0}
    result = schedule(two_cores(*tiles, shared=True, pools=pools))
    assert result.node_start.tolist() == [30, 0]
    assert result.transfers["reason"].size == 0


def test_streamed_operands_stay_offchip_and_block_the_route() -> None:
    tiles = (
        Tile(0, 30, PLENTY + 1, stream_out=True),
        Tile(1, 20, 8, reads=((0, 0),), stream_in=True, final=True),
        Tile(2, 20, 8, loads=(("a", 16),)),
    )
    result = schedule(one_core(*tiles))
    load = 16 // WIDTH_BYTES
    assert result.node_start.tolist() == [load + 20, load + 20 + 30, load]
    assert result.latency == load + 20 + 30 + 20 + 8 // WIDTH_BYTES
    streams = result.transfers["reason"] == STREAM
    assert result.transfers["tensor"][streams].tolist() == [0, 0]
    assert result.need_residence[0] == -1
    assert result.node_residence[0] == -1


def test_memory_policy_decides_the_deepest_layer_first_and_latency_the_earliest() -> None:
    tiles = (Tile(0, 10, 8), Tile(0, 10, 8), Tile(1, 10, 8, reads=((0, 0),)))
    assert schedule(one_core(*tiles)).order.tolist() == [0, 2, 1]
    assert schedule(one_core(*tiles, policy="latency")).order.tolist() == [0, 1, 2]


def test_stacks_run_one_after_another_and_an_order_is_followed() -> None:
    tiles = (Tile(0, 10, 8), Tile(0, 10, 8), Tile(1, 10, 8, reads=((0, 0),)))
    assert schedule(one_core(*tiles, stack=ints([0, 0, 1]))).order.tolist() == [0, 1, 2]
    assert schedule(one_core(*tiles, order=ints([1, 0, 2]))).order.tolist() == [1, 0, 2]


def test_prefetched_weights_come_before_everything_else() -> None:
    tiles = (
        Tile(0, 10, 8, weight=("w0", 16), loads=(("a", 24),)),
        Tile(1, 10, 8, reads=((0, 0),), weight=("w1", 32)),
    )
    early, late = (schedule(one_core(*tiles, prefetch_weights=p)) for p in (True, False))
    assert early.node_start.tolist() == [(16 + 32 + 24) // WIDTH_BYTES, 9 + 10]
    assert late.node_start.tolist() == [(16 + 24) // WIDTH_BYTES, 5 + 10]
    assert early.transfers["for_node"].tolist() == [-1, -1, 0]


def test_a_working_set_larger_than_its_pool_is_refused_by_so_many_bytes() -> None:
    working = 40 + 16 + 24
    problem = one_core(Tile(0, 10, 24, loads=(("a", 16),), weight=("w", 40)), pool=working - 1)
    message = (
        f"layer layer0: the working set of a node must fit sram of {working - 1} bytes, "
        "not need 1 bytes more"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        schedule(problem)


@pytest.mark.parametrize(
    ("missing", "tiles", "names"),
    [
        ((0, 1), (Tile(0, 1, 8), Tile(1, 1, 8, reads=((0, 0),), core=1)), ("core0", "core1")),
        ((2, 1), (Tile(0, 1, 8, loads=(("a", 8),), core=1),), ("dram", "core1")),
        ((1, 2), (Tile(0, 1, 8, final=True, core=1),), ("core1", "dram")),
        ((1, 2), (Tile(0, 1, 8, stream_out=True, core=1),), ("core1", "dram")),
    ],
)
def test_a_tensor_without_a_way_is_refused(
    missing: tuple[int, int], tiles: tuple[Tile, ...], names: tuple[str, str]
) -> None:
    pairs = {(0, 1): "across", (1, 0): "across", (2, 1): "dram1", (1, 2): "dram1"}
    routes = {pair: [link] for pair, link in pairs.items() if pair != missing}
    message = f"links: there must be a route between {names[0]} and {names[1]}, not none"
    with pytest.raises(InputError, match=f"^{message}$"):
        schedule(two_cores(*tiles, routes=routes))


@pytest.mark.parametrize("core", [-1, 1])
def test_a_core_that_the_chip_lacks_is_refused(core: int) -> None:
    message = f"layer layer0: core must be one of 0 to 0, not {core}"
    with pytest.raises(InputError, match=f"^{message}$"):
        schedule(one_core(Tile(0, 1, 8, core=core)))


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([1, 0], "order: node 1 of layer layer1 must come after node 0 of layer layer0, which it "
                 "reads, not before"),
        ([0, 0], "order: nodes must be each of 0 to 1 once, not others"),
    ],
)  # fmt: skip
def test_an_impossible_order_is_refused(order: list[int], message: str) -> None:
    problem = one_core(Tile(0, 1, 8), Tile(1, 1, 8, reads=((0, 0),)), order=ints(order))
    with pytest.raises(InputError, match=f"^{message}$"):
        schedule(problem)


def shifted(result: Schedule, table: str, column: str, row: int, by: int) -> Schedule:
    """The schedule with one entry of a table moved."""
    columns = dict(getattr(result, table))
    columns[column] = columns[column] + by * (np.arange(columns[column].size) == row)
    return replace(result, **{table: columns})


BREAKS: dict[str, Callable[[Schedule], Schedule]] = {
    "pools hold no more than their capacity": lambda s: replace(
        s, pool_peak_bytes=s.pool_peak_bytes + PLENTY
    ),
    "each core runs one node at a time": lambda s: replace(
        s, node_start=s.node_start - [0, 1], node_end=s.node_end - [0, 1]
    ),
    "each link serves one transfer at a time": lambda s: shifted(s, "transfers", "start", 1, -1),
    "needs are in their pools while a node reads them": lambda s: shifted(
        s, "residences", "to_cycle", 0, -1
    ),
    "transfers read what exists": lambda s: shifted(s, "transfers", "start", 2, -1),
}


@pytest.mark.parametrize("law", BREAKS)
def test_a_schedule_that_breaks_a_law_is_refused(law: str) -> None:
    tile = Tile(0, 10, 8, loads=(("a", 8), ("b", 8)), final=True)
    problem = one_core(tile, replace(tile, loads=(("a", 8),)))
    result = schedule(problem)
    check_conservation(problem, result)
    with pytest.raises(AssertionError, match=f"^schedule: {law}, not so in this one$"):
        check_conservation(problem, BREAKS[law](result))
