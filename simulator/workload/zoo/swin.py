"""Swin transformer: attention inside windows that shift from layer to layer."""

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

WINDOW = 7
FIRST_WIDTH, PATCH, HEAD_WIDTH = 96, 4, 32
TINY_DEPTHS = (2, 2, 6, 2)


def swin_t(batch: int) -> ModelProto:
    """Swin-T. Source: arXiv 2103.14030, section 3 and table 7.

    Maps are (batch, y, x, feature) throughout. The cyclic shift is a concat of two slices per
    axis; a shifted layer adds a mask to the scores of each window.
    """
    net = NetworkBuilder("swin_t")
    x = net.input("image", (batch, 3, 224, 224))
    x = net.conv(x, FIRST_WIDTH, PATCH, stride=PATCH, padding=0, bias=True)
    x = net.layer_norm(net.transpose(x, 0, 2, 3, 1))
    for stage, depth in enumerate(TINY_DEPTHS):
        if stage > 0:
            with net.scope(f"merge{stage}"):
                x = _merge_patches(net, x)
        for index in range(depth):
            with net.scope(f"stage{stage + 1}.{index}"):
                x = _block(net, x, shift=WINDOW // 2 if index % 2 else 0)
    x = net.layer_norm(x)
    x = net.flatten(net.global_pool(net.transpose(x, 0, 3, 1, 2)))
    return net.build(net.linear(x, 1000))


def _merge_patches(net: NetworkBuilder, x: str) -> str:
    """2x2 neighbours side by side as features, then half as many of them."""
    _, rows, columns, width = net.shapes[x]
    corners = []
    for column in (0, 1):
        for row in (0, 1):
            part = net.slice(x, 1, row, rows, 2)
            corners.append(net.slice(part, 2, column, columns, 2))
    return net.linear(net.layer_norm(net.concat(*corners, axis=3)), 2 * width, bias=False)


def _block(net: NetworkBuilder, x: str, *, shift: int) -> str:
    if net.shapes[x][1] <= WINDOW:
        shift = 0
    x = net.add(x, _window_attention(net, net.layer_norm(x), shift))
    return net.add(x, perceptron(net, net.layer_norm(x), 4 * net.shapes[x][-1]))


def _window_attention(net: NetworkBuilder, x: str, shift: int) -> str:
    shape = net.shapes[x]
    width = shape[-1]
    heads = width // HEAD_WIDTH
    windows = _to_windows(net, _roll(net, x, shift))
    query, key, value = (to_heads(net, y, heads) for y in split_linear(net, windows, width))
    products = net.add(scores(net, query, key), _position_bias(net, heads))
    if shift:
        products = _mask(net, products, shape[0])
    y = net.matmul(net.softmax(products), value)
    y = net.linear(from_heads(net, y), width)
    return _roll(net, _from_windows(net, y, shape), -shift)


def _roll(net: NetworkBuilder, x: str, shift: int) -> str:
    """A cyclic shift of rows and columns towards the origin."""
    for axis in (1, 2) if shift else ():
        size = net.shapes[x][axis]
        start = shift % size
        x = net.concat(net.slice(x, axis, start, size), net.slice(x, axis, 0, start), axis=axis)
    return x


def _to_windows(net: NetworkBuilder, x: str) -> str:
    batch, rows, columns, width = net.shapes[x]
    down, across = rows // WINDOW, columns // WINDOW
    x = net.reshape(x, batch, down, WINDOW, across, WINDOW, width)
    x = net.transpose(x, 0, 1, 3, 2, 4, 5)
    return net.reshape(x, batch * down * across, WINDOW * WINDOW, width)


def _from_windows(net: NetworkBuilder, x: str, shape: tuple[int, ...]) -> str:
    batch, rows, columns, width = shape
    down, across = rows // WINDOW, columns // WINDOW
    x = net.reshape(x, batch, down, across, WINDOW, WINDOW, width)
    x = net.transpose(x, 0, 1, 3, 2, 4, 5)
    return net.reshape(x, *shape)


def _position_bias(net: NetworkBuilder, heads: int) -> str:
    """The bias of each pair of positions, looked up by their distance."""
    positions = WINDOW * WINDOW
    table = net.weight("position_table", ((2 * WINDOW - 1) ** 2, heads))
    index = net.integers(*_distance_numbers())
    bias = net.reshape(net.gather(table, index), positions, positions, heads)
    return net.reshape(net.transpose(bias, 2, 0, 1), 1, heads, positions, positions)


def _distance_numbers() -> list[int]:
    """Row of the table for each pair of positions in a window."""
    places = [(y, x) for y in range(WINDOW) for x in range(WINDOW)]
    side = 2 * WINDOW - 1
    return [
        (y - v + WINDOW - 1) * side + (x - u + WINDOW - 1) for y, x in places for v, u in places
    ]


def _mask(net: NetworkBuilder, products: str, batch: int) -> str:
    """Scores with a mask per window added, which parts what the shift has joined."""
    windows, heads, positions, _ = net.shapes[products]
    x = net.reshape(products, batch, windows // batch, heads, positions, positions)
    x = net.add(x, net.filled((1, windows // batch, 1, positions, positions)))
    return net.reshape(x, windows, heads, positions, positions)
