"""Benchmark `allocation`: cost found by greedy, genetic and constraint search in the same time.

Ten cases: the first layers of a network, fused row by row, on a chip of Stream's exploration. The
costs of their options are simple stand-ins: loops over unrolled loops, and a constant per access.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from simulator.allocation.constraint import constraint
from simulator.allocation.genetic import genetic
from simulator.allocation.greedy import greedy
from simulator.allocation.options import OBJECTIVES, AllocationProblem, Objective, Option
from simulator.workload.graph import LOOPS, Layer, Workload
from simulator.workload.source import load_network

SECONDS, SEED = 2.0, 1
C16_K16 = {"c": 16, "k": 16, "g": 16}
OX16_K16 = {"ox": 16, "k": 16, "g": 16}
OX28_FX3_FY3 = {"ox": 28, "fx": 3, "fy": 3}
POOLING = {"fx": 3, "fy": 3}
SIMD = {"g": 32}
HETERO = (C16_K16, C16_K16, OX16_K16, OX28_FX3_FY3)
CHIPS: Mapping[str, tuple[tuple[Mapping[str, int], ...], str]] = {
    "homo4_bus": ((C16_K16,) * 4, "bus"),
    "homo4_mesh": ((C16_K16,) * 4, "ports"),
    "hetero4_bus": (HETERO, "bus"),
    "hetero4_mesh": (HETERO, "ports"),
    "homo16_bus": ((C16_K16,) * 16, "bus"),
    "hetero16_mesh": (HETERO * 4, "ports"),
}
"""Chip -> unrolling of its MAC cores, and whether one bus or two ports a core join them; a pooling
and a SIMD core follow. Source: branch Exploration of KULeuven-MICAS/stream, hardware."""
LINK_BITS, LINK_PJ_PER_BIT = 64, 0.1
MAC_PJ, ACCESS_PJ = 0.04, 24.0
"""Of a MAC (same source) and, as a stand-in, of all operand accesses of a core in one cycle."""
WEIGHT_BYTES = 2**18
PARTS = (1, 2, 4)
"""Into how many parts the output channels are divided, on neighbouring cores of one kind."""
CASES = {
    "fsrcnn_8_homo4_bus": ("fsrcnn", 8, "homo4_bus"),
    "fsrcnn_8_hetero4_mesh": ("fsrcnn", 8, "hetero4_mesh"),
    "resnet18_8_homo4_mesh": ("resnet18", 8, "homo4_mesh"),
    "resnet18_8_hetero4_bus": ("resnet18", 8, "hetero4_bus"),
    "resnet18_16_hetero4_mesh": ("resnet18", 16, "hetero4_mesh"),
    "resnet18_20_homo16_bus": ("resnet18", 20, "homo16_bus"),
    "squeezenet_20_hetero4_bus": ("squeezenet1_1", 20, "hetero4_bus"),
    "squeezenet_30_hetero16_mesh": ("squeezenet1_1", 30, "hetero16_mesh"),
    "mobilenet_24_homo4_bus": ("mobilenet_v2", 24, "homo4_bus"),
    "mobilenet_30_hetero16_mesh": ("mobilenet_v2", 30, "hetero16_mesh"),
}
"""Case -> network, number of its first layers, chip."""


def case(name: str) -> AllocationProblem:
    """The allocation problem of a case; an iteration makes one row of the last layer."""
    network, count, chip = CASES[name]
    workload = load_network(network)
    layers = workload.layers[:count]
    arrays, kind = CHIPS[chip]
    cores = len(arrays) + 2
    routes, links = _routes(kind, cores)
    return AllocationProblem(
        names=tuple(layer.name for layer in layers),
        options=tuple(tuple(_options(layer, layers[-1].dims.oy, arrays)) for layer in layers),
        edges=_edges(workload, layers, layers[-1].dims.oy),
        weight_capacity=np.full(cores, WEIGHT_BYTES, np.int64),
        routes=routes,
        link_bits=(LINK_BITS,) * links,
        iterations=layers[-1].dims.oy,
        core_names=(*(f"core{core}" for core in range(len(arrays))), "pooling", "simd"),
        link_pj_per_bit=LINK_PJ_PER_BIT,
    )


def _options(layer: Layer, rows: int, arrays: tuple[Mapping[str, int], ...]) -> Iterator[Option]:
    if not layer.is_mac:
        place, array = (0, POOLING) if layer.op == "pool" else (1, SIMD)
        yield _option(layer, rows, array, (len(arrays) + place,))
        return
    for parts in PARTS:
        for first in range(0, len(arrays), parts):
            cores = tuple(range(first, first + parts))
            alike = all(arrays[core] == arrays[first] for core in cores if core < len(arrays))
            if cores[-1] < len(arrays) and alike and layer.dims.k >= parts:
                yield _option(layer, rows, arrays[first], cores)


def _option(layer: Layer, rows: int, array: Mapping[str, int], cores: tuple[int, ...]) -> Option:
    sizes = dict(zip(LOOPS, layer.dims.loops, strict=True))
    sizes["oy"] = -(-sizes["oy"] // rows)
    sizes["k"] = -(-sizes["k"] // len(cores))
    cycles = prod(-(-size // array.get(loop, 1)) for loop, size in sizes.items())
    energy_pj = len(cores) * (MAC_PJ * prod(sizes.values()) + ACCESS_PJ * cycles)
    return Option(cores, cycles, energy_pj, -(-layer.weight_elements // len(cores)))


def _edges(
    workload: Workload, layers: tuple[Layer, ...], rows: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    makers = {layer.output: number for number, layer in enumerate(layers)}
    edges = [
        (makers[operand.tensor], item, -(-workload.tensors[operand.tensor].elements // rows))
        for item, layer in enumerate(layers)
        for operand in layer.inputs
        if operand.tensor in makers
    ]
    return np.array(edges, np.int64).reshape(-1, 3)


def _routes(kind: str, cores: int) -> tuple[dict[tuple[int, int], tuple[int, ...]], int]:
    """Routes between cores and number of links: one bus, or out of one port into another."""
    pairs = [(a, b) for a in range(cores) for b in range(cores) if a != b]
    if kind == "bus":
        return dict.fromkeys(pairs, (0,)), 1
    return {(a, b): (a, cores + b) for a, b in pairs}, 2 * cores


def compare(problem: AllocationProblem, objective: Objective, seconds: float) -> tuple[float, ...]:
    """Costs over that of the constraint search: greedy, genetic, it alone; and its gap.

    All have the same time. Alone it begins with a short genetic search within its time, otherwise
    also with the choice of the long one.
    """
    first = greedy(problem, objective).cost
    evolved = genetic(problem, objective, seconds, SEED)
    alone = constraint(problem, objective, seconds)
    best = constraint(problem, objective, seconds, [evolved.choice])
    return first / best.cost, evolved.cost / best.cost, alone.cost / best.cost, best.gap


def main() -> str:
    """Write a table of all cases and objectives; never worse, proved, and the mean gains."""
    found = []
    for name in CASES:
        problem = case(name)
        for objective in OBJECTIVES:
            found.append(compare(problem, objective, SECONDS))
            by_greedy, by_genetic, alone, gap = found[-1]
            sys.stdout.write(
                f"{name:28} {objective:8} greedy {by_greedy:.4f} genetic {by_genetic:.4f} "
                f"cp alone {alone:.4f} gap {100 * gap:.1f} %\n"
            )
            sys.stdout.flush()
    greedys, genetics, alones, gaps = zip(*found, strict=True)
    return (
        f"cases={len(CASES)} searches={len(found)} "
        f"never_worse={sum(min(one[:2]) >= 1 for one in found)} "
        f"alone_never_worse_than_genetic={sum(g >= a for _, g, a, _ in found)} "
        f"proved={sum(gap == 0 for gap in gaps)} worst_gap_pct={100 * max(gaps):.1f} "
        f"greedy_over_cp={np.mean(greedys):.3f} genetic_over_cp={np.mean(genetics):.3f} "
        f"alone_over_cp={np.mean(alones):.3f} worst_alone_over_cp={max(alones):.3f}"
    )
