"""Speed-ups of published cores with schedulers of their own, beside the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw_models.pe_array.borrowing_window import Core
from hw_models.sparsity.masks import parse_mask_model
from hw_models.sparsity.other_schedulers import SCHEDULERS, Scheduler, dense_cycles
from simulator.sparsity.layer_masks import LayerProducts, network_products
from simulator.sparsity.study import Case, geometric_mean

PRUNED_OTHERWISE = {"two_of_four": "2:4"}
"""Schedulers whose weights are pruned to their own pattern -> mask model."""


@dataclass(frozen=True, slots=True)
class OtherRow:
    """Geometric mean of a scheduler's speed-up over the networks of a combination."""

    combination: str
    scheduler: str
    networks: int
    speedup: float
    approximated: str


def other_rows(cases: Sequence[Case], core: Core) -> list[OtherRow]:
    """Speed-ups over the dense core, all output tiles counted."""
    found: dict[tuple[str, str], list[float]] = {}
    for case in cases:
        for combination in case.combinations:
            masks = list(network_products(case.workload, case.source, combination, core))
            for scheduler in SCHEDULERS:
                some = masks
                pattern = PRUNED_OTHERWISE.get(scheduler.name)
                if pattern and combination.sparse_weights:
                    source = replace(case.source, model=parse_mask_model(pattern))
                    some = list(network_products(case.workload, source, combination, core))
                key = combination.value, scheduler.name
                found.setdefault(key, []).append(_speedup(some, scheduler, core))
    about = {scheduler.name: scheduler.approximated for scheduler in SCHEDULERS}
    return [
        OtherRow(*key, len(values), geometric_mean(values), about[key[1]])
        for key, values in found.items()
    ]


def _speedup(layers: Sequence[LayerProducts], scheduler: Scheduler, core: Core) -> float:
    products = [product for layer in layers for product in layer.products]
    dense = sum(dense_cycles(p.a, p.b, core) for p in products)
    return dense / sum(scheduler.cycles(p.a, p.b, core) for p in products)
