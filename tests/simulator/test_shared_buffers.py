"""Cores that share a buffer, when layers are computed one after another."""

import pytest

from hw_models.spec import ChipSpec
from hw_models.yaml_file import build
from simulator.allocation.shares import single
from simulator.lowering.lower import lower
from tests.simulator.networks import chip, residual_network
from traces.errors import InputError


@pytest.fixture
def sharing():
    data = chip(cores=2).model_dump(mode="json")
    for buffer in data["cores"][0]["buffers"]:
        buffer["shared"] = True
    return build(ChipSpec, data, "small.yaml")


def test_cores_can_not_compute_side_by_side_in_one_buffer(sharing):
    message = (
        r"^small: core0 and core1 must have buffers of their own to compute layers one after "
        r"another, not both shared\.act; --granularity compiles for cores that share$"
    )
    with pytest.raises(InputError, match=message):
        lower(residual_network(), sharing)


def test_one_of_them_can_compute_everything(sharing):
    network = residual_network()
    lowered = lower(network, sharing, allocation=single(network, None))
    assert len(lowered.program) > len(network.layers)
