"""Links between cores and DRAM, and the way of a transfer over them, for every kind of network.

This is what a schedule knows of a network: who can send to whom, how wide the links are, which ones
transfers share. Routers become one link out of each node and one into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from hw_models.noc.router import head_latency_cycles
from hw_models.noc_spec import ANY, DRAM, LinkSpec, LinksSpec, RoutedSpec, WireSpec
from traces.errors import InputError

if TYPE_CHECKING:
    from hw_models.spec import ChipSpec

BITS_PER_BYTE = 8

Route = tuple[int, ...]
Routes = dict[tuple[int, int], Route]


@dataclass(frozen=True, slots=True)
class LinkGraph:
    """Links of a chip and the routes over them.

    nodes: names of the cores, then "dram"; a node's number is its place here. names, width_bits:
    of each link, the width in bits a chip cycle. pj_per_bit: energy on each link, None where the
    energy model knows it. latency_cycles: of a transfer, whatever its way.
    routes: (source node, target node) -> numbers of the links, in order; what is missing can't be
    reached.
    """

    nodes: tuple[str, ...]
    names: tuple[str, ...]
    width_bits: tuple[int, ...]
    pj_per_bit: tuple[float | None, ...]
    latency_cycles: int
    routes: Mapping[tuple[int, int], Route]

    def route(self, source: int, target: int) -> Route:
        """Links from a node to another. Raises InputError when there is no way."""
        found = self.routes.get((source, target))
        if found is None:
            ends = f"from {self.nodes[source]} to {self.nodes[target]}"
            raise InputError(f"noc.links must give a route {ends}")
        return found

    def dram_width_bytes(self) -> list[int]:
        """Bytes a cycle of the narrowest link on each core's way from DRAM and back.

        Raises InputError for a core that can't reach DRAM or be reached from it.
        """
        dram = len(self.nodes) - 1
        ways = [(*self.route(dram, core), *self.route(core, dram)) for core in range(dram)]
        return [min(self.width_bits[link] for link in way) // BITS_PER_BYTE for way in ways]


def link_graph(chip: ChipSpec) -> LinkGraph:
    """Links and routes of a chip's network; core and DRAM numbers are those of `nodes`."""
    return GRAPHS[type(chip.noc)](chip.noc, chip.core_names)


def listed_links(noc: LinksSpec, cores: Sequence[str]) -> LinkGraph:
    """The links that a file lists. Raises InputError for an end that is no core."""
    nodes = (*cores, DRAM)
    hops: list[list[tuple[int, int]]] = [[] for _ in nodes]
    for number, link in enumerate(noc.links):
        for source, target in _joined(number, link, nodes):
            hops[source].append((number, target))
    routes: Routes = {}
    for source in range(len(nodes)):
        routes |= _fewest_links(source, hops) | _fewest_links(source, hops, barred=len(cores))
    widths = tuple(link.width_bytes * BITS_PER_BYTE for link in noc.links)
    names = tuple(f"noc.{link.name}" for link in noc.links)
    energies = tuple(link.pj_per_bit for link in noc.links)
    return LinkGraph(nodes, names, widths, energies, noc.latency_cycles, routes)


def _joined(number: int, link: LinkSpec, nodes: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of nodes that a link joins, source first."""
    for end in link.ends:
        if end not in (*nodes, ANY):
            known = ", ".join((*nodes, ANY))
            raise InputError(f"noc.links[{number}].ends must be two of {known}, not {end!r}")
    first, second = ([n for n in range(len(nodes)) if end in (ANY, nodes[n])] for end in link.ends)
    pairs = {(a, b) for a in first for b in second if a != b}
    yield from sorted(pairs if link.directed else pairs | {(b, a) for a, b in pairs})


def _fewest_links(
    source: int, hops: Sequence[Sequence[tuple[int, int]]], barred: int | None = None
) -> Routes:
    """Routes from a node to all that it reaches: fewest links, then first links of the list.

    hops: of each node, links and where they lead. barred: a node that routes may only end at.
    """
    found: dict[int, Route] = {source: ()}
    queue = [source]
    for node in queue:  # grows: nodes in the order of their routes
        leaving = hops[node] if node == source or node != barred else ()
        for link, target in leaving:
            if target not in found:
                found[target] = (*found[node], link)
                queue.append(target)
    return {(source, target): route for target, route in found.items() if target != source}


def _wires(noc: WireSpec, cores: Sequence[str]) -> LinkGraph:
    """A bus is one link of all; otherwise each core's link to DRAM also leads to other cores."""
    nodes, dram = (*cores, DRAM), len(cores)
    names = ["noc"] if noc.kind == "bus" else [f"noc.{core}" for core in cores]
    routes: Routes = {}
    for source, target in permutations(range(len(nodes)), 2):
        ends = (node for node in (source, target) if node != dram)
        routes[source, target] = (0,) if noc.kind == "bus" else tuple(ends)
    widths = (noc.width_bytes * BITS_PER_BYTE,) * len(names)
    energies = (None,) * len(names)
    return LinkGraph(nodes, tuple(names), widths, energies, noc.latency_cycles, routes)


def _routed(noc: RoutedSpec, cores: Sequence[str]) -> LinkGraph:
    """A link out of each node and one into it; DRAM has as many side by side as ways to it.

    The latency is that of the farthest two nodes; links between routers are taken as free.
    """
    nodes, topology = (*cores, DRAM), noc.topology(cores)
    names = tuple(f"noc.{node}.{way}" for node in nodes for way in ("out", "in"))
    lanes = (1,) * len(cores) + (len(noc.dram_routers),)
    widths = tuple(n * noc.width_bytes * BITS_PER_BYTE for n in lanes for _ in range(2))
    pairs = permutations(range(len(nodes)), 2)
    routes: Routes = {(source, target): (2 * source, 2 * target + 1) for source, target in pairs}
    ends = permutations(range(len(topology.nodes)), 2)
    latency = max(head_latency_cycles(topology, noc.router, *pair) for pair in ends)
    return LinkGraph(nodes, names, widths, (None,) * len(names), latency, routes)


GRAPHS: dict[type, Callable[..., LinkGraph]] = {
    LinksSpec: listed_links,
    WireSpec: _wires,
    RoutedSpec: _routed,
}
"""Links of each kind of network."""
