from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hw_models.spec import ChipSpec
from simulator.explore.accuracy import top1_pct
from simulator.explore.study import load_study, point_chip
from simulator.explore.tradeoff import (
    architectures,
    networks_front,
    tradeoff_lines,
    tradeoff_study,
)
from simulator.explore.tradeoff_plots import plot_fronts, plot_pairs
from traces.errors import InputError

ACCURACY = {"alexnet": 56.522, "resnet18": 69.758, "mobilenet_v2": 71.878}
ENERGY = {"a": (5.0, 6.0, 2.0), "b": (4.0, 3.0, 9.0)}


def rows() -> list[dict]:
    found = []
    for chip, energies in ENERGY.items():
        for (network, accuracy), energy in zip(ACCURACY.items(), energies, strict=True):
            found.append(
                {
                    "status": "done", "chip": chip, "network": network, "mapping": "latency",
                    "accuracy": accuracy, "energy_mj": energy, "latency_ms": energy / 2,
                    "edp": energy**2 / 2, "area_mm2": 1.0 if chip == "a" else 1.5,
                }
            )  # fmt: skip
    return found


STUDY = tradeoff_study(tuple(ACCURACY), ()).model_copy(
    update={"chips": tuple(ENERGY), "parameters": {}}
)


def chips_of(name: str) -> list[ChipSpec]:
    study = load_study(name)
    first = {key: labels[0] for key, labels in study.space.items()}
    key = "cores[0].pe_array"
    return [point_chip(study, first | {key: label}) for label in study.space[key]]


def test_architectures_have_equal_arrays_and_networks_an_accuracy() -> None:
    chips = chips_of("tradeoff")
    assert len(chips) >= 8
    assert {chip.peak_macs_per_cycle for chip in chips} == {1024}
    study = load_study("tradeoff")
    assert len(study.networks) >= 20
    assert set(study.networks) <= set(top1_pct())


def test_accuracies_are_those_of_the_reference() -> None:
    for name, value in ACCURACY.items():
        assert top1_pct()[name] == value


def test_front_of_an_architecture_goes_from_cheap_to_accurate() -> None:
    assert architectures(STUDY) == ["a", "b"]
    assert networks_front(STUDY, rows(), "a", "energy_mj") == ["mobilenet_v2"]
    assert networks_front(STUDY, rows(), "b", "energy_mj") == ["resnet18", "mobilenet_v2"]


def test_sentences_are_of_the_rows() -> None:
    lines = tradeoff_lines(STUDY, rows())
    assert lines[0] == "2 architectures of 1.00 mm2 (a) to 1.50 mm2 (b) run 3 networks."
    assert (
        "In accuracy and energy, 1 of 3 networks are on the Pareto front of every architecture "
        "(mobilenet_v2); 2 are on that of at least one."
    ) in lines
    assert (
        "The architecture matters to energy by a factor of up to 4.5 (mobilenet_v2: b against a)."
    ) in lines
    assert (
        "Whatever the architecture, another network is at least as accurate with less energy and "
        "less latency: alexnet."
    ) in lines


def test_pictures_are_drawn(tmp_path: Path) -> None:
    plot_fronts(STUDY, rows(), "energy_mj", tmp_path / "fronts.png")
    plot_pairs(STUDY, rows(), tmp_path / "pairs.png")
    for name in ("fronts.png", "pairs.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_network_without_accuracy_is_refused() -> None:
    message = "network must have a published ImageNet accuracy, not bert_base"
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        tradeoff_study(("bert_base",), ())


def test_chips_replace_the_architectures() -> None:
    study = tradeoff_study((), ("eyeriss", "nvdla_small"))
    assert architectures(study) == ["eyeriss", "nvdla_small"]
    assert study.parameters == {}


def test_verbs_write_what_they_say(tmp_path: Path) -> None:
    import typer

    from simulator.commands import explore, tradeoff

    topology = tmp_path / "one.csv"
    topology.write_text("Layer, M, N, K,\nfc, 64, 128, 128,\n")
    study = tmp_path / "s.yaml"
    study.write_text(
        f"name: s\nchips: [edge_os_16x16]\nnetworks: ['{topology}']\n"
        "parameters: {dram.channels: [1, 2]}\n"
    )
    app = typer.Typer()
    app.command("explore")(explore.command)
    app.command("tradeoff")(tradeoff.command)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["explore", str(study), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"points.parquet, insights.md and pareto.png are in {out}".split()[-1] in done.output
    assert {path.name for path in out.iterdir()} == {
        "insights.md", "pareto.png", "points", "points.parquet", "study.json"
    }  # fmt: skip
    refused = CliRunner().invoke(app, ["explore", str(study), "--resume"])
    assert str(refused.exception) == (
        "--resume must come with the --out of the study that was interrupted"
    )
