"""Which points are tried: all, some at random, or those that a search picks from earlier results.

A search is a generator: it yields batches of points and is sent their rows. It depends on nothing
but the study and those rows, so a study that goes on after an interruption takes the same way.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from simulator.explore.evaluate import DONE, Row
from simulator.explore.metrics import METRICS
from simulator.explore.study import CHIP, NETWORK, Point, Study

if TYPE_CHECKING:
    import optuna

Search = Generator[list[Point], Sequence[Row], None]


def _grid(study: Study) -> Search:
    points = [_point(study, labels) for labels in product(*study.space.values())]
    yield by_core(study, points[: study.search.budget])


def _random(study: Study) -> Search:
    """Different points; all of a space that is smaller than the budget."""
    spec, space = study.search, list(study.space.values())
    chosen = random.Random(spec.seed).sample(range(study.size), min(spec.budget or 1, study.size))
    points = []
    for number in chosen:
        labels = []
        for choices in reversed(space):
            number, at = divmod(number, len(choices))
            labels.append(choices[at])
        points.append(_point(study, labels[::-1]))
    yield by_core(study, points)


def _optuna(study: Study) -> Search:
    """Batches that an Optuna sampler asks for; it is told their results in order."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spec = study.search
    ways = optuna.study.StudyDirection
    directions = [ways.MINIMIZE if METRICS[n] > 0 else ways.MAXIMIZE for n in study.objectives]
    search = optuna.create_study(directions=directions, sampler=_sampler(study))
    left = spec.budget or 1
    while left:
        trials = [search.ask() for _ in range(min(spec.batch, left))]
        points: list[Point] = [
            {key: trial.suggest_categorical(key, labels) for key, labels in study.space.items()}
            for trial in trials
        ]
        rows = yield points
        for trial, row in zip(trials, rows, strict=True):
            values = [row[name] for name in study.objectives]
            if row["status"] == DONE and None not in values:
                search.tell(trial, values)
            else:
                search.tell(trial, state=optuna.trial.TrialState.FAIL)
        left -= len(trials)


def _sampler(study: Study) -> optuna.samplers.BaseSampler:
    import optuna

    spec = study.search
    if spec.kind == "bayesian":
        return optuna.samplers.TPESampler(seed=spec.seed, n_startup_trials=spec.batch)
    return optuna.samplers.NSGAIISampler(seed=spec.seed, population_size=max(2, spec.batch))


SEARCHES: dict[str, Callable[[Study], Search]] = {
    "grid": _grid,
    "random": _random,
    "bayesian": _optuna,
    "evolutionary": _optuna,
}


def by_core(study: Study, points: Sequence[Point]) -> list[Point]:
    """Points so ordered that those with the same array and network, which share work, are near."""
    arrays = [key for key in study.space if "pe_array" in key]
    first = [NETWORK, CHIP, *arrays]
    return sorted(points, key=lambda point: [point[key] for key in first])


def _point(study: Study, labels: Sequence[str]) -> Point:
    return dict(zip(study.space, labels, strict=True))
