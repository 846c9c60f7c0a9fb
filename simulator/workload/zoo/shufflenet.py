"""ShuffleNet v2: half of the channels pass by, then both halves are shuffled."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

X1_0_STAGES = ((116, 4), (232, 8), (464, 4))
"""Output channels and units of each stage."""


def shufflenet_v2_x1_0(batch: int) -> ModelProto:
    """Width 1.0. Source: arXiv 1807.11164, table 5."""
    net = NetworkBuilder("shufflenet_v2_x1_0")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 24, 3, stride=2)
    x = net.max_pool(x, 3, 2, padding=1)
    for stage, (channels, units) in enumerate(X1_0_STAGES):
        for index in range(units):
            with net.scope(f"stage{stage + 2}.{index}"):
                x = _unit(net, x, channels // 2, first=index == 0)
    x = net.conv_bn(x, 1024, 1)
    x = net.node("ReduceMean", [x, net.integers(2, 3)], (batch, 1024), keepdims=0)
    return net.build(net.linear(x, 1000))


def _unit(net: NetworkBuilder, x: str, half: int, *, first: bool) -> str:
    if first:
        left, right, stride = _separable(net, x, half, stride=2), x, 2
    else:
        (left, right), stride = net.split(x, 1, half, half), 1
    right = net.conv_bn(right, half, 1)
    right = _separable(net, right, half, stride=stride)
    return _shuffle(net, net.concat(left, right))


def _separable(net: NetworkBuilder, x: str, channels: int, *, stride: int) -> str:
    groups = net.channels(x)
    x = net.conv_bn(x, groups, 3, stride=stride, groups=groups, activation="")
    return net.conv_bn(x, channels, 1)


def _shuffle(net: NetworkBuilder, x: str) -> str:
    """Channels of both halves by turns."""
    batch, channels, rows, columns = net.shapes[x]
    x = net.reshape(x, batch, 2, channels // 2, rows, columns)
    x = net.transpose(x, 0, 2, 1, 3, 4)
    return net.reshape(x, batch, channels, rows, columns)
