"""SCALE-Sim configuration files, of version 3 and of version 2."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from simulator.workload.errors import WorkloadError
from simulator.workload.scalesim_config import load_config

INPUTS = Path(__file__).parents[3] / "validation" / "references" / "scalesim_inputs"
MINIMAL = {
    "general": {"run_name": "tiny"},
    "architecture_presets": {
        "ArrayHeight": "4", "ArrayWidth": "8", "IfmapSramSzkB": "1", "FilterSramSzkB": "2",
        "OfmapSramSzkB": "3", "IfmapOffset": "0", "FilterOffset": "10", "OfmapOffset": "20",
        "Dataflow": "ws", "Bandwidth": "12, 13",
    },
    "run_presets": {"InterfaceBandwidth": "USER"},
}  # fmt: skip


def exactly(text):
    return f"^{re.escape(text)}$"


def with_key(section, key, value):
    """The minimal file with one key changed, or taken out when the value is None."""
    sections = {name: dict(keys) for name, keys in MINIMAL.items()}
    keys = sections.setdefault(section, {})
    if value is None:
        del keys[key]
    else:
        keys[key] = value
    return sections


@pytest.fixture
def config(tmp_path):
    """Writes a configuration file."""

    def write(sections):
        path = tmp_path / "run.cfg"
        lines = []
        for name, keys in sections.items():
            lines += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
        path.write_text("\n".join(lines))
        return path

    return write


def test_scale_example():
    found = load_config(INPUTS / "scale.cfg")
    assert found.run_name == "scale_example_run_32x32_ws"
    assert (found.array_rows, found.array_columns, found.dataflow) == (32, 32, "ws")
    assert (found.ifmap_sram_kib, found.filter_sram_kib, found.ofmap_sram_kib) == (64, 64, 64)
    assert (found.ifmap_offset, found.filter_offset, found.ofmap_offset) == (0, 10**7, 2 * 10**7)
    assert (found.bandwidths, found.ofmap_bandwidth, found.mode) == ((10,), 10, "CALC")
    assert (found.read_request_buffer, found.write_request_buffer) == (32, 32)
    assert (found.ifmap_bank_bandwidth, found.ifmap_banks, found.ifmap_bank_ports) == (10, 10, 2)
    assert (found.sparsity_support, found.block_size, found.random_seed) == (False, 8, 40)
    assert not found.use_ramulator_trace


def test_tpu():
    found = load_config(INPUTS / "google.cfg")
    assert (found.array_rows, found.array_columns, found.dataflow) == (256, 256, "os")
    assert (found.ifmap_sram_kib, found.ofmap_sram_kib) == (6144, 2048)
    assert (found.mode, found.filter_bank_bandwidth) == ("USER", 10)


def test_older_file_without_a_layout_section_takes_bandwidth_for_all_streams():
    found = load_config(INPUTS / "eyeriss_no_layout_section.cfg")
    assert (found.array_rows, found.array_columns) == (12, 14)
    assert found.bandwidths == (10,)
    assert found.ifmap_bank_bandwidth == found.filter_bank_bandwidth == 10
    assert found.ifmap_banks == found.filter_banks == 1
    assert not found.ifmap_custom_layout


def test_defaults_of_a_minimal_file(config):
    found = load_config(config(MINIMAL))
    assert found.bandwidths == (12, 13)
    assert found.filter_bank_bandwidth == 12
    assert (found.read_request_buffer, found.write_request_buffer) == (100, 100)
    assert not found.sparsity_support
    assert not found.use_ramulator_trace
    assert found.topology == ""


@pytest.mark.parametrize("section", ["network_presets", "architecture_presets"])
def test_topology_may_be_named_in_either_place(config, section):
    found = load_config(config(with_key(section, "TopologyCsvLoc", '"a.csv"')))
    assert found.topology == '"a.csv"'


def test_keys_are_not_case_sensitive(config):
    sections = with_key("architecture_presets", "ArrayHeight", None)
    sections["architecture_presets"]["arrayheight"] = "5"
    assert load_config(config(sections)).array_rows == 5


def test_bandwidth_is_not_needed_where_memories_never_stall(config):
    sections = with_key("architecture_presets", "Bandwidth", None)
    sections["run_presets"]["InterfaceBandwidth"] = "CALC"
    assert load_config(config(sections)).bandwidths == ()


def test_configuration_cannot_be_changed():
    found = load_config(INPUTS / "scale.cfg")
    with pytest.raises(FrozenInstanceError):
        found.array_rows = 1


@pytest.mark.parametrize(
    ("section", "key", "value", "error"),
    [
        ("architecture_presets", "ArrayHeight", "0",
         "ArrayHeight must be an int of at least 1, not '0'"),
        ("architecture_presets", "ArrayHeight", "four",
         "ArrayHeight must be an int of at least 1, not 'four'"),
        ("architecture_presets", "ArrayWidth", None,
         "section [architecture_presets] must have the key ArrayWidth"),
        ("architecture_presets", "IfmapOffset", "-1",
         "IfmapOffset must be an int of at least 0, not '-1'"),
        ("architecture_presets", "Dataflow", "WS",
         "Dataflow must be one of os, ws, is, not 'WS'"),
        ("architecture_presets", "Bandwidth", None,
         "section [architecture_presets] must have the key Bandwidth in USER mode"),
        ("architecture_presets", "Bandwidth", "10, x",
         "Bandwidth must be an int of at least 1, not 'x'"),
        ("run_presets", "InterfaceBandwidth", "user",
         "InterfaceBandwidth must be one of CALC, USER, not 'user'"),
        ("run_presets", "InterfaceBandwidth", None,
         "section [run_presets] must have the key InterfaceBandwidth"),
        ("run_presets", "UseRamulatorTrace", "maybe",
         "UseRamulatorTrace must be True or False, not 'maybe'"),
        ("general", "run_name", None, "section [general] must have the key run_name"),
        ("layout", "IfmapSRAMBankNum", "5",
         "IfmapSRAMBankBandwidth must be divisible by the 5 banks, not 12"),
        ("sparsity", "SparseRep", "coo",
         "SparseRep must be one of csr, csc, ellpack_block, not 'coo'"),
    ],
)  # fmt: skip
def test_bad_key(config, section, key, value, error):
    with pytest.raises(WorkloadError, match=exactly(f"run.cfg: {error}")):
        load_config(config(with_key(section, key, value)))


@pytest.mark.parametrize("text", ["no section\n", "[a]\nx = 1\nx = 2\n", "[a]\n[a]\n"])
def test_file_that_is_not_ini(tmp_path, text):
    path = tmp_path / "run.cfg"
    path.write_text(text)
    with pytest.raises(WorkloadError, match=r"^run\.cfg: file must be INI text: [^\n]+$"):
        load_config(path)


def test_missing_file(tmp_path):
    text = "run.cfg: file must be readable: No such file or directory"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_config(tmp_path / "run.cfg")
