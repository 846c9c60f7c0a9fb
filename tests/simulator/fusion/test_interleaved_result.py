"""Result and analyses of runs in which tiles of several layers take turns. Rule: RESULT-3."""

import json

import numpy as np
import pytest

from hw_models.chip_files import load_chip
from simulator.fusion.compile import FusionChoices
from simulator.fusion.granularity import Granularity
from simulator.fusion.run import simulate_fused
from simulator.program import COMPUTE
from simulator.report import cause_table
from tests.simulator.fusion.networks import Net
from traces.critical_path import critical_path
from traces.plots.view import load_view
from traces.schema import CAUSES
from traces.stalls import stall_report
from traces.task_graph import load_task_graph

CORES = ("core0", "core1", "core2")
DIVIDED = 1
"""The layer that two cores share."""


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    """Two convolutions, the second on two cores, and a shortcut."""
    net = Net()
    first = net.window(net.input(8, 16, 16), 16, (3, 3), pad=(1, 1))
    net.add(first, net.window(first, 16, (3, 3), pad=(1, 1)))
    workload = net.build()
    cores = {"core0": 0, "simd": 2}
    places = {workload.layers[i].name: (core,) for core, i in cores.items()}
    places[workload.layers[DIVIDED].name] = CORES[1:]
    choices = FusionChoices(Granularity.parse("line"), places)
    folder = tmp_path_factory.mktemp("fused") / "run"
    return simulate_fused(workload, load_chip("stream_4homo"), choices, out=folder), folder


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


def test_the_critical_path_adds_up_to_the_run(fused):
    done, folder = fused
    path = critical_path(load_task_graph(folder))
    assert path.cycles.sum() == done.result.cycles
    assert np.unique(path.graph.tasks["layer"][path.rows]).size == len(done.result.layers)
