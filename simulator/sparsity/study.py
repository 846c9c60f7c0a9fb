"""The study: every network, combination of sparse operands and design, side by side.

Rule: ARCHITECTURE.md BORROW-13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import exp, log

from hw_models.pe_array.borrowing_window import Edge
from hw_models.sparsity.designs import Design, find_designs
from hw_models.sparsity.masks import parse_mask_model
from simulator.sparsity.evaluate import Evaluation, Setting, evaluate
from simulator.sparsity.layer_masks import Combination, LayerProducts, MaskSource, network_products
from simulator.workload.graph import Workload

Progress = Callable[[str, int, int], None]
"""Called with what is being done, evaluations done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Case:
    """A network with its masks, and the combinations that it is run in."""

    workload: Workload
    source: MaskSource
    combinations: tuple[Combination, ...]


@dataclass(frozen=True, slots=True)
class Variation:
    """One set of assumptions. mask_model: of generated masks, None for the case's own."""

    name: str = "base"
    mask_model: str | None = None
    edge: Edge = "wrap"
    setting: Setting = field(default_factory=Setting)


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A network on a design under one variation; gains are against the dense core.

    efficiency: TOPS/W; density: TOPS/mm2.
    """

    variation: str
    network: str
    combination: str
    design: str
    family: str
    configurations: str
    macs: int
    cycles: float
    half_width_cycles: float
    speedup: float
    power_mw: float
    tops_per_w: float
    tops_per_mm2: float
    efficiency_gain: float
    density_gain: float
    area_um2: float
    area_overhead: float

    @classmethod
    def of(
        cls, names: Sequence[str], design: Design, found: Evaluation, dense: Evaluation
    ) -> StudyRow:
        """From evaluations of it and of the dense core. names: the first three columns."""
        area, dense_area = (sum(x.area_um2.values()) for x in (found, dense))
        variation, network, combination = names
        return cls(
            variation=variation,
            network=network,
            combination=combination,
            design=design.name,
            family=design.family,
            configurations=", ".join(sorted(found.configurations)),
            macs=found.macs,
            cycles=found.cycles,
            half_width_cycles=found.half_width_cycles,
            speedup=dense.cycles / found.cycles,
            power_mw=found.power_mw,
            tops_per_w=found.tops_per_w,
            tops_per_mm2=found.tops_per_mm2,
            efficiency_gain=found.tops_per_w / dense.tops_per_w,
            density_gain=found.tops_per_mm2 / dense.tops_per_mm2,
            area_um2=area,
            area_overhead=area / dense_area - 1,
        )

    def as_dict(self) -> dict[str, str | int | float]:
        """The columns by name."""
        return asdict(self)


BASE = (Variation(),)


def run_study(
    cases: Sequence[Case],
    designs: str,
    variations: Sequence[Variation] = BASE,
    progress: Progress = lambda _what, _done, _total: None,
) -> list[StudyRow]:
    """All rows: by case, combination, variation, design. Raises InputError for a bad design."""
    by_edge = {v.edge: find_designs(designs, v.edge) for v in variations}
    dense = find_designs("dense")[0]
    for variation in variations:
        for design in by_edge[variation.edge]:
            design.check(variation.setting.core)
    runs = [(case, combination) for case in cases for combination in case.combinations]
    total = len(runs) * sum(len(by_edge[v.edge]) for v in variations)
    rows: list[StudyRow] = []
    for case, combination in runs:
        masks: dict[str | None, list[LayerProducts]] = {}
        for variation in variations:
            model = variation.mask_model
            if model not in masks:
                masks = {model: _products(case, combination, variation)}
            base = evaluate(masks[model], dense, variation.setting)
            names = variation.name, case.workload.name, combination.value
            for design in by_edge[variation.edge]:
                progress(f"{case.workload.name}, {combination}: {design.name}", len(rows), total)
                found = evaluate(masks[model], design, variation.setting)
                rows.append(StudyRow.of(names, design, found, base))
    progress("done", total, total)
    return rows


def _products(case: Case, combination: Combination, variation: Variation) -> list[LayerProducts]:
    source = case.source
    if variation.mask_model is not None:
        source = replace(source, model=parse_mask_model(variation.mask_model))
    return list(network_products(case.workload, source, combination, variation.setting.core))


def geometric_mean(values: Sequence[float]) -> float:
    """Geometric mean of positive values, at least one."""
    return exp(sum(log(value) for value in values) / len(values))


@dataclass(frozen=True, slots=True)
class MeanRow:
    """A design over all networks that show a combination: geometric means of the gains."""

    variation: str
    combination: str
    design: str
    family: str
    networks: int
    speedup: float
    efficiency_gain: float
    density_gain: float
    tops_per_w: float
    tops_per_mm2: float
    area_overhead: float


def mean_rows(rows: Sequence[StudyRow]) -> list[MeanRow]:
    """Means over networks, in the order in which variation, combination and design first occur."""
    groups: dict[tuple[str, str, str], list[StudyRow]] = {}
    for combination in Combination:
        for row in rows:
            if row.combination == combination:
                groups.setdefault((row.variation, row.combination, row.design), []).append(row)
    return [
        MeanRow(
            *key,
            family=group[0].family,
            networks=len(group),
            speedup=geometric_mean([row.speedup for row in group]),
            efficiency_gain=geometric_mean([row.efficiency_gain for row in group]),
            density_gain=geometric_mean([row.density_gain for row in group]),
            tops_per_w=geometric_mean([row.tops_per_w for row in group]),
            tops_per_mm2=geometric_mean([row.tops_per_mm2 for row in group]),
            area_overhead=group[0].area_overhead,
        )
        for key, group in groups.items()
    ]
