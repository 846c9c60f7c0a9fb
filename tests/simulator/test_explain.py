"""Waits cut into causes: the compiled walk against the plain one, and by hand."""

from fractions import Fraction

import numpy as np
import pytest

from hw_models.clock import TickClock
from simulator.engine.engine import Engine
from simulator.engine.explain import Explainer, TaskTimes, wait_causes_plain
from simulator.lowering.lower import lower
from simulator.program import COMPUTE, LOAD, STORE
from tests.simulator.networks import chip, residual_network
from traces.ledger import COLUMNS, WAIT, WORK
from traces.schema import CAUSE, CAUSES

SERVED, QUEUED, OTHER, LATENCY = (
    CAUSE[c]
    for c in (
        "stall/dram_bandwidth",
        "stall/noc_contention",
        "stall/dram_queue",
        "stall/dram_latency",
    )
)


class Recording(Engine):
    """An engine that keeps the ledger rows as the units noted them."""

    def _explain(self, batch):
        self.noted = [*getattr(self, "noted", []), batch]
        return super()._explain(batch)


@pytest.mark.parametrize("options", [{}, {"ports": "1rw"}, {"slots": 1}, {"unified": False}])
def test_every_wait_of_a_run_is_cut_as_the_plain_walk_cuts_it(options):
    low = lower(residual_network(), chip(**options))
    engine = Recording(low.program, low.plan)
    engine.run()
    times = engine.board.times()
    kind = low.program.tasks["kind"].tolist()
    causes = {s.units[0]: (s.kernel.job_causes, s.clock) for s in engine.servers.values()}
    waits = 0
    for batch in engine.noted:
        for row in zip(*(batch[name].tolist() for name in COLUMNS), strict=True):
            unit, begin, end, cause, task, _ = row
            if cause != WAIT:
                continue
            one = {name: np.array([value]) for name, value in zip(COLUMNS, row, strict=True)}
            found = engine.explainer.expand(one, times)
            assert found["start"][0] == begin
            assert found["end"][-1] == end
            assert (found["start"][1:] == found["end"][:-1]).all()
            assert (found["unit"] == unit).all()
            cut = list(
                zip(found["cause"].tolist(), (found["end"] - found["start"]).tolist(), strict=True)
            )
            assert joined(cut) == joined(wait_causes_plain(task, begin, end, kind, times, causes))
            waits += 1
    assert waits > 15


def joined(parts):
    """Neighbours of one cause as one, for comparing what may be cut at different places."""
    result = []
    for cause, cycles in parts:
        if result and result[-1][0] == cause:
            result[-1][1] += cycles
        else:
            result.append([cause, cycles])
    return result


def explainer(kind, streaming=None):
    made = object.__new__(Explainer)
    made.kind = np.array(kind)
    made.streaming = np.array(streaming or [0] * len(kind))
    made.uneven = np.zeros(len(kind), dtype=np.int64)
    made.starved = np.zeros(len(kind), dtype=np.int64)
    made.causes = np.array([[SERVED, QUEUED, OTHER, LATENCY]])
    made.rates = np.array([[1, 1]])
    return made


def batch(*rows):
    return {
        name: np.array(column)
        for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)
    }


def times(**columns):
    n = len(columns["start"])
    default = {"ready": [0] * n, "blocker": [-1] * n, "held_by": [-1] * n, "server": [0] * n}
    full = {**default, "ticks": [[0] * 4] * n, **columns}
    return TaskTimes(*(np.array(full[name]) for name in TaskTimes._fields))


def causes_of(found):
    cycles = (found["end"] - found["start"]).tolist()
    return [(CAUSES[c], n) for c, n in zip(found["cause"].tolist(), cycles, strict=True)]


def test_a_wait_for_a_load_is_its_latency_and_then_its_service():
    # Task 1 computes from 130 on what task 0 loaded in [0, 130): 30 latency, 70 served, 30 queued.
    t = times(start=[0, 130], ready=[0, 130], blocker=[-1, 0], ticks=[[70, 30, 0, 30], [0] * 4])
    found = explainer([LOAD, COMPUTE]).expand(batch((9, 0, 130, WAIT, 1, 0)), t)
    assert causes_of(found) == [
        ("stall/dram_latency", 30),
        ("stall/dram_bandwidth", 70),
        ("stall/noc_contention", 30),
    ]


def test_only_the_end_of_a_load_counts_for_one_who_began_to_wait_late():
    t = times(start=[0, 130], ready=[0, 130], blocker=[-1, 0], ticks=[[100, 0, 0, 30], [0] * 4])
    found = explainer([LOAD, COMPUTE]).expand(batch((9, 110, 130, WAIT, 1, 0)), t)
    assert causes_of(found) == [("stall/dram_bandwidth", 20)]


def test_a_load_that_waited_for_a_slot_passes_the_wait_on_to_the_store_that_freed_it():
    # 0: store in [0, 50); 1: load in [50, 80) into the slot that it freed; 2: computation.
    t = times(
        start=[0, 50, 80],
        ready=[0, 50, 80],
        blocker=[-1, 0, 1],
        ticks=[[0] * 4, [30, 0, 0, 0], [0] * 4],
    )
    found = explainer([STORE, LOAD, COMPUTE]).expand(batch((9, 10, 80, WAIT, 2, 0)), t)
    assert causes_of(found) == [("stall/output_credit", 40), ("stall/dram_bandwidth", 30)]


def test_a_transfer_held_up_by_its_lane_passes_the_wait_on_to_the_one_that_held_it():
    # 1 was ready at 0 but started at 40, when transfer 0 freed the lane.
    t = times(
        start=[0, 40, 70],
        ready=[0, 0, 70],
        blocker=[-1, -1, 1],
        held_by=[-1, 0, -1],
        ticks=[[10, 0, 30, 0], [30, 0, 0, 0], [0] * 4],
    )
    found = explainer([LOAD, LOAD, COMPUTE]).expand(batch((9, 0, 70, WAIT, 2, 0)), t)
    assert causes_of(found) == [
        ("stall/dram_bandwidth", 10),
        ("stall/dram_queue", 30),
        ("stall/dram_bandwidth", 30),
    ]


def test_work_is_filling_and_computing():
    made = explainer([COMPUTE], streaming=[13])
    found = made.expand(batch((9, 10, 30, WORK, 0, 0)), times(start=[10]))
    assert causes_of(found) == [("busy/fill", 7), ("busy/compute", 13)]
    assert found["packed"].tolist() == [1, 1]


def test_ticks_of_another_clock_are_scaled_to_cycles():
    made = explainer([LOAD, COMPUTE])
    made.rates = np.array([[8, 1]])  # a tick lasts 8 cycles
    t = times(start=[0, 90], ready=[0, 90], blocker=[-1, 0], ticks=[[10, 0, 0, 2], [0] * 4])
    found = made.expand(batch((9, 0, 90, WAIT, 1, 0)), t)
    assert causes_of(found) == [("stall/dram_latency", 90 - 8 * 10), ("stall/dram_bandwidth", 80)]
    clock = TickClock(Fraction(8))
    plain = wait_causes_plain(
        1, 0, 90, [LOAD, COMPUTE], t, {0: ((SERVED, QUEUED, OTHER, LATENCY), clock)}
    )
    assert [(CAUSES[c], n) for c, n in plain] == causes_of(found)
