"""The router: its pipeline, virtual channels and buffers, and what a lone packet takes.

A head flit is routed, gets a virtual channel (one tick), the switch (one tick), crosses it and
takes the link; body flits skip the first two. Rules: NOC-4, NOC-5.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from hw_models.noc.topology import Topology
from hw_models.yaml_file import Strict

Fidelity = Literal["packet", "flit"]

NODE_LINK_CYCLES = 1
"""Wires between a node and its router."""


class RouterSpec(Strict):
    """An input-queued router with virtual channels; all numbers in ticks of the network.

    routing_cycles: 0 is look-ahead routing. speculative: the switch is asked for in the tick of the
    virtual channel. crossbar_cycles: switch traversal. credit_cycles: from the arrival of a credit
    until it can be used. vcs: of each link; vc_buffer_flits: of each of them. packet_flits: the
    longest packet; a transfer is cut into packets of this length and a shorter last one.
    """

    routing_cycles: Annotated[int, Field(ge=0, le=64)] = 1
    crossbar_cycles: Annotated[int, Field(ge=1, le=64)] = 1
    credit_cycles: Annotated[int, Field(ge=0, le=64)] = 0
    speculative: bool = False
    vcs: Annotated[int, Field(ge=1, le=32)] = 4
    vc_buffer_flits: Annotated[int, Field(ge=1, le=1000)] = 8
    packet_flits: Annotated[int, Field(ge=1, le=1000)] = 8

    @property
    def decision_cycles(self) -> int:
        """From the arrival of a head flit to its switch allocation, that tick not included."""
        return self.routing_cycles + (not self.speculative)

    def forward_cycles(self, link_cycles: int) -> int:
        """From the switch allocation of a flit to its arrival at the next router."""
        return self.crossbar_cycles + 1 + link_cycles

    def credit_return_cycles(self, link_cycles: int) -> int:
        """From the switch allocation of a flit until the router before can use its slot again."""
        return 1 + link_cycles + self.credit_cycles

    def burst_flits(self, fidelity: Fidelity) -> int:
        """Flits that the switch grants at once. Rule: NOC-8."""
        return 1 if fidelity == "flit" else min(self.packet_flits, self.vc_buffer_flits)


PIPELINES: dict[str, dict[str, Any]] = {
    "R1": {"routing_cycles": 1, "crossbar_cycles": 1, "credit_cycles": 0, "speculative": False},
    "R2": {"routing_cycles": 0, "crossbar_cycles": 1, "credit_cycles": 0, "speculative": True},
    "R3": {"routing_cycles": 0, "crossbar_cycles": 1, "credit_cycles": 2, "speculative": False},
}
"""The routers of validation/references/noc_booksim.csv and noc_extra.csv (fields of RouterSpec)."""


def head_latency_cycles(topology: Topology, router: RouterSpec, source: int, target: int) -> int:
    """Ticks from the injection of a lone head flit at a node to its ejection at another.

    Raises InputError for a node that does not exist. Rule: NOC-5.
    """
    between = topology.path(source, target)[1:-1]
    wires = [*(topology.links[hop.link].cycles for hop in between), NODE_LINK_CYCLES]
    stay = router.decision_cycles
    return 1 + NODE_LINK_CYCLES + sum(stay + router.forward_cycles(wire) for wire in wires)


def zero_load_cycles(
    topology: Topology, router: RouterSpec, source: int, target: int, flits: int
) -> int:
    """Latency of a lone packet, exactly: its head, one tick for each further flit, and the bubbles
    of a buffer shorter than its credit loop.

    Source: validation/references/noc_booksim.csv (BookSim2), reproduced for R1, R2 and R3.
    """
    between = topology.path(source, target)[1:-1]
    wire = max([NODE_LINK_CYCLES, *(topology.links[hop.link].cycles for hop in between)])
    loop = router.forward_cycles(wire) + router.credit_return_cycles(wire)
    buffer = router.vc_buffer_flits
    bubbles = (flits - 1) // buffer * max(0, loop - buffer)
    return head_latency_cycles(topology, router, source, target) + flits - 1 + bubbles
