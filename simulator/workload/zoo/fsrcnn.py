"""FSRCNN: super-resolution of the luminance of an image."""

from __future__ import annotations

from onnx import ModelProto

from simulator.workload.zoo.builder import NetworkBuilder

FEATURES, SHRUNK, MAPPINGS = 56, 12, 4


def fsrcnn(batch: int, *, height: int, width: int, upscale: int) -> ModelProto:
    """FSRCNN(56, 12, 4). Source: arXiv 1608.00367.

    height, width: of the small image. The importer lowers the 9x9 deconvolution to a sub-pixel
    convolution, whose filters have ceil(9 / upscale)^2 taps for each of upscale^2 phases.
    """
    net = NetworkBuilder("fsrcnn")
    x = net.input("luminance", (batch, 1, height, width))
    for channels, kernel in ((FEATURES, 5), (SHRUNK, 1), *[(SHRUNK, 3)] * MAPPINGS, (FEATURES, 1)):
        x = net.conv(x, channels, kernel, bias=True)
        x = net.like("PRelu", x, net.weight("slope", (channels, 1, 1)))
    weights = [net.weight("weight", (FEATURES, 1, 9, 9)), net.weight("bias", (1,))]
    x = net.node(
        "ConvTranspose",
        [x, *weights],
        (batch, 1, height * upscale, width * upscale),
        kernel_shape=[9, 9],
        strides=[upscale] * 2,
        pads=[4] * 4,
        output_padding=[upscale - 1] * 2,
    )
    return net.build(x)
