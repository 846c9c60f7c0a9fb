"""The kinds of networks: mesh, torus, ring, crossbar, or any list of links. Rules: NOC-2, NOC-3.

Router x + a * y of an a x b mesh has the coordinates (x, y); routes go along x first.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from math import prod

from hw_models.noc.topology import Hop, Link, Route, Topology, circle_of_waits
from traces.errors import InputError

LINK_CYCLES = {"mesh": 1, "torus": 2, "ring": 2, "links": 1}
"""Wires between routers unless given: a folded ring or torus has links twice as long.
Source: booksim2 src/networks/kncube.cpp (use_noc_latency), commit 28f4329."""

DIMENSIONS = {"mesh": range(1, 5), "torus": range(1, 5), "ring": range(1, 2)}
KINDS = ("mesh", "torus", "ring", "crossbar", "links")
MOST_ROUTERS = 256


def topology_of(
    kind: str,
    nodes: Mapping[str, int],
    sizes: Sequence[int] = (),
    links: Sequence[Sequence[int]] = (),
    link_cycles: int | None = None,
) -> Topology:
    """A network with named nodes.

    kind: one of KINDS. nodes: the router of each node; several may share one (a crossbar has only
    router 0). sizes: routers along each dimension of a mesh, torus or ring. links: of kind `links`,
    (from router, to router, cycles if not link_cycles), one direction each.
    Raises InputError for what can't be built, isn't connected or could deadlock.
    """
    if kind not in KINDS:
        raise InputError(f"noc: kind must be one of {', '.join(KINDS)}, not {kind}")
    if not nodes:
        raise InputError(f"noc: a {kind} must have at least one node")
    cycles = link_cycles if link_cycles is not None else LINK_CYCLES.get(kind, 1)
    if cycles < 1:
        raise InputError(f"noc: link_cycles must be at least 1, not {cycles}")
    built: list[Link] = []
    routes: list[list[Route]] = [[()]]
    if kind == "crossbar":
        name = "crossbar"
    elif kind == "links":
        name, built = "links", _given_links(links, cycles)
        routers = 1 + max(max(link.source, link.sink) for link in built)
        _check_routers(name, routers)
        routes = [_shortest_routes(built, routers, source) for source in range(routers)]
    else:
        name = f"{kind} {' x '.join(map(str, sizes))}"
        _check_sizes(kind, name, sizes)
        built = _grid_links(sizes, cycles, wraps=kind != "mesh")
        routes = _grid_routes(sizes, built, wraps=kind != "mesh")
    for node, router in nodes.items():
        if not 0 <= router < len(routes):
            raise InputError(
                f"noc: {name}: node {node} must be at a router from 0 to {len(routes) - 1}, "
                f"not {router}"
            )
    circle = circle_of_waits(routes)
    if circle:
        around = " -> ".join(str(built[hop.link].source) for hop in [*circle, circle[0]])
        raise InputError(f"noc: {name}: routes must not wait in a circle, not {around}")
    table = tuple(tuple(row) for row in routes)
    classes = 1 if kind in ("mesh", "crossbar", "links") else 2
    return Topology(name, tuple(nodes), tuple(nodes.values()), tuple(built), table, classes)


def _check_routers(name: str, routers: int) -> None:
    if routers > MOST_ROUTERS:
        raise InputError(f"noc: {name} must have at most {MOST_ROUTERS} routers, not {routers}")


def _check_sizes(kind: str, name: str, sizes: Sequence[int]) -> None:
    if len(sizes) not in DIMENSIONS[kind]:
        allowed = f"{DIMENSIONS[kind].start} to {DIMENSIONS[kind].stop - 1}"
        raise InputError(f"noc: a {kind} must have {allowed} sizes, not {len(sizes)}")
    for size in sizes:
        if size < 1:
            raise InputError(f"noc: {name}: each size must be at least 1, not {size}")
    _check_routers(name, prod(sizes))


def _given_links(links: Sequence[Sequence[int]], cycles: int) -> list[Link]:
    """Links of a list, checked one by one."""
    if not links:
        raise InputError("noc: links must have at least one link")
    built = [Link(link[0], link[1], link[2] if len(link) > 2 else cycles) for link in links]
    for link in built:
        where = f"noc: link {link.source} -> {link.sink}"
        if min(link.source, link.sink) < 0 or link.source == link.sink:
            raise InputError(f"{where} must join two routers from 0 on")
        if link.cycles < 1:
            raise InputError(f"{where} must take at least 1 cycle, not {link.cycles}")
    if len({(link.source, link.sink) for link in built}) < len(built):
        raise InputError("noc: links must be given once each")
    return built


def _shortest_routes(links: Sequence[Link], routers: int, source: int) -> list[Route]:
    """Routes of fewest hops from a router to all, then of least cycles, then by link numbers; they
    form a tree. Raises InputError when a router can't be reached."""
    routes: dict[int, Route] = {}
    queue: list[tuple[int, int, Route, int]] = [(0, 0, (), source)]
    while queue:
        hops, cycles, route, router = heapq.heappop(queue)
        if router in routes:
            continue
        routes[router] = route
        for number, link in enumerate(links):
            if link.source == router and link.sink not in routes:
                further = (*route, Hop(number))
                heapq.heappush(queue, (hops + 1, cycles + link.cycles, further, link.sink))
    for router in range(routers):
        if router not in routes:
            raise InputError(
                f"noc: links must lead from every router to every other, not leave router {router} "
                f"out of reach of router {source}"
            )
    return [routes[router] for router in range(routers)]


def _coordinates(router: int, sizes: Sequence[int]) -> list[int]:
    at = []
    for size in sizes:
        router, coordinate = divmod(router, size)
        at.append(coordinate)
    return at


def _grid_links(sizes: Sequence[int], cycles: int, *, wraps: bool) -> list[Link]:
    """Links of each router: by dimension, the rising direction first."""
    links = []
    for router in range(prod(sizes)):
        at, stride = _coordinates(router, sizes), 1
        for dimension, size in enumerate(sizes):
            for step in (1, -1):
                there = at[dimension] + step
                closes = not 0 <= there < size
                if size > 1 and (wraps or not closes):
                    sink = router + (there % size - at[dimension]) * stride
                    links.append(Link(router, sink, cycles, dimension, closes))
            stride *= size
    return links


def _grid_routes(sizes: Sequence[int], links: Sequence[Link], *, wraps: bool) -> list[list[Route]]:
    """Dimension-order routes between all routers, on a torus the shorter way round.

    The class of a hop is 1 where the packet closes the ring of that dimension. Of two equally long
    ways, routers of even coordinate take the rising one.
    """
    leaving: dict[tuple[int, int, int], list[int]] = {}
    for number, link in enumerate(links):
        step = 1 if link.rises else -1
        leaving.setdefault((link.source, link.dimension, step), []).append(number)
    routers = prod(sizes)
    return [
        [_grid_route(source, target, sizes, links, leaving, wraps) for target in range(routers)]
        for source in range(routers)
    ]


def _grid_route(
    source: int,
    target: int,
    sizes: Sequence[int],
    links: Sequence[Link],
    leaving: Mapping[tuple[int, int, int], Sequence[int]],
    wraps: bool,
) -> Route:
    at, to, router, route = _coordinates(source, sizes), _coordinates(target, sizes), source, []
    for dimension, size in enumerate(sizes):
        hops, step = to[dimension] - at[dimension], 1
        if wraps:
            hops %= size
            if 2 * hops > size or (2 * hops == size and at[dimension] % 2):
                hops -= size
        if hops < 0:
            step = -1
        closes = wraps and not 0 <= at[dimension] + hops < size
        for _ in range(abs(hops)):
            link = leaving[router, dimension, step][0]
            route.append(Hop(link, int(closes)))
            router = links[link].sink
    return tuple(route)
