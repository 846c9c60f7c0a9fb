"""Figures of a model over many layers or designs: errors, rank correlation, regret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from validation.analytical.explain import LayerError
from validation.result import nearest_rank

CLOSE_PCT = 5.0
LEAST_LAYERS = 3
"""A condition is named only if so many layers fulfil it."""


@dataclass(frozen=True, slots=True)
class ErrorFigures:
    """Errors in percent of the simulated cycles, and Kendall's tau-b of the two rankings."""

    layers: int
    mean_pct: float
    p95_pct: float
    worst_pct: float
    total_pct: float
    kendall: float


def error_figures(errors: Sequence[LayerError]) -> ErrorFigures:
    """The figures of at least one layer."""
    each = [error.error_pct for error in errors]
    predicted, simulated = [e.predicted for e in errors], [e.simulated for e in errors]
    total = 100 * abs(sum(predicted) - sum(simulated)) / (sum(simulated) or 1)
    tau = kendall_tau(predicted, simulated)
    return ErrorFigures(len(each), fmean(each), nearest_rank(each, 95), max(each), total, tau)


def kendall_tau(left: Sequence[float], right: Sequence[float]) -> float:
    """Kendall's tau-b, which counts ties; nan where either side is all ties.

    Source: M. G. Kendall, The treatment of ties in ranking problems, Biometrika 33(3), 1945.
    """
    agree, left_pairs, right_pairs = 0, 0, 0
    for i in range(len(left)):
        for j in range(i):
            a, b = _sign(left[i] - left[j]), _sign(right[i] - right[j])
            agree += a * b
            left_pairs += a * a
            right_pairs += b * b
    if not left_pairs or not right_pairs:
        return float("nan")
    return float(agree / (left_pairs * right_pairs) ** 0.5)


def regret_pct(predicted: Sequence[float], simulated: Sequence[float]) -> float:
    """How much slower the design is that the model would choose than the best one, in percent."""
    chosen = min(range(len(predicted)), key=lambda i: predicted[i])
    return 100 * (simulated[chosen] / min(simulated) - 1)


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a cause misses less than share_pct of the cycles, all layers (so many) are close."""

    cause: str
    share_pct: float
    layers: int


def close_conditions(errors: Sequence[LayerError]) -> list[Condition]:
    """For each cause that the model misses, the share up to which all layers are close.

    close: within CLOSE_PCT. share_pct is the largest amount, in percent of a layer's cycles, below
    which every layer is close; causes for which there is none are left out.
    """
    found = []
    for cause in sorted({cause for error in errors for cause in error.explained}):
        by_share = sorted(errors, key=lambda e: _share_pct(e, cause))
        far = next((e for e in by_share if e.error_pct > CLOSE_PCT), None)
        limit = _share_pct(far, cause) if far else _share_pct(by_share[-1], cause)
        below = [e for e in errors if far is None or _share_pct(e, cause) < limit]
        if len(below) >= LEAST_LAYERS:
            found.append(Condition(cause, limit, len(below)))
    return sorted(found, key=lambda c: -c.layers)


def _share_pct(error: LayerError, cause: str) -> float:
    return 100 * abs(error.explained.get(cause, 0)) / (error.simulated or 1)


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)
