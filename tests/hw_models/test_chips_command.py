import json

import pytest
from typer.testing import CliRunner

from hw_models.chip_files import chip_text, preset_names
from hw_models.commands.chips import command
from hw_models.spec import OPERANDS

run = CliRunner()


def invoke(*arguments):
    return run.invoke(command, list(arguments), env={"COLUMNS": "200", "TERM": "dumb"})


def test_the_list_has_a_line_for_every_chip():
    result = invoke()
    assert result.exit_code == 0
    assert all(name in result.stdout for name in preset_names())


def test_the_list_as_json_has_peak_and_memory():
    chips = {chip["name"]: chip for chip in json.loads(invoke("--json").stdout)}
    assert sorted(chips) == preset_names()
    tpu = chips["tpu_v1"]
    macs, clock_ghz = 256 * 256, 0.7
    assert (tpu["macs_per_cycle"], tpu["clock_ghz"]) == (macs, clock_ghz)
    assert tpu["peak_tops"] == round(2 * macs * clock_ghz / 1000, 3)
    assert tpu["on_chip_kib"] == (24 + 4) * 1024 + 4 * 64
    assert tpu["dram_gb_per_s"] == 34.152  # two channels of DDR3_2133


@pytest.mark.parametrize("name", preset_names())
def test_show_prints_every_key_with_value_and_source(name):
    shown = json.loads(invoke("show", name, "--json").stdout)
    keys = {entry["key"]: entry for entry in shown["keys"]}
    assert shown["name"] == name
    assert keys["clock_ghz"]["source"]
    assert set(keys["cores[0].buffers[0].holds"]["value"].split(", ")) <= set(OPERANDS)
    assert not [k for k, e in keys.items() if isinstance(e["value"], int) and e["source"] == ""]


def test_a_block_source_holds_for_the_numbers_without_their_own():
    shown = json.loads(invoke("show", "eyeriss", "--json").stdout)
    keys = {entry["key"]: entry["source"] for entry in shown["keys"]}
    assert "168" not in keys["cores[0].pe_array.rows"]
    assert keys["cores[0].pe_array.rows"] == keys["cores[0].pe_array.cols"]
    assert keys["cores[0].pe_array.psum_words_per_cycle"] != keys["cores[0].pe_array.rows"]


def test_show_as_a_table_is_readable():
    result = invoke("show", "eyeriss")
    assert result.exit_code == 0
    assert "cores[0].pe_array.filter_spad_words" in result.stdout
    assert "224" in result.stdout


def test_show_takes_a_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(chip_text("edge_os_16x16")[1].replace("name: edge_os_16x16", "name: mine"))
    assert json.loads(invoke("show", str(path), "--json").stdout)["name"] == "mine"


def test_an_unknown_chip_is_one_line_with_the_nearest_name():
    result = invoke("show", "eyeris")
    assert result.exit_code == 2
    assert result.stderr == (
        "no chip is called 'eyeris': did you mean eyeriss? presets are "
        f"{', '.join(preset_names())}; a file is given by its path\n"
    )


def test_a_wrong_file_is_one_line_with_file_and_key(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(chip_text("eyeriss")[1].replace("rows: 12", "rows: 0"))
    result = invoke("show", str(path))
    assert result.exit_code == 2
    assert result.stderr == f"{path}: cores[0].pe_array.rows must be at least 1, not 0\n"
