"""How cores reach DRAM over the network of a chip: nodes, and cycles on an empty network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw_models.links import listed_links
from hw_models.noc.router import head_latency_cycles
from hw_models.noc.topology import Topology
from hw_models.noc_spec import LinksSpec, RoutedSpec, WireSpec


@dataclass(frozen=True, slots=True)
class NocPort:
    """A core's end of the network, and the way to DRAM that is nearest to it.

    core, dram: nodes, 0 without routers. request_cycles: from core to DRAM; reply_cycles: what the
    network itself lets pass on the way back before the first data arrive. width_bytes: of the
    narrowest link on the way from DRAM and back.
    """

    core: int
    dram: int
    request_cycles: int
    reply_cycles: int
    width_bytes: int


def noc_ports(
    noc: WireSpec | RoutedSpec | LinksSpec, cores: Sequence[str]
) -> tuple[Topology | None, tuple[NocPort, ...]]:
    """The network's routers, if it has any, and the port of every core. Raises InputError."""
    if isinstance(noc, LinksSpec):
        widths = listed_links(noc, cores).dram_width_bytes()
        return None, tuple(NocPort(0, 0, noc.latency_cycles, 0, width) for width in widths)
    if isinstance(noc, WireSpec):
        return None, tuple(NocPort(0, 0, noc.latency_cycles, 0, noc.width_bytes) for _ in cores)
    topology = noc.topology(cores)
    drams = range(len(cores), len(topology.nodes))

    def cycles(source: int, target: int) -> int:
        return head_latency_cycles(topology, noc.router, source, target)

    ports = []
    for core in range(len(cores)):
        dram = min(drams, key=lambda node: cycles(core, node))
        both = cycles(core, dram), cycles(dram, core)
        ports.append(NocPort(core, dram, *both, noc.width_bytes))
    return topology, tuple(ports)
