from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.chip_files import load_chip
from simulator.explore import explore as module
from simulator.explore.evaluate import evaluate
from simulator.explore.explore import explore
from simulator.explore.pareto import pareto_front
from simulator.explore.screening import Screening
from simulator.explore.store import RESULT
from simulator.explore.study import Study, parse_study
from simulator.lowering.lower import lower
from simulator.run import simulate
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload
from traces.errors import InputError

SEARCHES = {
    "grid": "{kind: grid}",
    "random": "{kind: random, budget: 6, seed: 3}",
    "bayesian": "{kind: bayesian, budget: 9, seed: 3, batch: 4}",
    "evolutionary": "{kind: evolutionary, budget: 9, seed: 3, batch: 4}",
}


def study_text(topology: Path, search: str = SEARCHES["grid"], simulated: str = "pareto") -> str:
    return f"""
name: tiny
chips: [edge_os_16x16]
networks: ["{topology}"]
parameters:
  cores[0].pe_array.rows: [8, 16]
  cores[0].buffers[0].size_bytes: [65536, 131072, 1000]
  dram.channels: [1, 2]
constraints: ["peak_macs <= 200"]
search: {search}
simulate: {simulated}
"""


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "two.csv"
    path.write_text(
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
        "Num Filter, Strides,\nconv1, 18, 18, 3, 3, 8, 16, 1,\nconv2, 16, 16, 3, 3, 16, 16, 1,\n"
    )
    return path


def tiny(topology: Path, **changes: str) -> Study:
    return parse_study(study_text(topology, **changes), "tiny.yaml")


def small_network() -> Workload:
    """Two convolutions and an addition, so that both units and the reuse of a map take part."""
    dims = LoopDims(k=32, c=32, oy=14, ox=14, fy=3, fx=3, iy=14, ix=14, pad_top=1, pad_left=1)
    weight = ("g", "k", "c", "fy", "fx")
    plain = LoopDims(g=32, oy=14, ox=14, iy=14, ix=14)
    layers = (
        Layer("a", LayerOp.CONV2D, dims, (Operand("x"),), "u", Operand("wa", weight), bias=True),
        Layer("b", LayerOp.CONV2D, dims, (Operand("u"),), "v", Operand("wb", weight)),
        Layer("c", LayerOp.ELEMENTWISE, plain, (Operand("u"), Operand("v")), "y", function="add"),
    )
    size, filters = 32 * 14 * 14, 32 * 32 * 9
    tensors = {name: Tensor(name, size) for name in ("x", "u", "v", "y")}
    tensors |= {name: Tensor(name, filters, parameter=True) for name in ("wa", "wb")}
    return Workload("small", tensors, layers, ("x",), ("y",))


@pytest.mark.parametrize("chip", ["edge_os_16x16", "tpu_like", "eyeriss", "nvdla_small"])
@pytest.mark.parametrize("objective", ["latency", "energy"])
def test_screening_finds_what_lowering_finds(chip: str, objective: str) -> None:
    network, spec = small_network(), load_chip(chip)
    plans = lower(network, spec, objective).plans.values()
    screening = Screening()
    for _ in range(2):  # from scratch, then from memory
        found = screening.estimate(network, spec, objective)
        assert found.cycles == pytest.approx(sum(plan.cycles for plan in plans))
        assert found.dram_bytes == pytest.approx(sum(plan.dram_bytes for plan in plans))


def test_screening_of_another_buffer_size_is_not_that_of_the_first() -> None:
    network, spec = small_network(), load_chip("edge_os_16x16")
    buffers = spec.cores[0].buffers
    less = buffers[0].model_copy(update={"size_bytes": 2048})
    core = spec.cores[0].model_copy(update={"buffers": (less, *buffers[1:])})
    small = spec.model_copy(update={"cores": (core,)})
    screening = Screening()
    screening.estimate(network, spec, "latency")
    found = screening.estimate(network, small, "latency")
    plans = lower(network, small, "latency").plans.values()
    assert found.cycles == pytest.approx(sum(plan.cycles for plan in plans))


def test_screened_energy_is_near_that_of_a_run() -> None:
    network, spec = small_network(), load_chip("edge_os_16x16")
    run = simulate(network, spec, memory="simple").result
    found = Screening().estimate(network, spec, "latency")
    assert found.energy_pj == pytest.approx(run.energy_pj, rel=0.1)
    assert found.cycles == pytest.approx(run.cycles, rel=0.15)


@pytest.mark.parametrize("kind", sorted(SEARCHES))
def test_same_study_gives_the_same_bytes(kind: str, topology: Path, tmp_path: Path) -> None:
    study = tiny(topology, search=SEARCHES[kind])
    results = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        explore(study, out=folder, workers=0)
        results.append((folder / RESULT).read_bytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("kind", sorted(SEARCHES))
def test_interrupted_study_goes_on_to_the_same_bytes(
    kind: str, topology: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", {"analytical": 2, "simulated": 1})
    study = tiny(topology, search=SEARCHES[kind], simulated="all")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    explore(study, out=whole, workers=0)
    seen = 0

    def interrupt(stage: str, done: int, total: int) -> None:
        nonlocal seen
        seen += 1
        if seen == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(study, out=cut, workers=0, told=interrupt)
    assert not (cut / RESULT).exists()
    explore(study, out=cut, workers=0, resume=True)
    assert (cut / RESULT).read_bytes() == (whole / RESULT).read_bytes()


def test_every_point_of_a_grid_has_a_row_and_what_became_of_it(topology: Path) -> None:
    study = tiny(topology)
    rows = [r for r in explore(study, workers=0).rows if r["stage"] == "analytical"]
    assert len(rows) == study.size == 2 * 3 * 2
    failed = [row for row in rows if row["status"] == "failed"]
    assert {row["cores[0].buffers[0].size_bytes"] for row in failed} == {"1000"}
    assert {row["error"] for row in failed} == {
        "InputError: edge_os_16x16: cores[0].buffers[0].size_bytes must be a multiple of "
        "banks * width_bytes (64), not 1000"
    }
    infeasible = [row for row in rows if row["status"] == "infeasible"]
    assert {row["cores[0].pe_array.rows"] for row in infeasible} == {"16"}
    assert all(row["latency_ms"] is None for row in infeasible)


def test_survivors_are_simulated(topology: Path) -> None:
    found = explore(tiny(topology), workers=0)
    simulated = [row for row in found.rows if row["stage"] == "simulated"]
    screened = [r for r in found.rows if r["stage"] == "analytical"]
    front = pareto_front(screened, found.study.objectives)
    assert len(simulated) == len(front) > 0
    top = explore(tiny(topology, simulated="{top: 2}"), workers=0)
    assert sum(row["stage"] == "simulated" for row in top.rows) == 2
    none = explore(tiny(topology, simulated="none"), workers=0)
    assert {row["stage"] for row in none.rows} == {"analytical"}


def test_folder_of_another_study_is_left_alone(topology: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    explore(tiny(topology, simulated="none"), out=folder, workers=0)
    message = f"--out {folder}: must be new; --resume goes on with what is there"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        explore(tiny(topology, simulated="none"), out=folder, workers=0)
    message = f"--out {folder}: must be of the same study to be resumed"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        explore(tiny(topology), out=folder, workers=0, resume=True)


def test_any_error_of_a_point_is_written_into_its_row(
    topology: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("no cycles")

    study = tiny(topology)
    monkeypatch.setattr("simulator.explore.evaluate._dynamic_metrics", broken)
    point = {key: labels[0] for key, labels in study.space.items()}
    (row,) = evaluate(study, [point], "analytical")
    assert (row["status"], row["error"]) == ("failed", "ZeroDivisionError: no cycles")


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30))
def test_front_is_what_no_other_point_beats(points: list[tuple[int, int]]) -> None:
    rows = [{"status": "done", "latency_ms": a, "accuracy": b} for a, b in points]
    front = pareto_front(rows, ("latency_ms", "accuracy"))
    costs = np.array([(a, -b) for a, b in points]).reshape(-1, 2)
    beaten = [
        any((other <= mine).all() and (other < mine).any() for other in costs) for mine in costs
    ]
    expected = [points[i] for i, lost in enumerate(beaten) if not lost]
    found = [(row["latency_ms"], row["accuracy"]) for row in front]
    assert sorted(found) == sorted(expected)
    assert found == sorted(found, key=lambda pair: pair[0])
