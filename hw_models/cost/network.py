"""Energy of moving a bit over wires and through routers.

Rule: ARCHITECTURE.md ENERGY-6. Wires hardly scale with the node and are not scaled; routers are
logic.
"""

from __future__ import annotations

from hw_models.cost.action_table import ActionRow, rows_of
from hw_models.cost.model import model_numbers
from hw_models.cost.technology import energy_factor, nominal_vdd_v
from hw_models.links import LinkGraph
from hw_models.noc_ports import noc_ports
from hw_models.spec import ChipSpec

WIRE_CONFIG = "28nm full-swing repeated wire; 30 % delay penalty"
"""Row of the action table whose wires links and buses are made of."""


def wire_row() -> ActionRow:
    """The row of the wires."""
    return next(row for row in rows_of("noc_link", "flit-hop wire") if row.config == WIRE_CONFIG)


def link_pj_per_bit(length_mm: float) -> float:
    """Energy of a bit on a link."""
    return wire_row().pj * length_mm


def link_energies_pj_per_bit(graph: LinkGraph) -> list[float]:
    """Energy of a bit on each link: what the chip file says, else that of a bus."""
    bus = link_pj_per_bit(model_numbers()["bus_length_mm"])
    return [bus if given is None else given for given in graph.pj_per_bit]


def router_pj_per_bit(node_nm: int) -> float:
    """Energy of a bit in one router: buffer written and read, crossbar, arbiter.

    The middle of the range that the table gives (recalled, an order of magnitude).
    """
    (row,) = rows_of("noc_router", "flit-hop")
    low, high = (float(end) for end in row.value.split("-"))
    known = int(row.node_nm)
    scale = energy_factor(known, float(row.vdd_v), node_nm, nominal_vdd_v(node_nm))
    return scale * (low + high) / 2 / float(row.width_bits)


def hop_pj_per_bit(node_nm: int, length_mm: float) -> float:
    """Energy of a bit over one hop: a router and the link behind it."""
    return router_pj_per_bit(node_nm) + link_pj_per_bit(length_mm)


def router_hops(chip: ChipSpec) -> list[int] | None:
    """Links between routers on the way of each core to DRAM; None for a network without routers.

    A byte passes one router more than it passes such links.
    """
    topology, ports = noc_ports(chip.noc, chip.core_names)
    if topology is None:
        return None
    return [len(topology.path(port.core, port.dram)[1:-1]) for port in ports]
