"""Replaying a range of values of one key: the curve, and where it stops paying off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log

from traces.errors import InputError
from traces.replay import replay
from traces.replay_changes import Change, parse_changes
from traces.task_graph import TaskGraph

MOST_POINTS = 1000


@dataclass(frozen=True, slots=True)
class Sweep:
    """Values of a key as given to --set, their run lengths, and which is the knee (-1: none)."""

    key: str
    values: tuple[str, ...]
    cycles: tuple[int, ...]
    knee: int


def sweep(graph: TaskGraph, text: str, changes: Sequence[Change], contention: str) -> Sweep:
    """Replay KEY=A:B:N on top of other changes. Raises InputError."""
    key, values = sweep_values(text)
    cycles = tuple(
        replay(graph, [*changes, *parse_changes([f"{key}={value}"], graph)], contention).end_cycle
        for value in values
    )
    numbers = [float(Fraction(value.removesuffix("x"))) for value in values]
    return Sweep(key, values, cycles, knee_of(numbers, cycles))


def sweep_values(text: str) -> tuple[str, tuple[str, ...]]:
    """Key and values of KEY=A:B:N: factors (2x) in equal ratios, numbers in equal steps, whole."""
    key, _, span = text.partition("=")
    parts = span.split(":")
    problem = InputError(
        f"--sweep must be KEY=A:B:N, such as dram.bandwidth=0.25x:4x:9, not {text!r}"
    )
    if not key or len(parts) != 3 or not parts[2].isdigit():
        raise problem
    try:
        first, last = (Fraction(part.removesuffix("x")) for part in parts[:2])
    except (ValueError, ZeroDivisionError):
        raise problem from None
    count, factors = int(parts[2]), parts[0].endswith("x")
    if factors != parts[1].endswith("x") or not 2 <= count <= MOST_POINTS or first < 0 > last:
        raise problem
    if factors and min(first, last) <= 0:
        raise InputError(f"--sweep {key} must have factors above 0, not {parts[0]} and {parts[1]}")
    steps = [Fraction(i, count - 1) for i in range(count)]
    if factors:
        ratio = float(last / first)
        return key, tuple(f"{float(first) * ratio ** float(step):.6g}x" for step in steps)
    return key, tuple(dict.fromkeys(str(round(first + (last - first) * step)) for step in steps))


def knee_of(values: Sequence[float], cycles: Sequence[int]) -> int:
    """Where the curve lies farthest below its chord, values on a logarithmic scale; -1 if nowhere.

    Source: Satopaa et al., Finding a "Kneedle" in a Haystack, ICDCS workshops 2011, section III.
    """
    if len(values) < 3 or max(cycles) == min(cycles):
        return -1
    positions = [log(value) if min(values) > 0 else value for value in values]
    width, height = positions[-1] - positions[0], cycles[-1] - cycles[0]
    if not width or not height:
        return -1
    below = [
        (cycles[0] + height * (at - positions[0]) / width - n) / abs(height)
        for at, n in zip(positions, cycles, strict=True)
    ]
    best = max(range(len(below)), key=lambda i: below[i])
    return best if below[best] > 1e-9 else -1
