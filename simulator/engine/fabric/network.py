"""The network on chip as servers: a bus, links, or routers in one kernel. Rules: NET-1 to NET-3."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from fractions import Fraction

from hw_models.floorplan import Floorplan
from hw_models.kernel import Kernel
from hw_models.links import LinkGraph, link_graph
from hw_models.noc.kernel import noc_kernel
from hw_models.noc.topology import Topology
from hw_models.noc_ports import NocPort
from hw_models.noc_spec import RoutedSpec
from simulator.engine.fabric.port import NOC_CAUSES, Port
from simulator.engine.fabric.resource import (
    DMA_CLASS,
    UNPACED,
    Int64s,
    Job,
    Resource,
    pace_of,
)


class Network(ABC):
    """The servers of a network, and which of them a transfer crosses."""

    resources: list[Resource]

    @abstractmethod
    def way(self, source: int, target: int) -> tuple[Resource, ...]:
        """What data cross from one core to another; DRAM has the number after the last core's."""


class Wires(Network):
    """One server for all cores (a bus), or one for each (links to DRAM): ports, round robin."""

    def __init__(self, plan: Floorplan, shared: bool) -> None:
        width = plan.chip.noc.width_bytes
        names = ["noc"] if shared else [f"noc.{core.name}" for core in plan.cores]
        self._ports = [Port(name, width, Fraction(1), NOC_CAUSES) for name in names]
        self._cores = len(plan.cores)
        self.resources = list(self._ports)

    def way(self, source: int, target: int) -> tuple[Resource, ...]:
        """The bus, or the links of the cores."""
        cores = [core for core in (source, target) if core < self._cores]
        return tuple(dict.fromkeys(self._ports[core % len(self._ports)] for core in cores))


class Links(Network):
    """One server for every link of a list; a transfer holds all those of its route."""

    def __init__(self, graph: LinkGraph) -> None:
        self._graph = graph
        self._ports = [
            Port(name, bits // 8, Fraction(1), NOC_CAUSES)
            for name, bits in zip(graph.names, graph.width_bits, strict=True)
        ]
        self.resources = list(self._ports)

    def way(self, source: int, target: int) -> tuple[Resource, ...]:
        """The links of the route. Raises InputError when there is none."""
        return tuple(self._ports[link] for link in self._graph.route(source, target))


class Routers(Network):
    """All links in one server."""

    def __init__(self, topology: Topology, noc: RoutedSpec, ports: tuple[NocPort, ...]) -> None:
        self._server, self._ports = RoutedServer(topology, noc), ports
        self.resources = [self._server]

    def way(self, source: int, target: int) -> tuple[Resource, ...]:
        """The routers from node to node; of DRAM, the node nearest to the core."""
        return (RoutedWay(self._server, self._node(source, target), self._node(target, source)),)

    def _node(self, end: int, other: int) -> int:
        return self._ports[end].core if end < len(self._ports) else self._ports[other].dram


class RoutedServer(Resource):
    """A network of routers; a ledger for every link."""

    def __init__(self, topology: Topology, noc: RoutedSpec) -> None:
        super().__init__("noc", [f"noc.{link}" for link in topology.link_names])
        self.topology, self.noc = topology, noc

    @property
    def bytes_per_cycle(self) -> Fraction:
        """Of one link."""
        return Fraction(self.noc.width_bytes)

    def build(self) -> Kernel:
        """The network kernel."""
        noc = self.noc
        return noc_kernel(self.topology, noc.router, noc.fidelity, self.owners, Fraction(1))

    def transfers(self, moved: Mapping[str, Int64s], cycles_per_byte: Fraction | None) -> list[Job]:
        """Flits and pace of every transfer; a `RoutedWay` adds the nodes."""
        width = self.noc.width_bytes
        pace = UNPACED if cycles_per_byte is None else pace_of(cycles_per_byte * width)
        return [(flits, *pace) for flits in (-(-moved["bytes"] // width)).tolist()]

    def served_by(self, jobs: Int64s) -> Int64s:
        """Flits."""
        return jobs[:, 2]


class RoutedWay(Resource):
    """A network of routers as seen by transfers from one node to another."""

    def __init__(self, server: RoutedServer, source: int, target: int) -> None:
        super().__init__(server.name, server.ledgers)
        self._server, self._nodes = server, (source, target)

    def claim(self, owner: int, rows: int, kind: int = DMA_CLASS) -> int:
        """Rows of the network itself."""
        return self._server.claim(owner, rows, kind)

    @property
    def bytes_per_cycle(self) -> Fraction:
        """Of one link."""
        return self._server.bytes_per_cycle

    def build(self) -> Kernel:
        """The kernel of the network."""
        return self._server.build()

    def transfers(self, moved: Mapping[str, Int64s], cycles_per_byte: Fraction | None) -> list[Job]:
        """From node, to node, flits and pace of every transfer."""
        return [(*self._nodes, *job) for job in self._server.transfers(moved, cycles_per_byte)]

    def served_by(self, jobs: Int64s) -> Int64s:
        """Flits."""
        return self._server.served_by(jobs)


def network_of(plan: Floorplan) -> Network:
    """The network of a chip, cycle by cycle."""
    noc = plan.chip.noc
    if isinstance(noc, RoutedSpec):
        assert plan.network is not None
        return Routers(plan.network, noc, plan.noc_ports)
    return wires_of(plan)


def wires_of(plan: Floorplan) -> Network:
    """The network of a chip as wires; routers are links of the cores then. Rule: NET-2."""
    noc = plan.chip.noc
    if noc.kind == "links":
        return Links(link_graph(plan.chip))
    return Wires(plan, noc.kind == "bus")
