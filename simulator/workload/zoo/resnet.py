"""ResNet, version 1.5: the 3x3 convolution of a bottleneck has the stride."""

from __future__ import annotations

from collections.abc import Callable

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

Block = Callable[[NetworkBuilder, str, int, int], str]


def resnet18(batch: int) -> ModelProto:
    """Basic blocks, 2-2-2-2. Source: arXiv 1512.03385, table 1."""
    return _resnet("resnet18", batch, _basic_block, (2, 2, 2, 2))


def resnet34(batch: int) -> ModelProto:
    """Basic blocks, 3-4-6-3. Source: arXiv 1512.03385, table 1."""
    return _resnet("resnet34", batch, _basic_block, (3, 4, 6, 3))


def resnet50(batch: int) -> ModelProto:
    """Bottlenecks, 3-4-6-3. Source: arXiv 1512.03385, table 1."""
    return _resnet("resnet50", batch, _bottleneck, (3, 4, 6, 3))


def resnet101(batch: int) -> ModelProto:
    """Bottlenecks, 3-4-23-3. Source: arXiv 1512.03385, table 1."""
    return _resnet("resnet101", batch, _bottleneck, (3, 4, 23, 3))


def resnet152(batch: int) -> ModelProto:
    """Bottlenecks, 3-8-36-3. Source: arXiv 1512.03385, table 1."""
    return _resnet("resnet152", batch, _bottleneck, (3, 8, 36, 3))


def _resnet(name: str, batch: int, block: Block, depths: tuple[int, ...]) -> ModelProto:
    net = NetworkBuilder(name)
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 64, 7, stride=2)
    x = net.max_pool(x, 3, 2, padding=1)
    for stage, depth in enumerate(depths):
        for index in range(depth):
            with net.scope(f"layer{stage + 1}.{index}"):
                stride = 2 if stage > 0 and index == 0 else 1
                x = block(net, x, 64 * 2**stage, stride)
    x = net.flatten(net.global_pool(x))
    return net.build(net.linear(x, 1000))


def _basic_block(net: NetworkBuilder, x: str, channels: int, stride: int) -> str:
    y = net.conv_bn(x, channels, 3, stride=stride)
    y = net.conv_bn(y, channels, 3, activation="")
    return _joined(net, x, y, stride)


def _bottleneck(net: NetworkBuilder, x: str, channels: int, stride: int) -> str:
    y = net.conv_bn(x, channels, 1)
    y = net.conv_bn(y, channels, 3, stride=stride)
    y = net.conv_bn(y, 4 * channels, 1, activation="")
    return _joined(net, x, y, stride)


def _joined(net: NetworkBuilder, x: str, y: str, stride: int) -> str:
    """The block's result added to its input, which is projected where sizes differ."""
    if net.shapes[x] != net.shapes[y]:
        with net.scope("downsample"):
            x = net.conv_bn(x, net.channels(y), 1, stride=stride, activation="")
    return net.like("Relu", net.add(y, x))
