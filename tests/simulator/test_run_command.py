"""The verb `run`: its output, its folder, and how it ends on bad input."""

import json
import re
from pathlib import Path

import pytest
import yaml

from hw_models.chip_files import chip_text
from hw_models.yaml_file import parse_yaml
from simulator.commands import run as run_module
from tests.command_line import tilesim
from traces.run_folder import read_manifest, read_table
from traces.schema import TABLES

CHIP = "edge_os_16x16"
FAST = ["run", "squeezenet1_1", "--chip", CHIP, "--layers", "0:3"]


def test_it_prints_layers_causes_and_totals(capsys):
    code, out, _ = tilesim(FAST, capsys)
    assert code == 0
    assert "where the cycles went" in out
    assert re.search(r"all +│ +[\d,]+ │ +100\.0 %", out)
    assert re.search(r"[\d,]+ cycles = [\d.,]+ ms, [\d.]+ GMAC, utilisation [\d.]+ %", out)


def test_json_is_the_result_and_nothing_else(capsys):
    code, out, _ = tilesim([*FAST, "--json"], capsys)
    result = json.loads(out)
    assert code == 0
    assert len(result["layers"]) == 4
    assert sum(layer["cycles"] for layer in result["layers"]) == result["cycles"]
    for layer in result["layers"]:
        assert sum(layer["causes"].values()) == layer["cycles"]
    for causes in result["units"].values():
        assert sum(causes.values()) == result["cycles"]


def test_the_folder_holds_a_complete_trace_that_agrees_with_the_result(tmp_path, capsys):
    folder = tmp_path / "run"
    code, _, _ = tilesim([*FAST, "--out", str(folder)], capsys)
    assert code == 0
    result = json.loads((folder / "result.json").read_text())
    manifest = read_manifest(folder)
    assert manifest["complete"] is True
    assert manifest["cycles"] == result["cycles"]
    tables = {name: read_table(folder, name) for name in TABLES}
    assert tables["tasks"].num_rows == result["tasks"] == manifest["tasks"]
    intervals = tables["intervals"].to_pydict()
    lengths = {}
    for unit, start, end in zip(
        intervals["unit"], intervals["start"], intervals["end"], strict=True
    ):
        lengths[unit] = lengths.get(unit, 0) + end - start
    assert set(lengths.values()) == {result["cycles"]}
    assert set(lengths) == set(result["units"])
    energy = sum(tables["counters"].column("energy_pj").to_pylist())
    assert energy == pytest.approx(result["energy_pj"], rel=1e-12)
    ends = tables["tasks"].column("end").to_pylist()
    assert ends == sorted(ends)


def test_the_same_run_twice_gives_the_same_bytes(tmp_path, capsys):
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        assert tilesim([*FAST, "--out", str(folder)], capsys)[0] == 0
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == sorted(path.name for path in folders[1].iterdir())
    assert len(names) == len(TABLES) + 3
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_mapping_that_was_written_can_be_given_back(tmp_path, capsys):
    first, again = tmp_path / "first", tmp_path / "again"
    assert tilesim([*FAST, "--out", str(first)], capsys)[0] == 0
    mapping = ["--mapping", str(first / "mapping.yaml")]
    assert tilesim([*FAST, *mapping, "--out", str(again)], capsys)[0] == 0
    cycles = [json.loads((f / "result.json").read_text())["cycles"] for f in (first, again)]
    assert cycles[0] == cycles[1]
    assert (first / "mapping.yaml").read_text() == (again / "mapping.yaml").read_text()


def test_options_of_the_network_are_passed_on(capsys):
    words = ["run", "gpt2", "--chip", CHIP, "--layers", "0:4", "--json"]
    short = json.loads(tilesim([*words, "--option", "sequence=16"], capsys)[1])
    long = json.loads(tilesim([*words, "--option", "sequence=64"], capsys)[1])
    assert long["macs"] > 3 * short["macs"] > 0


def test_layers_can_be_named(capsys):
    words = ["run", "squeezenet1_1", "--chip", CHIP, "--json", "--layers"]
    names = [layer["name"] for layer in json.loads(tilesim([*words, "0:3"], capsys)[1])["layers"]]
    by_name = json.loads(tilesim([*words, f"{names[1]}:{names[2]}"], capsys)[1])
    assert [layer["name"] for layer in by_name["layers"]] == names[1:3]


def test_an_earlier_run_is_replaced_only_with_force(tmp_path, capsys):
    folder = tmp_path / "run"
    assert tilesim([*FAST, "--out", str(folder)], capsys)[0] == 0
    before = (folder / "result.json").read_bytes()
    code, _, err = tilesim([*FAST, "--out", str(folder)], capsys)
    assert code == 2
    message = f"--out {folder}: must be empty or new; --force replaces an earlier run"
    assert err == f"tilesim: {message}\n"
    assert (folder / "result.json").read_bytes() == before
    assert tilesim([*FAST, "--out", str(folder), "--force"], capsys)[0] == 0
    assert read_manifest(folder)["complete"] is True


def test_force_never_touches_a_folder_that_is_no_run(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    code, _, err = tilesim([*FAST, "--out", str(tmp_path), "--force"], capsys)
    assert code == 2
    assert "holds no earlier run, so --force leaves it alone" in err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_interrupted_run_leaves_a_trace_that_says_so(tmp_path, capsys, monkeypatch):
    from simulator.engine.engine import Engine

    def interrupted(self, progress):
        for _ in range(400):
            self.env.step()
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "_loop", interrupted)
    folder = tmp_path / "run"
    code, _, err = tilesim([*FAST, "--out", str(folder)], capsys)
    assert code == 130
    assert err == "tilesim: interrupted\n"
    manifest = read_manifest(folder)
    assert manifest["complete"] is False
    assert manifest["ended_by"] == "KeyboardInterrupt"
    assert not (folder / "result.json").exists()
    assert read_table(folder, "tasks").num_rows > 0
    assert read_table(folder, "intervals").num_rows > 0


CHIP_FILE = yaml.safe_dump(parse_yaml(chip_text(CHIP)[1], CHIP))

BAD = [
    (
        ["run", "resnet5", "--chip", CHIP],
        r"network must be one of the zoo.*did you mean resnet50\?",
    ),
    (["run", "resnet50", "--chip", "edge_os_16x1"], r"did you mean edge_os_16x16\?"),
    (["run", "resnet50", "--chip", "no/such.yaml"], r"no/such\.yaml: no such file"),
    (["run", "no_such.onnx", "--chip", CHIP], r"no_such\.onnx"),
    (["run", "no_such.csv", "--chip", CHIP], r"no_such\.csv"),
    ([*FAST[:-1], "3"], r"--layers must be A:B, not '3'"),
    ([*FAST[:-1], "3:1"], r"--layers must run forwards, not from 3 to 1"),
    ([*FAST[:-1], "0:999"], r"--layers must name a layer or a number below \d+, not '999'"),
    ([*FAST[:-1], "convx:"], r"--layers must name a layer or a number below \d+, not 'convx'"),
    ([*FAST, "--objective", "speed"], r"--objective must be one of latency, energy.*not 'speed'"),
    ([*FAST, "--option", "sequence"], r"--option must be KEY=VALUE, not 'sequence'"),
    ([*FAST, "--option", "colour=red"], r"squeezenet1_1: option must be one that it takes"),
    (
        ["run", "gpt2", "--chip", CHIP, "--option", "sequence=0"],
        r"gpt2: sequence must be a positive",
    ),
    (["run", "gpt2", "--chip", CHIP, "--option", "sequence=9999"], r"positive int of at most 1024"),
    ([*FAST, "--mapping", "no_such_mapping.yaml"], r"no_such_mapping\.yaml: no such file"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(w[1:])[:60] for w, _ in BAD])
def test_bad_input_ends_with_one_line_and_status_2(words, message, capsys):
    code, out, err = tilesim(words, capsys)
    assert code == 2
    assert out == ""
    assert re.match(rf"^tilesim: .*{message}", err)
    assert len(err.splitlines()) == 1


MAPPINGS = [
    ("layers: {convx: {}}", r"layers\.convx is not a layer of squeezenet1_1"),
    (
        "layers: {conv1: {tile: {z: 3}}}",
        r"layers\.conv1\.tile\.z must be one of b, g, k, c, oy, ox",
    ),
    ("layers: {conv1: {tile: {k: 9999}}}", r"layers\.conv1\.tile\.k must be at most 64, not 9999"),
    ("layers: {conv1: {tile: {k: 0}}}", r"layers\.conv1\.tile\.k must be at least 1, not 0"),
    ("layers: {conv1: {order: [k, k]}}", r"layers\.conv1\.order must name loops of .* once each"),
    (
        "layers: {conv1: {tile: {k: 8, oy: 3}, order: [k]}}",
        r"layers\.conv1\.order must name every loop that is cut; oy is missing",
    ),
    ("layers: {conv1: {slots: {weights: 2}}}", r"layers\.conv1\.slots\.weights must be one of"),
    ("layers: {conv1: {tiles: {}}}", r"layers\.conv1\.tiles is not a known key"),
    ("layer: {}", r"layer is not a known key"),
    ("layers: {conv1: {}, conv1: {}}", r"key 'conv1' is given twice"),
    ("layers: {conv1: {tile: {k: 64}}}", r"layer conv1: no legal tiling fits core\.\w+: .* bytes,"),
]


@pytest.mark.parametrize(("text", "message"), MAPPINGS, ids=[t for t, _ in MAPPINGS])
def test_a_bad_mapping_file_names_layer_and_rule(text, message, tmp_path, capsys):
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    code, _, err = tilesim([*FAST, "--mapping", str(path)], capsys)
    assert code == 2
    assert re.search(message, err)
    assert len(err.splitlines()) == 1


def test_a_layer_that_fits_nowhere_says_which_buffer_and_by_how_much(tmp_path, capsys):
    data = yaml.safe_load(CHIP_FILE)
    for buffer in data["cores"][0]["buffers"]:
        buffer["size_bytes"] = 64
        buffer["banks"] = 1
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(data))
    code, _, err = tilesim(["run", "vgg16", "--chip", str(path)], capsys)
    assert code == 2
    assert re.match(
        r"^tilesim: layer \S+: no legal tiling fits core\.\w+: the smallest needs \d+ bytes, "
        r"\d+ more than the \d+ free$",
        err.strip(),
    )


def test_an_out_that_is_a_file_is_refused(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("")
    code, _, err = tilesim([*FAST, "--out", str(path)], capsys)
    assert code == 2
    assert re.match(rf"^tilesim: --out {path}: can't be made a folder: ", err)


def test_an_unwritable_out_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run_module.os, "access", lambda *_: False)
    code, _, err = tilesim([*FAST, "--out", str(tmp_path / "run")], capsys)
    assert code == 2
    assert err == f"tilesim: --out {tmp_path / 'run'}: must be writable\n"


@pytest.mark.parametrize("words", [["networks"], ["networks", "show", "alexnet"]])
def test_networks_are_listed_as_text_and_as_json(words, capsys):
    code, out, _ = tilesim(words, capsys)
    assert code == 0
    assert "alexnet" in out
    code, out, _ = tilesim([*words, "--json"], capsys)
    assert code == 0
    assert json.loads(out)


SCALESIM = Path(__file__).parents[2] / "validation" / "references" / "scalesim_inputs"


@pytest.mark.parametrize("config", ["scale.cfg", "google.cfg", "eyeriss_no_layout_section.cfg"])
@pytest.mark.parametrize("topology", ["alexnet_conv.csv", "vit_s_gemm.csv"])
def test_scalesim_files_run_as_they_are(config, topology, capsys):
    words = ["run", str(SCALESIM / topology), "--chip", str(SCALESIM / config), "--json"]
    code, out, _ = tilesim(words, capsys)
    assert code == 0
    result = json.loads(out)
    assert sum(layer["cycles"] for layer in result["layers"]) == result["cycles"]


def test_without_memory_limits_a_layer_takes_the_cycles_that_scalesim_computes(capsys):
    """CALC mode, one fold grid: only the first loads and the last store come on top."""
    words = ["run", str(SCALESIM / "vit_s_gemm.csv"), "--chip", str(SCALESIM / "scale.cfg")]
    layer = json.loads(tilesim([*words, "--layers", "0:0", "--json"], capsys)[1])["layers"][0]
    m, n, k, p, q = 196, 192, 384, 32, 32
    folds = -(-k // p) * -(-n // q)
    computing = folds * (m + 2 * p + q - 2)
    busy = layer["causes"]["busy/compute"] + layer["causes"]["busy/fill"]
    assert busy >= computing
    assert busy <= 1.02 * computing
    assert layer["cycles"] <= 1.1 * computing


def test_a_broken_configuration_is_one_line(tmp_path, capsys):
    path = tmp_path / "broken.cfg"
    path.write_text("[general]\nrun_name = x\n")
    code, _, err = tilesim(["run", "alexnet", "--chip", str(path)], capsys)
    assert code == 2
    assert re.match(r"^tilesim: .*broken\.cfg", err)
    assert len(err.splitlines()) == 1
