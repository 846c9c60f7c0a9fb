"""Masks of an ONNX model: pruned weights, and activations through onnxruntime."""

import re
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from simulator.sparsity.model_masks import activation_masks, weight_masks
from simulator.workload.source import load_network
from traces.errors import InputError

GENERATOR = np.random.default_rng(4)
FILTERS = GENERATOR.standard_normal((4, 2, 3, 3)).astype(np.float32)
MATRIX = GENERATOR.standard_normal((16, 5)).astype(np.float32)


@pytest.fixture
def model(tmp_path):
    """Conv (1, 2, 4, 4) -> (1, 4, 2, 2), ReLU, Flatten, Gemm to 5."""
    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Flatten", ["r"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "matrix"], ["y"], name="fc"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(FILTERS, "filters"), numpy_helper.from_array(MATRIX, "matrix")],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return path


def test_weights_are_pruned_by_magnitude(model):
    workload = load_network(str(model))
    found = weight_masks(model, workload, 0.25)
    conv, fc = (layer.name for layer in workload.layers if layer.is_mac)
    assert found[conv, "weight"].shape == FILTERS.shape
    assert found[conv, "weight"].sum() == round(FILTERS.size / 4)
    assert (
        np.abs(FILTERS)[found[conv, "weight"]].min() > np.abs(FILTERS)[~found[conv, "weight"]].max()
    )
    kept = np.sort(np.abs(MATRIX).ravel())[-MATRIX.size // 4 :].min()
    np.testing.assert_array_equal(found[fc, "weight"][:, :, 0, 0], (np.abs(MATRIX) >= kept).T)


class Session:
    """Stands for onnxruntime: knows the values of this model's tensors."""

    VALUES: ClassVar = {}

    def __init__(self, model, providers):
        outputs = onnx.load_from_string(model).graph.output
        self.known = {output.name for output in outputs}

    def run(self, names, inputs):
        assert set(names) <= self.known
        return [self.VALUES[name] for name in names]


def test_activations_are_those_of_the_runtime(model, tmp_path, monkeypatch):
    image = np.zeros((1, 2, 4, 4), np.float32)
    image[0, 1, 2, 3] = 1
    flat = np.arange(16, dtype=np.float32)[None] % 3
    Session.VALUES = {"f": flat}
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    np.savez(tmp_path / "in.npz", x=image)
    workload = load_network(str(model))
    found = activation_masks(model, workload, tmp_path / "in.npz")
    conv, fc = (layer.name for layer in workload.layers if layer.is_mac)
    np.testing.assert_array_equal(found[conv, "input"], image != 0)
    np.testing.assert_array_equal(found[fc, "input"][0, :, 0, 0], flat[0] != 0)


def test_inputs_must_be_those_of_the_model(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    np.savez(tmp_path / "in.npz", image=np.zeros(3))
    with pytest.raises(InputError, match=r"^inputs must be named x, not image$"):
        activation_masks(model, load_network(str(model)), tmp_path / "in.npz")


def test_without_the_extra(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    np.savez(tmp_path / "in.npz", x=np.zeros((1, 2, 4, 4)))
    with pytest.raises(InputError, match=r"^--inputs needs onnxruntime: pip install onnxruntime$"):
        activation_masks(model, load_network(str(model)), tmp_path / "in.npz")


def test_inputs_that_are_no_arrays(model, tmp_path):
    path = tmp_path / "in.npz"
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: can')}'t be read as .npz: "):
        activation_masks(model, load_network(str(model)), path)
