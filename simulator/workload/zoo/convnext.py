"""ConvNeXt: a convolutional network in the manner of a transformer."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

TINY_STAGES = ((96, 3), (192, 3), (384, 9), (768, 3))
"""Width and blocks of each stage."""


def convnext_tiny(batch: int) -> ModelProto:
    """Tiny. Source: arXiv 2201.03545."""
    net = NetworkBuilder("convnext_tiny")
    x = net.input("image", (batch, 3, 224, 224))
    for stage, (width, blocks) in enumerate(TINY_STAGES):
        with net.scope(f"downsample{stage}"):
            x = _downsample(net, x, width, first=stage == 0)
        for index in range(blocks):
            with net.scope(f"stage{stage + 1}.{index}"):
                x = _block(net, x)
    x = net.flatten(_map_norm(net, net.global_pool(x)))
    return net.build(net.linear(x, 1000))


def _downsample(net: NetworkBuilder, x: str, width: int, *, first: bool) -> str:
    if first:
        return _map_norm(net, net.conv(x, width, 4, stride=4, padding=0, bias=True))
    return net.conv(_map_norm(net, x), width, 2, stride=2, padding=0, bias=True)


def _block(net: NetworkBuilder, x: str) -> str:
    width = net.channels(x)
    y = net.conv(x, width, 7, groups=width, bias=True)
    y = net.layer_norm(net.transpose(y, 0, 2, 3, 1))
    y = net.like("Gelu", net.linear(y, 4 * width))
    y = net.transpose(net.linear(y, width), 0, 3, 1, 2)
    return net.add(net.mul(y, net.weight("layer_scale", (width, 1, 1))), x)


def _map_norm(net: NetworkBuilder, x: str) -> str:
    """Layer norm over the channels of a map."""
    x = net.layer_norm(net.transpose(x, 0, 2, 3, 1))
    return net.transpose(x, 0, 3, 1, 2)
