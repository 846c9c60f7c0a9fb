"""The zoo: names, options, and that what is built is what onnx understands."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module

import onnx
import pytest

from simulator.workload.errors import WorkloadError
from simulator.workload.functions import FUNCTIONS
from simulator.workload.graph import ROW_OPS, LayerOp
from simulator.workload.model_file import read_model
from simulator.workload.zoo import NETWORKS, network
from simulator.workload.zoo.builder import NetworkBuilder
from simulator.workload.zoo.regnet import stage_widths

REQUIRED = [
    "alexnet",
    "vgg16",
    "googlenet",
    "inception_v2",
    "inception_v3",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "squeezenet1_1",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "densenet121",
    "shufflenet_v2_x1_0",
    "mnasnet1_0",
    "regnet_y_400mf",
    "convnext_tiny",
    "fsrcnn",
    "bert_base",
    "vit_b_16",
    "swin_t",
    "gpt2",
]
LARGEST = ("resnet152", "swin_t", "vgg16")


def exactly(text):
    return f"^{re.escape(text)}$"


def built(name, monkeypatch, batch=1, **options):
    """The model of a network and the shapes that its builder has worked out."""
    seen = []
    original = NetworkBuilder.build

    def build(self, *outputs):
        seen.append(dict(self.shapes))
        return original(self, *outputs)

    monkeypatch.setattr(NetworkBuilder, "build", build)
    info = NETWORKS[name]
    module, function = info.builder.split(":")
    values = {key: option.default for key, option in info.options.items()} | options
    builder = getattr(import_module(f"simulator.workload.zoo.{module}"), function)
    return builder(batch, **values), seen[0]


def test_all_networks_are_there():
    assert sorted(NETWORKS) == sorted(REQUIRED)


@pytest.mark.parametrize("name", REQUIRED)
def test_builder_and_onnx_agree_on_every_shape(name, monkeypatch):
    model, shapes = built(name, monkeypatch, batch=2)
    graph = onnx.shape_inference.infer_shapes(read_model(model).proto, data_prop=True).graph
    inferred = {
        x.name: tuple(dim.dim_value for dim in x.type.tensor_type.shape.dim)
        for x in (*graph.value_info, *graph.output)
    }
    assert len(inferred) >= len(model.graph.node)
    assert {value: shapes[value] for value in inferred} == inferred


@pytest.mark.parametrize("name", REQUIRED)
def test_layers_are_consistent(name):
    net = network(name)
    assert net.skipped == ()
    for layer in net.layers:
        made = net.tensors[layer.output].elements
        assert layer.output_elements == made
        assert {*layer.post_ops, *([layer.function] if layer.function else [])} <= FUNCTIONS
        if layer.op is LayerOp.CONCAT:
            assert sum(operand.extent for operand in layer.inputs) == layer.dims.g
        if layer.op in ROW_OPS:
            assert (layer.dims.k, layer.dims.c) == (1, 1)
        if layer.weight is not None and layer.weight_is_constant:
            assert net.tensors[layer.weight.tensor].elements >= layer.weight_elements
    assert {name for name, tensor in net.tensors.items() if tensor.parameter}.isdisjoint(
        layer.output for layer in net.layers
    )


@pytest.mark.parametrize("name", REQUIRED)
def test_batch_multiplies_the_work_and_leaves_the_weights(name):
    once, twice = network(name), network(name, batch=2)
    assert twice.macs == 2 * once.macs
    assert twice.parameters == once.parameters
    assert len(twice.layers) == len(once.layers)
    for tensor in once.tensors.values():
        if tensor.parameter:
            assert twice.tensors[tensor.name] == tensor


def test_weights_have_no_data(monkeypatch):
    model, _ = built("vgg16", monkeypatch)
    assert model.ByteSize() < 20_000


def test_norms_and_activations_of_resnet_run_in_its_convolutions():
    net = network("resnet50")
    kinds = {layer.op for layer in net.layers}
    assert kinds == {LayerOp.CONV2D, LayerOp.POOL, LayerOp.ELEMENTWISE, LayerOp.MATMUL}
    convolutions = [layer for layer in net.layers if layer.op is LayerOp.CONV2D]
    assert len(convolutions) == 53
    assert all(layer.bias for layer in convolutions)
    additions = [layer for layer in net.layers if layer.op is LayerOp.ELEMENTWISE]
    assert len(additions) == 16
    assert all(layer.post_ops == ("relu",) for layer in additions)


def test_stride_of_a_bottleneck_is_in_its_3x3_convolution():
    strided = [
        layer.dims.fy
        for layer in network("resnet50").layers
        if layer.op is LayerOp.CONV2D
        and layer.dims.stride_y == 2
        and "downsample" not in layer.name
    ]
    assert strided == [7, 3, 3, 3]


def test_auxiliary_head_of_inception_is_counted_but_not_run():
    net = network("inception_v3")
    assert not any("auxiliary" in layer.name for layer in net.layers)
    channels, features, classes = 768, 128, 1000
    first = channels * features + 2 * features
    second = 5 * 5 * features * channels + 2 * channels
    head = channels * classes + classes
    run = sum(
        layer.weight_elements for layer in net.layers if layer.is_mac
    )  # with one bias per channel, where batch norm has two parameters
    biases = sum(layer.dims.k for layer in net.layers if layer.op is LayerOp.CONV2D)
    assert net.parameters == run + biases + first + second + head


def test_depthwise_layers_have_a_group_per_channel():
    depthwise = [layer.dims for layer in network("mobilenet_v1").layers if layer.dims.fy == 3][1:]
    assert len(depthwise) == 13
    assert all((dims.k, dims.c) == (1, 1) for dims in depthwise)


def test_swin_shifts_every_second_layer_but_those_of_the_last_stage():
    concats = [
        layer.name for layer in network("swin_t").layers if layer.name.startswith("stage")
        and layer.op is LayerOp.CONCAT
    ]  # fmt: skip
    shifted = {name.rsplit(".", 1)[0] for name in concats}
    assert shifted == {"stage1.1", "stage2.1", "stage3.1", "stage3.3", "stage3.5"}
    assert len(concats) == 4 * len(shifted)  # rows and columns, there and back


def test_gpt2_decode_copies_no_cache():
    net = network("gpt2", phase="decode", sequence=500)
    for layer in net.layers:
        if layer.op is LayerOp.CONCAT:
            assert layer.output_elements == 12 * 501  # scores, not keys
    cached = [name for name in net.inputs if "cached" in name]
    readers = net.consumers()
    assert all(len(readers[name]) == 1 for name in cached)


def test_regnet_line_gives_the_widths_of_the_paper():
    """Source: arXiv 2003.13678, RegNetY-400MF: d 1-3-6-6, w 48-104-208-440."""
    stages = stage_widths(depth=16, first=48, slope=27.89, ratio=2.09, group=8)
    assert stages == [(48, 1), (104, 3), (208, 6), (440, 6)]


def test_unknown_network_suggests_the_nearest():
    text = "network must be one of the zoo, not resnet5 (did you mean resnet50?)"
    with pytest.raises(WorkloadError, match=exactly(text)):
        network("resnet5")


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("gpt2", {"sequnce": 8}, "option must be one that it takes, not sequnce (did you mean "
         "sequence?)"),
        ("resnet18", {"sequence": 8}, "option must be one that it takes, not sequence"),
        ("gpt2", {"sequence": 1025}, "sequence must be a positive int of at most 1024, not 1025"),
        ("gpt2", {"sequence": 0}, "sequence must be a positive int of at most 1024, not 0"),
        ("gpt2", {"sequence": "many"}, "sequence must be a positive int of at most 1024, not many"),
        ("gpt2", {"phase": "train"}, "phase must be prefill or decode, not train"),
        ("gpt2", {"phase": "decode", "sequence": 1024},
         "sequence must be below 1024 to decode one more token"),
        ("fsrcnn", {"upscale": 5}, "upscale must be a positive int of at most 4, not 5"),
        ("resnet18", {"batch": 0}, "batch must be a positive int, not 0"),
        ("resnet18", {"batch": 1.5}, "batch must be a positive int, not 1.5"),
    ],
)  # fmt: skip
def test_option_that_is_not_allowed(name, options, text):
    with pytest.raises(WorkloadError, match=exactly(f"{name}: {text}")):
        network(name, **options)


def test_options_may_be_text_as_on_a_command_line():
    assert network("bert_base", sequence="16").macs == network("bert_base", sequence=16).macs


def test_listing_the_zoo_imports_neither_onnx_nor_numpy():
    code = (
        "import sys, simulator.workload.zoo, simulator.workload.source;"
        "print(sorted({'onnx', 'numpy'} & set(sys.modules)))"
    )
    root = str(__import__("pathlib").Path(__file__).parents[3])
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert result.stdout.strip() == "[]"
