"""What never changes about a network in one flat array, and how its state lies in another.

Both are int64. A record is named by the index of its first word, and its columns are added to that:
`s[lane + COUNT]`; index 0 stands for none. A lane is one virtual channel of a link with the buffer
at the far end, a ring of slots that hold one burst each (one flit at flit fidelity).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hw_models.kernel import FOREVER, Int64s
from hw_models.noc.router import NODE_LINK_CYCLES, Fidelity, RouterSpec, head_latency_cycles
from hw_models.noc.topology import Hop, Route, Topology
from traces.errors import InputError

(VCS, SLOTS, BURST, PACKET, ROUTING, SPECULATIVE, CYCLES, TICKS, ROWS) = range(9)
(NODES, ROUTERS, LINKS, TARGETS, IN_PORTS, OUT_PORTS, LANE_WORDS) = range(9, 16)
(NODES_AT, ROUTERS_AT, LINKS_AT, LANES_AT, STATE_WORDS) = range(16, 21)
(INPUTS, OUTPUTS, FIRST_HOP, COPIES, HEAD_TICKS, PATHS) = range(21, 27)
WIRING_WORDS = 27
"""Head of the wiring. BURST: flits that the switch grants at once; PACKET: of a packet, at most.
CYCLES / TICKS: chip cycles last a tick. TARGETS: the nodes, then the multicast groups. IN_PORTS,
OUT_PORTS: of a router, at most. *_AT: where the records of the state begin. Then tables of the
wiring: INPUTS, OUTPUTS (router, port) links; FIRST_HOP (node, target) hop after injection; COPIES
(target) nodes in it; HEAD_TICKS (node, target) zero-load head latency; PATHS: hops."""

(HOP_LINK, LOW, HIGH, CHILD, SIBLING) = range(5)
HOP_WORDS = 5
"""A hop: its link, the lanes that a packet may take (LOW to before HIGH), the hop that follows it,
and the next branch of a multicast."""


(ACTIVE, OWNER, AFTER, RELEASE, PATH, FLITS, PACE_NUM, PACE_DEN, INJECTED, FREE) = range(10)
(DELIVERED, WANTED, END, ADMITTED, UNREADY, BEHIND, JOB_PACKET) = range(10, 17)
JOB_WORDS = 17
"""A job; job of row r: HEAD_WORDS + r * JOB_WORDS. AFTER: next job of its node, in row order.
INJECTED: flits sent by the node; FREE: tick after the last of them. DELIVERED: flits at all
targets, of WANTED. UNREADY: ticks in which no packet was available; BEHIND: in which one waited
behind another job. JOB_PACKET: flits of its packets."""

(NODE_WAKE, FIRST_JOB, CURRENT, LEFT, CURRENT_LANE, LAST_VC, LAST_JOB, NODE_LINK) = range(8)
NODE_WORDS = 8
"""A node. NODE_WAKE: when to look at it. FIRST_JOB: of those with flits to send. CURRENT: the one
whose packet is under way, LEFT: flits of that packet. LAST_VC, LAST_JOB: taken before."""

(MASK, BUSY_UNTIL, READ_UNTIL, GRANT, ACCEPT, TURN, SENT_BY, BEST, BEST_KEY) = range(9)
(ASKED, STALLED, BUSY, STALL, LOGGED) = range(9, 14)
(FIRST_LANE, SOURCE, SINK, DELAY, CREDIT, IN_PORT, OUT_PORT) = range(14, 21)
LINK_WORDS = 21
"""A link. MASK: lanes with bursts. BUSY_UNTIL: end of the burst on it; READ_UNTIL: of the one that
leaves its buffers. GRANT, ACCEPT, TURN: round-robin pointers as output, as input and among its
lanes. SENT_BY: job of its last burst. BEST, BEST_KEY: an allocation under way. ASKED: tick + 1 in
which it was last wanted; STALLED: tick + 1 since which it is wanted and does not move. BUSY, STALL:
ticks since its last window, which ended at LOGGED. The rest never changes. SOURCE, SINK: index of
the WAKE of the router or node at the end of it. DELAY: from the grant of a flit to its arrival.
CREDIT: from the departure of a flit beyond the link until its slot can be used again. IN_PORT,
OUT_PORT: place among the links of its sink and of its source; IN_PORT -1: it ends at a node."""

(NOW, NEXT_END) = range(LINK_WORDS, LINK_WORDS + 2)
HEAD_WORDS = LINK_WORDS + 2
"""Head of the state, after a link of zeros: a port without a link is a link at rest. NEXT_END:
earliest end of a job whose last flit is on its last wire."""

(AT, READY, OUT, LINK, HEAD, COUNT, FREE_AT, VC, VC_GRANT, VC_ACCEPT, VC_BEST) = range(11)
(VC_KEY, VACATED, AS_INPUT, AS_OUTPUT, SLOT) = range(11, 16)
"""A lane. AT: hop wanted by the packet at its front. READY: tick at which it may ask. OUT: lane
that it got. HEAD, COUNT: the slots in use, in words. FREE_AT: from when on another packet may be
given this lane. VC_GRANT, VC_ACCEPT: round-robin pointers; VC_BEST, VC_KEY: an allocation under
way. VACATED: tick after the last packet. LINK, VC, AS_INPUT, AS_OUTPUT never change: its link, its
number on it, and in the allocation of lanes. From SLOT on two words a slot: since when (in use) or
from when on (free) it is so, and the burst."""

TAIL_BIT, HEAD_BIT, LENGTH_AT, HOP_AT, JOB_AT = 0, 1, 2, 12, 36
MOST_HOPS = 1 << (JOB_AT - HOP_AT)
"""A burst as one word: whether it ends or begins a packet, its flits, its hop, its job."""


def build_wiring(
    topology: Topology,
    router: RouterSpec,
    fidelity: Fidelity,
    rows: int,
    groups: Sequence[Sequence[int]] = (),
    rate: tuple[int, int] = (1, 1),
) -> Int64s:
    """The wiring of a network. groups: nodes of each multicast group; rate: chip cycles, ticks.

    Raises InputError for too few virtual channels, and for groups with missing or repeated nodes.
    """
    if router.vcs < topology.classes:
        raise InputError(
            f"noc: {topology.name}: vcs must be at least {topology.classes}, not {router.vcs}"
        )
    for group in groups:
        if not group or len(set(group)) < len(group):
            raise InputError(f"noc: a multicast group must be different nodes, not {list(group)}")
    w = np.zeros(WIRING_WORDS, dtype=np.int64)
    nodes, burst = len(topology.nodes), router.burst_flits(fidelity)
    w[[VCS, SLOTS]] = router.vcs, max(1, router.vc_buffer_flits // burst)
    w[[BURST, PACKET]] = burst, router.packet_flits
    w[[ROUTING, SPECULATIVE]] = router.routing_cycles, router.speculative
    w[[CYCLES, TICKS]], w[ROWS] = rate, rows
    w[[NODES, ROUTERS]] = nodes, topology.routers
    w[LINKS], w[TARGETS] = len(topology.links) + 2 * nodes, nodes + len(groups)
    w[LANE_WORDS] = SLOT + 2 * w[SLOTS]
    w[NODES_AT] = HEAD_WORDS + (1 + rows) * JOB_WORDS
    w[ROUTERS_AT] = w[NODES_AT] + nodes * NODE_WORDS
    w[LINKS_AT] = w[ROUTERS_AT] + topology.routers
    w[LANES_AT] = w[LINKS_AT] + w[LINKS] * LINK_WORDS
    w[STATE_WORDS] = w[LANES_AT] + w[LINKS] * w[VCS] * w[LANE_WORDS]
    inputs, outputs = (_ports(w, lists) for lists in topology.ports())
    w[IN_PORTS], w[OUT_PORTS] = inputs.shape[1], outputs.shape[1]
    copies = [1] * nodes + [len(group) for group in groups]
    ticks = _head_ticks(topology, router, groups)
    w[INPUTS] = WIRING_WORDS
    w[OUTPUTS] = w[INPUTS] + inputs.size
    w[FIRST_HOP] = w[OUTPUTS] + outputs.size
    w[COPIES] = w[FIRST_HOP] + ticks.size
    w[HEAD_TICKS] = w[COPIES] + w[TARGETS]
    w[PATHS] = w[HEAD_TICKS] + ticks.size
    hops, first = _paths(topology, w, groups)
    tables = (inputs, outputs, first, copies, ticks, hops)
    return np.concatenate([w, *(np.asarray(t, dtype=np.int64).ravel() for t in tables)])


def new_state(w: Int64s, topology: Topology, router: RouterSpec, owners: Sequence[int]) -> Int64s:
    """The state of an empty network at tick 0. owners: the core of each row."""
    s = np.zeros(w[STATE_WORDS], dtype=np.int64)
    s[NEXT_END] = FOREVER
    s[HEAD_WORDS : w[NODES_AT]].reshape(-1, JOB_WORDS)[1 : 1 + len(owners), OWNER] = owners
    nodes = s[w[NODES_AT] : w[ROUTERS_AT]].reshape(-1, NODE_WORDS)
    nodes[:, NODE_WAKE] = s[w[ROUTERS_AT] : w[LINKS_AT]] = FOREVER
    nodes[:, LAST_VC] = w[VCS] - 1
    links = s[w[LINKS_AT] : w[LANES_AT]].reshape(-1, LINK_WORDS)
    at = w[LINKS_AT] + np.arange(len(links)) * LINK_WORDS
    nodes[:, NODE_LINK] = at[len(topology.links) : len(topology.links) + len(nodes)]
    links[:, FIRST_LANE] = w[LANES_AT] + np.arange(len(links)) * w[VCS] * w[LANE_WORDS]
    ends = _link_ends(topology)
    for column, end in ((SOURCE, ends[:, 0]), (SINK, ends[:, 1])):
        wake_of_node = w[NODES_AT] + (-1 - end) * NODE_WORDS
        links[:, column] = np.where(end >= 0, w[ROUTERS_AT] + end, wake_of_node)
    links[:, [DELAY, CREDIT]] = _delays(topology, router)
    for column, table in ((IN_PORT, w[INPUTS : INPUTS + 2]), (OUT_PORT, w[OUTPUTS : OUTPUTS + 2])):
        ports = w[table[0] : table[1]]
        width = ports.size // w[ROUTERS]
        links[:, column] = -1
        links[(ports[ports > 0] - w[LINKS_AT]) // LINK_WORDS, column] = (
            np.flatnonzero(ports > 0) % width
        )
    lanes = s[w[LANES_AT] :].reshape(-1, w[LANE_WORDS])
    lanes[:, LINK] = np.repeat(at, w[VCS])
    lanes[:, VC] = np.arange(len(lanes)) % w[VCS]
    lanes[:, AS_INPUT] = np.repeat(links[:, IN_PORT], w[VCS]) * w[VCS] + lanes[:, VC]
    lanes[:, AS_OUTPUT] = np.repeat(links[:, OUT_PORT], w[VCS]) * w[VCS] + lanes[:, VC]
    return s


def _link_ends(topology: Topology) -> Int64s:
    """Routers (-1 - node for nodes) that links lead from and to; injection and ejection last."""
    at = list(enumerate(topology.router_of))
    between = [(link.source, link.sink) for link in topology.links]
    ends = [*between, *((-1 - n, r) for n, r in at), *((r, -1 - n) for n, r in at)]
    return np.array(ends, dtype=np.int64)


def _delays(topology: Topology, router: RouterSpec) -> Int64s:
    """DELAY and CREDIT of each link. A node has no crossbar, and takes credits at once."""
    node, nodes = NODE_LINK_CYCLES, len(topology.nodes)
    wires = [link.cycles for link in topology.links]
    ways = [(router.forward_cycles(c), router.credit_return_cycles(c)) for c in wires]
    ways += [(1 + node, 1 + node)] * nodes
    ways += [(router.forward_cycles(node), router.credit_return_cycles(node))] * nodes
    return np.array(ways, dtype=np.int64)


def _ports(w: Int64s, lists: Sequence[Sequence[int]]) -> Int64s:
    """(routers, ports) links of each router, 0 to fill."""
    table = np.zeros((len(lists), max(map(len, lists))), dtype=np.int64)
    for router, members in enumerate(lists):
        table[router, : len(members)] = w[LINKS_AT] + np.array(members) * LINK_WORDS
    return table


def _head_ticks(topology: Topology, router: RouterSpec, groups: Sequence[Sequence[int]]) -> Int64s:
    nodes = range(len(topology.nodes))
    one = [[head_latency_cycles(topology, router, a, b) for b in nodes] for a in nodes]
    members = [*([node] for node in nodes), *groups]
    for node in (node for group in groups for node in group):
        topology.path(node, node)
    return np.array([[max(row[node] for node in group) for group in members] for row in one])


def _paths(
    topology: Topology, w: Int64s, groups: Sequence[Sequence[int]]
) -> tuple[list[list[int]], Int64s]:
    """The hops of all routes and trees, and where each begins (at the hop after injection)."""
    nodes = len(topology.nodes)
    hops: list[list[int]] = []
    first = np.zeros((nodes, nodes + len(groups)), dtype=np.int64)
    for source in range(nodes):
        for target in range(nodes):
            first[source, target] = _add_tree(topology, w, [topology.path(source, target)], hops)
        for number, group in enumerate(groups):
            branches = [topology.tree_path(source, target) for target in group]
            first[source, nodes + number] = _add_tree(topology, w, branches, hops)
    if w[PATHS] + len(hops) * HOP_WORDS >= MOST_HOPS:
        raise InputError(f"noc: {topology.name} must have fewer routes, not {len(hops)} hops")
    return hops, first


def _add_tree(
    topology: Topology, w: Int64s, branches: Sequence[Route], hops: list[list[int]]
) -> int:
    """Add routes that begin alike, a hop that they share only once; returns the first hop."""
    added: dict[Route, int] = {}
    youngest: dict[Route, int] = {}
    root = int(w[PATHS]) + len(hops) * HOP_WORDS
    for branch in branches:
        for length in range(2, len(branch) + 1):
            way, before = branch[:length], branch[: length - 1]
            if way in added:
                continue
            added[way], place = len(hops), int(w[PATHS]) + len(hops) * HOP_WORDS
            if before in youngest:
                hops[youngest[before]][SIBLING] = place
            elif before in added:
                hops[added[before]][CHILD] = place
            youngest[before] = len(hops)
            hops.append([*_lanes(topology, w, way[-1]), 0, 0])
    return root


def _lanes(topology: Topology, w: Int64s, hop: Hop) -> tuple[int, int, int]:
    """A link and its lanes of a class; at nodes all of them."""
    vcs, low, high = int(w[VCS]), 0, int(w[VCS])
    if hop.link < len(topology.links):
        low, high = (c * vcs // topology.classes for c in (hop.vc_class, hop.vc_class + 1))
    first = w[LANES_AT] + hop.link * vcs * w[LANE_WORDS]
    return (
        int(w[LINKS_AT]) + hop.link * LINK_WORDS,
        int(first + low * w[LANE_WORDS]),
        int(first + high * w[LANE_WORDS]),
    )
