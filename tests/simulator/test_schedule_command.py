"""The verb `schedule`, and `run` for several cores."""

import json
import re

import pytest
import yaml

from tests.command_line import tilesim
from traces.run_folder import read_manifest

CHIP = "stream_tpu_quad"
NETWORK = ["squeezenet1_1", "--chip", CHIP, "--layers", "0:4"]
RUN = ["run", *NETWORK, "--granularity", "line", "--allocation", "greedy"]


def failure(words, capsys):
    code, out, err = tilesim(words, capsys)
    assert code == 2
    assert out == ""
    (line,) = err.splitlines()
    return line.removeprefix("tilesim: ")


def test_a_written_schedule_is_simulated_again_as_predicted(tmp_path, capsys):
    file = tmp_path / "schedule.yaml"
    words = ["schedule", "resnet18", str(file), "--chip", "stream_4homo", "--allocation", "greedy"]
    code, out, _ = tilesim([*words, "--granularity", "layer"], capsys)
    assert code == 0
    predicted = int(re.search(r"predicted_cycles=(\d+)", out)[1])
    words = ["run", "resnet18", "--chip", "stream_4homo", "--schedule", str(file), "--json"]
    code, out, _ = tilesim(words, capsys)
    assert code == 0
    assert json.loads(out)["cycles"] == pytest.approx(predicted, rel=0.01)


def test_the_allocation_of_a_file_is_kept(tmp_path, capsys):
    file = tmp_path / "allocation.yaml"
    file.write_text("layers: {conv1: core2, fire2.conv1: core3}\n")
    folder = tmp_path / "run"
    words = ["run", *NETWORK, "--granularity", "line", "--allocation", str(file)]
    code, _, _ = tilesim([*words, "--out", str(folder)], capsys)
    assert code == 0
    cores = yaml.safe_load((folder / "schedule.yaml").read_text())["cores"]
    assert cores["conv1"] == ["core2"]
    assert cores["fire2.conv1"] == ["core3"]
    assert read_manifest(folder)["granularity"] == "line"


def test_a_schedule_file_is_not_replaced_unasked(tmp_path, capsys):
    file = tmp_path / "schedule.yaml"
    file.write_text("kept")
    line = failure(["schedule", "resnet18", str(file), "--chip", CHIP], capsys)
    assert line == f"{file} exists; --force replaces it"
    assert file.read_text() == "kept"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers: {conv9: core0}", "layers.conv9 is not a layer of squeezenet1_1"),
        ("layers: {conv1: {split: k}}", "layers.conv1 must name cores, not split"),
        (
            "layers: {conv1: [{core: core0, oy: [0, 4]}]}",
            "layers.conv1 must be divided along k only",
        ),
    ],
)
def test_a_wrong_allocation_file_says_where(tmp_path, capsys, text, message):
    file = tmp_path / "allocation.yaml"
    file.write_text(text)
    words = ["run", *NETWORK, "--granularity", "line", "--allocation", str(file)]
    assert failure(words, capsys) == f"{file}: {message}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--granularity", "rows"], "granularity must be layer, image, line, line:N or tile:HxW"),
        (["--granularity", "line", "--overlap", "none"], "--overlap must be one of full, horiz"),
        (
            ["--granularity", "line", "--policy", "fifo"],
            "--policy must be one of best, latency, mem",
        ),
        (["--granularity", "line", "--allocation", "best"], "--allocation must be cp, ga, greedy"),
        (["--allocation", "cp", "--mapping", "m.yaml"], "--mapping must not be given with --gran"),
        (["--schedule", "s.yaml", "--granularity", "line"], "--schedule must not be given with"),
    ],
)
def test_wrong_options_are_one_line(capsys, words, message):
    assert failure(["run", *NETWORK, *words], capsys).startswith(message)


def test_an_unknown_core_is_named(tmp_path, capsys):
    file = tmp_path / "allocation.yaml"
    file.write_text("layers: {conv1: core9}")
    words = ["run", *NETWORK, "--granularity", "line", "--allocation", str(file)]
    assert re.fullmatch(
        r"allocation: conv1 must be on one of .*, not core9", failure(words, capsys)
    )


def test_a_run_of_several_cores_can_be_asked_again(tmp_path, capsys):
    folder = tmp_path / "run"
    code, _, _ = tilesim([*RUN, "--out", str(folder)], capsys)
    assert code == 0
    code, out, _ = tilesim(["replay", str(folder)], capsys)
    found = re.search(r"tasks=(\d+) exact=(\d+)", out)
    assert code == 0
    assert found[1] == found[2]
    line = failure(["replay", str(folder), "--set", "noc=2x", "--check"], capsys)
    assert line


def test_a_page_of_the_run_before_goes_with_it(tmp_path, capsys):
    folder = tmp_path / "run"
    for words in ([*RUN, "--out", str(folder)], ["report", str(folder)]):
        assert tilesim(words, capsys)[0] == 0
    assert (folder / "report.html").exists()
    assert tilesim([*RUN, "--out", str(folder), "--force"], capsys)[0] == 0
    assert not (folder / "report.html").exists()
