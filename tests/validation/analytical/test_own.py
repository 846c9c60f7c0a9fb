"""Predictions that users bring, and the command."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from hw_models.yaml_file import InputError
from tests.validation.analytical.cases import CHIP, network
from validation.analytical import command as command_module
from validation.analytical.command import chosen_models, command
from validation.analytical.compare import compare, compare_given, simulated
from validation.analytical.explain import ALL
from validation.analytical.own import load_hook, read_predictions
from validation.analytical.prediction import IDEAL, Prediction

NET = network(32, 32)
REPORT = "LayerID, Total Cycles (incl. prefetch), Total Cycles,\n0, 9, 7,\n1, 9, 8,\n"
STATS = "Summary Stats\n-------------\nUtilization: 0.50\nCycles: 123\nEnergy: 1.50 uJ\n"


@pytest.fixture(scope="module")
def case():
    return simulated(NET, CHIP, "ideal")


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    return path


def test_a_table_of_cycles_and_energy(tmp_path):
    path = written(tmp_path, "mine.csv", "layer,cycles,energy_pj\nmm0,10,5\nmm1,20,\n")
    given = read_predictions(path, NET)
    assert given == {"mm0": Prediction(10, 5), "mm1": Prediction(20)}


def test_scalesims_report_numbers_the_products(tmp_path):
    given = read_predictions(written(tmp_path, "COMPUTE_REPORT.csv", REPORT), NET)
    assert {name: p.cycles for name, p in given.items()} == {"mm0": 7, "mm1": 8}


def test_timeloops_statistics_are_named_after_the_layer(tmp_path):
    written(tmp_path, "mm0.stats.txt", STATS)
    written(tmp_path, "mm1.stats.txt", STATS.replace("123", "7"))
    given = read_predictions(tmp_path, NET)
    assert given == {"mm0": Prediction(123, 1.5e6), "mm1": Prediction(7, 1.5e6)}


def test_zigzags_exports_simple_and_complete(tmp_path):
    latency = {"data_onloading": 1, "computation": 10, "data_offloading": 2}
    whole = {"outputs": {"latency": latency, "energy": {"energy_total": 4}}}
    written(tmp_path, "mm0_complete.json", json.dumps(whole))
    written(tmp_path, "mm1_simple.json", json.dumps({"latency": 9, "energy": 3}))
    given = read_predictions(tmp_path, NET)
    assert given == {"mm0": Prediction(13, 4), "mm1": Prediction(9, 3)}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "layer,cycles\nmm0,-1\n", "layer mm0: cycles must be at least 0, not -1.0"),
        ("a.csv", "layer,cycles\nmm0,x\n", "line 2: cycles must be a number, not 'x'"),
        ("a.csv", "layer,cycles\nm,1\nm,1\n", "line 3: layer must be named once, not m twice"),
        ("a.xls", "", "must be a folder or end in .csv, .json, .txt"),
        ("a.txt", "", "must have a line 'Cycles: N', as Timeloop's statistics do"),
        ("a.txt", STATS.replace("1.50", "1.5.0"), "Energy must be a number, not '1.5.0'"),
        ("a.json", "[]", "must hold predictions of at least one layer"),
        ("a.json", "7", "must be an object of layers, not a int"),
        ("a.json", '{"mm0": {"latency": NaN}}', "layer mm0: cycles must be finite, not nan"),
        ("a.csv", "layer,cycles\nmm0,nan\n", "line 2: cycles must be a finite number, not 'nan'"),
        (
            "a.csv",
            "layer,cycles,energy_pj\nmm0,1,-2\n",
            "layer mm0: energy_pj must be at least 0, not -2.0",
        ),
        (
            "a.csv",
            REPORT + "1, 9, 8,\n",
            "line 4: layer must be named once, not 1 twice",
        ),
    ],
)
def test_files_that_are_no_predictions(tmp_path, name, content, problem):
    path = written(tmp_path, name, content)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {problem}')}$"):
        read_predictions(path, NET)


def test_missing_layers_and_other_networks_are_refused(case):
    with pytest.raises(InputError, match=r"^f: must have the layers of products; it lacks mm1$"):
        compare_given(case, "f", {"mm0": Prediction(1)})
    with pytest.raises(InputError, match=r"^f: must have the layers of products; it has conv1$"):
        compare_given(case, "f", {"conv1": Prediction(1)})


def test_a_hook_that_raises_is_named_and_the_rest_goes_on(case):
    def mine(layer, _mapping, _chip):
        if layer.name == "mm0":
            raise KeyError("no such array")
        return Prediction(case.result.layers[1].cycles)

    compared = compare(case, "mine", mine)
    assert compared.failures == ("mine: layer mm0: KeyError: 'no such array'",)
    assert [e.error_cycles for e in compared.errors] == [0]


def test_a_hook_that_predicts_negative_cycles_fails_for_that_layer(case):
    compared = compare(case, "mine", lambda *_: Prediction(-1))
    assert compared.failures[0] == (
        "mine: layer mm0: ValueError: cycles must be at least 0, not -1"
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("fast", "ValueError: predict must return a Prediction, not str"),
        (Prediction(float("nan")), "ValueError: cycles must be finite, not nan"),
        (Prediction(1, energy_pj=-1), "ValueError: energy_pj must be at least 0, not -1"),
        (Prediction("1"), "TypeError: must be real number, not str"),
        (
            Prediction(9, causes={IDEAL: 5}),
            "ValueError: causes must add up to cycles (9), not 5",
        ),
        (
            Prediction(9, causes={"magic": 9}),
            f"ValueError: causes must be of {', '.join(ALL)}, not 'magic'",
        ),
    ],
)
def test_what_a_hook_must_not_answer(case, answer, problem):
    compared = compare(case, "mine", lambda *_: answer)
    assert compared.failures[1] == f"mine: layer mm1: {problem}"
    assert not compared.errors


def test_a_hook_that_ends_the_program_or_writes_lines_fails_for_that_layer(case):
    def mine(layer, _mapping, _chip):
        if layer.name == "mm0":
            raise SystemExit(3)
        raise ValueError("one\n  two")

    assert compare(case, "mine", mine).failures == (
        "mine: layer mm0: SystemExit: 3",
        "mine: layer mm1: ValueError: one two",
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def predict(:", "SyntaxError: invalid syntax"),
        ("predict = 3", "must be a function, not int"),
        ("", "AttributeError: module 'NAME' has no attribute 'predict'"),
    ],
)
def test_a_module_that_can_not_be_loaded_is_refused_in_a_line(
    tmp_path, monkeypatch, request, content, problem
):
    name = f"hook_{abs(hash(request.node.name))}"
    written(tmp_path, f"{name}.py", content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError) as refused:
        load_hook(f"{name}:predict")
    loaded = "" if problem.startswith("must") else "can't be loaded: "
    expected = f"--models {name}:predict: {loaded}{problem.replace('NAME', name)}"
    assert str(refused.value).startswith(expected)
    assert len(str(refused.value).splitlines()) == 1


def test_a_module_without_a_name_is_refused():
    with pytest.raises(InputError, match=r"^--models :f: can't be loaded: ValueError: "):
        load_hook(":f")


def test_a_layer_in_two_files_of_a_folder_is_refused(tmp_path):
    written(tmp_path, "mm0.stats.txt", STATS)
    path = written(tmp_path, "mm0_simple.json", json.dumps({"latency": 9}))
    other = path.with_name("mm0.stats.txt")
    with pytest.raises(InputError) as refused:
        read_predictions(tmp_path, NET)
    last = max(path, other)
    assert str(refused.value) == f"{last}: layer mm0: must be in one file, not in several"


def test_predictions_of_another_network_are_refused_before_anything_is_simulated(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("simulator.workload.source.load_network", lambda _name: NET)
    monkeypatch.setattr("validation.analytical.compare.simulate", None)
    path = written(tmp_path, "mine.csv", "layer,cycles\nconv1,1\n")
    with pytest.raises(InputError, match=r"must have the layers of products; it has conv1$"):
        command_module.run("n", "eyeriss", "roofline", path, "ideal", "", False, None)


def test_a_hook_is_loaded_by_module_and_function():
    from validation.analytical import roofline

    assert load_hook("validation.analytical.roofline:predict") is roofline.predict
    with pytest.raises(InputError, match=r"^--models no_such_module:f: can't be loaded: "):
        load_hook("no_such_module:f")


def test_unknown_models_are_refused():
    known = "roofline, scalesim, zigzag, eyeriss, stream, sparse"
    problem = f"^--models must be of {known} or module:function, not 'magic'$"
    with pytest.raises(InputError, match=problem):
        chosen_models("roofline,magic")


def test_the_command_closes_with_nothing_unexplained(tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.workload.source.load_network", lambda _name: NET)
    app = typer.Typer()
    app.command()(command_module.command)
    words = ["--network", "n", "--chip", "edge_os_16x16", "--memory", "ideal", "--sweep"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")])

    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1].endswith("failed_layers=0 unexplained_cycles=0")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["histogram.png", "layers.csv", "scatter.png"]
    assert command is command_module.command


def test_the_command_refuses_in_one_line(tmp_path):
    app = typer.Typer()
    app.command()(command_module.command)
    done = CliRunner().invoke(app, ["--network", "resnet18", "--chip", "eyeriss", "--models", "x"])
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1
