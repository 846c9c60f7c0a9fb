"""`tilesim sparsity`: tables, files in the folder, pictures, and bad input in one line."""

import csv

import numpy as np
import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from simulator.commands import sparsity as verb
from simulator.sparsity import cases
from simulator.sparsity.presets import SparsityPreset
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload
from traces.errors import InputError

PNG = b"\x89PNG"


def tiny(_name):
    d = LoopDims(k=32, c=32, oy=6, ox=6, iy=6, ix=6)
    layer = Layer("conv", LayerOp.CONV2D, d, (Operand("x"),), "y", Operand("w"))
    tensors = {name: Tensor(name, 1, parameter=name == "w") for name in "xwy"}
    return Workload("tiny", tensors, (layer,), ("x",), ("y",))


@pytest.fixture
def run(monkeypatch):
    """Runs the verb on a network of one layer, published as 80 % and 50 % zeros."""
    preset = SparsityPreset(network="tiny", weight_zeros=0.8, activation_zeros=0.5)
    monkeypatch.setattr(cases, "load_network", tiny)
    monkeypatch.setattr(cases, "sparsity_presets", lambda: {"tiny": preset})
    app = typer.Typer()
    app.command()(verb.command)
    return lambda *words: CliRunner().invoke(app, ["tiny", *words])


def test_tables_name_designs_and_published_figures(run):
    result = run()
    assert result.exit_code == 0, result.output
    assert "sparse_ab_star" in result.stdout
    assert "loss of the dual design, weights: TOPS/W" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_folder_holds_tables_and_pictures(run, tmp_path):
    out = tmp_path / "new"
    result = run(
        "--designs", "named A(1,0,0)", "--out", str(out), "--sensitivity", "--sample", "--others"
    )
    assert result.exit_code == 0, result.output
    with pa.ipc.open_file(str(out / "study.arrow")) as file:
        rows = file.read_all().to_pylist()
    designs = {row["design"] for row in rows}
    assert {"griffin", "A(1,0,0,on)"} <= designs
    assert len(rows) == 4 * len(designs)
    for name in ("means.csv", "claims.csv", "sensitivity.csv", "others.csv"):
        with (out / name).open(encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) > 8
    for name in ("pareto.png", "gains.png"):
        assert (out / name).read_bytes()[:4] == PNG


def test_shares_of_zeros_may_be_given(run, tmp_path):
    result = run("--designs", "B(4,0,1)", "--weight-zeros", "0", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    with pa.ipc.open_file(str(tmp_path / "study.arrow")) as file:
        assert set(file.read_all()["combination"].to_pylist()) == {"dense", "activations"}


def test_masks_of_a_user_are_used(run, tmp_path):
    np.save(tmp_path / "conv.weight.npy", np.zeros((32, 32, 1, 1), bool))
    out = tmp_path / "out"
    result = run("--designs", "B(1,0,0)", "--masks", str(tmp_path), "--out", str(out))
    assert result.exit_code == 0, result.output
    with pa.ipc.open_file(str(out / "study.arrow")) as file:
        speedups = {r["combination"]: r["speedup"] for r in file.read_all().to_pylist()}
    assert speedups == {"dense": 1, "weights": 2, "activations": 1, "both": 2}


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("--edge", "round"), "--edge must be one of wrap, clamp, not 'round'"),
        (("--units", "x"), "unit costs must be one of asap7, scaled_45nm, not 'x'"),
        (("--weight-zeros", "1.2"), "--weight-zeros must be from 0 to 1, not 1.2"),
        (("--activation-zeros", "-0.5"), "--activation-zeros must be from 0 to 1, not -0.5"),
        (("--mask-model", "4:2"), "4:2: N must be at most M (2), not 4"),
        (("--designs", "B(4,0,16)"), "B(4,0,16,on): db3 must be less than the PEs it reaches "
         "over (16), not 16"),
        (("--inputs", "x.npz"), "tiny: must be an .onnx file, whose --inputs can be run"),
        (("--masks", "none"), "none: no such file or folder"),
    ],
)  # fmt: skip
def test_bad_input(words, rule, run):
    result = run(*words)
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == rule


def test_masks_of_unknown_layers(run, tmp_path):
    np.save(tmp_path / "cnov.weight.npy", np.ones(1))
    result = run("--masks", str(tmp_path))
    assert str(result.exception) == f"{tmp_path}: must name layers of tiny, not cnov"


def test_networks_without_published_zeros_need_them(run, monkeypatch):
    monkeypatch.setattr(cases, "sparsity_presets", dict)
    result = run()
    assert str(result.exception) == (
        "tiny: --weight-zeros must be given, since no share is published"
    )
