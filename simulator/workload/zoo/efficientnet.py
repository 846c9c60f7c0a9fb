"""EfficientNet: inverted residuals with squeeze-and-excitation, scaled together."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

B0_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
"""Expansion, kernel, output channels, repeats and first stride of each stage."""


def efficientnet_b0(batch: int) -> ModelProto:
    """The baseline. Source: arXiv 1905.11946, table 1."""
    net = NetworkBuilder("efficientnet_b0")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 32, 3, stride=2, activation="SiLU")
    for stage, (expansion, kernel, channels, repeats, first_stride) in enumerate(B0_STAGES):
        for index in range(repeats):
            with net.scope(f"stage{stage + 1}.{index}"):
                stride = first_stride if index == 0 else 1
                x = _block(net, x, expansion, kernel, channels, stride)
    x = net.conv_bn(x, 1280, 1, activation="SiLU")
    x = net.flatten(net.global_pool(x))
    return net.build(net.linear(x, 1000))


def _block(
    net: NetworkBuilder, x: str, expansion: int, kernel: int, channels: int, stride: int
) -> str:
    y, inner = x, net.channels(x) * expansion
    if expansion > 1:
        y = net.conv_bn(y, inner, 1, activation="SiLU")
    y = net.conv_bn(y, inner, kernel, stride=stride, groups=inner, activation="SiLU")
    y = net.squeeze_excitation(y, max(1, net.channels(x) // 4), activation="SiLU")
    y = net.conv_bn(y, channels, 1, activation="")
    return net.add(y, x) if net.shapes[x] == net.shapes[y] else y
