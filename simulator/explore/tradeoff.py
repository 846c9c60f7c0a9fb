"""Energy, latency, area and accuracy of networks on architectures.

After the study of Jain, Mei and Verhelst (AICAS 2021): which networks are best on an architecture,
and which architectures are best for a network. Accuracy belongs to the network alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.explore.accuracy import top1_pct
from simulator.explore.evaluate import DONE, Row
from simulator.explore.insights import WORDS
from simulator.explore.pareto import pareto_front
from simulator.explore.study import CHIP, NETWORK, Study, load_study
from simulator.explore.table import MetricTable, metric_table
from simulator.workload.errors import did_you_mean
from traces.errors import InputError

STUDY = "tradeoff"
ACCURATE_PCT = 70.0
"""Top-1 accuracy from which a network counts as accurate in the sentences."""


def tradeoff_study(networks: Sequence[str] = (), chips: Sequence[str] = ()) -> Study:
    """The study of some networks and chips; all of the study that comes along if none are given.

    Raises InputError for a network without published accuracy.
    """
    study, changes = load_study(STUDY), dict[str, Any]()
    for name in networks:
        if name not in top1_pct():
            hint = did_you_mean(name, top1_pct())
            raise InputError(f"network must have a published ImageNet accuracy, not {name}{hint}")
    if networks:
        changes["networks"] = tuple(dict.fromkeys(networks))
    if chips:
        changes |= {"chips": tuple(dict.fromkeys(chips)), "parameters": {}}
    return study.model_copy(update=changes)


def architecture_key(study: Study) -> str:
    """The dimension in which architectures differ."""
    varied = [key for key, labels in study.space.items() if len(labels) > 1 and key != NETWORK]
    return varied[0] if varied else CHIP


def architectures(study: Study) -> list[str]:
    """Names of the architectures."""
    return list(study.space[architecture_key(study)])


def networks_front(study: Study, rows: Sequence[Row], architecture: str, metric: str) -> list[str]:
    """Networks that no other beats in accuracy and a metric on an architecture, cheapest first."""
    mine = [row for row in rows if row[architecture_key(study)] == architecture]
    return [row[NETWORK] for row in pareto_front(mine, (metric, "accuracy"))]


def by_architecture(study: Study, rows: Sequence[Row], metric: str) -> MetricTable:
    """The table of a metric with the names of architectures as configurations."""
    table = metric_table(study, rows, metric)
    place = table.keys.index(architecture_key(study))
    names = tuple((configuration[place],) for configuration in table.configurations)
    return MetricTable(metric, (table.keys[place],), names, table.networks, table.values)


def tradeoff_lines(study: Study, rows: Sequence[Row]) -> list[str]:
    """The insights as sentences."""
    tables = {metric: by_architecture(study, rows, metric) for metric in WORDS}
    if not len(tables["edp"].configurations):
        return ["No architecture runs all networks."]
    return [
        *_area(study, rows),
        *(line for metric in WORDS for line in _winners(tables[metric])),
        *_disagreement(tables),
        *_fronts(study, rows),
        *_never_best(study, rows),
        *_cheapest_accurate(rows, architecture_key(study)),
    ]


def _area(study: Study, rows: Sequence[Row]) -> list[str]:
    key = architecture_key(study)
    areas = {row[key]: row["area_mm2"] for row in rows if row["status"] == DONE}
    small, large = min(areas, key=lambda a: areas[a]), max(areas, key=lambda a: areas[a])
    return [
        f"{len(areas)} architectures of {areas[small]:.2f} mm2 ({small}) to {areas[large]:.2f} mm2 "
        f"({large}) run {len(study.networks)} networks."
    ]


def _winners(table: MetricTable) -> list[str]:
    names = [name for (name,) in table.configurations]
    best = table.values.argmin(axis=0)
    votes = Counter(names[index] for index in best.tolist())
    told = ", ".join(f"{name} for {number}" for name, number in votes.most_common())
    factors = table.values / table.values.min(axis=0)
    mean = np.exp(np.log(factors).mean(axis=1))
    alone, worst = int(mean.argmin()), int(factors.max(axis=0).argmax())
    word = WORDS[table.metric]
    return [
        f"Least {word}: {told} of {len(best)} networks. The best single architecture is "
        f"{names[alone]}, {mean[alone] - 1:.0%} above the best of each network on average.",
        f"The architecture matters to {word} by a factor of up to "
        f"{factors[:, worst].max():.1f} ({table.networks[worst]}: "
        f"{names[int(factors[:, worst].argmax())]} against {names[int(best[worst])]}).",
    ]


def _disagreement(tables: dict[str, MetricTable]) -> list[str]:
    fast = tables["latency_ms"].values.argmin(axis=0)
    frugal = tables["energy_mj"].values.argmin(axis=0)
    number = int((fast != frugal).sum())
    return [
        f"For {number} of {len(fast)} networks the fastest architecture is not the one of least "
        "energy."
    ]


def _fronts(study: Study, rows: Sequence[Row]) -> list[str]:
    lines = []
    for metric in ("energy_mj", "latency_ms"):
        fronts = [networks_front(study, rows, a, metric) for a in architectures(study)]
        always = [n for n in study.networks if all(n in front for front in fronts)]
        told = f" ({', '.join(always)})" if always else ""
        lines.append(
            f"In accuracy and {WORDS[metric]}, {len(always)} of {len(study.networks)} networks are "
            f"on the Pareto front of every architecture{told}; {len(set().union(*fronts))} are on "
            "that of at least one."
        )
    return lines


def _never_best(study: Study, rows: Sequence[Row]) -> list[str]:
    seen: set[str] = set()
    for architecture in architectures(study):
        for metric in ("energy_mj", "latency_ms"):
            seen.update(networks_front(study, rows, architecture, metric))
    never = [network for network in study.networks if network not in seen]
    if not never:
        return []
    return [
        "Whatever the architecture, another network is at least as accurate with less energy and "
        f"less latency: {', '.join(never)}."
    ]


def _cheapest_accurate(rows: Sequence[Row], key: str) -> list[str]:
    able = [row for row in rows if row["status"] == DONE and row["accuracy"] is not None]
    able = [row for row in able if row["accuracy"] >= ACCURATE_PCT]
    if not able:
        return []
    lines = []
    for metric in ("energy_mj", "latency_ms"):
        best = min(able, key=lambda row: row[metric])
        worst = max((r for r in able if r[NETWORK] == best[NETWORK]), key=lambda row: row[metric])
        unit = metric.rpartition("_")[2].replace("mj", "mJ")
        lines.append(
            f"Least {WORDS[metric]} for at least {ACCURATE_PCT:.0f} % top-1: {best[NETWORK]} on "
            f"{best[key]}, {best[metric]:.3g} {unit} at {best['accuracy']:.1f} %; on {worst[key]} "
            f"it takes {worst[metric]:.3g} {unit}."
        )
    return lines
