"""Sparse cores in the simulator: zeros skipped, weights packed, imbalance in the ledger."""

import re

import pytest

from simulator.mapping.layer_array import weight_ratio
from simulator.run import simulate
from simulator.sparsity.densities import with_sparsity
from simulator.workload.source import load_network
from tests.simulator.networks import NetworkBuilder, chip, residual_network
from tests.simulator.test_engine import assert_laws
from traces.errors import InputError

SPARSE = {
    "kind": "borrowing",
    "lanes": 8,
    "columns": 4,
    "rows": 2,
    "configurations": ["AB(2,0,0,2,0,1,on)", "B(4,0,1,on)", "A(2,1,1,on)"],
    "edge": "wrap",
    "abuf_steps": 9,
    "bbuf_steps": 3,
}


def convolution():
    network = NetworkBuilder()
    network.conv(network.input(64, 8, 8), 32, 3, pad=1)
    return network.build()


@pytest.mark.parametrize("memory", ["ideal", "simple", "cycle"])
@pytest.mark.parametrize("zeros", ["0:0", "0.8:0", "0:0.5", "0.8:0.5"])
def test_the_laws_hold_on_a_sparse_core(zeros, memory):
    workload = with_sparsity(residual_network(), zeros)
    assert_laws(workload, simulate(workload, chip(SPARSE), memory=memory))


@pytest.mark.parametrize(
    ("zeros", "configuration"),
    [
        ("0:0", "dense"),
        ("0.8:0", "B(4,0,1,on)"),
        ("0:0.5", "A(2,1,1,on)"),
        ("0.8:0.5", "AB(2,0,0,2,0,1,on)"),
    ],
)
def test_the_core_takes_on_what_the_layer_needs_and_says_so(zeros, configuration):
    done = simulate(with_sparsity(convolution(), zeros), chip(SPARSE), memory="ideal")
    assert done.result.layers[0].configuration == configuration


def test_zeros_save_cycles_energy_and_traffic():
    spec = chip(SPARSE, on_chip=1 << 16, weights=1 << 15)
    dense, sparse = (simulate(with_sparsity(convolution(), z), spec) for z in ("0:0", "0.8:0"))
    assert sparse.result.cycles < 0.6 * dense.result.cycles
    assert sparse.result.dram_read_bytes < dense.result.dram_read_bytes
    assert sparse.result.energy_pj < dense.result.energy_pj
    assert sparse.result.layers[0].causes["stall/sparsity_imbalance"] > 0
    assert "stall/sparsity_imbalance" not in dense.result.layers[0].causes


def test_packed_weights_carry_their_metadata():
    layer = with_sparsity(convolution(), "0.8:0").layers[0]
    core = chip(SPARSE).cores[0]
    assert 1 - 0.8 < weight_ratio(core, layer) < 1
    assert weight_ratio(core, with_sparsity(convolution(), "0:0.5").layers[0]) == 1


def test_published_shares_are_those_of_the_network():
    layers = with_sparsity(load_network("resnet50"), "published").layers
    assert {(x.weight_density, x.input_density) for x in layers if x.is_mac} == {(0.19, 0.57)}
    assert {(x.weight_density, x.input_density) for x in layers if not x.is_mac} == {(1.0, 1.0)}


@pytest.mark.parametrize("text", ["0.8", "1:0", "a:b", "0.5:-1", "", "0.5:0.5:0.5"])
def test_shares_of_zeros_out_of_range_are_refused(text):
    message = (
        "--sparsity must be published or the shares of zeros of weights and activations, "
        f"each from 0 to below 1, as 0.81:0.43, not {text!r}"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        with_sparsity(convolution(), text)


def test_a_network_without_published_shares_is_refused():
    message = "--sparsity published must be for one of alexnet, .*, not residual"
    with pytest.raises(InputError, match=f"^{message}$"):
        with_sparsity(residual_network(), "published")
