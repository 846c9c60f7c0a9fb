"""Scheduling problems made by hand: layers of tiles on cores, and random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from simulator.fusion.problem import SchedulingProblem, places, route_table


@dataclass(frozen=True)
class Tile:
    """A node. reads: (layer, tile) of makers. loads: (name, bytes) of tensors that are off-chip."""

    layer: int
    cycles: int
    out_bytes: int
    reads: tuple[tuple[int, int], ...] = ()
    loads: tuple[tuple[str, int], ...] = ()
    weight: tuple[str, int] | None = None
    final: bool = False
    core: int = 0
    stream_in: bool = False
    stream_out: bool = False


def problem_of(
    tiles: Sequence[Tile],
    *,
    pools: Mapping[str, int],
    activations: Sequence[str],
    weights: Sequence[str],
    links: Mapping[str, int],
    routes: Mapping[tuple[int, int], Sequence[str]],
    **options: Any,
) -> SchedulingProblem:
    """The problem of tiles in the order of their layers, with pools, links by name."""
    first = {tile.layer: node for node, tile in reversed([*enumerate(tiles)])}
    constants: dict[str, int] = {}
    tensors = [(t.out_bytes, n, False, t.final) for n, t in enumerate(tiles)]
    needs, streamed, pointers = [], [], [0]
    for tile in tiles:
        for is_weight, (name, size) in [
            *([(True, tile.weight)] if tile.weight else []),
            *((False, load) for load in tile.loads),
        ]:
            if name not in constants:
                constants[name] = len(tensors)
                tensors.append((size, -1, is_weight, False))
            needs.append(constants[name])
            streamed.append(tile.stream_in and not is_weight)
        needs += [first[layer] + number for layer, number in tile.reads]
        streamed += [tile.stream_in] * len(tile.reads)
        pointers.append(len(needs))
    size, maker, is_weight, final = zip(*tensors, strict=True)
    names, cores = list(pools), len(activations)
    wires = list(links)
    table = {pair: [wires.index(link) for link in route] for pair, route in routes.items()}
    route_pointers, route_links = route_table(table, cores)
    return SchedulingProblem(
        layer=ints(t.layer for t in tiles),
        core=ints(t.core for t in tiles),
        cycles=ints(t.cycles for t in tiles),
        output_tensor=np.arange(len(tiles)),
        need_pointers=ints(pointers),
        needs=ints(needs),
        need_streamed=np.array(streamed, dtype=bool),
        output_streamed=np.array([t.stream_out for t in tiles]),
        stream_read_bytes=np.zeros(len(tiles), dtype=np.int64),
        stream_write_bytes=np.zeros(len(tiles), dtype=np.int64),
        tensor_bytes=ints(size),
        tensor_maker=ints(maker),
        tensor_is_weight=np.array(is_weight),
        tensor_is_final=np.array(final),
        activation_pool=ints(names.index(p) for p in activations),
        weight_pool=ints(names.index(p) for p in weights),
        pool_bytes=ints(pools.values()),
        link_width_bits=ints(links.values()),
        latency_cycles=options.pop("latency_cycles", 0),
        route_pointers=route_pointers,
        route_links=route_links,
        layer_names=tuple(f"layer{n}" for n in range(max(t.layer for t in tiles) + 1)),
        core_names=tuple(f"core{n}" for n in range(cores)),
        pool_names=tuple(names),
        link_names=tuple(wires),
        **options,
    )


def ints(values: Any) -> Any:
    return np.array(list(values), dtype=np.int64)


def needed_bytes(problem: SchedulingProblem) -> Any:
    """Bytes that each pool must have at least: the largest working set, int64 (pools,)."""
    at, needed = places(problem), np.zeros(problem.pool_bytes.size, dtype=np.int64)
    for node in range(problem.layer.size):
        first, last = problem.need_pointers[node : node + 2]
        held = {int(p) for p in [*at.of_need[first:last], at.of_output[node]] if p >= 0}
        used = np.zeros_like(needed)
        for place in held:
            used[at.pool[place]] += problem.tensor_bytes[at.tensor[place]]
        needed = np.maximum(needed, used)
    return needed


@st.composite
def tile_lists(draw: st.DrawFn, cores: int) -> list[Tile]:
    """Up to 4 layers of up to 4 tiles; each reads tiles of earlier layers, weights, inputs."""
    widths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    sizes = st.sampled_from([0, 8, 16, 33])
    tiles: list[Tile] = []
    for layer, width in enumerate(widths):
        earlier = [(k, t) for k in range(layer) for t in range(widths[k])]
        for _ in range(width):
            reads = draw(st.sets(st.sampled_from(earlier), max_size=4)) if earlier else set()
            loads = draw(st.sets(st.sampled_from([("a", 30), ("b", 8), ("c", 17)]), max_size=2))
            tiles.append(
                Tile(
                    layer=layer,
                    cycles=draw(st.integers(1, 40)),
                    out_bytes=draw(sizes),
                    reads=tuple(sorted(reads)),
                    loads=tuple(sorted(loads)),
                    weight=(f"w{layer}", 9 * layer + 5) if draw(st.booleans()) else None,
                    final=draw(st.booleans()),
                    core=draw(st.integers(0, cores - 1)),
                    stream_in=draw(st.integers(0, 5)) == 0,
                    stream_out=draw(st.integers(0, 5)) == 0,
                )
            )
    return tiles


FABRICS = ("bus", "stars", "chain")


def fabric(kind: str, cores: int) -> dict[str, Any]:
    """Links and routes: one bus, a link each to the memory, or a chain to the memory."""
    ends = [(a, b) for a in range(cores + 1) for b in range(cores + 1) if a != b]
    if kind == "bus":
        return {"links": {"bus": 16}, "routes": dict.fromkeys(ends, ("bus",))}
    links = {f"link{n}": (8, 24, 40)[n] for n in range(cores)}
    if kind == "stars":
        routes = {(a, b): [f"link{n}" for n in (a, b) if n < cores] for a, b in ends}
    else:
        routes = {(a, b): [f"link{n}" for n in range(min(a, b), max(a, b))] for a, b in ends}
    return {"links": links, "routes": routes}


@st.composite
def problems(draw: st.DrawFn) -> SchedulingProblem:
    """Random problems whose pools have between just enough room and plenty."""
    cores = draw(st.integers(1, 3))
    tiles = draw(tile_lists(cores))
    names = ("p0", "p1", "p2")
    options: dict[str, Any] = {
        "activations": [draw(st.sampled_from(names)) for _ in range(cores)],
        "weights": [draw(st.sampled_from(names)) for _ in range(cores)],
        "latency_cycles": draw(st.integers(0, 3)),
        "policy": draw(st.sampled_from(["memory", "latency"])),
        "prefetch_weights": draw(st.booleans()),
        **fabric(draw(st.sampled_from(FABRICS)), cores),
    }
    if draw(st.booleans()):
        cut = draw(st.integers(1, 3))
        options["stack"] = ints(tile.layer >= cut for tile in tiles)
    if draw(st.integers(0, 3)) == 0:
        options["order"] = np.arange(len(tiles))
    roomy = problem_of(tiles, pools=dict.fromkeys(names, 10**6), **options)
    spare = draw(st.integers(0, 40))
    enough = dict(zip(names, (needed_bytes(roomy) + spare).tolist(), strict=True))
    links = draw(st.sampled_from(["fifo", "gaps"]))
    return replace(problem_of(tiles, pools=enough, **options), links=links)
