import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.floorplan import floorplan
from simulator.allocation.file import load_allocation, rule_or_file
from simulator.allocation.shares import SPLIT_LOOPS, Share, split, split_layer
from simulator.mapping.streams import TILED_LOOPS
from simulator.run import simulate
from tests.simulator.networks import NetworkBuilder, chip, residual_network
from traces.errors import InputError

FOUR = chip(cores=4)


def conv(k=16, rows=12, columns=12, batch=1, c=8):
    n = NetworkBuilder()
    n.conv(n.input(c, rows, columns, batch), k, taps=3, pad=1)
    return n.build()


def covered(layer, shares):
    """How often every iteration of the loops that may be divided is computed."""
    sizes = dict(zip(TILED_LOOPS, layer.dims.loops, strict=False))
    total = 0
    for share in shares:
        part = 1
        for loop in SPLIT_LOOPS:
            low, high = share.ranges.get(loop, (0, sizes[loop]))
            part *= high - low
        total += part
    return total


@given(
    st.integers(1, 40), st.integers(1, 20), st.integers(1, 4),
    st.lists(st.integers(1, 9), min_size=1, max_size=7),
)  # fmt: skip
def test_a_split_covers_a_layer_once(k, rows, batch, weights):
    layer = conv(k, rows, 5, batch).layers[0]
    shares = split_layer(layer, weights)
    d = layer.dims
    assert covered(layer, shares) == d.b * d.g * d.k * d.oy * d.ox
    assert len({share.core for share in shares}) == len(shares)


def test_a_split_prefers_what_divides_evenly():
    assert split_layer(conv(k=7, rows=12).layers[0], [1] * 4)[0].ranges == {"oy": (0, 3)}
    assert split_layer(conv(k=16, rows=7, columns=7).layers[0], [1] * 4)[0].ranges == {"k": (0, 4)}


def test_of_even_splits_the_one_that_reads_less_twice_is_chosen():
    big_weights, big_inputs = conv(k=512, rows=4, columns=4, c=64), conv(k=8, rows=32, columns=32)
    assert "k" in split_layer(big_weights.layers[0], [1] * 4)[0].ranges
    assert "oy" in split_layer(big_inputs.layers[0], [1] * 4)[0].ranges


FILE = """
default: split
layers:
  conv0: core2
  conv1: {split: k}
  conv2:
    - {core: core0, oy: [0, 5]}
    - {core: core3, oy: [5, 8]}
"""


def test_a_file_names_cores_and_ranges(tmp_path):
    path = tmp_path / "allocation.yaml"
    path.write_text(FILE)
    workload, plan = residual_network(), floorplan(FOUR)
    shares = load_allocation(path, workload, plan)
    assert shares[0] == [Share(2)]
    assert [share.ranges["k"] for share in shares[1]] == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert shares[2] == [Share(0, {"oy": (0, 5)}), Share(3, {"oy": (5, 8)})]
    assert shares[3] == split(workload, plan)[3]
    result = simulate(workload, FOUR, allocation=shares).result
    assert sum(layer.cycles for layer in result.layers) == result.cycles
    assert result.units["core2.pe_array"]["busy/compute"] > 0


CORES = "core0, core1, core2, core3"

BAD = [
    ("layers: {convx: core0}", "layers.convx is not a layer of residual"),
    (
        "layers: {conv0: core9}",
        "layers.conv0 must be on one of core0, core1, core2, core3, not core9",
    ),
    (
        "layers: {conv0: [{core: core9}]}",
        "layers.conv0 must be on one of core0, core1, core2, core3",
    ),
    ("layers: {conv0: {split: c}}", "layers.conv0"),
    (
        "layers: {conv0: [{core: core0, oy: [0, 9]}]}",
        "layers.conv0: oy must be a range inside [0, 8], not [0, 9]",
    ),
    (
        "layers: {conv0: [{core: core0, oy: [0, 5]}, {core: core1, oy: [4, 8]}]}",
        "layers.conv0: ranges 0 and 1 must not overlap",
    ),
    (
        "layers: {conv0: [{core: core0, oy: [0, 5]}]}",
        "layers.conv0: ranges must cover all of the layer, not 320 of 512",
    ),
    ("default: best\nlayers: {}", "default must be one of 'single' or 'split', not 'best'"),
    ("layer: {}", "layer is not a known key"),
    (
        "layers: {softmax8: {split: g}}",
        "layers.softmax8 can't be divided along g, as it is a softmax",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text for text, _ in BAD])
def test_a_bad_file_names_layer_and_rule(text, message, tmp_path):
    path = tmp_path / "allocation.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: {re.escape(message)}"):
        load_allocation(path, residual_network(), floorplan(FOUR))


def test_an_unknown_rule_is_refused():
    with pytest.raises(
        InputError, match=r"^--allocation must be single, split or a YAML file, not 'best'$"
    ):
        rule_or_file("best", residual_network(), floorplan(FOUR))
