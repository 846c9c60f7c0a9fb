from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from simulator.fusion.problem import SchedulingProblem
from simulator.fusion.schedule import schedule
from simulator.fusion.schedule_plain import schedule_plain
from tests.simulator.fusion.scheduling_problems import problems

TABLES = ("transfers", "residences")
COLUMNS = (
    "node_start", "node_end", "order", "node_residence", "need_residence", "pool_peak_bytes",
    "link_busy_cycles", "link_transfers",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(problems())
def test_kernel_and_plain_scheduler_agree_in_every_column(problem: SchedulingProblem) -> None:
    fast, plain = schedule(problem), schedule_plain(problem)
    for table in TABLES:
        for column, values in getattr(plain, table).items():
            np.testing.assert_array_equal(getattr(fast, table)[column], values, f"{table} {column}")
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(fast, column), getattr(plain, column), column)
    assert fast.latency == plain.latency
