"""RegNet: widths and depths of the stages follow from a line of a few parameters."""

from __future__ import annotations

from itertools import groupby
from math import log

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder


def regnet_y_400mf(batch: int) -> ModelProto:
    """RegNetY-400MF. Source: arXiv 2003.13678."""
    widths = stage_widths(depth=16, first=48, slope=27.89, ratio=2.09, group=8)
    net = NetworkBuilder("regnet_y_400mf")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 32, 3, stride=2)
    for stage, (width, blocks) in enumerate(widths):
        for index in range(blocks):
            with net.scope(f"stage{stage + 1}.{index}"):
                x = _block(net, x, width, stride=2 if index == 0 else 1, group=8)
    x = net.flatten(net.global_pool(x))
    return net.build(net.linear(x, 1000))


def stage_widths(
    *, depth: int, first: int, slope: float, ratio: float, group: int
) -> list[tuple[int, int]]:
    """Width and number of blocks of each stage.

    Block widths on the line first + slope * i, rounded to powers of `ratio` times `first`, then
    to multiples of 8 and of the group width.
    """
    quantised = []
    for index in range(depth):
        power = round(log((first + slope * index) / first) / log(ratio))
        width = round(first * ratio**power / 8) * 8
        quantised.append(round(width / group) * group)
    return [(width, len(list(blocks))) for width, blocks in groupby(quantised)]


def _block(net: NetworkBuilder, x: str, width: int, *, stride: int, group: int) -> str:
    """Bottleneck without narrowing; the squeeze is a quarter of the block's input."""
    y = net.conv_bn(x, width, 1)
    y = net.conv_bn(y, width, 3, stride=stride, groups=width // group)
    y = net.squeeze_excitation(y, round(net.channels(x) / 4))
    y = net.conv_bn(y, width, 1, activation="")
    if net.shapes[x] != net.shapes[y]:
        with net.scope("projection"):
            x = net.conv_bn(x, width, 1, stride=stride, activation="")
    return net.like("Relu", net.add(x, y))
