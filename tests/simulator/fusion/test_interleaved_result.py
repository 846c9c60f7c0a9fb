"""Result and analyses of runs in which tiles of several layers take turns. Rule: RESULT-3."""

import json

import numpy as np
import pytest

from simulator.program import COMPUTE
from simulator.report import cause_table
from tests.simulator.fusion.interleaved_run import (
    CORES,
    DIVIDED,
    VECTOR_CORE,
    record_interleaved,
)
from traces.compare import compare
from traces.critical_path import critical_path
from traces.plots.view import load_view
from traces.schema import CAUSES
from traces.stalls import stall_report
from traces.task_graph import load_task_graph


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fused") / "run"
    return record_interleaved(folder), folder


def test_a_layer_has_the_cycles_of_its_tiles_on_the_unit_that_computes_it_longest(fused):
    done, _ = fused
    tasks, run, ledger = done.fused.compiled.program.tasks, done.run, done.run.ledger
    kept = ledger.kept()
    for i, layer in enumerate(done.result.layers):
        mine = (tasks["layer"] == i) & (tasks["kind"] == COMPUTE)
        computed = {
            unit: int((run.end - run.start)[mine & (tasks["unit"] == unit)].sum())
            for unit in set(tasks["unit"][mine].tolist())
        }
        home = max(computed, key=lambda unit: (computed[unit], -unit))
        causes = dict.fromkeys(CAUSES, 0)
        for unit, start, end, cause, task in zip(
            *(kept[name].tolist() for name in ("unit", "start", "end", "cause", "task")),
            strict=True,
        ):
            if unit == home and task >= 0 and tasks["layer"][task] == i:
                causes[CAUSES[cause]] += end - start
        assert layer.causes == {cause: n for cause, n in causes.items() if n}
        assert layer.cycles == sum(layer.causes.values())
        assert layer.cycles >= computed[home] > 0


def test_utilisation_is_of_all_cores_that_compute_a_layer_and_never_above_one(fused):
    done, _ = fused
    plan, compiled = done.fused.compiled.plan, done.fused.compiled
    tasks, kept = compiled.program.tasks, done.run.ledger.kept()
    layer = done.result.layers[DIVIDED]
    of_layer = (kept["task"] >= 0) & (tasks["layer"][kept["task"]] == DIVIDED)
    spent = peaks = 0
    for core in compiled.cores[DIVIDED]:
        mine = of_layer & (kept["unit"] == plan.cores[core].pe_array)
        spent += plan.core_peak_macs(core) * int((kept["end"] - kept["start"])[mine].sum())
        peaks += plan.core_peak_macs(core)
    assert len(compiled.cores[DIVIDED]) == len(CORES[1:])
    ideal = -(-layer.macs // peaks)
    assert layer.ideal_cycles == ideal
    assert layer.utilisation == ideal / -(-spent // peaks)
    assert all(0 < layer.utilisation <= 1 for layer in done.result.layers)


def test_where_the_cycles_went_is_told_of_the_units_that_do_macs_and_adds_up(fused):
    done, folder = fused
    result, report = done.result, stall_report(folder)
    assert result.main_units == report.main_units == tuple(f"{core}.pe_array" for core in CORES)
    assert report.main.sum() == len(CORES) * result.cycles
    for i, cause in enumerate(CAUSES):
        assert report.main[i] == sum(result.units[u].get(cause, 0) for u in result.main_units)
    assert sum(report.main_chains.values()) == sum(
        n for i, n in enumerate(report.main.tolist()) if CAUSES[i].startswith("stall/")
    )
    assert cause_table(result).title == f"where the cycles went: {len(CORES)} units"
    assert f" cycles of {len(CORES)} units (" in report.headline()


def test_the_trace_says_of_each_layer_what_the_result_says(fused):
    done, folder = fused
    groups, view = stall_report(folder).as_dict("layer")["groups"], load_view(folder)
    assert json.loads((folder / "manifest.json").read_text())["granularity"] == "line:1"
    for layer, seen in zip(done.result.layers, view.layers, strict=True):
        assert groups[layer.name] == layer.causes == seen.causes
        assert (seen.cycles, seen.utilisation) == (layer.cycles, layer.utilisation)
        assert seen.energy_pj == pytest.approx(layer.energy_pj)
    assert sum(view.causes.values()) == len(CORES) * done.result.cycles


def test_energy_of_time_goes_to_the_layer_that_a_core_works_on_or_waits_for(fused):
    done, _ = fused
    result = done.result
    of_layers = sum(layer.energy_pj for layer in result.layers)
    # A core without work leaks too, but for no layer.
    assert result.energy_by_component_pj["core3.leakage"] > 0
    assert 0 < of_layers < result.energy_pj
    assert sum(result.energy_by_component_pj.values()) == pytest.approx(result.energy_pj)


def test_the_critical_path_goes_on_through_planned_starts_and_adds_up_to_the_run(fused):
    done, folder = fused
    path = critical_path(load_task_graph(folder))
    tasks, rows = path.graph.tasks, path.rows
    assert path.cycles.sum() == done.result.cycles
    assert np.unique(tasks["layer"][rows]).size == len(done.result.layers)
    gaps = tasks["start"][rows] - np.append([0], tasks["end"][rows[:-1]])
    planned = tasks["release"][rows] == tasks["start"][rows]
    assert (gaps >= 0).all()
    assert planned[gaps > 0].all()


def test_a_core_is_seen_from_its_units_that_compute(fused):
    done, folder = fused
    groups = stall_report(folder).as_dict("core")["groups"]
    assert set(groups) == {*CORES, VECTOR_CORE}
    for core, causes in groups.items():
        assert sum(causes.values()) == done.result.cycles
        units = [done.result.units[f"{core}.{unit}"] for unit in ("pe_array", "vector_unit")]
        assert causes in units


def test_comparing_a_run_with_another_tells_the_difference_of_their_lengths(fused, tmp_path):
    done, folder = fused
    ideal = record_interleaved(tmp_path / "ideal", "ideal").result
    found = compare(folder, tmp_path / "ideal")
    assert (found.before, found.after) == (done.result.cycles, ideal.cycles)
    assert found.change.sum() == pytest.approx(ideal.cycles - done.result.cycles, abs=len(CAUSES))
    assert found.headline().startswith(f"{found.before:,} -> {found.after:,} cycles")
