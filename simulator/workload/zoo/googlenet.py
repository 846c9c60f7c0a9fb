"""GoogLeNet (Inception v1) with batch norm, without the training-time auxiliary heads."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

STAGES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Per inception module: 1x1; reduction, 3x3; reduction, second 3x3; projection after the pool."""


def googlenet(batch: int) -> ModelProto:
    """Nine inception modules. Source: arXiv 1409.4842, table 1.

    As in torchvision, the paper's 5x5 convolutions are 3x3 and every one has a batch norm.
    """
    net = NetworkBuilder("googlenet")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 64, 7, stride=2)
    x = net.max_pool(x, 3, 2, ceil=True)
    x = net.conv_bn(x, 64, 1)
    x = net.conv_bn(x, 192, 3)
    x = net.max_pool(x, 3, 2, ceil=True)
    for number, stage in enumerate(STAGES):
        for letter, widths in zip("abcde", stage, strict=False):
            with net.scope(f"inception{number + 3}{letter}"):
                x = _inception(net, x, *widths)
        if number == 0:
            x = net.max_pool(x, 3, 2, ceil=True)
        elif number == 1:
            x = net.max_pool(x, 2, 2, ceil=True)
    x = net.flatten(net.global_pool(x))
    return net.build(net.linear(x, 1000))


def _inception(
    net: NetworkBuilder,
    x: str,
    one: int,
    three_reduced: int,
    three: int,
    five_reduced: int,
    five: int,
    pooled: int,
) -> str:
    return net.concat(
        net.conv_bn(x, one, 1),
        net.conv_bn(net.conv_bn(x, three_reduced, 1), three, 3),
        net.conv_bn(net.conv_bn(x, five_reduced, 1), five, 3),
        net.conv_bn(net.max_pool(x, 3, 1, padding=1), pooled, 1),
    )
