import heapq
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.fusion.arithmetic import Box, outputs
from simulator.fusion.execute import (
    Copy,
    DependenceError,
    Free,
    Make,
    check_execution,
    layer_by_layer,
    steps_in_order,
    steps_of_schedule,
)
from simulator.fusion.problem import SchedulingProblem, route_table
from simulator.fusion.schedule import schedule
from simulator.workload.source import load_network
from tests.simulator.fusion.networks import (
    Net,
    granularities,
    graph_of,
    networks,
    part_counts,
    shrunk,
    stacks,
)

OVERLAPS = ("full", "horizontal", "recompute")


def legal_order(graph, priority):
    """The nodes, the ready one of the highest priority first."""
    missing, readers = np.zeros(graph.size, int), {}
    for node in range(graph.size):
        for tensor in graph.needs_of(node).tolist():
            if graph.tensor_maker[tensor] >= 0:
                missing[node] += 1
                readers.setdefault(int(graph.tensor_maker[tensor]), []).append(node)
    ready = [(priority(node), node) for node in np.flatnonzero(missing == 0).tolist()]
    heapq.heapify(ready)
    while ready:
        _, node = heapq.heappop(ready)
        yield node
        for reader in readers.get(node, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, (priority(reader), reader))


def check(graph, priority=lambda node: node):
    order = list(legal_order(graph, priority))
    assert len(order) == graph.size
    check_execution(graph, steps_in_order(graph, order))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_tiles_of_random_networks_make_what_layers_make(data):
    workload = data.draw(networks())
    first, last = data.draw(stacks(workload))
    parts = data.draw(part_counts(workload))
    overlap, text = data.draw(st.sampled_from(OVERLAPS)), data.draw(granularities())
    graph = graph_of(workload, text, parts=parts, overlap=overlap, first=first, last=last)
    random = Random(data.draw(st.integers(0, 100)))
    chance = [random.random() for _ in range(graph.size)]
    check(graph, chance.__getitem__)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_schedules_of_random_networks_make_what_layers_make(data):
    """With pools that often have room for little more than the working set of a node."""
    workload = data.draw(networks())
    overlap, text = data.draw(st.sampled_from(OVERLAPS)), data.draw(granularities())
    parts = data.draw(part_counts(workload))
    graph = graph_of(workload, text, parts=parts, overlap=overlap)
    result = schedule(random_problem(graph, Random(data.draw(st.integers(0, 10_000)))))
    check_execution(graph, steps_of_schedule(graph, result))


def random_problem(graph, random):
    """Nodes on random cores with a pool each and one bus, of random durations."""
    cores, spare = random.randint(1, 3), random.choice([0, 50, 10_000])
    used = [graph.tensor_bytes[[*graph.needs_of(node), node]].sum() for node in range(graph.size)]
    routes = {(a, b): [0] for a in range(cores + 1) for b in range(cores + 1) if a != b}
    pointers, links = route_table(routes, cores)
    return SchedulingProblem(
        layer=graph.layer,
        core=np.array([random.randrange(cores) for _ in used]),
        cycles=np.array([random.randint(1, 40) for _ in used]),
        output_tensor=graph.output_tensor,
        need_pointers=graph.need_pointers,
        needs=graph.needs,
        need_streamed=np.zeros(graph.needs.size, bool),
        output_streamed=np.zeros(graph.size, bool),
        stream_read_bytes=np.zeros(graph.size, np.int64),
        stream_write_bytes=np.zeros(graph.size, np.int64),
        tensor_bytes=graph.tensor_bytes,
        tensor_maker=graph.tensor_maker,
        tensor_is_weight=graph.tensor_is_weight,
        tensor_is_final=graph.tensor_is_final,
        activation_pool=np.arange(cores),
        weight_pool=np.arange(cores),
        pool_bytes=np.full(cores, max(used) + spare),
        link_width_bits=np.array([32]),
        latency_cycles=random.randint(0, 2),
        route_pointers=pointers,
        route_links=links,
        layer_names=tuple(layer.name for layer in graph.workload.layers),
        core_names=tuple(f"core{n}" for n in range(cores)),
        pool_names=tuple(f"pool{n}" for n in range(cores)),
        link_names=("bus",),
        policy=random.choice(["memory", "latency"]),
        prefetch_weights=random.random() < 0.5,
    )


def test_a_residence_that_ends_during_its_use_is_noticed():
    graph = graph_of(two_convolutions(), "line")
    result = schedule(random_problem(graph, Random(0)))
    node = graph.size - 1
    place = int(result.need_residence[-1])
    result.residences["to_cycle"][place] = result.node_end[node] - 1
    tensor = int(graph.needs[-1])
    message = rf"^a copy to {place} must find tensor {tensor} at {place}, not nothing$"
    with pytest.raises(DependenceError, match=message):
        check_execution(graph, steps_of_schedule(graph, result))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_tiles_of_own_extents_make_what_layers_make(data):
    workload = data.draw(networks())
    extent = st.integers(1, 5)
    layers = {
        layer.name: (1, data.draw(extent), data.draw(extent))
        for layer in workload.layers
        if data.draw(st.booleans())
    }
    check(graph_of(workload, data.draw(granularities()), layers))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_tensor_that_nodes_need_can_be_left_out(data):
    workload = data.draw(networks(exact=True))
    graph = graph_of(workload, "line", parts=data.draw(part_counts(workload)))
    made = np.flatnonzero(graph.tensor_maker[graph.needs] >= 0)
    if not made.size:
        return
    spoilt = without_need(graph, int(data.draw(st.sampled_from(made.tolist()))))
    with pytest.raises(DependenceError):
        check_execution(spoilt, steps_in_order(spoilt, range(spoilt.size)))


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_lines_of_resnet18_make_what_layers_make(overlap):
    graph = graph_of(small_resnet18(), "line", overlap=overlap)
    check(graph, lambda node: -int(graph.layer[node]))


def small_resnet18():
    return shrunk(load_network("resnet18"), rows=64, columns=32)


def without_need(graph, place):
    """The graph, without the need at a place of the table of needs."""
    node = np.searchsorted(graph.need_pointers, place, side="right") - 1
    pointers = graph.need_pointers - (np.arange(graph.size + 1) > node)
    return replace(graph, needs=np.delete(graph.needs, place), need_pointers=pointers)


def two_convolutions():
    net = Net()
    x = net.window(net.input(2, 6, 5), 3, taps=(3, 3), pad=(1, 1))
    net.window(x, 2, taps=(3, 3), pad=(1, 1))
    return net.build()


ROWS = 6


def test_a_row_of_the_halo_less_is_noticed():
    graph = graph_of(two_convolutions(), "line")
    node = ROWS + 2
    last = int(graph.need_pointers[node + 1]) - 1
    assert graph.needs[last] == 3, "the row below"
    spoilt = without_need(graph, last)
    message = rf"^node {node} \(l1\) must need all elements of l0.out that it reads$"
    with pytest.raises(DependenceError, match=message):
        check_execution(spoilt, steps_in_order(spoilt, range(spoilt.size)))


def test_reading_before_the_row_is_made_is_noticed():
    graph = graph_of(two_convolutions(), "line")
    order = [0, 1, ROWS + 1, *range(2, ROWS + 1), *range(ROWS + 2, 2 * ROWS)]
    message = rf"^node {ROWS + 1} must find tensor 2 at 2, not nothing$"
    with pytest.raises(DependenceError, match=message):
        check_execution(graph, steps_in_order(graph, order))


def test_reading_after_the_row_is_freed_is_noticed():
    graph = graph_of(two_convolutions(), "line")
    steps = [step for step in steps_in_order(graph, range(graph.size)) if step != Free(2, 2)]
    made = [step.node if isinstance(step, Make) else None for step in steps]
    steps.insert(made.index(ROWS + 3), Free(2, 2))
    message = rf"^node {ROWS + 3} must find tensor 2 at 2, not nothing$"
    with pytest.raises(DependenceError, match=message):
        check_execution(graph, steps)


def test_a_missing_result_is_noticed():
    graph = graph_of(two_convolutions(), "line")
    output = ROWS + 4
    steps = [s for s in steps_in_order(graph, range(graph.size)) if s != Copy(output, output, -1)]
    message = "^tensor l1.out must be as in layer-by-layer execution$"
    with pytest.raises(DependenceError, match=message):
        check_execution(graph, steps)


def test_a_convolution_is_what_nested_loops_make():
    net = Net()
    net.window(net.input(4, 5, 6), 6, (3, 2), (2, 1), (1, 1), (1, 2), groups=2)
    workload = net.build()
    (layer,), d = workload.layers, workload.layers[0].dims
    values = layer_by_layer(workload)
    x = np.resize(values["x0"][::-1], (d.iy, d.ix, d.g * d.c))
    weight = np.resize(values["w0"], (d.g, d.k, d.c, d.fy, d.fx))
    plain = np.zeros((1, d.oy, d.ox, d.g * d.k), np.int64)
    for g, k, c, oy, ox, fy, fx in np.ndindex(d.loops[1:]):
        iy, ix = oy * 2 + fy - 1, ox + fx * 2 - 1
        if 0 <= iy < d.iy and 0 <= ix < d.ix:
            plain[0, oy, ox, g * d.k + k] += int(x[iy, ix, g * d.c + c] * weight[g, k, c, fy, fx])
    mixed = (plain * 37 + (plain >> 3)) % 251 - 125
    assert np.array_equal(outputs(Box.whole(layer), values.__getitem__), mixed)
