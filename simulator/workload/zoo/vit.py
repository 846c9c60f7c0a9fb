"""Vision transformer."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder
from simulator.workload.zoo.transformer import (
    from_heads,
    perceptron,
    scores,
    split_linear,
    to_heads,
)

LAYERS, HEADS, FEATURES, PATCH = 12, 12, 768, 16


def vit_b_16(batch: int) -> ModelProto:
    """ViT-Base with 16x16 patches. Source: arXiv 2010.11929, table 1."""
    net = NetworkBuilder("vit_b_16")
    x = net.input("image", (batch, 3, 224, 224))
    x = _embed(net, net.conv(x, FEATURES, PATCH, stride=PATCH, padding=0, bias=True))
    for index in range(LAYERS):
        with net.scope(f"layer{index}"):
            x = net.add(x, _attention(net, net.layer_norm(x)))
            x = net.add(x, perceptron(net, net.layer_norm(x), 4 * FEATURES))
    x = net.layer_norm(x)
    first = net.reshape(net.slice(x, 1, 0, 1), batch, FEATURES)
    return net.build(net.linear(first, 1000))


def _embed(net: NetworkBuilder, x: str) -> str:
    """Patches as a sequence behind the class token, with positions added."""
    batch, _, rows, columns = net.shapes[x]
    x = net.transpose(net.reshape(x, batch, FEATURES, rows * columns), 0, 2, 1)
    token = net.weight("class_token", (1, 1, FEATURES))
    shape = net.integers(batch, 1, FEATURES)
    x = net.concat(net.node("Expand", [token, shape], (batch, 1, FEATURES)), x)
    return net.add(x, net.weight("positions", (1, rows * columns + 1, FEATURES)))


def _attention(net: NetworkBuilder, x: str) -> str:
    query, key, value = (to_heads(net, y, HEADS) for y in split_linear(net, x, FEATURES))
    attention = net.softmax(scores(net, query, key))
    return net.linear(from_heads(net, net.matmul(attention, value)), FEATURES)
