"""VGG: plain stacks of 3x3 convolutions."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

STACKS_16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg16(batch: int) -> ModelProto:
    """Configuration D. Source: arXiv 1409.1556, table 1."""
    net = NetworkBuilder("vgg16")
    x = net.input("image", (batch, 3, 224, 224))
    for stack in STACKS_16:
        for channels in stack:
            x = net.like("Relu", net.conv(x, channels, 3, bias=True))
        x = net.max_pool(x, 2, 2)
    x = net.flatten(x)
    for features in (4096, 4096):
        x = net.like("Relu", net.linear(x, features))
    return net.build(net.linear(x, 1000))
