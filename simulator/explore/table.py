"""A study's rows as a table: a metric by configuration and network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.explore.evaluate import DONE, Row
from simulator.explore.study import NETWORK, Study

Configuration = tuple[str, ...]
"""Labels of a point without its network, in the order of `MetricTable.keys`."""


@dataclass(frozen=True, slots=True)
class MetricTable:
    """A metric of every configuration that runs every network.

    keys: dimensions of a configuration. values: float64 (configurations, networks).
    """

    metric: str
    keys: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    networks: tuple[str, ...]
    values: np.ndarray

    def describe(self, index: int) -> str:
        """The labels of a configuration in which configurations differ."""
        labels = self.configurations[index]
        columns = list(zip(*self.configurations, strict=True))
        shown = [
            f"{short_name(key)} {label}"
            for key, label, column in zip(self.keys, labels, columns, strict=True)
            if len(set(column)) > 1
        ]
        return ", ".join(shown) or "the only one"


def metric_table(study: Study, rows: Sequence[Row], metric: str) -> MetricTable:
    """The table of a metric. Configurations that lack a network (failed, left out) are dropped."""
    keys = tuple(key for key in study.space if key != NETWORK)
    found: dict[Configuration, dict[str, float]] = {}
    for row in rows:
        if row["status"] == DONE and row[metric] is not None:
            found.setdefault(tuple(row[key] for key in keys), {})[row[NETWORK]] = row[metric]
    whole = {c: of for c, of in found.items() if len(of) == len(study.networks)}
    values = [[of[network] for network in study.networks] for of in whole.values()]
    shape = (len(whole), len(study.networks))
    array = np.array(values, dtype=np.float64).reshape(shape)
    return MetricTable(metric, keys, tuple(whole), study.networks, array)


def short_name(key: str) -> str:
    """A key of the chip file without the way to it: `pe_array.rows`, `buffers[0].size_bytes`."""
    return ".".join(key.split(".")[-2:]) if key.startswith("cores") else key
