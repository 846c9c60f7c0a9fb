"""DenseNet: every layer reads the outputs of all before it in its block."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

GROWTH = 32
BOTTLENECK = 4 * GROWTH


def densenet121(batch: int) -> ModelProto:
    """Blocks of 6, 12, 24 and 16 layers. Source: arXiv 1608.06993, table 1."""
    net = NetworkBuilder("densenet121")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv_bn(x, 64, 7, stride=2)
    x = net.max_pool(x, 3, 2, padding=1)
    for number, layers in enumerate((6, 12, 24, 16)):
        if number > 0:
            with net.scope(f"transition{number}"):
                x = net.conv(_bn_relu(net, x), net.channels(x) // 2, 1)
                x = net.avg_pool(x, 2, 2)
        x = _dense_block(net, x, f"block{number + 1}", layers)
    x = net.flatten(net.global_pool(_bn_relu(net, x)))
    return net.build(net.linear(x, 1000))


def _dense_block(net: NetworkBuilder, x: str, name: str, layers: int) -> str:
    made = [x]
    for index in range(layers):
        with net.scope(f"{name}.{index}"):
            y = net.concat(*made) if len(made) > 1 else x
            y = net.conv_bn(_bn_relu(net, y), BOTTLENECK, 1)
            made.append(net.conv(y, GROWTH, 3))
    with net.scope(name):
        return net.concat(*made)


def _bn_relu(net: NetworkBuilder, x: str) -> str:
    return net.like("Relu", net.batch_norm(x))
