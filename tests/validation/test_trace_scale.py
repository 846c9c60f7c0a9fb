"""The trace of benchmark `trace_scale` is one that every analysis takes."""

from traces.replay import replay
from traces.stalls import stall_report
from traces.task_graph import load_task_graph
from validation.bench.trace_scale import INTERVAL_CYCLES, UNITS, write_trace

INTERVALS, TASKS = 4000, 80


def test_all_intervals_are_in_the_trace(tmp_path):
    write_trace(tmp_path / "run", INTERVALS, TASKS)
    report = stall_report(tmp_path / "run")
    assert report.by_unit.sum() == INTERVALS * INTERVAL_CYCLES
    assert report.end == INTERVALS * INTERVAL_CYCLES // UNITS
    graph = load_task_graph(tmp_path / "run")
    assert replay(graph).exact == TASKS
