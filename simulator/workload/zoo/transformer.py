"""Parts that transformers share: attention over several heads, and the two-layer perceptron."""

from __future__ import annotations

from math import sqrt

from simulator.workload.zoo.builder import NetworkBuilder


def to_heads(net: NetworkBuilder, x: str, heads: int) -> str:
    """(batch, positions, features) as (batch, heads, positions, features of a head)."""
    batch, positions, features = net.shapes[x]
    x = net.reshape(x, batch, positions, heads, features // heads)
    return net.transpose(x, 0, 2, 1, 3)


def from_heads(net: NetworkBuilder, x: str) -> str:
    """(batch, heads, positions, features of a head) as (batch, positions, features)."""
    batch, heads, positions, width = net.shapes[x]
    return net.reshape(net.transpose(x, 0, 2, 1, 3), batch, positions, heads * width)


def split_linear(net: NetworkBuilder, x: str, features: int) -> list[str]:
    """Queries, keys and values from one fully connected layer."""
    return net.split(net.linear(x, 3 * features), 2, features, features, features)


def scores(net: NetworkBuilder, query: str, key: str) -> str:
    """Scaled products of all queries with all keys; both with heads."""
    width = net.shapes[query][-1]
    products = net.matmul(query, net.transpose(key, 0, 1, 3, 2))
    return net.mul(products, net.number(1 / sqrt(width)))


def perceptron(net: NetworkBuilder, x: str, inner: int, *, approximate: str = "none") -> str:
    """Two fully connected layers with a GELU between; approximate: "none" or "tanh"."""
    features = net.shapes[x][-1]
    y = net.like("Gelu", net.linear(x, inner), approximate=approximate)
    return net.linear(y, features)
