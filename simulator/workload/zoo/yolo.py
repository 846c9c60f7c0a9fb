"""Small YOLO networks: detection with plain convolutions and poolings."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

TINY = (16, 32, 64, 128, 256)
LITE = (16, 32, 64, 128, 128)
"""Output channels of the 3x3 convolutions that a 2x2 pooling follows."""

BOXES, NUMBERS = 5, 25
"""Boxes of a cell; numbers of a box (VOC: 20 classes)."""


def tiny_yolo_v2(batch: int, *, height: int, width: int) -> ModelProto:
    """Tiny YOLOv2 for VOC. Source: arXiv 1612.08242; darknet, cfg/yolov2-tiny-voc.cfg.

    height, width: of the image, 416 as published.
    """
    net = NetworkBuilder("tiny_yolo_v2")
    x = _halved(net, net.input("image", (batch, 3, height, width)), TINY)
    x = net.conv_bn(x, 512, 3, activation="LeakyRelu")
    x = net.like("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1])
    for _ in range(2):
        x = net.conv_bn(x, 1024, 3, activation="LeakyRelu")
    return net.build(net.conv(x, BOXES * NUMBERS, 1, bias=True))


def yolo_lite(batch: int, *, height: int, width: int) -> ModelProto:
    """YOLO-LITE, the trial without batch norm. Source: arXiv 1811.05588, table of trial 3.

    height, width: of the image, 224 as published.
    """
    net = NetworkBuilder("yolo_lite")
    x = _halved(net, net.input("image", (batch, 3, height, width)), LITE)
    x = net.conv_bn(x, 256, 3, activation="LeakyRelu")
    return net.build(net.conv(x, BOXES * NUMBERS, 1, bias=True))


def _halved(net: NetworkBuilder, x: str, channels: Sequence[int]) -> str:
    """Convolutions, each followed by a pooling that halves rows and columns."""
    for count in channels:
        x = net.max_pool(net.conv_bn(x, count, 3, activation="LeakyRelu"), 2, 2)
    return x
