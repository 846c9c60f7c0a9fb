"""The network on chip as a chip file describes it: wires, routers, or links one by one.

Rules: ARCHITECTURE.md NET-1, NOC-1 to NOC-9.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.noc.fabrics import topology_of
from hw_models.noc.router import Fidelity, RouterSpec
from hw_models.noc.topology import Topology
from hw_models.yaml_file import Strict
from traces.errors import InputError

Width = Annotated[int, Field(ge=1, le=1 << 20)]
Routers = Annotated[tuple[Annotated[int, Field(ge=0, le=1 << 16)], ...], Field(strict=False)]

ANY = "any"
DRAM = "dram"
"""Ends of a link beside the names of cores: every other place, and external memory."""


class WireSpec(Strict):
    """A bus, shared by all cores, or point_to_point: a link between every core and DRAM.

    width_bytes: moved a cycle. latency_cycles: from one end to the other.
    """

    kind: Literal["bus", "point_to_point"]
    width_bytes: Width
    latency_cycles: Annotated[int, Field(ge=0, le=10_000)]


class RoutedSpec(Strict):
    """A network of routers: crossbar (one router), ring, mesh or torus.

    width_bytes: of a link, so of a flit. sizes: routers along each dimension; a crossbar has none.
    link_cycles: of the wires between routers, 1 on a mesh and 2 on folded rings if not given.
    core_routers: of each core, the routers in order if not given; dram_routers: where DRAM can be
    reached, every core takes the nearest. fidelity: packet or flit.
    """

    kind: Literal["crossbar", "ring", "mesh", "torus"]
    width_bytes: Width
    sizes: Routers = ()
    link_cycles: Annotated[int, Field(ge=1, le=1000)] | None = None
    router: RouterSpec = RouterSpec()
    fidelity: Fidelity = "packet"
    core_routers: Routers = ()
    dram_routers: Annotated[Routers, Field(min_length=1)] = (0,)

    def topology(self, cores: Sequence[str]) -> Topology:
        """The network with a node for each core, then one for each way to DRAM (dram0, ...).

        Raises InputError for what can't be built or has no room for the cores.
        """
        routers = 1 if self.kind == "crossbar" else prod(self.sizes)
        at = self.core_routers or ((0,) * len(cores) if routers == 1 else tuple(range(len(cores))))
        if len(at) != len(cores):
            raise InputError(f"noc.core_routers must name {len(cores)} routers, not {len(at)}")
        if not self.core_routers and len(set(at)) > routers:
            raise InputError(
                f"noc.sizes must give a router to each of {len(cores)} cores, not {routers} in all"
            )
        nodes = dict(zip(cores, at, strict=True))
        nodes |= {f"dram{i}": router for i, router in enumerate(self.dram_routers)}
        return topology_of(self.kind, nodes, self.sizes, link_cycles=self.link_cycles)


class LinkSpec(Strict):
    """A link between two places: names of cores, dram, or any (every other one).

    width_bytes: moved a cycle. directed: from the first end to the second only; otherwise the same
    wire serves both ways. An undirected link between any and any is a bus. pj_per_bit: energy of a
    bit over it; that of a wire of tilesim's energy model if not given.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    ends: Annotated[tuple[str, str], Field(strict=False)]
    width_bytes: Width
    directed: bool
    pj_per_bit: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class LinksSpec(Strict):
    """Cores and DRAM joined by links that the file lists.

    A transfer takes the way of fewest links, of several the one whose links come first in the list;
    from core to core it passes DRAM only if there is no other way.
    latency_cycles: of a transfer, whatever its way.
    """

    kind: Literal["links"]
    links: Annotated[tuple[LinkSpec, ...], Field(min_length=1, strict=False)]
    latency_cycles: Annotated[int, Field(ge=0, le=10_000)] = 0

    @property
    def width_bytes(self) -> int:
        """Of the narrowest link."""
        return min(link.width_bytes for link in self.links)

    @model_validator(mode="after")
    def _links_differ(self) -> Self:
        names = [link.name for link in self.links]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"links must have different names, not {twice!r} twice")
        for number, link in enumerate(self.links):
            if link.ends[0] == link.ends[1] != ANY:
                raise ValueError(
                    f"links[{number}].ends must be two different places, not {link.ends[0]!r} twice"
                )
        return self


NocSpec = Annotated[WireSpec | RoutedSpec | LinksSpec, Field(discriminator="kind")]
