"""SqueezeNet: fire modules squeeze by 1x1, then expand by 1x1 and 3x3."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

FIRES_1_1 = (
    ((16, 64), (16, 64)),
    ((32, 128), (32, 128)),
    ((48, 192), (48, 192), (64, 256), (64, 256)),
)
"""Squeezed and expanded channels of the modules between poolings, version 1.1."""


def squeezenet1_1(batch: int) -> ModelProto:
    """Version 1.1 (earlier pooling). Source: arXiv 1602.07360 and its authors' repository."""
    net = NetworkBuilder("squeezenet1_1")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.like("Relu", net.conv(x, 64, 3, stride=2, padding=0, bias=True))
    number = 1
    for fires in FIRES_1_1:
        x = net.max_pool(x, 3, 2, ceil=True)
        for squeezed, expanded in fires:
            number += 1
            with net.scope(f"fire{number}"):
                x = _fire(net, x, squeezed, expanded)
    x = net.like("Relu", net.conv(x, 1000, 1, bias=True))
    return net.build(net.flatten(net.global_pool(x)))


def _fire(net: NetworkBuilder, x: str, squeezed: int, expanded: int) -> str:
    x = net.like("Relu", net.conv(x, squeezed, 1, bias=True))
    return net.concat(*(net.like("Relu", net.conv(x, expanded, k, bias=True)) for k in (1, 3)))
