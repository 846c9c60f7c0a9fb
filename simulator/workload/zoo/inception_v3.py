"""Inception v3: factorised convolutions."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

AUXILIARY_WEIGHTS = (
    (128, 768, 1, 1),
    (128,),
    (128,),
    (768, 128, 5, 5),
    (768,),
    (768,),
    (1000, 768),
    (1000,),
)
"""Parameters of the auxiliary head, which runs in training only but is counted as published:
two convolutions with the scale and shift of their batch norms, and a classifier (3 326 696)."""


def inception_v3(batch: int) -> ModelProto:
    """Eleven inception modules on 299x299 pixels. Source: arXiv 1512.00567, table 1.

    Module names as in the authors' and torchvision's code. The MACs are those of inference.
    """
    net = NetworkBuilder("inception_v3")
    x = _stem(net, net.input("image", (batch, 3, 299, 299)))
    for letter, pooled in zip("bcd", (32, 64, 64), strict=True):
        with net.scope(f"mixed5{letter}"):
            x = _module_a(net, x, pooled)
    with net.scope("mixed6a"):
        x = _reduction_b(net, x)
    for letter, inner in zip("bcde", (128, 160, 160, 192), strict=True):
        with net.scope(f"mixed6{letter}"):
            x = _module_c(net, x, inner)
    with net.scope("auxiliary"):
        for shape in AUXILIARY_WEIGHTS:
            net.weight("weight", shape)
    with net.scope("mixed7a"):
        x = _reduction_d(net, x)
    for letter in "bc":
        with net.scope(f"mixed7{letter}"):
            x = _module_e(net, x)
    x = net.flatten(net.global_pool(x))
    return net.build(net.linear(x, 1000))


def _stem(net: NetworkBuilder, x: str) -> str:
    x = net.conv_bn(x, 32, 3, stride=2, padding=0)
    x = net.conv_bn(x, 32, 3, padding=0)
    x = net.conv_bn(x, 64, 3)
    x = net.max_pool(x, 3, 2)
    x = net.conv_bn(x, 80, 1)
    x = net.conv_bn(x, 192, 3, padding=0)
    return net.max_pool(x, 3, 2)


def _module_a(net: NetworkBuilder, x: str, pooled: int) -> str:
    three = net.conv_bn(net.conv_bn(x, 64, 1), 96, 3)
    return net.concat(
        net.conv_bn(x, 64, 1),
        net.conv_bn(net.conv_bn(x, 48, 1), 64, 5),
        net.conv_bn(three, 96, 3),
        net.conv_bn(net.avg_pool(x, 3, 1, padding=1), pooled, 1),
    )


def _reduction_b(net: NetworkBuilder, x: str) -> str:
    three = net.conv_bn(net.conv_bn(x, 64, 1), 96, 3)
    return net.concat(
        net.conv_bn(x, 384, 3, stride=2, padding=0),
        net.conv_bn(three, 96, 3, stride=2, padding=0),
        net.max_pool(x, 3, 2),
    )


def _module_c(net: NetworkBuilder, x: str, inner: int) -> str:
    seven = net.conv_bn(net.conv_bn(x, inner, 1), inner, (1, 7))
    twice = net.conv_bn(net.conv_bn(x, inner, 1), inner, (7, 1))
    for channels, kernel in ((inner, (1, 7)), (inner, (7, 1)), (192, (1, 7))):
        twice = net.conv_bn(twice, channels, kernel)
    return net.concat(
        net.conv_bn(x, 192, 1),
        net.conv_bn(seven, 192, (7, 1)),
        twice,
        net.conv_bn(net.avg_pool(x, 3, 1, padding=1), 192, 1),
    )


def _reduction_d(net: NetworkBuilder, x: str) -> str:
    seven = net.conv_bn(net.conv_bn(x, 192, 1), 192, (1, 7))
    seven = net.conv_bn(seven, 192, (7, 1))
    return net.concat(
        net.conv_bn(net.conv_bn(x, 192, 1), 320, 3, stride=2, padding=0),
        net.conv_bn(seven, 192, 3, stride=2, padding=0),
        net.max_pool(x, 3, 2),
    )


def _module_e(net: NetworkBuilder, x: str) -> str:
    three = net.conv_bn(x, 384, 1)
    twice = net.conv_bn(net.conv_bn(x, 448, 1), 384, 3)
    return net.concat(
        net.conv_bn(x, 320, 1),
        *(net.conv_bn(three, 384, kernel) for kernel in ((1, 3), (3, 1))),
        *(net.conv_bn(twice, 384, kernel) for kernel in ((1, 3), (3, 1))),
        net.conv_bn(net.avg_pool(x, 3, 1, padding=1), 192, 1),
    )
