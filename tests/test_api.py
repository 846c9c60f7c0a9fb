"""The stable Python interface: its names, their documentation, and what they do together."""

import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pytest

import simulator as ts
from simulator import api
from traces.errors import InputError

ROOT = Path(__file__).parent.parent
NETWORK, CHIP, LAYERS = "squeezenet1_1", "edge_os_16x16", "20:22"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ts.simulate(NETWORK, CHIP, layers=LAYERS, out=tmp_path_factory.mktemp("api") / "run")


def in_a_new_process(text):
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_are_sorted_and_each_once():
    assert sorted(set(api.__all__)) == api.__all__


@pytest.mark.parametrize("name", api.__all__)
def test_a_name_is_there_and_documented(name):
    found = getattr(ts, name)
    assert found is getattr(api, name)
    assert len(inspect.getdoc(found)) > 20
    assert name in dir(ts)


@pytest.mark.parametrize("name", api.__all__)
def test_a_name_is_never_that_of_a_module(name):
    # `import simulator.x` would put the module in the place of the name.
    assert importlib.util.find_spec(f"simulator.{name}") is None


@pytest.mark.parametrize("name", api.__all__)
def test_a_function_is_typed(name):
    found = getattr(ts, name)
    if inspect.isfunction(found):
        signature = inspect.signature(found)
        assert signature.return_annotation is not inspect.Signature.empty
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("package", ["traces", "hw_models", "simulator", "validation"])
def test_types_are_for_users_too(package):
    assert (ROOT / package / "py.typed").exists()


def test_the_interface_is_loaded_when_it_is_asked_for():
    text = "import sys, simulator, simulator.workload.graph; print('simulator.api' in sys.modules)"
    assert in_a_new_process(text) == "False\n"
    text = "import sys, simulator; simulator.load_chip; print('simulator.api' in sys.modules)"
    assert in_a_new_process(text) == "True\n"


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match=r"^module 'simulator' has no attribute 'simulat'$"):
        _ = ts.simulat


def test_lists_hold_what_can_be_loaded():
    assert NETWORK in ts.network_names()
    assert CHIP in ts.chip_names()
    assert ts.load_chip(CHIP).name == CHIP
    assert ts.load_network(NETWORK).name == NETWORK


def test_tables_add_up_to_the_run(run):
    layers, causes, units = run.layers(), run.causes(), run.units()
    assert sum(layers["cycles"].to_pylist()) == run.cycles
    assert sum(causes["cycles"].to_pylist()) == run.cycles
    ledgers = units.group_by("unit").aggregate([("cycles", "sum")])
    assert set(ledgers["cycles_sum"].to_pylist()) == {run.cycles}
    energy = sum(run.energy()["energy_pj"].to_pylist())
    assert energy == pytest.approx(run.result.energy_pj)
    assert run.trace("tasks").num_rows == run.result.tasks


def test_a_run_is_read_back_as_it_was(run):
    assert ts.load_run(run.folder) == run


def test_objects_and_names_give_the_same_run(run):
    network = ts.load_network(NETWORK).slice(20, 22)
    assert ts.simulate(network, ts.load_chip(CHIP)).result == run.result


def test_zeros_make_a_sparse_core_faster():
    dense = ts.simulate("resnet18", "griffin", layers="2:2", memory="simple")
    sparse = ts.simulate("resnet18", "griffin", layers="2:2", memory="simple", sparsity="0.8:0")
    assert sparse.cycles < dense.cycles


def test_a_mapping_file_is_taken(run):
    again = ts.simulate(NETWORK, CHIP, layers=LAYERS, mapping=run.folder / "mapping.yaml")
    assert again.result == run.result


def test_replay_is_exact_unchanged_and_close_to_a_simulation_changed(run):
    assert ts.replay(run).exact == run.result.tasks
    assert ts.resimulate(run) == run.cycles
    change = {"core.pe_array": "2x"}
    replayed, simulated = ts.replay(run, change).end_cycle, ts.resimulate(run, change)
    assert replayed < run.cycles
    assert replayed == pytest.approx(simulated, rel=0.1)


def test_a_sweep_has_its_values(run):
    found = ts.sweep(run, "dram.bandwidth=1x:4x:3")
    assert found.values == ("1x", "2x", "4x")
    assert len(found.cycles) == 3


def test_stalls_path_and_comparison_add_up(run):
    assert int(ts.stalls(run).main.sum()) == run.cycles
    assert int(ts.critical_path(run).cycles.sum()) == run.cycles
    assert ts.compare(run, str(run.folder)).headline() == f"Both runs take {run.cycles:,} cycles."


@pytest.mark.parametrize(
    "name", ["timeline", "stalls", "roofline", "bandwidth", "buffers", "energy", "units"]
)
def test_pictures_are_files_that_need_no_page(run, name, tmp_path):
    svg = ts.picture(run, name, tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8") == svg
    assert svg.startswith("<svg ")
    assert "var(" not in svg


def test_a_report_is_a_page(run, tmp_path):
    page = ts.write_report(run, tmp_path / "run.html")
    assert "</html>" in page.read_text(encoding="utf-8")


def test_a_pipeline_runs_on_several_cores():
    network = ts.load_network("resnet18").slice(0, 2)
    run = ts.simulate_fused(network, "stream_4homo", granularity="line:16", allocation="greedy")
    ledgers = run.units().group_by("unit").aggregate([("cycles", "sum")])
    assert set(ledgers["cycles_sum"].to_pylist()) == {run.cycles}
    busy = run.units().filter(pc.field("cause") == "busy/compute")["unit"].to_pylist()
    assert len({unit for unit in busy if unit.endswith("pe_array")}) > 1


def test_a_study_runs(tmp_path):
    study = tmp_path / "rows.yaml"
    study.write_text(
        f"name: rows\nchips: [{CHIP}]\nnetworks: [alexnet]\nsimulate: none\n"
        "parameters: {'cores[0].pe_array.rows': [8, 16]}\n"
    )
    assert len(ts.run_study(ts.load_study(str(study)), workers=0).rows) == 2


def test_a_run_that_is_not_recorded_can_not_be_replayed(run):
    bare = ts.Run(run.result)
    with pytest.raises(InputError, match=r"^run must be recorded: give simulate a folder as out$"):
        ts.replay(bare)


def test_batch_belongs_to_the_loading(run):
    with pytest.raises(
        InputError,
        match=r"^batch and options must be given to load_network, not beside a Workload$",
    ):
        ts.simulate(ts.load_network(NETWORK), CHIP, batch=2)


def test_a_wrong_picture_is_named(run):
    with pytest.raises(
        InputError,
        match=r"^picture must be one of timeline, stalls, roofline, bandwidth, buffers, energy, "
        r"units, cores, layers, links, not 'pie'$",
    ):
        ts.picture(run, "pie")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("memory", r"^memory must be one of ideal, simple, cycle, not 'fast'$"),
        ("objective", r"^objective must be one of latency, energy, edp, dram_bytes, not 'fast'$"),
    ],
)
def test_a_wrong_choice_is_named(key, message):
    with pytest.raises(InputError, match=message):
        ts.simulate(NETWORK, CHIP, layers=LAYERS, **{key: "fast"})


def test_a_folder_is_not_replaced_unasked(run):
    with pytest.raises(InputError, match=r"must be empty or new; --force replaces an earlier run$"):
        ts.simulate(NETWORK, CHIP, layers=LAYERS, out=run.folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "manifest.json",
            '"complete": true',
            '"complete": false',
            r"must be a complete run; stalls, replay and compare take it",
        ),
        ("result.json", '"cycles"', '"circles"', r"result\.json can't be read"),
    ],
)
def test_a_run_without_its_result_is_named(run, tmp_path, file, old, new, message):
    folder = tmp_path / "broken"
    shutil.copytree(run.folder, folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{re.escape(str(folder))}: {message}$"):
        ts.load_run(folder)
