"""Interpolation of measured points that grow like powers: straight lines between logarithms."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log


def log_log(points: Mapping[float, float], x: float) -> float:
    """Value at x on straight lines between (log x, log y); the end lines go on outside.

    points: x -> y, all positive, at least two. Raises ValueError for fewer.
    """
    if len(points) < 2:
        raise ValueError(f"points must be at least 2, not {len(points)}")
    known = sorted(points)
    upper = next((i for i, at in enumerate(known) if i and at >= x), len(known) - 1)
    low, high = known[upper - 1], known[upper]
    share = (log(x) - log(low)) / (log(high) - log(low))
    return exp(log(points[low]) * (1 - share) + log(points[high]) * share)


def log_log_grid(points: Mapping[tuple[float, float], float], x: float, z: float) -> float:
    """Value at (x, z): along x for each known z that has two points, then along z."""
    columns: dict[float, dict[float, float]] = {}
    for (at_x, at_z), y in points.items():
        columns.setdefault(at_z, {})[at_x] = y
    along_x = {at_z: log_log(column, x) for at_z, column in columns.items() if len(column) > 1}
    return log_log(along_x, z)
