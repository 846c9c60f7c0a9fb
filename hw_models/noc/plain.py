"""The network as objects, looked at in every tick, knowing all jobs: the oracle of the kernel.

Written another way than `hw_models.noc.network`: credits are a pool of times, allocations are lists
sorted by distance from a pointer, nothing is skipped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hw_models.noc.router import NODE_LINK_CYCLES, Fidelity, RouterSpec
from hw_models.noc.topology import Hop, Route, Topology

NEVER = 1 << 60

Tree = list[tuple[Hop, Any]]
"""What a packet has before it: hops to take now, each with the tree after it."""


class PlainTransfer(NamedTuple):
    """A job: its row, the tick at which it is known, its release; targets: nodes, several at once
    for a multicast."""

    row: int
    arrival: int
    release: int
    source: int
    targets: tuple[int, ...]
    flits: int
    pace_num: int = 0
    pace_den: int = 1


class Burst(NamedTuple):
    """Flits of one packet that the switch grants at once."""

    arrival: int
    job: int
    flits: int
    head: bool
    tail: bool
    tree: Tree


@dataclass(eq=False)
class PlainLane:
    """A virtual channel. credits: ticks from which on each free place of its buffer can be used."""

    link: PlainLink
    vc: int
    credits: list[int]
    free_at: int = 0
    grant: int = 0
    accept: int = 0
    queue: deque[Burst] = field(default_factory=deque)
    tree: Tree = field(default_factory=list)
    ready: int = 0
    vacated: int = 0
    out: PlainLane | None = None

    def has_credit(self, now: int) -> bool:
        """Whether a burst may enter."""
        return bool(self.credits) and min(self.credits) <= now


@dataclass(eq=False)
class PlainLink:
    """A link. delay, credit: as in hw_models.noc.wiring; to_node: it ends at a node."""

    number: int
    delay: int
    credit: int
    to_node: bool
    in_port: int = 0
    out_port: int = 0
    lanes: list[PlainLane] = field(default_factory=list)
    busy_until: int = 0
    read_until: int = 0
    grant: int = 0
    accept: int = 0
    turn: int = 0
    busy: int = 0
    stalled: int = 0


class PlainNetwork:
    """All of it; `ends`: of each job, the tick at which it ended; links have busy and stalled."""

    def __init__(
        self,
        topology: Topology,
        router: RouterSpec,
        fidelity: Fidelity,
        jobs: Sequence[PlainTransfer],
    ) -> None:
        self.topology, self.router, self.jobs = topology, router, jobs
        self.burst = router.burst_flits(fidelity)
        nodes, between = len(topology.nodes), len(topology.links)
        own = NODE_LINK_CYCLES
        wires = [link.cycles for link in topology.links] + [own] * 2 * nodes
        self.links = [
            PlainLink(i, router.forward_cycles(c), router.credit_return_cycles(c), False)
            for i, c in enumerate(wires)
        ]
        for node in range(nodes):
            injection, ejection = self.links[between + node], self.links[between + nodes + node]
            injection.delay = injection.credit = 1 + own
            ejection.to_node = True
        self.inputs, self.outputs = (
            [[self.links[number] for number in ports] for ports in lists]
            for lists in topology.ports()
        )
        places = max(1, router.vc_buffer_flits // self.burst)
        for link in self.links:
            link.lanes = [PlainLane(link, vc, [0] * places) for vc in range(router.vcs)]
        for links in self.inputs:
            for port, link in enumerate(links):
                link.in_port = port
        for links in self.outputs:
            for port, link in enumerate(links):
                link.out_port = port
        self.sent, self.delivered = [0] * len(jobs), [0] * len(jobs)
        self.ends = [0] * len(jobs)
        self.sending: dict[int, tuple[int, int, PlainLane]] = {}
        self.last_row, self.last_vc = [0] * nodes, [router.vcs - 1] * nodes

    def run(self) -> None:
        """From tick 0 on until everything is delivered."""
        wanted_flits = [job.flits * len(job.targets) for job in self.jobs]
        now = -1
        while self.delivered != wanted_flits or now < max(self.ends, default=0):
            now += 1
            wanted: set[PlainLink] = set()
            for node in range(len(self.topology.nodes)):
                self._inject(node, now, wanted)
            for router in range(self.topology.routers):
                self._route(router, now, wanted)
            for link in self.links:
                link.busy += link.busy_until > now
                link.stalled += link in wanted and link.busy_until <= now

    def _inject(self, node: int, now: int, wanted: set[PlainLink]) -> None:
        link = self.links[self.topology.injection(node)]
        if link.busy_until > now:
            return
        begins = node not in self.sending
        if begins:
            self._begin_packet(node, link, now, wanted)
        if node not in self.sending:
            return
        wanted.add(link)
        job, left, lane = self.sending[node]
        if not lane.has_credit(now):
            return
        flits = min(self.burst, left)
        tree = self._tree(self.jobs[job])
        self._enter(lane, Burst(0, job, flits, begins, flits == left, tree), tree, now)
        self.sent[job] += flits
        del self.sending[node]
        if left > flits:
            self.sending[node] = (job, left - flits, lane)

    def _begin_packet(self, node: int, link: PlainLink, now: int, wanted: set[PlainLink]) -> None:
        ready = [
            (job.row <= self.last_row[node], job.row, i)
            for i, job in enumerate(self.jobs)
            if job.source == node and job.arrival <= now and self._available(i) <= now
        ]
        if not ready:
            return
        wanted.add(link)
        vcs = self.router.vcs
        order = [link.lanes[(self.last_vc[node] + step) % vcs] for step in range(1, 1 + vcs)]
        free = [lane for lane in order if lane.free_at <= now and lane.has_credit(now)]
        if free:
            _, row, job = min(ready)
            self.sending[node] = (job, self._packet(job), free[0])
            self.last_row[node], self.last_vc[node] = row, free[0].vc
            free[0].free_at = NEVER

    def _packet(self, i: int) -> int:
        job = self.jobs[i]
        longest = self.router.packet_flits if len(job.targets) == 1 else self.burst
        return min(longest, job.flits - self.sent[i])

    def _available(self, i: int) -> int:
        """Tick from which on no flit of the next packet would have to be waited for."""
        job, first = self.jobs[i], self.sent[i]
        if first == job.flits:
            return NEVER
        pace = [k * job.pace_num // job.pace_den for k in range(first, first + self._packet(i))]
        return job.release + max(pace[0], pace[-1] - len(pace) + 1)

    def _tree(self, job: PlainTransfer) -> Tree:
        path = self.topology.path if len(job.targets) == 1 else self.topology.tree_path
        return _grow([path(job.source, target)[1:] for target in job.targets])

    def _route(self, router: int, now: int, wanted: set[PlainLink]) -> None:
        lanes = [lane for link in self.inputs[router] for lane in link.lanes if lane.queue]
        for lane in lanes:
            if not lane.tree:
                lane.tree = lane.queue[0].tree
                lane.ready = max(lane.queue[0].arrival, lane.vacated) + self.router.routing_cycles
        seekers = [lane for lane in lanes if lane.out is None and lane.ready <= now]
        senders = [
            lane for lane in lanes if lane.out and max(lane.ready, lane.queue[0].arrival) <= now
        ]
        hopeful = [lane for lane in seekers if self.router.speculative and self._hopes(lane, now)]
        if self.router.speculative:
            wanted |= {self.links[lane.tree[0][0].link] for lane in seekers}
        self._give_lanes(router, seekers, now, wanted)
        self._give_switch(router, senders, hopeful, now, wanted)

    def _hopes(self, lane: PlainLane, now: int) -> bool:
        """Whether a packet without a lane may ask for its output already."""
        out = self.links[lane.tree[0][0].link]
        idle = max(out.busy_until, lane.link.read_until) <= now
        return idle and any(
            wish.free_at <= now and wish.has_credit(now) and self._may_take(lane, wish)
            for wish in out.lanes
        )

    def _give_lanes(
        self, router: int, seekers: list[PlainLane], now: int, wanted: set[PlainLink]
    ) -> None:
        vcs = self.router.vcs
        ins, outs = len(self.inputs[router]) * vcs, len(self.outputs[router]) * vcs
        offers: list[tuple[PlainLane, PlainLane]] = []
        for out in (lane for link in self.outputs[router] for lane in link.lanes):
            asking = [lane for lane in seekers if out.free_at <= now and self._may_take(lane, out)]
            asking.sort(key=lambda lane: (lane.link.in_port * vcs + lane.vc - out.grant) % ins)
            offers += [(out, lane) for lane in asking[:1]]
        for lane in seekers:
            mine = [out for out, chosen in offers if chosen is lane]
            mine.sort(key=lambda out: (out.link.out_port * vcs + out.vc - lane.accept) % outs)
            if not mine:
                wanted.add(self.links[lane.tree[0][0].link])
                continue
            lane.out, lane.ready = mine[0], now + (not self.router.speculative)
            lane.accept = (mine[0].link.out_port * vcs + mine[0].vc + 1) % outs
            mine[0].grant = (lane.link.in_port * vcs + lane.vc + 1) % ins
            mine[0].free_at = NEVER

    def _may_take(self, lane: PlainLane, out: PlainLane) -> bool:
        hop, vcs = lane.tree[0][0], self.router.vcs
        if hop.link != out.link.number:
            return False
        if hop.link >= len(self.topology.links):
            return True
        low = hop.vc_class * vcs // self.topology.classes
        return low <= out.vc < (hop.vc_class + 1) * vcs // self.topology.classes

    def _give_switch(
        self,
        router: int,
        senders: list[PlainLane],
        hopeful: list[PlainLane],
        now: int,
        wanted: set[PlainLink],
    ) -> None:
        """Lanes with an output, and hopeful ones, which yield to others of their input only."""
        able: dict[tuple[PlainLink, PlainLink], list[tuple[int, int, PlainLane]]] = {}
        for lane in senders:
            assert lane.out is not None
            out = lane.out.link
            wanted.add(out)
            if lane.out.has_credit(now) and max(out.busy_until, lane.link.read_until) <= now:
                able.setdefault((lane.link, out), []).append(self._rank(lane, 0))
        for lane in hopeful:
            wish = self.links[lane.tree[0][0].link]
            able.setdefault((lane.link, wish), []).append(self._rank(lane, 1))
        ins, outs = len(self.inputs[router]), len(self.outputs[router])
        chosen = {}
        for out in self.outputs[router]:
            asking = [link for link, wish in able if wish is out]
            if asking:
                chosen[out] = min(asking, key=lambda link: (link.in_port - out.grant) % ins)
        for link in self.inputs[router]:
            mine = [out for out in chosen if chosen[out] is link]
            if mine:
                out = min(mine, key=lambda out: (out.out_port - link.accept) % outs)
                *_, lane = min(able[link, out], key=lambda ranked: ranked[:2])
                link.turn = (lane.vc + 1) % self.router.vcs
                link.accept, out.grant = (out.out_port + 1) % outs, (link.in_port + 1) % ins
                if lane.out and lane.out.has_credit(now):
                    self._send(lane, now)

    def _rank(self, lane: PlainLane, last: int) -> tuple[int, int, PlainLane]:
        return last, (lane.vc - lane.link.turn) % self.router.vcs, lane

    def _send(self, lane: PlainLane, now: int) -> None:
        burst, out = lane.queue[0], lane.out
        assert out is not None
        self._enter(out, burst, lane.tree[0][1], now)
        if len(lane.tree) > 1:
            lane.tree, lane.out, lane.ready = lane.tree[1:], None, now + 1
            lane.link.read_until = now + 1
            return
        lane.queue.popleft()
        lane.credits.append(now + lane.link.credit)
        lane.link.read_until = lane.ready = now + burst.flits
        if burst.tail:
            lane.tree, lane.out, lane.vacated = [], None, now + burst.flits

    def _enter(self, lane: PlainLane, burst: Burst, tree: Tree, now: int) -> None:
        link = lane.link
        arrival = now + link.delay
        link.busy_until = now + burst.flits
        if burst.tail:
            lane.free_at = now + burst.flits
        lane.credits.remove(min(lane.credits))
        if not link.to_node:
            lane.queue.append(burst._replace(arrival=arrival, tree=tree))
            return
        lane.credits.append(arrival + link.credit)
        self.delivered[burst.job] += burst.flits
        self.ends[burst.job] = max(self.ends[burst.job], arrival + burst.flits - 1)


def _grow(routes: list[Route]) -> Tree:
    """The tree of routes that begin alike."""
    tails: dict[Hop, list[Route]] = {}
    for route in routes:
        if route:
            tails.setdefault(route[0], []).append(route[1:])
    return [(hop, _grow(rest)) for hop, rest in tails.items()]
