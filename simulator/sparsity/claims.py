"""Griffin's published figures beside the study's own.

Source: Griffin, HPCA 2022, abstract: power efficiency against state-of-the-art sparse
architectures for dense, weight-sparse, activation-sparse and dual-sparse models; loss of the best
dual design on models with one sparse operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.sparsity.layer_masks import Combination
from simulator.sparsity.study import MeanRow

GRIFFIN_GAINS = {
    Combination.DENSE: 1.2,
    Combination.WEIGHTS: 3.0,
    Combination.ACTIVATIONS: 3.1,
    Combination.BOTH: 1.4,
}
_SHORT = {
    Combination.DENSE: "-",
    Combination.WEIGHTS: "W",
    Combination.ACTIVATIONS: "A",
    Combination.BOTH: "AW",
}
DUAL, GRIFFIN = "sparse_ab_star", "griffin"
SINGLES = {Combination.WEIGHTS: "sparse_b_star", Combination.ACTIVATIONS: "sparse_a_star"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A published statement and what the model gives. ours: None if a design was not run.

    short: heading of a column of such figures.
    """

    variation: str
    short: str
    what: str
    published: str
    ours: float | None
    against: str


def claims(means: Sequence[MeanRow]) -> list[Claim]:
    """All claims for every variation that the means hold.

    The abstract does not name the architectures that Griffin is compared with, so both readings
    stand here: against the prior design that is best at the combination, and against the prior
    design for both operands (TensorDash).
    """
    found = []
    for variation in dict.fromkeys(row.variation for row in means):
        table = {(r.combination, r.design): r for r in means if r.variation == variation}
        priors = dict.fromkeys(r.design for r in table.values() if r.family == "prior")
        for combination, published in GRIFFIN_GAINS.items():
            own = table.get((combination, GRIFFIN))
            rivals = {
                "over best prior": [table.get((combination, name)) for name in priors],
                "over dual prior": [table.get((combination, "tensordash"))],
            }
            for who, rows in rivals.items():
                best = max((r for r in rows if r), key=lambda r: r.efficiency_gain, default=None)
                ratio = own.efficiency_gain / best.efficiency_gain if own and best else None
                what = f"Griffin {who}, {combination}: TOPS/W"
                against = best.design if best else ""
                short = f"{who.split()[1]} {_SHORT[combination]}"
                found.append(Claim(variation, short, what, f"{published} x", ratio, against))
        found += [_loss(variation, table, *pair) for pair in SINGLES.items()]
    return found


def _loss(
    variation: str,
    table: dict[tuple[str, str], MeanRow],
    combination: Combination,
    single: str,
) -> Claim:
    dual, best = table.get((combination, DUAL)), table.get((combination, single))
    ratio = 1 - dual.efficiency_gain / best.efficiency_gain if dual and best else None
    what = f"loss of the dual design, {combination}: TOPS/W"
    return Claim(variation, f"loss {_SHORT[combination]}", what, "0.2-0.3", ratio, single)
