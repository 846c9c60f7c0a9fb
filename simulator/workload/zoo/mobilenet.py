"""MobileNets: depthwise-separable convolutions (v1), inverted residuals (v2), searched (v3)."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

V1_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
"""Output channels and stride of each separable block."""

V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, output channels, repeats and first stride of each stage."""

V3_LARGE_BLOCKS = (
    (3, 16, 16, False, "Relu", 1),
    (3, 64, 24, False, "Relu", 2),
    (3, 72, 24, False, "Relu", 1),
    (5, 72, 40, True, "Relu", 2),
    (5, 120, 40, True, "Relu", 1),
    (5, 120, 40, True, "Relu", 1),
    (3, 240, 80, False, "HardSwish", 2),
    (3, 200, 80, False, "HardSwish", 1),
    (3, 184, 80, False, "HardSwish", 1),
    (3, 184, 80, False, "HardSwish", 1),
    (3, 480, 112, True, "HardSwish", 1),
    (3, 672, 112, True, "HardSwish", 1),
    (5, 672, 160, True, "HardSwish", 2),
    (5, 960, 160, True, "HardSwish", 1),
    (5, 960, 160, True, "HardSwish", 1),
)
"""Kernel, expanded channels, output channels, squeeze-and-excitation, activation and stride."""


def mobilenet_v1(batch: int) -> ModelProto:
    """1.0 MobileNet-224. Source: arXiv 1704.04861, table 1."""
    net = NetworkBuilder("mobilenet_v1")
    x = net.conv_bn(net.input("image", (batch, 3, 224, 224)), 32, 3, stride=2)
    for index, (channels, stride) in enumerate(V1_BLOCKS):
        with net.scope(f"block{index + 1}"):
            x = net.conv_bn(x, net.channels(x), 3, stride=stride, groups=net.channels(x))
            x = net.conv_bn(x, channels, 1)
    x = net.flatten(net.global_pool(x))
    return net.build(net.linear(x, 1000))


def mobilenet_v2(batch: int) -> ModelProto:
    """Width 1.0. Source: arXiv 1801.04381, table 2."""
    net = NetworkBuilder("mobilenet_v2")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 32, 3, stride=2, activation="ReLU6")
    for stage, (expansion, channels, repeats, first_stride) in enumerate(V2_STAGES):
        for index in range(repeats):
            with net.scope(f"stage{stage + 1}.{index}"):
                stride = first_stride if index == 0 else 1
                x = inverted_residual(net, x, expansion, channels, 3, stride, "ReLU6")
    x = net.conv_bn(x, 1280, 1, activation="ReLU6")
    x = net.flatten(net.global_pool(x))
    return net.build(net.linear(x, 1000))


def inverted_residual(
    net: NetworkBuilder,
    x: str,
    expansion: int,
    channels: int,
    kernel: int,
    stride: int,
    activation: str,
) -> str:
    """Expand by 1x1, filter each channel, project by 1x1; add the input where sizes agree."""
    y, inner = x, net.channels(x) * expansion
    if expansion > 1:
        y = net.conv_bn(y, inner, 1, activation=activation)
    y = net.conv_bn(y, inner, kernel, stride=stride, groups=inner, activation=activation)
    y = net.conv_bn(y, channels, 1, activation="")
    return net.add(y, x) if net.shapes[x] == net.shapes[y] else y


def mobilenet_v3_large(batch: int) -> ModelProto:
    """Large, width 1.0. Source: arXiv 1905.02244, table 1."""
    net = NetworkBuilder("mobilenet_v3_large")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 16, 3, stride=2, activation="HardSwish")
    for index, block in enumerate(V3_LARGE_BLOCKS):
        with net.scope(f"block{index + 1}"):
            x = _searched_block(net, x, *block)
    x = net.conv_bn(x, 960, 1, activation="HardSwish")
    x = net.flatten(net.global_pool(x))
    x = net.like("HardSwish", net.linear(x, 1280))
    return net.build(net.linear(x, 1000))


def _searched_block(
    net: NetworkBuilder,
    x: str,
    kernel: int,
    inner: int,
    channels: int,
    squeeze: bool,
    activation: str,
    stride: int,
) -> str:
    y = x
    if inner != net.channels(x):
        y = net.conv_bn(y, inner, 1, activation=activation)
    y = net.conv_bn(y, inner, kernel, stride=stride, groups=inner, activation=activation)
    if squeeze:
        y = net.squeeze_excitation(y, multiple_of_8(inner / 4), gate="HardSigmoid")
    y = net.conv_bn(y, channels, 1, activation="")
    return net.add(y, x) if net.shapes[x] == net.shapes[y] else y


def multiple_of_8(channels: float) -> int:
    """The multiple of 8 nearest to a number of channels, at most a tenth below it."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
