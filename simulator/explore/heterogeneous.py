"""Chips of several core types: each network runs on the one that suits it best.

Source of the scheme: Maleki, Kamal, Afzali-Kusha, arXiv 2206.12605. The choice is the k-medoid
problem over configurations: the mean over networks of how far each is from its own best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from simulator.explore.table import MetricTable

PUBLISHED_SAVING = {"energy_mj": 0.36, "edp": 0.67}
"""Largest savings in the abstract of arXiv 2206.12605, in a small selected search space."""

MOST_EXHAUSTIVE = 200_000
"""Sets of configurations up to which all are tried; beyond, one is exchanged at a time."""


@dataclass(frozen=True, slots=True)
class CoreChoice:
    """Core types for a set of networks.

    chosen: indices of the table's configurations; of_network: for every network, the one it runs
    on. savings: of every network against the best single configuration, 0.3 is 30 % less.
    excess: mean factor by which networks stay above their own best.
    """

    chosen: tuple[int, ...]
    of_network: tuple[int, ...]
    savings: tuple[float, ...]
    excess: float

    @property
    def largest_saving(self) -> float:
        """What the network that gains most saves."""
        return max(self.savings)


def choose_cores(table: MetricTable, number: int) -> CoreChoice:
    """The best `number` configurations of a table.

    Best means the least geometric mean, over networks, of the factor above their own best. Raises
    ValueError for an empty table or more types than configurations.
    """
    size = len(table.configurations)
    if not 1 <= number <= size:
        raise ValueError(f"core types must be 1 to {size}, not {number}")
    factors = np.log(table.values / table.values.min(axis=0))
    single = int(factors.mean(axis=1).argmin())
    chosen = _best_set(factors, number)
    mine = table.values[list(chosen)]
    of_network = tuple(chosen[i] for i in mine.argmin(axis=0).tolist())
    savings = 1 - mine.min(axis=0) / table.values[single]
    excess = float(np.exp(factors[list(chosen)].min(axis=0).mean()))
    return CoreChoice(chosen, of_network, tuple(savings.tolist()), excess)


def with_one_memory(table: MetricTable) -> MetricTable:
    """The configurations that could be on one chip with the best single one.

    Core types may differ in keys of cores; what cores share (memory, network, clock) is that of the
    best single configuration.
    """
    best = table.configurations[choose_cores(table, 1).chosen[0]]
    shared = [i for i, key in enumerate(table.keys) if not key.startswith("cores")]
    kept = [
        at
        for at, configuration in enumerate(table.configurations)
        if all(configuration[i] == best[i] for i in shared)
    ]
    configurations = tuple(table.configurations[at] for at in kept)
    return replace(table, configurations=configurations, values=table.values[kept])


def _best_set(factors: np.ndarray, number: int) -> tuple[int, ...]:
    """All sets where they are few; otherwise a greedy one, improved by exchanging members."""
    useful = _undominated(factors)
    sets = 1
    for i in range(number):
        sets = sets * (len(useful) - i) // (i + 1)
    if len(useful) <= number:
        return tuple(useful)
    if sets <= MOST_EXHAUSTIVE:
        every = combinations(useful, number)
        return min(every, key=lambda some: (_cost(factors, some), some))
    chosen: tuple[int, ...] = ()
    for _ in range(number):
        more = ((*chosen, one) for one in useful if one not in chosen)
        chosen = min(more, key=lambda some: (_cost(factors, some), some))
    while True:
        nearby = [
            (*chosen[:place], one, *chosen[place + 1 :])
            for place in range(number)
            for one in useful
            if one not in chosen
        ]
        best = min(nearby, key=lambda some: (_cost(factors, some), some))
        if _cost(factors, best) >= _cost(factors, chosen):
            return chosen
        chosen = best


def _cost(factors: np.ndarray, chosen: tuple[int, ...]) -> float:
    return float(factors[list(chosen)].min(axis=0).mean())


def _undominated(factors: np.ndarray) -> list[int]:
    """Configurations that no other equals or beats for every network; the first of equals."""
    kept: list[int] = []
    order = np.lexsort((np.arange(len(factors)), factors.mean(axis=1)))
    for index in order.tolist():
        if not np.all(factors[kept] <= factors[index], axis=1).any():
            kept.append(index)
    return kept


def describe_choice(table: MetricTable, most: int = 3) -> list[str]:
    """Sentences about chips of one to `most` core types, beside what was published."""
    name = {"energy_mj": "energy", "edp": "EDP"}.get(table.metric, table.metric)
    lines = []
    for number in range(1, min(most, len(table.configurations)) + 1):
        choice = choose_cores(table, number)
        types = "; ".join(
            f"({table.describe(core)}) for {_names(table, choice, core) or 'no network'}"
            for core in choice.chosen
        )
        if number == 1:
            lines.append(
                f"The best single core for {name} is {types}; networks stay "
                f"{choice.excess - 1:.1%} above their own best on average."
            )
            continue
        published = PUBLISHED_SAVING.get(table.metric)
        beside = f" (published: up to {published:.0%})" if published is not None else ""
        lines.append(
            f"{number} core types save up to {choice.largest_saving:.1%} of {name}{beside}, "
            f"{np.mean(choice.savings):.1%} on average, against the best single core: {types}."
        )
    return lines


def _names(table: MetricTable, choice: CoreChoice, core: int) -> str:
    pairs = zip(table.networks, choice.of_network, strict=True)
    mine = [network for network, at in pairs if at == core]
    return ", ".join(mine) if len(mine) < len(table.networks) else "all networks"
