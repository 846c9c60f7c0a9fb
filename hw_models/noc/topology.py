"""A network as routers, links, named nodes and routes. Rules: ARCHITECTURE.md NOC-1, NOC-2, NOC-3.

Cores and memory ports are nodes; each has an injection link into its router and an ejection link
out of it. A route is a list of hops between routers, each a link and the class of virtual channels
that the packet may use there (two classes on rings, so that packets can't wait in a circle).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from traces.errors import InputError


class Link(NamedTuple):
    """One direction between two routers. cycles: of the wire. wraps: closes a ring of its
    dimension (the dateline)."""

    source: int
    sink: int
    cycles: int = 1
    dimension: int = 0
    wraps: bool = False

    @property
    def rises(self) -> bool:
        """Whether it leads along rising coordinates of its dimension."""
        return (self.sink > self.source) != self.wraps


class Hop(NamedTuple):
    """A link and the class of virtual channels used on it."""

    link: int
    vc_class: int = 0


Route = tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """Routers, links and routes.

    nodes: names. router_of: the router of each node. routes: [source router][target router].
    classes: of virtual channels on each link between routers.
    """

    name: str
    nodes: tuple[str, ...]
    router_of: tuple[int, ...]
    links: tuple[Link, ...]
    routes: tuple[tuple[Route, ...], ...]
    classes: int = 1

    @property
    def routers(self) -> int:
        """Number of routers."""
        return len(self.routes)

    def ports(self) -> tuple[list[list[int]], list[list[int]]]:
        """Links into and out of each router, in the order in which round robins go.

        By dimension; first what joins the neighbour of higher coordinate; nodes last. Rule: NOC-6.
        """
        inputs: list[list[int]] = [[] for _ in range(self.routers)]
        outputs: list[list[int]] = [[] for _ in range(self.routers)]
        numbered = list(enumerate(self.links))
        for number, link in sorted(numbered, key=lambda item: (item[1].dimension, item[1].rises)):
            inputs[link.sink].append(number)
        for number, link in sorted(
            numbered, key=lambda item: (item[1].dimension, not item[1].rises)
        ):
            outputs[link.source].append(number)
        for node, router in enumerate(self.router_of):
            inputs[router].append(self.injection(node))
            outputs[router].append(self.ejection(node))
        return inputs, outputs

    def node(self, name: str) -> int:
        """Number of a node. Raises InputError for a node that does not exist."""
        if name not in self.nodes:
            names = ", ".join(self.nodes)
            raise InputError(f"noc: {self.name}: node must be one of {names}, not {name}")
        return self.nodes.index(name)

    def injection(self, node: int) -> int:
        """Number of a node's injection link; these follow the links between routers."""
        return len(self.links) + node

    def ejection(self, node: int) -> int:
        """Number of a node's ejection link; these follow the injection links."""
        return len(self.links) + len(self.nodes) + node

    @property
    def link_names(self) -> tuple[str, ...]:
        """Every link by what it joins: r0>r1, core0>r0 (injection), r0>core0 (ejection)."""
        between = [f"r{link.source}>r{link.sink}" for link in self.links]
        twice = {name for name in between if between.count(name) > 1}
        return (
            *(f"{name}.{i}" if name in twice else name for i, name in enumerate(between)),
            *(f"{name}>r{at}" for name, at in zip(self.nodes, self.router_of, strict=True)),
            *(f"r{at}>{name}" for name, at in zip(self.nodes, self.router_of, strict=True)),
        )

    def path(self, source: int, target: int) -> Route:
        """All hops from a node to another, injection and ejection included.

        Raises InputError for a node that does not exist.
        """
        for node in (source, target):
            if not 0 <= node < len(self.nodes):
                raise InputError(
                    f"noc: {self.name}: a node must be from 0 to {len(self.nodes) - 1}, not {node}"
                )
        between = self.routes[self.router_of[source]][self.router_of[target]]
        return (Hop(self.injection(source)), *between, Hop(self.ejection(target)))

    def tree_path(self, source: int, target: int) -> Route:
        """The path as a branch of a multicast tree: the class of a hop must not depend on what
        comes after it, so packets change class at the dateline. Rule: NOC-9."""
        crossed: set[int] = set()
        hops = []
        for hop in self.path(source, target):
            vc_class = 0
            if hop.link < len(self.links):
                link = self.links[hop.link]
                crossed |= {link.dimension} if link.wraps else set()
                vc_class = int(link.dimension in crossed)
            hops.append(Hop(hop.link, vc_class))
        return tuple(hops)


def circle_of_waits(routes: Sequence[Sequence[Route]]) -> list[Hop]:
    """Hops on which packets could wait for one another in a circle; empty if there are none.

    A packet that holds one hop of its route waits for the next; if these waits close no circle
    there can be no deadlock. Source: Dally & Seitz, IEEE Trans. Computers C-36 (1987).
    """
    waits: dict[Hop, set[Hop]] = {}
    for route in (route for row in routes for route in row):
        for held, wanted in pairwise(route):
            waits.setdefault(held, set()).add(wanted)
    finished: set[Hop] = set()
    for start in waits:
        path, ahead = [start], [iter(sorted(waits[start] - finished))]
        while path:
            wanted = next(ahead[-1], path[-1])  # nothing waits for itself: the end
            if wanted == path[-1]:
                finished.add(path.pop())
                ahead.pop()
            elif wanted in path:
                return path[path.index(wanted) :]
            elif wanted not in finished:
                path.append(wanted)
                ahead.append(iter(sorted(waits.get(wanted, set()))))
    return []
