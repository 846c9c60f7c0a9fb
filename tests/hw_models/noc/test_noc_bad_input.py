"""Networks that can't be, and routes that don't exist: one line that names place and rule."""

from fractions import Fraction

import pytest

from hw_models.noc.fabrics import topology_of
from hw_models.noc.kernel import noc_kernel
from hw_models.noc.router import RouterSpec, head_latency_cycles
from tests.hw_models.noc.test_noc_kernel import NETWORKS, at_own_router
from traces.errors import InputError

TWO = {"core0": 0, "core1": 1}
CASES = [
    (("star", TWO), "noc: kind must be one of mesh, torus, ring, crossbar, links, not star"),
    (("mesh", {}, (2,)), "noc: a mesh must have at least one node"),
    (("mesh", TWO, ()), "noc: a mesh must have 1 to 4 sizes, not 0"),
    (("ring", TWO, (2, 2)), "noc: a ring must have 1 to 1 sizes, not 2"),
    (("mesh", TWO, (2, 0)), "noc: mesh 2 x 0: each size must be at least 1, not 0"),
    (("mesh", TWO, (17, 16)), "noc: mesh 17 x 16 must have at most 256 routers, not 272"),
    (
        ("mesh", {"core0": 4}, (2, 2)),
        "noc: mesh 2 x 2: node core0 must be at a router from 0 to 3, not 4",
    ),
    (("mesh", TWO, (2,), (), 0), "noc: link_cycles must be at least 1, not 0"),
    (("links", TWO), "noc: links must have at least one link"),
    (("links", TWO, (), [(0, 0)]), "noc: link 0 -> 0 must join two routers from 0 on"),
    (("links", TWO, (), [(0, 1, 0)]), "noc: link 0 -> 1 must take at least 1 cycle, not 0"),
    (("links", TWO, (), [(0, 1), (0, 1)]), "noc: links must be given once each"),
    (
        ("links", TWO, (), [(0, 1)]),
        "noc: links must lead from every router to every other, "
        "not leave router 0 out of reach of router 1",
    ),
    (
        ("links", TWO, (), [(0, 1), (1, 2), (2, 0)]),
        "noc: links: routes must not wait in a circle, not 0 -> 1 -> 2 -> 0",
    ),
]


@pytest.mark.parametrize(("given", "message"), CASES, ids=[case[1] for case in CASES])
def test_a_network_that_cannot_be_is_refused(given, message):
    with pytest.raises(InputError) as error:
        topology_of(*given)
    assert str(error.value) == message


def test_a_missing_node_is_named():
    mesh = topology_of("mesh", TWO, (2,))
    with pytest.raises(InputError, match=r"^noc: mesh 2: node must be one of core0, core1, not x$"):
        mesh.node("x")
    with pytest.raises(InputError, match=r"^noc: mesh 2: a node must be from 0 to 1, not 2$"):
        head_latency_cycles(mesh, RouterSpec(), 0, 2)
    assert mesh.node("core1") == 1


@pytest.mark.parametrize(
    ("name", "vcs", "groups", "message"),
    [
        ("ring", 1, (), "noc: ring 4: vcs must be at least 2, not 1"),
        ("mesh", 1, [(1, 1)], "noc: a multicast group must be different nodes, not [1, 1]"),
        ("mesh", 1, [()], "noc: a multicast group must be different nodes, not []"),
        ("mesh", 1, [(1, 9)], "noc: mesh 3 x 2: a node must be from 0 to 5, not 9"),
    ],
)
def test_a_kernel_that_cannot_be_is_refused(name, vcs, groups, message):
    with pytest.raises(InputError) as error:
        noc_kernel(NETWORKS[name], RouterSpec(vcs=vcs), "flit", [0], Fraction(1), groups)
    assert str(error.value) == message


@pytest.mark.parametrize("sizes", [(4,), (5,), (8,), (3, 4), (2, 2, 2)])
@pytest.mark.parametrize("kind", ["mesh", "torus"])
def test_routes_lead_to_their_target_dimension_by_dimension_the_shorter_way(kind, sizes):
    routers = 1
    for size in sizes:
        routers *= size
    network = topology_of(kind, at_own_router(routers), sizes)
    for source in range(routers):
        for target in range(routers):
            at, dimensions, hops = source, [], 0
            for hop in network.path(source, target)[1:-1]:
                link = network.links[hop.link]
                assert link.source == at
                at = link.sink
                dimensions.append(link.dimension)
            assert at == target
            assert dimensions == sorted(dimensions)
            a, b = source, target
            for size in sizes:
                apart = abs(a % size - b % size)
                hops += apart if kind == "mesh" else min(apart, size - apart)
                a, b = a // size, b // size
            assert len(dimensions) == hops
