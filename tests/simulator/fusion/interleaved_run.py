"""A small run in which tiles of layers take turns, for tests of what reads it."""

from hw_models.chip_files import load_chip
from simulator.fusion.compile import FusionChoices
from simulator.fusion.granularity import Granularity
from simulator.fusion.run import simulate_fused
from tests.simulator.fusion.networks import Net

CORES = ("core0", "core1", "core2")
"""That do MACs."""
VECTOR_CORE = "simd"
DIVIDED = 1
"""The layer that two cores share."""


def record_interleaved(folder, memory="simple"):
    """Two convolutions, the second on two cores, and a shortcut."""
    net = Net()
    first = net.window(net.input(8, 16, 16), 16, (3, 3), pad=(1, 1))
    net.add(first, net.window(first, 16, (3, 3), pad=(1, 1)))
    workload = net.build()
    names = [layer.name for layer in workload.layers]
    places = dict(zip(names, [CORES[:1], CORES[1:], (VECTOR_CORE,)], strict=True))
    choices = FusionChoices(Granularity.parse("line"), places)
    return simulate_fused(workload, load_chip("stream_4homo"), choices, memory=memory, out=folder)
