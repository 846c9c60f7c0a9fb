"""AlexNet in its one-column form."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder


def alexnet(batch: int) -> ModelProto:
    """Five convolutions and three fully connected layers. Source: arXiv 1404.5997."""
    net = NetworkBuilder("alexnet")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.like("Relu", net.conv(x, 64, 11, stride=4, padding=2, bias=True))
    x = net.max_pool(x, 3, 2)
    x = net.like("Relu", net.conv(x, 192, 5, bias=True))
    x = net.max_pool(x, 3, 2)
    for channels in (384, 256, 256):
        x = net.like("Relu", net.conv(x, channels, 3, bias=True))
    x = net.flatten(net.max_pool(x, 3, 2))
    for features in (4096, 4096):
        x = net.like("Relu", net.linear(x, features))
    return net.build(net.linear(x, 1000))
