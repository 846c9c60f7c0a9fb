"""The critical path adds up to the run, and slack is what a task may be late by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.recorded import CHIPS, record
from tests.traces.test_replay import as_arrays, graphs
from tests.traces.test_stalls import three_tasks
from traces.critical_path import _slack, critical_path, longest_chain_plain
from traces.replay_order import Durations, task_times
from traces.schema import CAUSE
from traces.task_graph import load_task_graph


@pytest.mark.parametrize("memory", ["ideal", "simple", "cycle"])
@pytest.mark.parametrize("name", sorted(CHIPS))
def test_causes_add_up_to_the_run(name, memory, tmp_path):
    graph = record(tmp_path / "run", memory, **CHIPS[name])
    path = critical_path(graph)
    assert path.cycles.sum() == graph.end_cycle
    assert (path.cycles >= 0).all()
    for what in ("layer", "unit"):
        assert sum(group["cycles"] for group in path.by(what)) == graph.end_cycle


@pytest.mark.parametrize("name", sorted(CHIPS))
def test_tasks_on_the_path_follow_one_another_and_have_no_slack(name, tmp_path):
    graph = record(tmp_path / "run", **CHIPS[name])
    path = critical_path(graph)
    start, end = graph.tasks["start"][path.rows], graph.tasks["end"][path.rows]
    assert start[0] == 0
    assert end[-1] == graph.end_cycle
    assert (start[1:] == end[:-1]).all()
    assert (path.slack[path.rows] == 0).all()
    assert (path.slack >= 0).all()


def test_a_chain_by_hand(tmp_path):
    path = critical_path(load_task_graph(three_tasks(tmp_path)))
    assert path.rows.tolist() == [0, 1, 2]
    total = path.cycles.sum(axis=0)
    assert total[CAUSE["busy/transfer"]] == 40 + 30
    assert total[CAUSE["busy/compute"]] == 60
    assert total.sum() == 130


@given(graphs(), st.data())
def test_a_task_may_be_late_by_its_slack_and_no_more(case, data):
    unit, pointers, sources, durations, lanes = as_arrays(*case[:4], [0] * len(case[0]))
    # With one lane a later end can't change who takes which lane.
    lanes = np.ones_like(lanes)
    times = task_times(unit, pointers, sources, durations, lanes)
    end = int(times.end.max())
    slack = _slack(unit, pointers, sources, durations.cycles, lanes, times.start, end)
    task = data.draw(st.integers(0, len(unit) - 1))
    for late, longer in ((slack[task], False), (slack[task] + 1, True)):
        cycles = durations.cycles.copy()
        cycles[task] += late
        again = task_times(unit, pointers, sources, Durations.plain(cycles), lanes)
        assert (again.end.max() > end) == longer


@given(graphs())
def test_slack_without_units_is_that_of_the_longest_chain(case):
    _, predecessors, durations, *_ = case
    n = len(durations)
    unit, pointers, sources, _, lanes = as_arrays(
        list(range(n)), predecessors, durations, [1] * n, [0] * n
    )
    cycles = np.array(durations, dtype=np.int64)
    times = task_times(unit, pointers, sources, Durations.plain(cycles), lanes)
    longest, slack = longest_chain_plain(predecessors, durations)
    assert times.end.max() == longest
    found = _slack(unit, pointers, sources, cycles, lanes, times.start, longest)
    assert found.tolist() == slack
