"""The verbs stalls, critical-path, replay, compare and import, as a user meets them."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from simulator.commands import replay as replay_command
from simulator.run import simulate
from simulator.sparsity.densities import with_sparsity
from simulator.workload.source import load_network
from tests.simulator.networks import chip
from tests.traces.test_importers import EDGES, TASKS
from traces.commands import compare, critical_path, import_, stalls
from traces.errors import InputError

VERBS = {
    "stalls": stalls.command,
    "critical-path": critical_path.command,
    "replay": replay_command.command,
    "compare": compare.command,
    "import": import_.command,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two layers of a network of the zoo, as `tilesim run` records them."""
    made = tmp_path_factory.mktemp("runs") / "run"
    workload = load_network("squeezenet1_1").slice(8, 9)
    inputs = {"source": "squeezenet1_1", "layers": "8:9", "allocation": "split"}
    simulate(workload, chip(on_chip=32768, weights=8192), out=made, inputs=inputs)
    return made


def tilesim(*words):
    """Output of a verb. Raises what it raises."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    for name, command in VERBS.items():
        app.command(name)(command)
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "120"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def end_cycles(folder):
    return json.loads((folder / "manifest.json").read_text())["cycles"]


@pytest.mark.parametrize("by", stalls.BY)
def test_stalls_begin_with_what_to_fix(by, folder):
    out = tilesim("stalls", folder, "--by", by)
    assert out.startswith("Fix first: ")
    assert "waits <- for <- because of" in out


def test_stalls_between_two_cycles_count_only_those(folder):
    begin, end = 100, 1100
    found = json.loads(tilesim("stalls", folder, "--between", f"{begin}:{end}", "--json"))
    assert (found["begin"], found["end"]) == (begin, end)
    for causes in found["groups"].values():
        assert sum(causes.values()) == end - begin


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--by", "task"], "--by must be one of layer, unit, cause, core, not 'task'"),
        (["--between", "12"], "--between must be A:B in cycles, not '12'"),
        (["--between", "9:3"], "--between must run forwards, not from 9 to 3"),
    ],
)
def test_wrong_options_of_stalls_are_refused(options, message, folder):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        tilesim("stalls", folder, *options)


def test_the_critical_path_adds_up_in_json_too(folder):
    found = json.loads(tilesim("critical-path", folder, "--json"))
    assert sum(found["causes"].values()) == found["cycles"] == end_cycles(folder)
    assert found["path"][-1]["end"] == end_cycles(folder)
    assert len(found["slack"]["task"]) == len(found["slack"]["cycles"])
    out = tilesim("critical-path", folder)
    assert re.search(rf"│ all +│ +{end_cycles(folder):,} │ 100\.0 % │", out)


def test_replay_without_changes_closes_with_all_tasks_exact(folder):
    tasks = json.loads((folder / "manifest.json").read_text())["tasks"]
    out = tilesim("replay", folder)
    assert out == f"tasks={tasks} exact={tasks} end_cycles={end_cycles(folder)}\n"


@pytest.mark.parametrize("contention", ["kept", "rearbitrated"])
def test_replay_says_how_exact_it_is_and_checks_itself(contention, folder):
    options = ["--set", "core.pe_array=2x", "--set", "dram.latency=90", "--contention", contention]
    out = tilesim("replay", folder, *options, "--check")
    assert f"changes, contention {contention}" in out
    figures = dict(part.split("=") for part in out.splitlines()[-1].split())
    simulated = int(figures["simulated_end_cycles"])
    assert int(figures["recorded_end_cycles"]) == end_cycles(folder)
    assert int(figures["end_cycles"]) == pytest.approx(simulated, rel=0.1)
    found = json.loads(tilesim("replay", folder, *options, "--json"))
    assert found["end_cycles"] == int(figures["end_cycles"])
    assert [change["key"] for change in found["changes"]] == ["core.pe_array", "dram.latency"]


def test_unchanged_a_check_simulates_the_recorded_run(folder):
    found = json.loads(tilesim("replay", folder, "--check", "--json"))
    assert found["simulated_end_cycles"] == found["end_cycles"] == end_cycles(folder)


def test_a_run_with_sparsity_is_simulated_with_it(tmp_path):
    workload = with_sparsity(load_network("squeezenet1_1"), "0.5:0.3").slice(8, 9)
    inputs = {"source": "squeezenet1_1", "layers": "8:9", "sparsity": "0.5:0.3"}
    simulate(workload, chip(on_chip=32768, weights=8192), out=tmp_path / "run", inputs=inputs)
    found = json.loads(tilesim("replay", tmp_path / "run", "--check", "--json"))
    assert found["simulated_end_cycles"] == end_cycles(tmp_path / "run")


def test_more_slots_are_lowered_and_simulated_anew(folder):
    found = json.loads(tilesim("replay", folder, "--set", "*.slots=2x", "--check", "--json"))
    assert found["simulated_end_cycles"] <= 1.1 * found["recorded_end_cycles"]


def test_a_sweep_marks_its_knee(folder):
    out = tilesim("replay", folder, "--sweep", "dram.bandwidth=0.25x:16x:7")
    assert len(re.findall(r"│ +[\d.]+x │", out)) == 7
    assert out.splitlines()[-1].startswith("points=7 knee=")
    found = json.loads(tilesim("replay", folder, "--sweep", "noc.latency=0:40:3", "--json"))
    assert [point["value"] for point in found["points"]] == ["0", "20", "40"]


def test_a_run_without_its_source_cannot_be_checked(folder, tmp_path):
    source = tmp_path / "tables"
    source.mkdir()
    (source / "tasks.csv").write_text(TASKS)
    (source / "edges.csv").write_text(EDGES)
    run = tmp_path / "imported"
    assert tilesim("import", source, "--out", run) == f"3 tasks and 2 edges are in {run}\n"
    message = f"{run}: --check needs source, chip_spec, objective in the manifest"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        tilesim("replay", run, "--check")


def test_compare_prints_the_difference(folder, tmp_path):
    workload = load_network("squeezenet1_1").slice(8, 9)
    small = chip(on_chip=32768, weights=8192, bandwidth_gb_per_s=1.6)
    more = simulate(workload, small, out=tmp_path / "b").run.cycles - end_cycles(folder)
    out = tilesim("compare", folder, tmp_path / "b")
    assert f"{more:+,}" in out.splitlines()[0]
    found = json.loads(tilesim("compare", folder, tmp_path / "b", "--json"))
    assert sum(found["causes"].values()) == more


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    for verb in ("stalls", "critical-path", "replay"):
        message = rf"^{re.escape(str(tmp_path))}: not a run folder: manifest\.json can't be read$"
        with pytest.raises(InputError, match=message):
            tilesim(verb, tmp_path)


def test_an_incomplete_run_says_how_far_it_goes(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    for name in ("tasks.arrows", "intervals.arrows"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) - 100])
    for verb in ("stalls", "critical-path", "replay"):
        assert "The trace is incomplete: analysed up to cycle " in tilesim(verb, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "vcd"], "--format must be one of tables, scalesim, chrome, not 'vcd'"),
        (["--lanes", "dma"], "--lanes must be UNIT=N, not 'dma'"),
    ],
)
def test_wrong_options_of_import_are_refused(options, message, tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        tilesim("import", tmp_path / "in", "--out", tmp_path / "out", *options)


def test_import_leaves_a_full_folder_alone(folder):
    with pytest.raises(
        InputError, match=rf"^--out {re.escape(str(folder))}: must be empty or new$"
    ):
        tilesim("import", folder, "--out", folder)
