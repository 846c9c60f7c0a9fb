"""Points that no other beats in everything at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.explore.evaluate import DONE, Row
from simulator.explore.metrics import METRICS


def pareto_front(rows: Sequence[Row], objectives: Sequence[str]) -> list[Row]:
    """Rows that no other is at least as good as in all objectives and better in one.

    Of equal rows all stay. Rows without a value of an objective are left out. By the first
    objective, best first.
    """
    able = [r for r in rows if r["status"] == DONE and all(r[n] is not None for n in objectives)]
    if not able:
        return []
    costs = np.array([[METRICS[n] * row[n] for n in objectives] for row in able], dtype=np.float64)
    order = np.lexsort(costs.T[::-1])
    kept: list[int] = []
    for index in order.tolist():
        cost, front = costs[index], costs[kept]
        # In this order nothing that comes later beats what came before.
        beaten = np.all(front <= cost, axis=1) & np.any(front < cost, axis=1)
        if not beaten.any():
            kept.append(index)
    return [able[index] for index in kept]
