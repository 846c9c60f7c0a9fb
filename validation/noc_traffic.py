"""Synthetic traffic through a network, created and measured as BookSim2 does.

In every cycle each node draws with probability rate / packet whether a packet is created; packets
wait in the node's endless queue. With the same seed and sample length as BookSim2 they are the same
packets. Source: booksim2 src/injection.cpp, src/traffic.cpp and src/trafficmanager.cpp, commit
28f4329.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numba import njit

from hw_models.kernel import Int64s
from hw_models.noc.network import admit, run
from hw_models.noc.router import NODE_LINK_CYCLES, Fidelity, RouterSpec
from hw_models.noc.topology import Topology
from hw_models.noc.wiring import (
    BUSY,
    DELIVERED,
    END,
    FIRST_JOB,
    HEAD_WORDS,
    JOB_WORDS,
    LANES_AT,
    LINK_WORDS,
    LINKS_AT,
    NODE_WORDS,
    NODES,
    NODES_AT,
    NOW,
    ROWS,
    WANTED,
    build_wiring,
    new_state,
)
from validation.noc_random import draw, fractions, integers

Pattern = Callable[[Int64s, int], Int64s]
"""Target coordinates of source coordinates, (nodes, dimensions), among k positions each."""

PATTERNS: dict[str, Pattern] = {
    "transpose": lambda at, k: at[:, ::-1],
    "neighbor": lambda at, k: (at + 1) % k,
    "tornado": lambda at, k: (at + (k + 1) // 2 - 1) % k,
    "bitcomp": lambda at, k: k - 1 - at,
}
"""Beside `uniform`, where every node is as likely, the source itself included."""

SAMPLES, STEADY_SAMPLES = 10, 3
"""A run has at most SAMPLES samples, warm-up included. It is over when the mean latency and the
accepted rate, both since the warm-up, were steady in STEADY_SAMPLES samples running. Source:
booksim2 src/booksim_config.cpp (max_samples) and TrafficManager::_SingleSim."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: k positions in each of `dimensions`. rate: flits a node and cycle.

    steady_change: of the figures from sample to sample, as a share, below which they are steady.
    """

    k: int
    dimensions: int
    traffic: str
    packet_flits: int
    rate: Fraction
    sample_cycles: int
    warm_up_samples: int = 1
    steady_change: Fraction = Fraction(1, 20)
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies in cycles from creation to the ejection of the tail; accepted: flits a node and
    cycle that were ejected while measuring."""

    mean_latency: float
    min_latency: int
    accepted: float


(DRAWN_UNTIL, CREATED, MEASURED, FREE_ROW) = range(4)
"""Tables of the sources, (4, rows): for each node, the cycle up to which it has drawn; for each row
of the kernel, when its packet was created, and whether its latency counts; a stack of free rows."""

(FREE_ROWS, USED_ROWS, ENDED, LATENCY, LEAST, OPEN) = range(6)
"""Counts of a run. FREE_ROWS: on the stack; USED_ROWS: that have ever been on it. Of packets that
count: ENDED have ended, with LATENCY as sum and LEAST as minimum of their latencies, and OPEN have
not."""
SPARE_ROWS = 8
NEVER = 1 << 60


class Run:
    """A load in a network that was empty at cycle 0, cycle by cycle."""

    def __init__(
        self, topology: Topology, router: RouterSpec, fidelity: Fidelity, load: Load
    ) -> None:
        nodes = len(topology.nodes)
        lanes = (len(topology.links) + 2 * nodes) * router.vcs
        rows = lanes * router.vc_buffer_flits + SPARE_ROWS * nodes
        self.topology, self.load = topology, load
        self.wiring = build_wiring(topology, router, fidelity, rows)
        self.state = new_state(self.wiring, topology, router, [])
        self.sources = np.zeros((4, rows + 1), dtype=np.int64)
        self.counts = np.array([0, 0, 0, 0, NEVER, 0], dtype=np.int64)
        self.targets = targets_of(load)
        self.chance = float(load.rate) / load.packet_flits
        self.drawn = integers(load.seed), fractions(load.seed)
        self.ejecting = router.forward_cycles(NODE_LINK_CYCLES)

    def to(self, cycle: int, measured_until: int) -> None:
        """Go on to a cycle; packets created before `measured_until` count."""
        drive(
            self.wiring,
            self.state,
            self.sources,
            self.counts,
            self.targets,
            *self.drawn,
            self.chance,
            self.load.packet_flits,
            cycle,
            measured_until,
        )

    def sample(self, cycle: int) -> int:
        """Go on to a cycle, with all packets counting; returns the flits ejected before it."""
        self.to(max(self.state[NOW], cycle - self.ejecting), NEVER)
        nodes = len(self.topology.nodes)
        ejected = int(self.flits_of_links()[-nodes:].sum())
        self.to(cycle, NEVER)
        return ejected

    def forget(self) -> None:
        """Count from now on; packets under way no longer count."""
        self.counts[ENDED:] = 0, 0, NEVER, 0
        self.sources[MEASURED] = 0

    def flits_of_links(self) -> Int64s:
        """Flits that each link has taken, by number of the link."""
        links = self.state[self.wiring[LINKS_AT] : self.wiring[LANES_AT]]
        return links.reshape(-1, LINK_WORDS)[:, BUSY]

    def expects_packets(self, measured_until: int) -> bool:
        """Whether packets that count have not ended, or not even been drawn."""
        drawn = self.sources[DRAWN_UNTIL, : len(self.topology.nodes)]
        return bool(self.counts[OPEN] or drawn.min() < measured_until)

    def mean_latency(self) -> float:
        """Mean latency of the packets that counted; 0 if none has ended."""
        return float(self.counts[LATENCY] / max(1, self.counts[ENDED]))


def measure(
    topology: Topology, router: RouterSpec, fidelity: Fidelity, load: Load, *, drains: bool = True
) -> Measured:
    """Run a load through an empty network until it is steady.

    drains: then run on, under load, until all packets created before have ended; otherwise steady
    is what has a steady accepted rate.
    """
    run = Run(topology, router, fidelity, load)
    last = first = load.warm_up_samples * load.sample_cycles
    ejected_before = run.sample(first)
    latency, rate = run.mean_latency(), ejected_before / first
    run.forget()
    steady = 0
    while steady < STEADY_SAMPLES and last < SAMPLES * load.sample_cycles:
        last += load.sample_cycles
        ejected = run.sample(last) - ejected_before
        before, (latency, rate) = (latency, rate), (run.mean_latency(), ejected / (last - first))
        changes = [abs(rate - before[1]) / (rate or 1)]
        changes += [abs(latency - before[0]) / (latency or 1)] if drains else []
        steady = steady + 1 if max(changes) <= load.steady_change else 0
    now = last
    while drains and (
        run.counts[OPEN] or run.sources[DRAWN_UNTIL, : len(topology.nodes)].min() < last
    ):
        now += load.sample_cycles
        run.to(now, last)
    least = int(run.counts[LEAST]) if run.counts[ENDED] else 0
    return Measured(run.mean_latency(), least, rate / len(topology.nodes))


def targets_of(load: Load) -> Int64s:
    """The target of each node, empty for `uniform`."""
    if load.traffic == "uniform":
        return np.zeros(0, dtype=np.int64)
    strides = load.k ** np.arange(load.dimensions)
    at = np.arange(load.k**load.dimensions)[:, None] // strides % load.k
    return (PATTERNS[load.traffic](at, load.k) @ strides).astype(np.int64)


@njit(cache=True)
def _create(w, s, sources, counts, targets, whole, node, flits, measured_until):
    """Give a node the packet that it drew last."""
    created = sources[DRAWN_UNTIL, node] - 1
    target = draw(whole) % w[NODES] if targets.size == 0 else targets[node]
    draw(whole)  # BookSim2 draws one of its subnetworks, of which there is one
    counts[FREE_ROWS] -= 1
    row = sources[FREE_ROW, counts[FREE_ROWS]]
    sources[CREATED, row] = created
    sources[MEASURED, row] = created < measured_until
    counts[OPEN] += sources[MEASURED, row]
    admit(w, s, row, s[NOW], node, target, flits, 0, 1)


@njit(cache=True)
def _end_packets(w, s, sources, counts, now):
    """Count the packets that ended before `now`, and free their rows."""
    for row in range(1, counts[USED_ROWS] + 1):
        job = HEAD_WORDS + row * JOB_WORDS
        if s[job + WANTED] == 0 or s[job + DELIVERED] < s[job + WANTED] or s[job + END] >= now:
            continue
        s[job + WANTED] = 0
        sources[FREE_ROW, counts[FREE_ROWS]] = row
        counts[FREE_ROWS] += 1
        if sources[MEASURED, row]:
            latency = s[job + END] - sources[CREATED, row]
            counts[OPEN] -= 1
            counts[ENDED] += 1
            counts[LATENCY] += latency
            counts[LEAST] = min(counts[LEAST], latency)


@njit(cache=True)
def _add_rows(w, sources, counts):
    """Free rows for a few packets a node; no more, so that those in use stay in the cache."""
    while counts[FREE_ROWS] < SPARE_ROWS * w[NODES] and counts[USED_ROWS] < w[ROWS]:
        counts[USED_ROWS] += 1
        sources[FREE_ROW, counts[FREE_ROWS]] = counts[USED_ROWS]
        counts[FREE_ROWS] += 1


@njit(cache=True)
def drive(w, s, sources, counts, targets, whole, parts, chance, flits, until, measured_until):
    """Let nodes create packets and time go to `until`.

    A node draws for the cycles since its last packet once that has been sent, so it never has more
    than one: this decides which random number is whose.
    """
    while s[NOW] < until:
        now = s[NOW]
        if counts[FREE_ROWS] < w[NODES]:
            _end_packets(w, s, sources, counts, now)
            _add_rows(w, sources, counts)
        for node in range(w[NODES]):
            if s[w[NODES_AT] + node * NODE_WORDS + FIRST_JOB]:
                continue
            while sources[DRAWN_UNTIL, node] <= now:
                sources[DRAWN_UNTIL, node] += 1
                if draw(parts) * 2.0**-52 < chance:
                    _create(w, s, sources, counts, targets, whole, node, flits, measured_until)
                    break
        run(w, s, now + 1, False)
    _end_packets(w, s, sources, counts, until)
