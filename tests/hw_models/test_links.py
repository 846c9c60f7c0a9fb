"""Links of a chip and the routes of transfers over them, for every kind of network."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.links import LinkGraph, link_graph, listed_links
from hw_models.noc.router import RouterSpec, head_latency_cycles
from hw_models.noc_ports import noc_ports
from hw_models.noc_spec import LinksSpec, RoutedSpec, WireSpec
from tests.hw_models.test_chip_spec import small_chip
from traces.errors import InputError

BITS = 8


def links(*rows, cores=("a", "b", "c")):
    """The graph of links given as (first end, second end, directed); names are their numbers."""
    listed = [
        {"name": str(i), "ends": ends, "width_bytes": i + 1, "directed": directed}
        for i, (*ends, directed) in enumerate(rows)
    ]
    return listed_links(LinksSpec(kind="links", links=listed), cores)


def chip_with(noc, cores=3):
    chip = small_chip()
    core = chip.cores[0].model_copy(update={"count": cores})
    return chip.model_copy(update={"cores": (core,), "noc": noc})


def routes_by_name(graph):
    return {
        (graph.nodes[source], graph.nodes[target]): [graph.names[link] for link in route]
        for (source, target), route in graph.routes.items()
    }


def test_a_bus_is_one_link_for_all():
    graph = link_graph(chip_with(WireSpec(kind="bus", width_bytes=16, latency_cycles=2)))
    assert (graph.names, graph.width_bits, graph.latency_cycles) == (("noc",), (16 * BITS,), 2)
    assert graph.nodes == ("core0", "core1", "core2", "dram")
    assert set(graph.routes.values()) == {(0,)}
    assert len(graph.routes) == 4 * 3


def test_links_to_dram_also_lead_from_core_to_core():
    graph = link_graph(chip_with(WireSpec(kind="point_to_point", width_bytes=4, latency_cycles=0)))
    assert graph.names == ("noc.core0", "noc.core1", "noc.core2")
    assert graph.route(0, 3) == graph.route(3, 0) == (0,)
    assert graph.route(2, 1) == (2, 1)


def test_routers_are_a_link_out_of_every_node_and_one_into_it():
    noc = RoutedSpec(kind="mesh", width_bytes=8, sizes=(2, 2), dram_routers=(0, 3))
    graph = link_graph(chip_with(noc))
    assert routes_by_name(graph)["core1", "dram"] == ["noc.core1.out", "noc.dram.in"]
    assert routes_by_name(graph)["core2", "core0"] == ["noc.core2.out", "noc.core0.in"]
    wide = dict(zip(graph.names, graph.width_bits, strict=True))
    assert wide["noc.core0.in"] == 8 * BITS
    assert wide["noc.dram.out"] == 2 * wide["noc.core0.in"]
    topology = noc.topology(("core0", "core1", "core2"))
    corners = topology.node("core0"), topology.node("dram1")
    assert graph.latency_cycles == head_latency_cycles(topology, RouterSpec(), *corners)


def test_a_directed_link_leads_one_way():
    graph = links(("a", "b", True), ("any", "dram", False))
    assert graph.route(0, 1) == (0,)
    assert graph.route(1, 0) == (1, 1)  # over DRAM, the wire is used twice


def test_any_is_every_other_place():
    graph = links(("dram", "any", True), ("any", "dram", True))
    assert {graph.route(3, core) for core in range(3)} == {(0,)}
    assert {graph.route(core, 3) for core in range(3)} == {(1,)}
    everything = links(("any", "any", False))
    assert set(everything.routes) == {(i, j) for i, j in product(range(4), repeat=2) if i != j}


def test_of_equally_short_ways_the_first_links_win():
    first = links(("dram", "any", False), ("any", "any", False))
    assert first.route(3, 1) == (0,)
    assert first.route(0, 1) == (1,)
    detour = links(("a", "c", True), ("a", "b", True), ("b", "dram", True), ("c", "dram", True))
    assert detour.route(0, 3) == (0, 3)


def test_cores_reach_each_other_through_dram_only_if_there_is_no_other_way():
    graph = links(("any", "dram", False), ("a", "b", True), ("b", "c", True))
    assert graph.route(0, 2) == (1, 2)
    assert graph.route(2, 0) == (0, 0)


def test_width_of_a_way_to_dram_is_that_of_its_narrowest_link():
    graph = links(("a", "b", False), ("b", "dram", False), ("c", "dram", True), ("dram", "c", True))
    assert graph.dram_width_bytes() == [1, 2, 3]


def test_latency_and_width_of_a_core_reach_its_port():
    listed = [{"name": "x", "ends": ("any", "dram"), "width_bytes": 4, "directed": False}]
    noc = LinksSpec(kind="links", links=listed, latency_cycles=7)
    topology, ports = noc_ports(noc, ("a", "b"))
    assert topology is None
    assert [(port.request_cycles, port.width_bytes) for port in ports] == [(7, 4), (7, 4)]


ENDS = st.sampled_from(("a", "b", "c", "d", "dram", "any"))
ROWS = st.lists(
    st.tuples(ENDS, ENDS, st.booleans()).filter(lambda row: row[0] != row[1] or row[0] == "any"),
    min_size=1,
    max_size=6,
)


@given(ROWS)
def test_routes_are_the_shortest_and_first_of_all_ways(rows):
    cores = ("a", "b", "c", "d")
    graph = links(*rows, cores=cores)
    for source, target in product(range(5), repeat=2):
        ways = all_ways(rows, graph.nodes, source, target)
        best = min(ways, default=(None, None, None))
        if source != target:
            assert graph.routes.get((source, target)) == best[-1]


def all_ways(rows, nodes, source, target, seen=()):
    """Every way without a circle, found by trying every link at every node: whether it passes DRAM,
    its length, its link numbers."""
    if source == target:
        return [(False, 0, ())]
    found = []
    for number, (first, second, directed) in enumerate(rows):
        for there in range(len(nodes)):
            forth = first in (nodes[source], "any") and second in (nodes[there], "any")
            back = second in (nodes[source], "any") and first in (nodes[there], "any")
            if there in (*seen, source) or not (forth or (back and not directed)):
                continue
            passes = nodes[there] == "dram" and there != target
            for rest in all_ways(rows, nodes, there, target, (*seen, source)):
                found.append((passes or rest[0], 1 + rest[1], (number, *rest[2])))
    return found


def test_no_route_names_both_ends():
    graph = links(("a", "dram", False), ("b", "dram", True))
    message = "noc.links must give a route from dram to b"
    with pytest.raises(InputError, match=f"^{message}$"):
        graph.route(3, 1)
    assert graph.route(1, 0) == (1, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("a", "core9", False)],
            "noc.links[0].ends must be two of a, b, c, dram, any, not 'core9'",
        ),
        (
            [("any", "dram", False), ("Dram", "a", True)],
            "noc.links[1].ends must be two of a, b, c, dram, any, not 'Dram'",
        ),
    ],
)
def test_ends_are_cores_dram_or_any(rows, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        links(*rows)


def test_a_graph_of_nothing_reaches_nothing():
    graph = LinkGraph(("a", "dram"), (), (), (), 0, {})
    with pytest.raises(InputError, match=r"^noc\.links must give a route from dram to a$"):
        graph.dram_width_bytes()
