"""The pipeline estimate of fused layers: explained to the cycle."""

import re

import pytest

from hw_models.chip_files import load_chip
from simulator.fusion.compile import FusionChoices
from simulator.fusion.granularity import Granularity
from tests.command_line import tilesim
from tests.simulator.fusion.networks import Net
from validation.analytical.pipeline import pipeline_error


def chain(rows):
    net = Net()
    x = net.input(16, rows, 32)
    for _ in range(3):
        x = net.window(x, 16, (3, 3), pad=(1, 1))
    return net.build()


def error(rows, *cores):
    workload = chain(rows)
    placed = {layer.name: (core,) for layer, core in zip(workload.layers, cores, strict=True)}
    choices = FusionChoices(Granularity.parse("line"), placed)
    return pipeline_error(workload, load_chip("stream_4homo"), choices, "simple")


@pytest.mark.parametrize("cores", [("core0",) * 3, ("core0", "core1", "core2")])
def test_the_causes_explain_the_difference_to_the_cycle(cores):
    found = error(32, *cores)
    assert found.unexplained_cycles == 0
    assert sum(found.causes.values()) == found.simulated_cycles


def test_where_its_assumptions_hold_the_estimate_is_near():
    # Three cores in a row, small weights, many rows: a pipeline.
    assert abs(error(64, "core0", "core1", "core2").error_pct) < 10


def test_the_verb_closes_with_its_figures(capsys):
    words = ["validate", "pipeline", "--network", "squeezenet1_1", "--chip", "stream_tpu_quad"]
    code, out, _ = tilesim(words, capsys)
    assert code == 0
    assert re.search(r"^estimated_cycles=\d+ .* unexplained_cycles=0$", out, re.M)
