"""Stall analysis: everything adds up, chains end at what really held a unit up."""

import json

import numpy as np
import pytest

from simulator.run import RESULT
from tests.traces.recorded import CHIPS, record
from traces.critical_path import critical_path
from traces.errors import InputError
from traces.importers.imported import ImportedRun, ImportedTask, write_run
from traces.replay_order import Durations, task_times
from traces.schema import CAUSE, CAUSES, SCHEMA_VERSION
from traces.stalls import REMEDIES, _Chains, chain_plain, stall_report


@pytest.mark.parametrize("memory", ["ideal", "simple", "cycle"])
@pytest.mark.parametrize("name", sorted(CHIPS))
def test_shares_of_every_unit_and_of_the_layers_add_up_to_the_run(name, memory, tmp_path):
    graph = record(tmp_path / "run", memory, **CHIPS[name])
    report = stall_report(tmp_path / "run")
    assert set(report.by_unit.sum(axis=1).tolist()) == {graph.end_cycle}
    assert report.main.sum() == report.end == graph.end_cycle


@pytest.mark.parametrize("name", sorted(CHIPS))
def test_causes_of_layers_are_those_of_the_result(name, tmp_path):
    record(tmp_path / "run", **CHIPS[name])
    result = json.loads((tmp_path / "run" / RESULT).read_text())
    found = stall_report(tmp_path / "run").as_dict("layer")["groups"]
    assert found == {
        layer["name"]: dict(sorted(layer["causes"].items(), key=lambda item: -item[1]))
        for layer in result["layers"]
        if layer["causes"]
    }


@pytest.mark.parametrize("name", sorted(CHIPS))
def test_chains_of_a_cause_add_up_to_its_cycles(name, tmp_path):
    graph = record(tmp_path / "run", **CHIPS[name])
    report = stall_report(tmp_path / "run")
    for cause in (c for c in CAUSES if c.startswith("stall/")):
        cycles = sum(n for chain, n in report.main_chains.items() if chain[-1] == cause)
        assert cycles == report.main[CAUSE[cause]]
    codes = np.unique(graph.tasks["unit"][graph.tasks["unit"] >= 0]).tolist()
    executing = [report.units.index(graph.units[code]) for code in codes]
    stalls = [CAUSE[cause] for cause in CAUSES if cause.startswith("stall/")]
    assert sum(report.chains.values()) == report.by_unit[executing][:, stalls].sum()


def test_parts_of_a_run_add_up_to_the_whole(tmp_path):
    graph = record(tmp_path / "run")
    middle = graph.end_cycle // 3
    whole = stall_report(tmp_path / "run")
    parts = [
        stall_report(tmp_path / "run", span) for span in ((0, middle), (middle, graph.end_cycle))
    ]
    assert (parts[0].by_unit + parts[1].by_unit == whole.by_unit).all()
    assert (parts[0].by_layer + parts[1].by_layer == whole.by_layer).all()


def test_the_first_line_names_the_largest_cause_and_its_remedy(tmp_path):
    record(tmp_path / "run", **CHIPS["slow_dram"])
    report = stall_report(tmp_path / "run")
    cycles = report.main[CAUSE["stall/dram_bandwidth"]]
    line = report.headline()
    assert line.startswith(f"Fix first: stall/dram_bandwidth costs {cycles:,} of {report.end:,} ")
    assert line.endswith(f": {REMEDIES['stall/dram_bandwidth']}.")


def test_every_stall_has_a_remedy():
    assert set(REMEDIES) == {c for c in CAUSES if c.startswith("stall/")} | {"busy/fill"}


def test_chains_lead_back_along_the_tasks_that_were_waited_for(tmp_path):
    graph = record(tmp_path / "run", **CHIPS["slow_dram"])
    tasks = graph.tasks
    chains = _Chains(graph, graph.units)
    waits = [t for t in range(len(graph)) if tasks["unit"][t] >= 0 and tasks["start"][t] > 0][:300]
    for task in waits:
        begin = int(tasks["start"][task]) - 1
        _, end = chain_plain(task, begin, tasks["start"].tolist(), chains.held_by.tolist())
        one = np.array([task])
        batch = {
            "unit": tasks["unit"][one],
            "cause": np.array([CAUSE["stall/dependency"]]),
            "start": np.array([begin]),
        }
        chains.totals.clear()
        chains.add(batch, one, np.array([1]), np.array([0]))
        (chain,) = chains.decoded()[0]
        root = graph.servers[chains.server[end]] if end >= 0 and chains.server[end] >= 0 else None
        assert (chain[-2] == root) if root else (chain[-2] not in graph.servers)


def three_tasks(tmp_path):
    """A load, a computation that waits for it, a store; written as a run."""
    tasks = [
        ImportedTask("a", "dma", 0, 40, "LOAD", "l1"),
        ImportedTask("b", "array", 40, 100, "COMPUTE", "l1"),
        ImportedTask("c", "dma", 100, 130, "STORE", "l1"),
    ]
    edges = [("a", "b", "data"), ("b", "c", "data")]
    write_run(ImportedRun("by hand", tasks, edges), tmp_path / "hand", {})
    return tmp_path / "hand"


def test_an_imported_run_is_analysed_like_a_simulated_one(tmp_path):
    report = stall_report(three_tasks(tmp_path))
    found = report.as_dict("unit")["groups"]
    assert found == {
        "array": {"busy/compute": 60, "stall/dependency": 40, "idle/no_work": 30},
        "dma": {"busy/transfer": 40 + 30, "stall/dependency": 60},
    }
    assert report.main_chains == {("array COMPUTE", "dma LOAD", "stall/dependency"): 40}


def test_an_incomplete_run_is_analysed_up_to_its_end(tmp_path):
    folder = three_tasks(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    path = folder / "intervals.arrows"
    whole = path.read_bytes()
    assert not stall_report(folder).complete
    path.write_bytes(whole[: len(whole) // 2])
    report = stall_report(folder)
    assert report.main.sum() == 0
    assert report.headline() == "Nothing to fix: the units that layers run on never wait."


def test_another_schema_version_is_refused(tmp_path):
    folder = three_tasks(tmp_path)
    (folder / "manifest.json").write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1}))
    message = rf"^.*: schema_version must be {SCHEMA_VERSION}, not {SCHEMA_VERSION + 1}$"
    with pytest.raises(InputError, match=message):
        stall_report(folder)


def test_what_holds_tasks_up_is_a_task_that_ended_or_started_when_they_start(tmp_path):
    graph = record(tmp_path / "run", **CHIPS["two_cores"])
    tasks = graph.tasks
    durations = Durations.plain(tasks["end"] - tasks["start"])
    times = task_times(tasks["unit"], *graph.predecessors(), durations, graph.lanes)
    for task in np.flatnonzero(times.held_by >= 0).tolist():
        before = times.held_by[task]
        assert tasks["start"][task] in (tasks["end"][before], tasks["start"][before])
    assert critical_path(graph).rows.size
