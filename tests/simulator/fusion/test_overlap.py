import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.fusion.networks import Net, granularities, graph_of, networks

SIZE = 12


def three_convolutions():
    net = Net()
    x = net.input(2, SIZE, SIZE)
    for channels in (3, 4, 5):
        x = net.window(x, channels, taps=(3, 3), pad=(1, 1))
    return net.build()


def boxes(graph, layer, axis):
    place = 3 if axis == "y" else 4
    here = graph.layer == layer
    return list(zip(graph.low[here, place].tolist(), graph.high[here, place].tolist(), strict=True))


def dilated(low, high, halo):
    return max(low - halo, 0), min(high + halo, SIZE)


def test_recomputed_chains_make_their_halo_themselves():
    graph = graph_of(three_convolutions(), "tile:4x4", overlap="recompute")
    tiles = [(low, low + 4) for low in range(0, SIZE, 4)]
    for layer, halo in ((0, 2), (1, 1), (2, 0)):
        regions = [dilated(*tile, halo) for tile in tiles]
        assert boxes(graph, layer, "y") == [y for y in regions for _ in regions]
        assert boxes(graph, layer, "x") == [x for _ in regions for x in regions]


def test_recomputed_chains_read_nothing_of_each_other():
    graph = graph_of(three_convolutions(), "tile:4x4", overlap="recompute")
    for node in range(graph.size):
        makers = graph.tensor_maker[graph.needs_of(node)]
        assert (graph.tile[makers[makers >= 0]] == graph.tile[node]).all()


def test_horizontal_keeps_columns_and_makes_rows_again():
    graph = graph_of(three_convolutions(), "tile:4x4", overlap="horizontal")
    tiles = [(low, low + 4) for low in range(0, SIZE, 4)]
    for layer, halo in ((0, 2), (1, 1), (2, 0)):
        assert boxes(graph, layer, "y") == [dilated(*y, halo) for y in tiles for _ in tiles]
        assert boxes(graph, layer, "x") == [x for _ in tiles for x in tiles]
    middle = 2 * 9 + 4
    assert graph.needs_of(middle)[1:].tolist() == [9 + 3, 9 + 4, 9 + 5], "of the same strip"


def test_macs_count_what_is_made_again():
    workload = three_convolutions()
    tiles = [(low, low + 4) for low in range(0, SIZE, 4)]
    made = {halo: sum(np.subtract(*dilated(*t, halo)[::-1]) for t in tiles) for halo in (0, 1, 2)}
    per_output = [layer.macs // SIZE**2 for layer in workload.layers]

    def macs(overlap):
        return graph_of(workload, "tile:4x4", overlap=overlap).macs

    pairs = list(zip(per_output, (2, 1, 0), strict=True))
    assert macs("full") == workload.macs
    assert macs("horizontal") == sum(each * made[halo] * SIZE for each, halo in pairs)
    assert macs("recompute") == sum(each * made[halo] ** 2 for each, halo in pairs)


def test_a_branch_makes_what_the_widest_of_its_readers_needs():
    net = Net()
    x = net.window(net.input(1, SIZE, SIZE), 2)
    net.add(net.window(x, 2, taps=(5, 1), pad=(2, 0)), x)
    graph = graph_of(net.build(), "tile:4x12", overlap="recompute")
    assert boxes(graph, 0, "y") == [dilated(low, low + 4, 2) for low in range(0, SIZE, 4)]


def test_rows_that_nobody_reads_are_not_made_again():
    net = Net()
    x = net.window(net.input(1, 7, 1), 1)
    net.window(x, 1, stride=(3, 1))
    graph = graph_of(net.build(), "line", overlap="recompute")
    assert boxes(graph, 0, "y") == [(0, 1), (3, 4), (6, 7)]


@settings(max_examples=30, deadline=None)
@given(networks(), granularities(), st.sampled_from(["full", "horizontal", "recompute"]))
def test_outputs_of_the_network_are_complete(workload, text, overlap):
    graph = graph_of(workload, text, overlap=overlap)
    for number in np.unique(graph.layer[graph.tensor_maker[graph.tensor_is_final]]).tolist():
        layer = workload.layers[number]
        made = np.zeros((layer.dims.g, layer.dims.k, layer.dims.oy, layer.dims.ox), int)
        for node in np.flatnonzero(graph.layer == number):
            made[tuple(map(slice, graph.low[node, 1:], graph.high[node, 1:]))] += 1
        assert made.min() >= 1
        assert overlap != "full" or made.max() == 1
