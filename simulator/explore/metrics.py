"""What a point of a study is judged by, which way is better, and rules about it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simulator.workload.errors import did_you_mean
from traces.errors import InputError

METRICS: dict[str, int] = {
    "latency_ms": 1,
    "energy_mj": 1,
    "edp": 1,
    "dram_mb": 1,
    "area_mm2": 1,
    "peak_macs": 1,
    "accuracy": -1,
}
"""Name -> 1 when less is better, -1 when more is. edp: mJ * ms; accuracy: ImageNet top-1 in percent
as published; dram_mb: moved, 1 MB = 1e6 bytes; peak_macs: multiply-accumulates a cycle."""

STATIC_METRICS = ("area_mm2", "peak_macs", "accuracy")
"""Metrics that are known before anything is mapped."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_RULE = re.compile(r"^\s*(\w+)\s*(<=|>=|<|>)\s*([0-9.eE+-]+)\s*$")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on a metric: `area_mm2 <= 10`."""

    metric: str
    relation: str
    bound: float

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether it holds for metrics, as far as they are known."""
        value = metrics.get(self.metric)
        return value is None or _OPERATORS[self.relation](value, self.bound)

    def __str__(self) -> str:
        return f"{self.metric} {self.relation} {self.bound:g}"


def parse_constraint(text: str, place: str) -> Constraint:
    """The constraint in a text. Raises InputError."""
    match = _RULE.match(text)
    try:
        bound = float(match[3]) if match else None
    except ValueError:
        bound = None
    if match is None or bound is None:
        raise InputError(f"{place} must be METRIC <= NUMBER (or <, >=, >), not {text!r}")
    return Constraint(check_metric(match[1], place), match[2], bound)


def check_metric(name: str, place: str) -> str:
    """The name, if it is a metric. Raises InputError."""
    if name not in METRICS:
        known = ", ".join(METRICS)
        hint = did_you_mean(name, METRICS)
        raise InputError(f"{place} must be about one of {known}, not {name}{hint}")
    return name


def check_consistent(constraints: Sequence[Constraint], place: str) -> None:
    """Raises InputError for two bounds of a metric that no value meets."""
    for low in (c for c in constraints if c.relation[0] == ">"):
        for high in (c for c in constraints if c.relation[0] == "<" and c.metric == low.metric):
            strict = len(low.relation) + len(high.relation) < 4
            if low.bound > high.bound or (strict and low.bound == high.bound):
                raise InputError(
                    f"{place} must leave something over, not contradict each other: {low}, {high}"
                )
