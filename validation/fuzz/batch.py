"""A batch of random examples, the same for the same seed."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings

from validation.fuzz.case import Case, cases


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a batch. refused: examples that were no valid input. crash: the defect that
    ended the batch, with the smallest example that shows it; empty if there was none."""

    examples: int
    refused: int
    crash: str = ""


def run_batch(number: int, examples: int, fused: bool = False) -> Batch:
    """Run random examples until one fails. number: the seed. fused: for several cores at once."""
    reasons: list[str] = []

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(fused))
    def check(case: Case) -> None:
        reasons.append(case.run())

    crash = ""
    try:
        check()
    except Exception as error:  # whatever it is, it is what is looked for
        crash = "".join(traceback.format_exception(error))
    return Batch(len(reasons), sum(map(bool, reasons)), crash)
