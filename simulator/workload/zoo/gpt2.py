"""GPT-2: a decoder of text, reading a prompt (prefill) or making one token (decode)."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.errors import WorkloadError
from simulator.workload.zoo.builder import NetworkBuilder
from simulator.workload.zoo.transformer import (
    from_heads,
    perceptron,
    scores,
    split_linear,
    to_heads,
)

LAYERS, HEADS, FEATURES = 12, 12, 768
VOCABULARY, POSITIONS = 50257, 1024


def gpt2(batch: int, *, sequence: int, phase: str) -> ModelProto:
    """GPT-2 small. Source: Radford et al., "Language Models are Unsupervised Multitask Learners".

    Prefill reads `sequence` tokens at once, under a causal mask, and gives the logits of each.
    Decode reads one token with `sequence` earlier ones in the cache of keys and values. The
    cache is read where it lies: the products with the old keys and with the new one are made
    apart and joined as scores, so that no cache is copied; the new key and value are outputs.
    """
    decode = phase == "decode"
    if decode and sequence == POSITIONS:
        raise WorkloadError(f"gpt2: sequence must be below {POSITIONS} to decode one more token")
    net = NetworkBuilder(f"gpt2_{phase}")
    tokens = net.input("input_ids", (batch, 1 if decode else sequence), integer=True)
    table = net.weight("tokens", (VOCABULARY, FEATURES))
    positions = net.weight("positions", (POSITIONS, FEATURES))
    first, last = (sequence, sequence + 1) if decode else (0, sequence)
    x = net.add(net.gather(table, tokens), net.slice(positions, 0, first, last))
    made: list[str] = []
    for index in range(LAYERS):
        with net.scope(f"layer{index}"):
            y = net.layer_norm(x)
            x = net.add(x, _decode(net, y, sequence, made) if decode else _prefill(net, y))
            x = net.add(x, perceptron(net, net.layer_norm(x), 4 * FEATURES, approximate="tanh"))
    logits = net.matmul(net.layer_norm(x), net.transpose(table, 1, 0))
    return net.build(logits, *made)


def _prefill(net: NetworkBuilder, x: str) -> str:
    """Attention of all positions to themselves and those before."""
    query, key, value = (to_heads(net, y, HEADS) for y in split_linear(net, x, FEATURES))
    products = scores(net, query, key)
    mask = net.filled((1, 1, *net.shapes[products][2:]), logical=True)
    shape = net.shapes[products]
    products = net.node("Where", [mask, products, net.number(-1e4)], shape)
    y = net.matmul(net.softmax(products), value)
    return net.linear(from_heads(net, y), FEATURES)


def _decode(net: NetworkBuilder, x: str, cached: int, made: list[str]) -> str:
    """Attention of one position to `cached` earlier ones and itself."""
    query, key, value = (to_heads(net, y, HEADS) for y in split_linear(net, x, FEATURES))
    made += [key, value]
    batch, heads, _, width = net.shapes[key]
    old_key, old_value = (
        net.input(f"layer{len(made) // 2 - 1}.cached_{kind}", (batch, heads, cached, width))
        for kind in ("keys", "values")
    )
    joined = net.concat(scores(net, query, old_key), scores(net, query, key), axis=3)
    old, new = net.split(net.softmax(joined), 3, cached, 1)
    y = net.add(net.matmul(old, old_value), net.matmul(new, value))
    return net.linear(from_heads(net, y), FEATURES)
