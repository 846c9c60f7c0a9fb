"""MnasNet: inverted residuals found by a search for speed on a phone."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder
from simulator.workload.zoo.mobilenet import inverted_residual

STAGES = (
    (3, 3, 24, 3, 2),
    (3, 5, 40, 3, 2),
    (6, 5, 80, 3, 2),
    (6, 3, 96, 2, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
"""Expansion, kernel, output channels, repeats and first stride of each stage."""


def mnasnet1_0(batch: int) -> ModelProto:
    """MnasNet-B1, width 1.0 (no squeeze-and-excitation). Source: arXiv 1807.11626."""
    net = NetworkBuilder("mnasnet1_0")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 32, 3, stride=2)
    x = net.conv_bn(x, 32, 3, groups=32)
    x = net.conv_bn(x, 16, 1, activation="")
    for stage, (expansion, kernel, channels, repeats, first_stride) in enumerate(STAGES):
        for index in range(repeats):
            with net.scope(f"stage{stage + 1}.{index}"):
                stride = first_stride if index == 0 else 1
                x = inverted_residual(net, x, expansion, channels, kernel, stride, "Relu")
    x = net.conv_bn(x, 1280, 1)
    x = net.node("ReduceMean", [x, net.integers(2, 3)], (batch, 1280), keepdims=0)
    return net.build(net.linear(x, 1000))
