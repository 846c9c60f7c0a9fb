"""Networks by name or file."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest

from simulator.workload.errors import WorkloadError
from simulator.workload.source import load_network
from simulator.workload.zoo import network

INPUTS = Path(__file__).parents[3] / "validation" / "references" / "scalesim_inputs"


def exactly(text):
    return f"^{re.escape(text)}$"


@pytest.fixture
def model_path(tmp_path, model_of):
    path = tmp_path / "net.onnx"
    rows = [("Relu", "x", "r"), ("CumSum", "r a", "c"), ("Tanh", "c", "y")]
    onnx.save(model_of(rows, {"x": ("n", "s"), "a": ()}, "y", integer="a"), path)
    return path


def test_name_of_the_zoo():
    assert load_network("resnet18", batch=2) == network("resnet18", batch=2)


def test_options_go_to_the_network_of_the_zoo():
    found = load_network("gpt2", options={"phase": "decode", "sequence": "64"})
    assert found == network("gpt2", phase="decode", sequence=64)


def test_model_file(model_path):
    net = load_network(str(model_path), batch=3, options={"s": "5"}, skip_unsupported=True)
    assert net.name == "net"
    assert net.tensors["x"].elements == 15
    assert net.skipped == ("cumsum_c (CumSum)",)


def test_model_file_with_a_node_that_is_not_left_out(model_path):
    with pytest.raises(WorkloadError, match=r"^net\.onnx: node cumsum_c \(CumSum\) must .+$"):
        load_network(str(model_path), options={"s": 5})


def test_dimension_of_a_model_file_that_is_no_number(model_path):
    text = "net.onnx: s must be a positive int, not 'many'"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_network(str(model_path), options={"s": "many"})


@pytest.mark.parametrize(("file", "layers"), [("alexnet_conv.csv", 5), ("vit_s_gemm.csv", 5)])
def test_topology_file(file, layers):
    assert len(load_network(str(INPUTS / file)).layers) == layers


def test_topology_has_no_batch():
    text = "alexnet_conv.csv: batch of a topology must be 1, not 2"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_network(str(INPUTS / "alexnet_conv.csv"), batch=2)


def test_topology_has_no_options():
    text = "alexnet_conv.csv: a topology must have no options, not sequence"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_network(str(INPUTS / "alexnet_conv.csv"), options={"sequence": 1})


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("resnet-50", " (did you mean resnet50?)"),
        ("mobilenetv2", " (did you mean mobilenet_v2?)"),
        ("bert", " (did you mean bert_base?)"),
        ("zzzzzz", ""),
        ("models/net.pt", ""),
    ],
)
def test_unknown_network(spec, hint):
    rule = "network must be one of the zoo, a .onnx file or a .csv topology, not "
    with pytest.raises(WorkloadError, match=exactly(rule + spec + hint)):
        load_network(spec)
