"""Batches as images of their own."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.chip_files import load_chip
from simulator.fusion.compile import FusionChoices
from simulator.fusion.execute import check_execution, steps_in_order
from simulator.fusion.granularity import Granularity
from simulator.fusion.images import batch_graph, one_image, separable_images
from simulator.fusion.run import simulate_fused
from tests.simulator.fusion.networks import PRECISION, Net


def network(images):
    net = Net()
    first = net.window(net.input(8, 12, 12, batch=images), 16, (3, 3), pad=(1, 1))
    second = net.window(first, 16, (3, 3), pad=(1, 1))
    net.add(first, second)
    return net.build()


def graph(images, text):
    return batch_graph(network(images), Granularity.parse(text), precision=PRECISION)


@settings(max_examples=20)
@given(st.integers(1, 4), st.sampled_from(["layer", "image", "line", "line:5", "tile:4x4"]))
def test_images_apart_compute_what_the_batch_computes(images, text):
    made = graph(images, text)
    check_execution(made, steps_in_order(made, np.arange(made.size)))
    assert made.macs == network(images).macs


def test_an_image_has_its_own_nodes_and_tensors_but_the_same_weights():
    one, three = graph(1, "line"), graph(3, "line")
    assert three.size == 3 * one.size
    weights = int(one.tensor_is_weight.sum())
    assert int(three.tensor_is_weight.sum()) == weights
    assert three.tensor_bytes.size - weights == 3 * (one.tensor_bytes.size - weights)
    assert (np.diff(three.layer) >= 0).all()


def test_whole_layers_keep_the_batch_together():
    assert graph(3, "layer").size == graph(1, "layer").size
    assert graph(3, "image").size == 3 * graph(1, "image").size


def test_a_batch_can_be_parted_and_one_image_is_a_network():
    assert separable_images(network(4)) == 4
    assert one_image(network(4)).macs == network(1).macs


def test_a_pipeline_of_images_takes_less_than_one_after_another():
    chip = load_chip("stream_tpu_quad")
    layers = [layer.name for layer in network(1).layers]
    cores = dict(zip(layers, [("core0",), ("core1",), ("simd",)], strict=False))
    cores |= dict.fromkeys(layers[2:], ("simd",))
    choices = FusionChoices(Granularity.parse("image"), cores)
    one = simulate_fused(network(1), chip, choices).result.cycles
    four = simulate_fused(network(4), chip, choices).result.cycles
    assert one < four < 4 * one
