"""Benchmark `noc`: flit hops a second of the flit-level network.

8 x 8 mesh, router R1, uniform traffic, packets of 4 flits, 4 virtual channels of 8 flits, 0.2 flits
a node and cycle. A hop is a router visited. BookSim2 makes 0.69 million a second of CPU time on
such a case on a 2-core Xeon virtual machine (8125 cycles in 0.94 s, commit 28f4329).
"""

from __future__ import annotations

from fractions import Fraction
from time import process_time

from hw_models.noc.router import PIPELINES, RouterSpec
from validation.noc import network_of
from validation.noc_traffic import Load, Run

SIDE, PACKET_FLITS, CYCLES = 8, 4, 8_125
LOAD = Load(SIDE, 2, "uniform", PACKET_FLITS, Fraction(1, 5), CYCLES)


def flit_hops_per_second() -> float:
    """Flit hops a second of CPU time, from an empty network on, packets and their making included.

    A router sends each flit that it gets on one link, so the flits that the links took are the
    hops, once those of the nodes' own links are left out.
    """
    mesh = network_of("mesh", SIDE, 2)
    router = RouterSpec(**PIPELINES["R1"], vcs=4, vc_buffer_flits=8, packet_flits=PACKET_FLITS)
    run = Run(mesh, router, "flit", LOAD)
    began = process_time()
    run.to(CYCLES, CYCLES)
    seconds = process_time() - began
    injected = slice(len(mesh.links), len(mesh.links) + len(mesh.nodes))
    flits = run.flits_of_links()
    return float(flits.sum() - flits[injected].sum()) / seconds


def main() -> str:
    """Measure (after a warm-up that compiles the kernel) and return the closing line."""
    flit_hops_per_second()
    best = max(flit_hops_per_second() for _ in range(3))
    return f"flit_hops_per_s={best:.0f}"
