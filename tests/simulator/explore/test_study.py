from __future__ import annotations

import re

import pytest

from simulator.explore.metrics import METRICS, Constraint, parse_constraint
from simulator.explore.study import load_study, parse_study, point_chip, study_names
from traces.errors import InputError

STUDY = """
name: small
chips: [edge_os_16x16]
networks: [alexnet, resnet18]
parameters:
  cores[0].pe_array.rows: [8, 16]
  cores[0].buffers[1].size_bytes: {small: 16384, large: 65536}
constraints: ["area_mm2 <= 10"]
search: {kind: random, budget: 5}
"""


def test_space_has_every_dimension_with_its_labels() -> None:
    study = parse_study(STUDY, "s.yaml")
    assert study.space == {
        "chip": ("edge_os_16x16",),
        "network": ("alexnet", "resnet18"),
        "mapping": ("latency",),
        "cores[0].pe_array.rows": ("8", "16"),
        "cores[0].buffers[1].size_bytes": ("small", "large"),
    }
    assert study.size == 1 * 2 * 1 * 2 * 2


def test_chip_of_a_point_has_the_values_behind_its_labels() -> None:
    study = parse_study(STUDY, "s.yaml")
    labels = ("edge_os_16x16", "alexnet", "latency", "8", "large")
    chip = point_chip(study, dict(zip(study.space, labels, strict=True)))
    core = chip.cores[0]
    assert (core.pe_array.rows, core.pe_array.cols) == (8, 16)
    assert core.buffers[1].size_bytes == 65536


@pytest.mark.parametrize("name", study_names())
def test_studies_that_come_along_can_be_read(name: str) -> None:
    assert load_study(name).size > 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "cores[0].pe_array.rows",
            "cores[0].pe_array.rowz",
            "s.yaml: parameters.cores[0].pe_array.rowz is not a key of edge_os_16x16",
        ),
        (
            "cores[0].pe_array.rows",
            "cores[3].pe_array.rows",
            "s.yaml: parameters.cores[3].pe_array.rows is not a key of edge_os_16x16",
        ),
        ("name: small", "nam: small", "s.yaml: nam is not a known key"),
        (
            "[8, 16]",
            "[]",
            "s.yaml: parameters.cores[0].pe_array.rows must have at least one value: "
            "the space is empty",
        ),
        (
            "[alexnet, resnet18]",
            "[]",
            "s.yaml: networks must have at least one value: the space is empty",
        ),
        ("[8, 16]", "[8, 8]", "s.yaml: cores[0].pe_array.rows must not have a value twice"),
        (
            '["area_mm2 <= 10"]',
            '["area_mm2 <= 10", "area_mm2 >= 20"]',
            "s.yaml: constraints must leave something over, not contradict each other: "
            "area_mm2 >= 20, area_mm2 <= 10",
        ),
        (
            '["area_mm2 <= 10"]',
            '["area <= 10"]',
            "s.yaml: constraints must be about one of latency_ms, energy_mj, edp, dram_mb, "
            "area_mm2, peak_macs, accuracy, not area (did you mean area_mm2?)",
        ),
        (
            '["area_mm2 <= 10"]',
            '["area_mm2 = 10"]',
            "s.yaml: constraints must be METRIC <= NUMBER (or <, >=, >), not 'area_mm2 = 10'",
        ),
        (
            "name: small",
            "name: small\nobjectives: [latency]",
            "s.yaml: objectives must be about one of latency_ms, energy_mj, edp, dram_mb, "
            "area_mm2, peak_macs, accuracy, not latency (did you mean latency_ms?)",
        ),
        (
            "alexnet, resnet18",
            "alexnet, resnet19",
            "s.yaml: networks must be of the zoo, .onnx or .csv files, not resnet19 "
            "(did you mean resnet18?)",
        ),
        (
            "[edge_os_16x16]",
            "[edge_os]",
            "no chip is called 'edge_os': did you mean edge_os_16x16? presets are ",
        ),
        (
            ", budget: 5",
            "",
            "s.yaml: search.budget must be given for a random search",
        ),
        (
            "kind: random",
            "kind: lucky",
            "s.yaml: search.kind must be one of 'grid', 'random', 'bayesian' or 'evolutionary', "
            "not 'lucky'",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(old: str, new: str, message: str) -> None:
    assert old in STUDY
    with pytest.raises(InputError, match=f"^{re.escape(message)}") as caught:
        parse_study(STUDY.replace(old, new), "s.yaml")
    assert "\n" not in str(caught.value)


def test_unknown_study_gets_the_nearest_name() -> None:
    known = ", ".join(study_names())
    message = f"study must be a YAML file or one of {known}, not frist (did you mean first?)"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_study("frist")


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("area_mm2 <= 10", 10.0, True),
        ("area_mm2 < 10", 10.0, False),
        ("accuracy >= 70", 69.9, False),
        ("accuracy > 70", 70.1, True),
    ],
)
def test_constraint_holds_up_to_its_bound(text: str, value: float, holds: bool) -> None:
    rule = parse_constraint(text, "here")
    assert rule.holds({rule.metric: value}) is holds
    assert rule.holds({})


def test_constraint_reads_as_it_was_written() -> None:
    assert str(Constraint("area_mm2", "<=", 10.0)) == "area_mm2 <= 10"
    assert set(METRICS.values()) == {1, -1}
