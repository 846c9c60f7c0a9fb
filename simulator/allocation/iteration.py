# mypy: disable-error-code="no-untyped-def"
"""One iteration of an allocation: when each item runs, and what is busy for how long.

Items are placed in their order. An item starts when its cores are free and its data have arrived;
the data of an edge leave when the producer has ended and the links they need are free.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from simulator.allocation.options import AllocationProblem, Int64s, Option

FJ_PER_PJ = 1000


class Tables(NamedTuple):
    """The problem as arrays: options and edges as ranges (`first_...`), edges by consumer."""

    first_option: Int64s
    cycles: Int64s
    energy_fj: Int64s
    weight_bytes: Int64s
    first_core: Int64s
    cores: Int64s
    first_edge: Int64s
    producer: Int64s
    edge_bytes: Int64s
    first_link: Int64s
    links: Int64s
    pair_bits: Int64s
    pair_fj_per_byte: Int64s
    capacity: Int64s
    link_bits: Int64s
    latency_cycles: int


def tables(problem: AllocationProblem) -> Tables:
    """The arrays that `iteration` takes."""
    flat = [option for options in problem.options for option in options]
    edges = problem.edges.reshape(-1, 3)
    edges = edges[np.argsort(edges[:, 1], kind="stable")]
    count = len(problem.core_names)
    pairs = [(source, target) for source in range(count) for target in range(count)]
    routes = [problem.routes.get(pair, ()) if pair[0] != pair[1] else () for pair in pairs]
    hop_fj_per_byte = round(8 * FJ_PER_PJ * problem.link_pj_per_bit)
    return Tables(
        first_option=_starts([len(options) for options in problem.options]),
        cycles=_array([option.cycles for option in flat]),
        energy_fj=_array([energy_fj(option) for option in flat]),
        weight_bytes=_array([option.weight_bytes for option in flat]),
        first_core=_starts([len(option.cores) for option in flat]),
        cores=_array([core for option in flat for core in option.cores]),
        first_edge=_array(np.searchsorted(edges[:, 1], np.arange(len(problem.names) + 1))),
        producer=_array(edges[:, 0]),
        edge_bytes=_array(edges[:, 2]),
        first_link=_starts([len(route) for route in routes]),
        links=_array([link for route in routes for link in route]),
        pair_bits=_array([min((problem.link_bits[li] for li in r), default=1) for r in routes]),
        pair_fj_per_byte=_array([hop_fj_per_byte * len(route) for route in routes]),
        capacity=_array(problem.weight_capacity),
        link_bits=_array(problem.link_bits),
        latency_cycles=problem.latency_cycles,
    )


@njit(cache=True)
def iteration(choice, t):
    """Cycles of an iteration, interval, energy in fJ, excess bytes, missing routes.

    choice: int64 (items,), -1: not placed yet, left out. t: Tables. Twin: `iteration_plain`.
    """
    ends = np.zeros(choice.size, np.int64)
    core_free = np.zeros(t.capacity.size, np.int64)
    core_busy = np.zeros(t.capacity.size, np.int64)
    core_bytes = np.zeros(t.capacity.size, np.int64)
    link_free = np.zeros(t.link_bits.size, np.int64)
    link_busy = np.zeros(t.link_bits.size, np.int64)
    load = np.zeros(t.link_bits.size, np.int64)
    energy, missing = 0, 0
    for item in range(choice.size):
        if choice[item] < 0:
            continue
        option = t.first_option[item] + choice[item]
        cores = t.cores[t.first_core[option] : t.first_core[option + 1]]
        start = core_free[cores].max()
        for edge in range(t.first_edge[item], t.first_edge[item + 1]):
            producer = t.producer[edge]
            if choice[producer] < 0:
                continue
            source = t.first_option[producer] + choice[producer]
            moved_fj, absent = _load(source, cores, t.edge_bytes[edge], t, load)
            start = max(start, _arrival(ends[producer], load, link_free, t))
            link_busy += load
            energy += moved_fj
            missing += absent
        ends[item] = start + t.cycles[option]
        core_free[cores] = ends[item]
        core_busy[cores] += t.cycles[option]
        core_bytes[cores] += t.weight_bytes[option]
        energy += t.energy_fj[option]
    busiest = max(core_busy.max(), link_busy.max() if link_busy.size else 0)
    excess = np.maximum(core_bytes - t.capacity, 0).sum()
    return ends.max(), busiest, energy, excess, missing


@njit(cache=True)
def iterations(choices, t):
    """The figures of `iteration` for many choices: int64 (count, items) to int64 (count, 5)."""
    figures = np.empty((choices.shape[0], 5), np.int64)
    for row in range(choices.shape[0]):
        figures[row] = iteration(choices[row], t)
    return figures


@njit(cache=True)
def _load(source, targets, size, t, load):
    """Set the cycles that an edge takes on every link; return its energy and missing routes.

    Every core of the source option sends its share of the bytes to every target core.
    """
    load[:] = 0
    energy, missing = 0, 0
    senders = t.cores[t.first_core[source] : t.first_core[source + 1]]
    share = -(-size // senders.size)
    for target in targets:
        for sender in senders:
            pair = sender * t.capacity.size + target
            first, last = t.first_link[pair], t.first_link[pair + 1]
            if sender != target and share > 0 and first == last:
                missing += 1
            for link in t.links[first:last]:
                load[link] += -(-8 * share // t.pair_bits[pair])
            energy += share * t.pair_fj_per_byte[pair]
    return energy, missing


@njit(cache=True)
def _arrival(end, load, link_free, t):
    """When an edge's data are there; its links become busy.

    They leave together when all links that they need are free, and take as long as the busiest.
    """
    leaves, duration = end, 0
    for link in range(load.size):
        if load[link] > 0:
            leaves = max(leaves, link_free[link])
            duration = max(duration, load[link])
    for link in range(load.size):
        if load[link] > 0:
            link_free[link] = leaves + load[link]
    return leaves + duration + (t.latency_cycles if duration > 0 else 0)


def iteration_plain(problem: AllocationProblem, choice: Sequence[int]) -> tuple[int, ...]:
    """The same figures from the problem itself, with a list of busy intervals per resource."""
    intervals: dict[str, list[tuple[int, int]]] = {}
    ends: dict[int, int] = {}
    energy = missing = 0
    for item, number in enumerate(choice):
        option = problem.options[item][number]
        names = [f"core {core}" for core in option.cores]
        ready = [_free(intervals, name) for name in names]
        for producer, consumer, size in problem.edges.tolist():
            if consumer != item:
                continue
            source = problem.options[producer][choice[producer]]
            transfers = plain_transfers(problem, source, option, size)
            missing += sum(route is None for route, _, _ in transfers)
            energy += sum(moved for _, _, moved in transfers)
            crossed = [(f"link {li}", cycles) for r, cycles, _ in transfers for li in r or ()]
            loads = {name: sum(c for n, c in crossed if n == name) for name, _ in crossed}
            leaves = max([ends[producer], *(_free(intervals, name) for name in loads)])
            for name, cycles in loads.items():
                intervals.setdefault(name, []).append((leaves, leaves + cycles))
            late = max(loads.values()) + problem.latency_cycles if loads else 0
            ready.append(leaves + late)
        ends[item] = max(ready) + option.cycles
        for name in names:
            intervals.setdefault(name, []).append((max(ready), ends[item]))
        energy += energy_fj(option)
    busy = [sum(end - start for start, end in spans) for spans in intervals.values()]
    return max(ends.values()), max(busy), energy, excess_bytes(problem, choice), missing


def plain_transfers(
    problem: AllocationProblem, source: Option, target: Option, size: int
) -> list[tuple[tuple[int, ...] | None, int, int]]:
    """Transfers between two options, each as `transfer` tells it."""
    share = -(-size // len(source.cores))
    pairs = [(a, b) for b in target.cores for a in source.cores if a != b and size]
    return [transfer(problem, pair, share) for pair in pairs]


def transfer(
    problem: AllocationProblem, pair: tuple[int, int], size: int
) -> tuple[tuple[int, ...] | None, int, int]:
    """Route (None: there is none), cycles on each of its links, and energy in fJ."""
    route = problem.routes.get(pair) or None
    bits = min(problem.link_bits[link] for link in route) if route else 1
    hop_fj_per_byte = round(8 * FJ_PER_PJ * problem.link_pj_per_bit)
    return route, -(-8 * size // bits), size * hop_fj_per_byte * len(route or ())


def excess_bytes(problem: AllocationProblem, choice: Sequence[int]) -> int:
    """Bytes of weights beyond the capacities, over all cores."""
    used = [0] * len(problem.core_names)
    for options, number in zip(problem.options, choice, strict=True):
        for core in options[number].cores:
            used[core] += options[number].weight_bytes
    capacities = problem.weight_capacity.tolist()
    return sum(max(0, one - most) for one, most in zip(used, capacities, strict=True))


def _free(intervals: dict[str, list[tuple[int, int]]], name: str) -> int:
    return max((end for _, end in intervals.get(name, [])), default=0)


def energy_fj(option: Option) -> int:
    """Energy of an option in one iteration, in whole fJ."""
    return round(FJ_PER_PJ * option.energy_pj)


def _starts(sizes: Sequence[int]) -> Int64s:
    return np.concatenate(([0], np.cumsum(np.array(sizes, np.int64)))).astype(np.int64)


def _array(values: Sequence[int] | Int64s) -> Int64s:
    return np.array(values, np.int64)
