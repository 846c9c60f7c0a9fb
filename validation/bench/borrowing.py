"""Benchmark `borrowing`: MAC slots a second of the window kernels, and ResNet-50 as a whole.

A MAC slot is a cycle of one multiplier in the dense schedule of what the kernel runs: all output
tiles when both operands are sparse; one row of output tiles when weights are, since one schedule
serves all of them.
"""

from __future__ import annotations

from time import perf_counter

from hw_models.pe_array.borrowing_schedule import tile_cycles
from hw_models.pe_array.borrowing_window import Borrowing, Core, parse_borrowing
from simulator.sparsity.layer_masks import (
    Combination,
    LayerProducts,
    MaskSource,
    network_products,
)
from simulator.workload.source import load_network

CORE = Core()
RUNS = 5
WEIGHT_DENSITY, INPUT_DENSITY = 0.19, 0.57
"""ResNet-50 of Griffin's evaluation: 81 % of weights and 43 % of activations are zero."""

SINGLE, DUAL = parse_borrowing("B(4,0,1)"), parse_borrowing("AB(2,0,0,2,0,1)")


def masks(combination: Combination) -> list[LayerProducts]:
    """Masks of ResNet-50, packed into words."""
    source = MaskSource(WEIGHT_DENSITY, INPUT_DENSITY)
    layers = list(network_products(load_network("resnet50"), source, combination, CORE))
    for layer in layers:
        for product in layer.products:
            product.operands(shuffle=True)
    return layers


def cycles(layers: list[LayerProducts], borrowing: Borrowing) -> int:
    """Cycles of all output tiles, exactly."""
    products = (product for layer in layers for product in layer.products)
    return sum(tile_cycles(borrowing, CORE, p.operands(borrowing.shuffle)).total for p in products)


def slots(layers: list[LayerProducts], borrowing: Borrowing) -> int:
    """MAC slots that one run of `cycles` works off."""
    operands = [p.operands(borrowing.shuffle) for layer in layers for p in layer.products]
    tiles = [len(x.b) * (len(x.a) if borrowing.mode == "AB" else 1) for x in operands]
    steps = sum(x.steps * count for x, count in zip(operands, tiles, strict=True))
    return steps * CORE.multipliers


def _timed(combination: Combination, borrowing: Borrowing) -> tuple[int, float, float]:
    """Cycles, slots a second of the kernels, and seconds with the making of the masks."""
    began = perf_counter()
    layers = masks(combination)
    made = perf_counter()
    total = cycles(layers, borrowing)
    ended = perf_counter()
    return total, slots(layers, borrowing) / (ended - made), ended - began


def main() -> str:
    """Measure after a warm-up that compiles the kernels, and return the closing line."""
    figures = []
    for name, combination, borrowing in (
        ("single", Combination.WEIGHTS, SINGLE),
        ("dual", Combination.BOTH, DUAL),
    ):
        cycles(masks(combination), borrowing)
        runs = [_timed(combination, borrowing) for _ in range(RUNS)]
        total, rate, seconds = runs[0][0], max(run[1] for run in runs), min(run[2] for run in runs)
        figures.append(
            f"{name}_slots_per_s={rate:.3g} {name}_network_s={seconds:.2f} {name}_cycles={total}"
        )
    return " ".join(figures)
