"""MACs and parameters of the zoo against published tables.

Convention (ARCHITECTURE.md WORK-8): one multiply-accumulate counts as one; convolutions, fully
connected layers and both products of attention count, squeeze-and-excitation included; element-wise
layers, norms, poolings and softmax do not.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from simulator.workload.zoo import NETWORKS, network

ROOT = Path(__file__).parents[3]
TOLERANCE = 0.01


def rows(path):
    with (ROOT / path).open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


TORCHVISION = {
    row["name"].lower(): row
    for row in rows("simulator/explore/accuracy.csv")
    if row["name"].lower() in NETWORKS
}
OTHERS = rows("validation/references/networks.csv")


def test_every_network_of_the_zoo_has_a_published_figure():
    assert set(TORCHVISION) | {row["name"] for row in OTHERS} == set(NETWORKS)


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_macs_and_parameters_equal_torchvisions(name):
    row, net = TORCHVISION[name], network(name)
    assert net.macs / 1e9 == pytest.approx(float(row["macs_g"]), rel=TOLERANCE)
    assert net.parameters / 1e6 == pytest.approx(float(row["params_m"]), rel=TOLERANCE)
    side = row["input_px"]
    assert NETWORKS[name].default_input == f"3x{side}x{side}"
    assert net.tensors[net.inputs[0]].elements == 3 * int(side) ** 2


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_parameters_are_exact_to_the_digits_of_the_table(name):
    published = float(TORCHVISION[name]["params_m"])
    assert abs(network(name).parameters / 1e6 - published) < 0.001


def options_of(row):
    pairs = (pair.split("=") for pair in row["options"].split())
    return {name: int(value) if value.isdigit() else value for name, value in pairs}


@pytest.mark.parametrize("row", OTHERS, ids=[f"{x['name']} {x['options']}" for x in OTHERS])
def test_macs_and_parameters_equal_other_tables(row):
    net = network(row["name"], **options_of(row))
    parameters, macs = net.parameters, net.macs
    if row["counts"] == "filters":  # the paper leaves out biases and PReLU slopes
        parameters = fsrcnn_filters(FSRCNN_TAPS)
        padded = fsrcnn_filters(FSRCNN_SUB_PIXEL_TAPS[options_of(row)["upscale"]])
        pixels = options_of(row)["height"] * options_of(row)["width"]
        assert macs == padded * pixels
        macs = parameters * pixels
    if row["params_m"]:
        assert parameters / 1e6 == pytest.approx(float(row["params_m"]), rel=TOLERANCE)
    if row["macs_g"]:
        assert macs / 1e9 == pytest.approx(float(row["macs_g"]), rel=TOLERANCE)


FSRCNN_TAPS = 9 * 9
FSRCNN_SUB_PIXEL_TAPS = {upscale: (-(-9 // upscale) * upscale) ** 2 for upscale in (2, 3, 4)}


def fsrcnn_filters(deconvolution_taps, d=56, s=12, m=4):
    """Weights of FSRCNN(d, s, m), and MACs per input pixel. Source: arXiv 1608.00367."""
    return 25 * d + s * d + 9 * m * s**2 + d * s + deconvolution_taps * d


def test_gpt2_prefill_is_exact():
    """Source of the form: the table of networks.csv; here for another length."""
    positions, width, layers, vocabulary = 200, 768, 12, 50257
    block = 12 * width**2 * positions + 2 * positions**2 * width
    assert network("gpt2", sequence=positions).macs == (
        layers * block + positions * width * vocabulary
    )


@pytest.mark.parametrize("cached", [1, 127, 1023])
def test_gpt2_decode_does_the_work_of_one_position(cached):
    width, layers, vocabulary = 768, 12, 50257
    block = 12 * width**2 + 2 * (cached + 1) * width
    net = network("gpt2", sequence=cached, phase="decode")
    assert net.macs == layers * block + width * vocabulary
    caches = [net.tensors[name].elements for name in net.inputs if "cached" in name]
    assert caches == [cached * width] * (2 * layers)
    assert net.parameters == network("gpt2").parameters


@pytest.mark.parametrize("positions", [16, 128, 512])
def test_bert_does_the_work_of_its_matrices(positions):
    width, layers = 768, 12
    block = 12 * width**2 * positions + 2 * positions**2 * width
    assert network("bert_base", sequence=positions).macs == layers * block + width**2


def test_fsrcnn_by_four_has_the_layers_of_depfin():
    """MACs per layer as in the model of DepFiN, whose last layer is a 3x3 of 16 channels."""
    pixels = 960 * 540
    expected = [25 * 56, 56 * 12, *[9 * 12 * 12] * 4, 12 * 56, 9 * 56 * 16]
    net = network("fsrcnn", upscale=4)
    assert [layer.macs for layer in net.layers] == [taps * pixels for taps in expected]
