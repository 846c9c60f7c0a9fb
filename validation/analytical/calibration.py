"""Which single added term repairs a model most.

Every second layer fits a factor by which the term is added to the prediction, the other layers test
it, and the other way round. A term is what a cause took in the simulation, or a property of the
layer that one knows before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from validation.analytical.explain import LayerError


@dataclass(frozen=True, slots=True)
class Repair:
    """A term, its factor (of all layers), and the mean error of layers that did not fit it."""

    term: str
    factor: float
    before_pct: float
    after_pct: float


def repairs(errors: Sequence[LayerError]) -> list[Repair]:
    """All single terms, the best first. Needs two layers or more; fewer give none."""
    if len(errors) < 2:
        return []
    causes = sorted({cause for error in errors for cause in error.explained})
    terms: dict[str, Callable[[LayerError], float]] = {
        "constant": lambda _error: 1.0,
        "predicted": lambda error: float(error.predicted),
        **{cause: _amount(cause) for cause in causes},
    }
    before = fmean(error.error_pct for error in errors)
    halves = errors[::2], errors[1::2]
    found = []
    for name, term in terms.items():
        after = [
            abs(e.error_cycles + fitted * term(e)) / (e.simulated or 1) * 100
            for fit, test in (halves, halves[::-1])
            for fitted in [factor(fit, term)]
            for e in test
        ]
        found.append(Repair(name, factor(errors, term), before, fmean(after)))
    return sorted(found, key=lambda repair: repair.after_pct)


def factor(errors: Sequence[LayerError], term: Callable[[LayerError], float]) -> float:
    """The factor of a term with the least sum of relative errors; 0 if no layer has the term.

    The sum is piecewise linear in the factor, so its least value lies where one error is 0: at a
    weighted median.
    """
    points = sorted(
        (-e.error_cycles / term(e), abs(term(e)) / (e.simulated or 1)) for e in errors if term(e)
    )
    half = sum(weight for _, weight in points) / 2
    for value, weight in points:
        half -= weight
        if half <= 0:
            return value
    return 0.0


def _amount(cause: str) -> Callable[[LayerError], float]:
    return lambda error: float(error.explained.get(cause, 0))
