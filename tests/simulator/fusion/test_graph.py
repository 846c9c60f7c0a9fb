from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.fusion.dependences import made_shape, seen_shape
from simulator.workload.graph import LayerOp
from simulator.workload.source import load_network
from tests.simulator.fusion.networks import (
    DIANA_TILES,
    Net,
    chip_workload,
    granularities,
    graph_of,
    networks,
    part_counts,
    reference_rows,
)

CHIPS = {
    "DepFiN": ("line", None, [540] * 8),
    "DIANA": ("line", DIANA_TILES, [112 * 8 * 4, 56 * 4, *[56] * 7]),
    "AiMC4x4": ("tile:1x2", None, [56 * 28] * 5),
}
"""Granularity, tiles of single layers, and nodes a layer (chip_workloads.csv, column tiling)."""


def chip_graph(chip):
    text, layers, _ = CHIPS[chip]
    return graph_of(chip_workload(chip), text, layers)


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_chips_have_the_published_nodes(chip):
    graph = chip_graph(chip)
    assert np.bincount(graph.layer).tolist() == CHIPS[chip][2]
    (row,) = reference_rows("chip_results.csv", chip=chip)
    assert graph.size == int(row["n_tiles"])


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_chips_execute_the_published_macs(chip):
    rows = reference_rows("chip_workloads.csv", chip=chip, op="conv")
    assert chip_graph(chip).macs == sum(int(row["macs"]) for row in rows)


def busy_cycles(graph, tensors, width_bits):
    bits = 8 * graph.tensor_bytes[tensors]
    return int((-(-bits // width_bits)).sum())


def published_busy(chip, link):
    (row,) = reference_rows("chip_mem_link.csv", chip=chip, name=link)
    return int(row["size_or_bw_bits"]), int(row["peak_bits_or_busy_cycles"])


def test_depfin_moves_what_its_bus_is_published_to_carry():
    graph = chip_graph("DepFiN")
    width, cycles = published_busy("DepFiN", "Core(1)->Any")
    moved = (graph.tensor_maker < 0) | graph.tensor_is_final
    assert busy_cycles(graph, moved, width) == cycles


def test_diana_moves_what_its_links_are_published_to_carry():
    graph = chip_graph("DIANA")
    width, cycles = published_busy("DIANA", "Core(4)->Any")
    assert busy_cycles(graph, graph.tensor_maker < 0, width) == cycles
    width, cycles = published_busy("DIANA", "Any->Core(4)")
    assert busy_cycles(graph, graph.tensor_is_final, width) == cycles


@pytest.mark.parametrize("core", range(4))
def test_aimc_moves_what_its_links_are_published_to_carry(core):
    """Each core passes its outputs on, and gets weights (core 0 inputs as well) from off-chip."""
    graph = chip_graph("AiMC4x4")
    width, cycles = published_busy("AiMC4x4", f"Core({core})->Core({core + 1})")
    made = np.flatnonzero(graph.layer == core)
    assert busy_cycles(graph, made, width) == cycles
    width, cycles = published_busy("AiMC4x4", f"Core(5)->Core({core})")
    needs = np.concatenate([graph.needs_of(node) for node in made])
    brought = np.unique(needs[graph.tensor_maker[needs] < 0])
    assert busy_cycles(graph, brought, width) == cycles


def test_a_row_of_depfin_needs_its_weights_and_the_rows_under_its_window():
    graph = chip_graph("DepFiN")
    rows, layer, row = 540, 2, 100
    weight, *above = graph.needs_of(layer * rows + row).tolist()
    assert graph.tensor_is_weight[weight]
    assert graph.tensor_bytes[weight] == 12 * 12 * 3 * 3
    assert above == [rows + row - 1, rows + row, rows + row + 1]
    assert graph.needs_of(layer * rows)[1:].tolist() == [rows, rows + 1], "nothing above the map"


def test_channel_parts_share_what_they_read_and_follow_each_other():
    graph = chip_graph("DIANA")
    tiles = [graph.needs_of(node)[1] for node in range(8)]
    assert tiles[0] == tiles[1] == tiles[2] == tiles[3] != tiles[4]
    rows, columns, channels = 7, (14 - 1) * 2 + 7, 3
    assert graph.tensor_bytes[tiles[0]] == rows * columns * channels
    assert graph.part[:5].tolist() == [0, 1, 2, 3, 0]
    assert graph.tile[:5].tolist() == [0, 0, 0, 0, 1]


def test_a_pooling_waits_for_two_rows_of_all_parts():
    graph, columns, parts = chip_graph("DIANA"), 8, 4
    row = columns * parts
    expected = [*range(2 * parts), *range(row, row + 2 * parts)]
    assert graph.needs_of(112 * row).tolist() == expected


def test_parts_of_a_depthwise_layer_read_their_channels_only():
    net = Net()
    x = net.window(net.input(3, 4, 4), 6)
    net.window(x, 6, taps=(3, 3), pad=(1, 1), groups=6)
    graph = graph_of(net.build(), "layer", parts={"l0": 3, "l1": 3})
    assert [graph.needs_of(3 + part)[1:].tolist() for part in range(3)] == [[0], [1], [2]]


def test_a_product_of_two_maps_needs_all_of_the_second():
    net = Net()
    queries, keys = (net.matmul(net.input(4, 1, 6), 4) for _ in range(2))
    net.attend(queries, keys, 6)
    graph = graph_of(net.build(), "line:2")
    assert graph.needs_of(6 + 1).tolist() == [1, 3, 4, 5], "rows 2 and 3, and all others"


def test_what_is_seen_through_a_view_is_needed_as_a_whole():
    net = Net()
    net.flat_product(net.window(net.input(2, 4, 4), 3), 5)
    graph = graph_of(net.build(), "line")
    assert graph.needs_of(4)[1:].tolist() == [0, 1, 2, 3]


def test_a_tensor_that_two_operands_read_is_needed_once():
    net = Net()
    x = net.activation(net.input(2, 3, 3))
    net.add(x, x)
    graph = graph_of(net.build(), "line")
    assert graph.needs_of(3 + 1).tolist() == [1]


def test_two_operands_need_what_either_reads():
    net = Net()
    x = net.matmul(net.input(4, 1, 3), 4)
    net.attend(x, x, 3)
    graph = graph_of(net.build(), "line")
    assert graph.needs_of(3 + 1).tolist() == [0, 1, 2], "a row as one side, all as the other"


def test_a_gather_may_read_any_element():
    net = Net()
    net.gather(net.activation(net.input(2, 3, 3)))
    graph = graph_of(net.build(), "line")
    assert graph.needs_of(3).tolist() == [0, 1, 2]


def test_parts_of_a_concat_read_the_operands_that_they_copy():
    net = Net()
    net.concat(net.input(2, 4, 4), net.input(3, 4, 4))
    graph = graph_of(net.build(), "layer", parts={"concat0": 5})
    sizes = [graph.tensor_bytes[graph.needs_of(part)].tolist() for part in range(5)]
    assert sizes == [[4 * 4]] * 5
    assert graph.tensor_bytes.size == 5 + 5


def test_what_is_read_after_the_stack_leaves_it():
    net = Net()
    x = net.activation(net.input(1, 4, 4))
    y = net.activation(x)
    net.add(x, net.activation(y))
    graph = graph_of(net.build(), "line", last=2)
    final = graph.layer[graph.tensor_maker[graph.tensor_is_final]]
    assert np.unique(final).tolist() == [0, 2]


def test_bounds_by_rate_are_rounded_up():
    """So that a tile of the last layer waits for as few earlier ones as can be."""
    net = Net()
    net.window(net.activation(net.input(1, 11, 1)), 1, taps=(2, 1))
    graph = graph_of(net.build(), "tile:4x1")
    bounds = [ceil(rows * 11 / 10) for rows in (0, 4, 8, 10)]
    assert graph.low[:3, 3].tolist() == bounds[:-1]
    assert graph.high[:3, 3].tolist() == bounds[1:]


def test_tiles_by_rate_follow_the_last_layer():
    net = Net()
    x = net.window(net.input(1, 24, 24), 2)
    net.window(x, 2, taps=(2, 2), stride=(2, 2))
    graph = graph_of(net.build(), "tile:4x6")
    assert np.bincount(graph.layer).tolist() == [3 * 2, 3 * 2]
    assert graph.shape[0, 4:6].tolist() == [8, 12]
    assert graph.shape[-1, 4:6].tolist() == [4, 6]


def test_lines_of_a_sequence_are_its_positions():
    net = Net()
    net.matmul(net.input(4, 1, 6), 3)
    assert graph_of(net.build(), "line:4").shape[:, 5].tolist() == [4, 2]


def test_a_stack_reads_what_came_before_from_off_chip():
    net = Net()
    x = net.window(net.input(1, 6, 6), 4)
    y = net.window(x, 4, taps=(3, 3), pad=(1, 1))
    net.add(x, y)
    graph = graph_of(net.build(), "line", first=1, last=1)
    weight, rows = graph.needs_of(0).tolist()
    assert graph.tensor_bytes[weight] == 4 * 4 * 9
    assert graph.tensor_bytes[rows] == 3 * (6 + 2) * 4, "with the padding around it"
    assert graph.tensor_is_final[: graph.size].all()


def interval(layer, operand, axis, low, high):
    """Rows or columns of an operand that outputs [low, high) read, tap by tap."""
    if f"o{axis}" not in operand.dims:
        return 0, 1
    d = layer.dims
    size, taps, stride, dilation, pad = d.iy, d.fy, d.stride_y, d.dilation_y, d.pad_top
    if axis == "x":
        size, taps, stride, dilation, pad = d.ix, d.fx, d.stride_x, d.dilation_x, d.pad_left
    read = {o * stride + t * dilation - pad for o in range(low, high) for t in range(taps)}
    read &= set(range(size))
    return (min(read), max(read) + 1) if read else (0, 0)


def plain_needs(graph, node):
    """Outputs of other nodes that a node touches, by looking at all of them."""
    layer, found = graph.workload.layers[graph.layer[node]], set()
    low, high = graph.low[node].tolist(), graph.high[node].tolist()
    begin = 0
    for operand in (*layer.inputs, *([layer.weight] if layer.weight else [])):
        inner = layer.dims.c if "c" in operand.dims else 1
        channels = (low[1] * inner, high[1] * inner) if "g" in operand.dims else (0, inner)
        if operand.extent:
            channels = max(low[1] - begin, 0), min(high[1] - begin, operand.extent)
            begin += operand.extent
        box = (
            interval(layer, operand, "y", low[3], high[3]),
            interval(layer, operand, "x", low[4], high[4]),
            channels,
        )
        for other in range(graph.size):
            maker = graph.workload.layers[graph.layer[other]]
            if maker.output != operand.tensor:
                continue
            seen = seen_shape(layer, operand) == made_shape(maker)
            if operand is layer.weight or not seen or touches(graph, other, maker.dims.k, box):
                found.add(other)
    return sorted(found)


def touches(graph, node, filters, box):
    low, high = graph.low[node], graph.high[node]
    made = (
        (low[3], high[3]),
        (low[4], high[4]),
        (low[1] * filters + low[2], (high[1] - 1) * filters + high[2]),
    )
    return all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(made, box, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_needs_are_those_that_all_pairs_give(data):
    workload = data.draw(networks(exact=True))
    parts = data.draw(part_counts(workload))
    graph = graph_of(workload, data.draw(granularities()), parts=parts)
    for node in range(graph.size):
        needs = graph.needs_of(node)
        assert needs[graph.tensor_maker[needs] >= 0].tolist() == plain_needs(graph, node)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_tables_fit_together(data):
    workload = data.draw(networks())
    parts = data.draw(part_counts(workload))
    graph = graph_of(workload, data.draw(granularities()), parts=parts)
    outputs = np.bincount(graph.layer, np.prod(graph.high - graph.low, axis=1))
    assert outputs.tolist() == [layer.output_elements for layer in workload.layers]
    assert graph.macs == workload.macs
    assert graph.tensor_bytes.min() > 0
    assert (graph.tensor_maker[graph.output_tensor] == np.arange(graph.size)).all()
    assert set(graph.needs.tolist()) >= set(np.flatnonzero(graph.tensor_maker < 0).tolist())
    weights = graph.tensor_bytes[graph.tensor_is_weight].sum()
    made = workload.producer()
    brought = [x for x in workload.layers if x.weight and x.weight.tensor not in made]
    assert weights == sum(layer.weight_elements for layer in brought)
    for node in range(graph.size):
        needs = graph.needs_of(node)
        kinds = np.where(graph.tensor_is_weight[needs], -1, needs)
        assert (np.diff(kinds) > 0).all()


def test_resnet18_by_lines_has_a_node_a_row():
    workload = load_network("resnet18")
    assert graph_of(workload, "line").size == sum(layer.dims.oy for layer in workload.layers)


def test_bytes_are_whole_and_hold_the_bias():
    net = Net()
    net.conv(net.input(1, 3, 3), 3, bias=True)
    graph = graph_of(net.build(), "layer")
    weight, _ = graph.needs_of(0)
    assert graph.tensor_bytes[weight] == 3 + 3 * ceil(16 / 8), "biases have the width of sums"


def test_every_layer_type_is_in_the_random_networks():
    seen = set()

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(networks())
    def collect(workload):
        seen.update(layer.op for layer in workload.layers)

    collect()
    assert seen == set(LayerOp)
