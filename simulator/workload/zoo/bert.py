"""BERT: an encoder of text."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder
from simulator.workload.zoo.transformer import from_heads, perceptron, scores, to_heads

LAYERS, HEADS, FEATURES = 12, 12, 768
VOCABULARY, POSITIONS, SEGMENTS = 30522, 512, 2


def bert_base(batch: int, *, sequence: int) -> ModelProto:
    """BERT base, uncased, with its pooler and without a task's head. Source: arXiv 1810.04805."""
    net = NetworkBuilder("bert_base")
    x = _embed(net, batch, sequence)
    mask = net.input("attention_mask", (batch, sequence))
    mask = net.reshape(mask, batch, 1, 1, sequence)
    mask = net.mul(net.node("Sub", [net.number(1), mask], net.shapes[mask]), net.number(-1e4))
    for index in range(LAYERS):
        with net.scope(f"layer{index}"):
            x = net.layer_norm(net.add(_attention(net, x, mask), x))
            x = net.layer_norm(net.add(perceptron(net, x, 4 * FEATURES), x))
    first = net.reshape(net.slice(x, 1, 0, 1), batch, FEATURES)
    return net.build(x, net.like("Tanh", net.linear(first, FEATURES)))


def _embed(net: NetworkBuilder, batch: int, sequence: int) -> str:
    """The sum of the embeddings of words, segments and positions."""
    words = net.input("input_ids", (batch, sequence), integer=True)
    segments = net.input("token_type_ids", (batch, sequence), integer=True)
    x = net.gather(net.weight("words", (VOCABULARY, FEATURES)), words)
    x = net.add(x, net.gather(net.weight("segments", (SEGMENTS, FEATURES)), segments))
    positions = net.slice(net.weight("positions", (POSITIONS, FEATURES)), 0, 0, sequence)
    return net.layer_norm(net.add(x, positions))


def _attention(net: NetworkBuilder, x: str, mask: str) -> str:
    query, key, value = (to_heads(net, net.linear(x, FEATURES), HEADS) for _ in range(3))
    attention = net.softmax(net.add(scores(net, query, key), mask))
    return net.linear(from_heads(net, net.matmul(attention, value)), FEATURES)
