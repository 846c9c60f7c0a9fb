"""Inception v2: GoogLeNet with batch norm, two 3x3 convolutions in place of each 5x5."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

MODULES: dict[str, tuple[int, tuple[int, int], tuple[int, int], int]] = {
    "3a": (64, (64, 64), (64, 96), 32),
    "3b": (64, (64, 96), (64, 96), 64),
    "3c": (0, (128, 160), (64, 96), 0),
    "4a": (224, (64, 96), (96, 128), 128),
    "4b": (192, (96, 128), (96, 128), 128),
    "4c": (160, (128, 160), (128, 160), 128),
    "4d": (96, (128, 192), (160, 192), 128),
    "4e": (0, (128, 192), (192, 256), 0),
    "5a": (352, (192, 320), (160, 224), 128),
    "5b": (352, (192, 320), (192, 224), 128),
}
"""Channels of each module: 1x1; reduction, 3x3; reduction, 3x3 twice; projection after the pool.

A module without a 1x1 halves the map. The released network has 128 channels after the pools of 4c
and 4d, where the paper's table has 96.
"""

MAX_POOLED = ("5b",)
"""Modules that keep the size of the map and pool by the maximum; the others average."""


def inception_v2(batch: int) -> ModelProto:
    """Ten inception modules. Source: arXiv 1502.03167, figure 5, with the biases of the release."""
    net = NetworkBuilder("inception_v2")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 64, 7, stride=2, bias=True)
    x = net.max_pool(x, 3, 2, ceil=True)
    x = net.conv_bn(x, 64, 1, bias=True)
    x = net.conv_bn(x, 192, 3, bias=True)
    x = net.max_pool(x, 3, 2, ceil=True)
    for name, (one, three, twice, pooled) in MODULES.items():
        with net.scope(f"inception{name}"):
            if one:
                x = _module(net, x, one, three, twice, pooled, name in MAX_POOLED)
            else:
                x = _reduction(net, x, three, twice)
    x = net.flatten(net.global_pool(x))
    return net.build(net.linear(x, 1000))


def _module(
    net: NetworkBuilder,
    x: str,
    one: int,
    three: tuple[int, int],
    twice: tuple[int, int],
    pooled: int,
    by_maximum: bool,
) -> str:
    pool = net.max_pool if by_maximum else net.avg_pool
    return net.concat(
        net.conv_bn(x, one, 1, bias=True),
        _three(net, x, three, 1),
        _twice(net, x, twice, 1),
        net.conv_bn(pool(x, 3, 1, padding=1), pooled, 1, bias=True),
    )


def _reduction(net: NetworkBuilder, x: str, three: tuple[int, int], twice: tuple[int, int]) -> str:
    return net.concat(
        _three(net, x, three, 2), _twice(net, x, twice, 2), net.max_pool(x, 3, 2, ceil=True)
    )


def _three(net: NetworkBuilder, x: str, widths: tuple[int, int], stride: int) -> str:
    reduced = net.conv_bn(x, widths[0], 1, bias=True)
    return net.conv_bn(reduced, widths[1], 3, stride=stride, bias=True)


def _twice(net: NetworkBuilder, x: str, widths: tuple[int, int], stride: int) -> str:
    first = net.conv_bn(net.conv_bn(x, widths[0], 1, bias=True), widths[1], 3, bias=True)
    return net.conv_bn(first, widths[1], 3, stride=stride, bias=True)
