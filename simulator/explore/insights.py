"""What the rows of a study say, as sentences: nothing in them but what was computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from simulator.explore.evaluate import Row
from simulator.explore.heterogeneous import describe_choice, with_one_memory
from simulator.explore.study import Study
from simulator.explore.table import MetricTable, metric_table, short_name

WORDS = {"latency_ms": "latency", "energy_mj": "energy", "edp": "EDP"}
LITTLE = 0.02
"""Changes of less than 2 % are called little."""


def insights(study: Study, rows: Sequence[Row]) -> list[str]:
    """Sentences about a study of several configurations; none if there is only one.

    What each parameter changes with all others equal, which value suits most networks, how much
    several core types would save. Rows of one stage.
    """
    tables = {metric: metric_table(study, rows, metric) for metric in WORDS}
    if len(tables["edp"].configurations) < 2:
        return []
    lines = [*_ranking(tables), *_effects(tables), *_best_values(tables["edp"])]
    for metric in ("energy_mj", "edp"):
        lines += describe_choice(with_one_memory(tables[metric]))
    return lines


def effect(table: MetricTable, key: str, before: str, after: str) -> np.ndarray:
    """Factors by which a metric changes from one label to another, float64 (networks,).

    The geometric mean over all configurations that differ in nothing else; 1 when there is none.
    """
    place, index = table.keys.index(key), {c: i for i, c in enumerate(table.configurations)}
    pairs = []
    for configuration, at in index.items():
        other = (*configuration[:place], after, *configuration[place + 1 :])
        if configuration[place] == before and other in index:
            pairs.append((at, index[other]))
    if not pairs:
        return np.ones(len(table.networks))
    first, second = np.array(pairs).T
    ratios = np.log(table.values[second] / table.values[first])
    factors: np.ndarray = np.exp(ratios.mean(axis=0))
    return factors


def labels_of(table: MetricTable, key: str) -> list[str]:
    """Labels of a dimension that occur, in the order in which they do."""
    place = table.keys.index(key)
    return list(dict.fromkeys(configuration[place] for configuration in table.configurations))


def _varied(table: MetricTable) -> list[str]:
    return [key for key in table.keys if len(labels_of(table, key)) > 1]


def _spread(table: MetricTable, key: str) -> float:
    """Geometric mean factor between the worst and the best label, all else equal."""
    labels = labels_of(table, key)
    logs = [float(np.log(effect(table, key, labels[0], label)).mean()) for label in labels]
    return float(np.exp(max(logs) - min(logs)))


def _ranking(tables: dict[str, MetricTable]) -> list[str]:
    """Which parameters matter most to each metric."""
    lines = []
    for metric, word in WORDS.items():
        table = tables[metric]
        spreads = {key: _spread(table, key) for key in _varied(table)}
        order = sorted(spreads, key=lambda key: -spreads[key])
        told = ", ".join(f"{short_name(key)} ({spreads[key]:.2f}x)" for key in order)
        lines.append(
            f"What matters to {word}, as the mean factor between worst and best value: {told}."
        )
    return lines


def _effects(tables: dict[str, MetricTable]) -> list[str]:
    """What going from the first to the last value of each parameter changes."""
    lines = []
    for key in _varied(tables["edp"]):
        labels = labels_of(tables["edp"], key)
        changes = []
        for metric, word in WORDS.items():
            factors = effect(tables[metric], key, labels[0], labels[-1])
            changes.append(f"{word} {_change(float(np.exp(np.log(factors).mean())))}")
        factors = effect(tables["edp"], key, labels[0], labels[-1])
        most, least = int(factors.argmin()), int(factors.argmax())
        networks = tables["edp"].networks
        lines.append(
            f"From {labels[0]} to {labels[-1]}, {short_name(key)} changes {', '.join(changes)}; "
            f"EDP by {factors[most] - 1:+.0%} ({networks[most]}) to "
            f"{factors[least] - 1:+.0%} ({networks[least]})."
        )
    return lines


def _best_values(table: MetricTable) -> list[str]:
    """Which value of each parameter the best configurations of the networks have."""
    best = table.values.argmin(axis=0).tolist()
    distinct = len(set(best))
    lines = [f"{len(best)} networks have {distinct} different best configurations for EDP."]
    for key in _varied(table):
        place = table.keys.index(key)
        votes = Counter(table.configurations[index][place] for index in best)
        told = ", ".join(f"{label} for {number}" for label, number in votes.most_common())
        lines.append(f"The best {short_name(key)} for EDP is {told} of {len(best)} networks.")
    return lines


def _change(factor: float) -> str:
    if abs(factor - 1) < LITTLE:
        return "by less than 2 %"
    return f"by {factor - 1:+.0%}"
