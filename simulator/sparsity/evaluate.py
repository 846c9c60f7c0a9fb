"""One network on one sparse core: cycles, exact or sampled, and what they cost.

Rules: ARCHITECTURE.md BORROW-10 to BORROW-13.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from hw_models.cost.sparse_overheads import (
    CLOCK_GHZ,
    Activity,
    MuxSwitching,
    Sizes,
    core_area_um2,
    energy_fj,
)
from hw_models.pe_array.borrowing_schedule import Operands, TileCycles, tile_cycles
from hw_models.pe_array.borrowing_window import DENSE, Borrowing, Core
from hw_models.pe_array.timing import Int64s
from hw_models.sparsity.designs import Design
from simulator.sparsity.layer_masks import LayerProducts, Product
from traces.errors import InputError

LEAST_SAMPLE = 8
NORMAL_95 = 1.96
"""Half width of a 95 % interval in standard errors, of many samples."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is assumed about the core and how exactly it is run.

    units: set of unit costs. refill_steps: most activation steps that a cycle takes in, None for
    as many as the window can use. sample: tiles per axis that stand for a product's, None for all.
    fallback: a design that can use none of a layer's zeros runs as a dense core, its other parts
    gated; otherwise those of a design with one configuration run along. gate_zeros: no multiplier
    switches one of whose operands is zero, in any design. mux: see `energy_fj`. static_share:
    static power, as a share of what the busy dense core takes; it goes with area.
    """

    core: Core = field(default_factory=Core)
    units: str = "asap7"
    refill_steps: int | None = None
    sample: int | None = None
    seed: int = 1
    fallback: bool = True
    gate_zeros: bool = False
    mux: MuxSwitching = "inputs"
    static_share: float = 0.0

    def __post_init__(self) -> None:
        if self.sample is not None and self.sample < LEAST_SAMPLE:
            raise InputError(f"sample must be at least {LEAST_SAMPLE} tiles, not {self.sample}")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A network on a design. half_width_cycles: of the 95 % interval, 0 when exact.

    configurations: layers that ran each. energy_fj, area_um2: by part.
    """

    macs: int
    cycles: float
    half_width_cycles: float
    configurations: dict[str, int]
    energy_fj: dict[str, float]
    area_um2: dict[str, float]

    @property
    def tops_per_w(self) -> float:
        """Tera operations a second and watt, two for every MAC of the dense network."""
        return 2 * self.macs / sum(self.energy_fj.values()) * 1000

    @property
    def tops_per_mm2(self) -> float:
        """Tera operations a second and mm2, two for every MAC of the dense network."""
        per_second = 2 * self.macs / self.cycles * CLOCK_GHZ / 1000
        return per_second / (sum(self.area_um2.values()) / 1e6)

    @property
    def power_mw(self) -> float:
        """Mean power while running."""
        return sum(self.energy_fj.values()) / self.cycles * CLOCK_GHZ / 1000


def evaluate(layers: Sequence[LayerProducts], design: Design, setting: Setting) -> Evaluation:
    """Run all products of a network on a design."""
    energy: defaultdict[str, float] = defaultdict(float)
    cycles = variance = 0.0
    chosen: Counter[str] = Counter()
    for layer in layers:
        borrowing = design.configuration(
            sparse_weights=layer.sparse_weights, sparse_activations=layer.sparse_activations
        )
        if borrowing.mode == "dense" and not setting.fallback and len(design.configurations) == 1:
            borrowing = design.configurations[0]
        chosen[borrowing.name] += 1
        did = Activity(0, 0, 0, 0, 0)
        for product in layer.products:
            activity, more = _run(product, borrowing, setting)
            did, variance = did + activity, variance + more
        cycles += did.cycles
        sizes = Sizes.in_use(borrowing, design.configurations)
        for part, fj in energy_fj(setting.core, sizes, did, setting.units, setting.mux).items():
            energy[part] += fj
    area = core_area_um2(setting.core, design.configurations, setting.units)
    energy["static"] = cycles * setting.static_share * _busy_fj(setting, sum(area.values()))
    macs = sum(layer.macs for layer in layers)
    half_width = _standard_errors(setting.sample) * sqrt(variance)
    return Evaluation(macs, cycles, half_width, dict(chosen), dict(energy), area)


def _busy_fj(setting: Setting, area_um2: float) -> float:
    """Energy of a cycle of the busy dense core, on as much area as is given."""
    core = setting.core
    one_cycle = Activity(1, core.multipliers, 1, 1, 0)
    dense = sum(energy_fj(core, Sizes(), one_cycle, setting.units).values())
    return dense * area_um2 / sum(core_area_um2(core, [DENSE], setting.units).values())


def _standard_errors(sample: int | None) -> float:
    """Half width of a 95 % interval of so many tiles, after Student.

    Source: Abramowitz and Stegun, 26.7.5, the first two terms of the expansion of the quantile.
    """
    if sample is None:
        return 0.0
    z, freedom = NORMAL_95, sample - 1
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2


def _run(product: Product, borrowing: Borrowing, setting: Setting) -> tuple[Activity, float]:
    """What the core did for one product, and the variance of its cycles."""
    operands = product.operands(borrowing.shuffle)
    tiles = len(operands.a), len(operands.b)
    found = product.kept(
        (borrowing, setting.sample, setting.seed),
        lambda: _tile_cycles(operands, borrowing, setting),
    )
    cycles = found.cycles
    if setting.refill_steps:
        cycles = np.maximum(cycles, -(-operands.steps // setting.refill_steps))
    scale = tiles[0] * tiles[1] / cycles.size
    did = Activity(
        cycles=round(int(cycles.sum()) * scale),
        executed=_executed(product, borrowing, setting.gate_zeros),
        a_steps=operands.steps * tiles[0] * tiles[1],
        b_rows=round(float(found.packed_rows.mean()) * tiles[0] * tiles[1]),
        outputs=product.a.shape[0] * product.b.shape[1],
    )
    return did, sampling_variance(cycles, tiles)


def _tile_cycles(operands: Operands, borrowing: Borrowing, setting: Setting) -> TileCycles:
    """Cycles of all output tiles, or of some that are drawn."""
    rows = columns = None
    if setting.sample is not None and borrowing.mode != "dense":
        generator = np.random.default_rng(setting.seed)
        rows = _drawn(len(operands.a), setting.sample, generator)
        columns = _drawn(len(operands.b), setting.sample, generator)
    return tile_cycles(borrowing, setting.core, operands, rows, columns)


def _drawn(tiles: int, most: int, generator: np.random.Generator) -> Int64s:
    if tiles <= most:
        return np.arange(tiles)
    return np.sort(generator.choice(tiles, most, replace=False))


def sampling_variance(cycles: Int64s, tiles: tuple[int, int]) -> float:
    """Variance of the total that sampled row and column tiles stand for.

    cycles: int64 (rows drawn, columns drawn), at least 2 of an axis that was sampled. Rows and
    columns are drawn without replacement; each axis adds the variance of its means.
    """
    total = 0.0
    for axis, count in enumerate(tiles):
        drawn = cycles.shape[axis]
        if drawn < count:
            means = cycles.mean(axis=1 - axis)
            total += float(means.var(ddof=1)) / drawn * (1 - drawn / count)
    return total * float(tiles[0] * tiles[1]) ** 2


def _executed(product: Product, borrowing: Borrowing, gate_zeros: bool) -> int:
    """Multiplications that are carried out."""
    (m, _), n = product.a.shape, product.b.shape[1]
    if gate_zeros:
        return product.pairs
    return {
        "dense": product.macs,
        "A": product.nnz_a * n,
        "B": product.nnz_b * m,
        "AB": product.pairs,
    }[borrowing.mode]
