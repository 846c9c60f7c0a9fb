"""The scheduler once more, as objects and lists that are searched from end to end: the oracle."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil, inf

import numpy as np

from simulator.fusion.problem import SchedulingProblem
from simulator.fusion.schedule import (
    EVICTION,
    FETCH,
    FINAL_STORE,
    RESIDENCE_COLUMNS,
    STREAM,
    TRANSFER_COLUMNS,
    Schedule,
)

Span = tuple[int, int]


@dataclass(eq=False)
class Stay:
    """A tensor in a pool from `start` on; `core` is who made or fetched it."""

    number: int
    tensor: int
    pool: int
    core: int
    start: int
    available: int
    transfer: int
    last_use: int
    end: float = inf


@dataclass
class Scheduler:
    """What is known while nodes are decided one after the other."""

    problem: SchedulingProblem
    stays: list[Stay] = field(default_factory=list)
    transfers: list[tuple[int, ...]] = field(default_factory=list)
    starts: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    offchip: dict[int, int] = field(default_factory=dict)
    link_uses: dict[int, list[Span]] = field(default_factory=lambda: defaultdict(list))
    core_free: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    made: dict[int, int] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        makers = enumerate(self.problem.tensor_maker.tolist())
        self.offchip = {tensor: 0 for tensor, maker in makers if maker < 0}

    def needs(self, node: int) -> list[int]:
        """Rows of the needs of a node."""
        pointers = self.problem.need_pointers
        return list(range(pointers[node], pointers[node + 1]))

    def reads(self, tensor: int, pool: int | None = None) -> int:
        """Reads of a tensor, in a pool, by nodes that aren't decided yet."""
        p = self.problem
        return sum(
            p.needs[need] == tensor
            and (pool is None or (p.need_pool[need] == pool and not p.need_streamed[need]))
            for node in range(p.layer.size)
            if node not in self.ends
            for need in self.needs(node)
        )

    def size(self, tensor: int) -> int:
        """Bytes of a tensor."""
        return int(self.problem.tensor_bytes[tensor])

    def open_stay(self, tensor: int, pool: int) -> Stay | None:
        """The stay without an end of a tensor in a pool."""
        found = [s for s in self.stays if (s.tensor, s.pool, s.end) == (tensor, pool, inf)]
        return found[0] if found else None

    def next_node(self) -> int:
        """The ready node to decide next."""
        p = self.problem
        todo = [node for node in range(p.layer.size) if node not in self.ends]
        if p.order is not None:
            return int(p.order[len(self.ends)])
        stack = np.zeros_like(p.layer) if p.stack is None else p.stack
        ready = [n for n in todo if all(m in self.ends for m in self.makers(n))]
        lowest = min(stack[n] for n in ready)
        ready = [n for n in ready if stack[n] == lowest]
        if p.policy == "memory":
            return min(ready, key=lambda n: (-p.layer[n], n))
        return min(ready, key=lambda n: (self.predecessors_end(n), n))

    def makers(self, node: int) -> list[int]:
        """Nodes that make the needs of a node, and the one before it in its layer on its core."""
        p = self.problem
        makers = [int(p.tensor_maker[p.needs[n]]) for n in self.needs(node)]
        if p.order is None:
            alike = (p.layer == p.layer[node]) & (p.core == p.core[node])
            makers += np.flatnonzero(alike[:node])[-1:].tolist()
        return [maker for maker in makers if maker >= 0]

    def predecessors_end(self, node: int) -> int:
        """When all that a node waits for have ended."""
        return max((self.ends[m] for m in self.makers(node)), default=0)

    def decide(self, node: int) -> None:
        """Decide the start of a node and all that it needs."""
        p = self.problem
        core = int(p.core[node])
        idle = max(self.core_free[core], self.predecessors_end(node))
        start = idle
        for need in self.needs(node):
            tensor, pool = int(p.needs[need]), int(p.need_pool[need])
            if p.need_streamed[need]:
                self.bring_offchip(tensor, node)
                start = max(start, self.offchip[tensor])
                continue
            stay = self.open_stay(tensor, pool) or self.fetch(tensor, pool, node, idle)
            self.read[need] = stay.number
            start = max(start, stay.available)
        self.run(node, core, start)

    def run(self, node: int, core: int, start: int) -> None:
        """Place a node on its core, and what follows from that."""
        p = self.problem
        output, pool = int(p.output_tensor[node]), int(p.activation_pool[core])
        if not p.output_streamed[node]:
            self.evict(pool, self.size(output), node, start)
        streamed = [int(p.needs[n]) for n in self.needs(node) if p.need_streamed[n]]
        ways = [(p.offchip, core)] if streamed else []
        ways += [(core, p.offchip)] if p.output_streamed[node] else []
        room_of = None if p.output_streamed[node] else output
        start = self.earliest(ways, int(p.cycles[node]), start, pool, room_of)
        end = start + int(p.cycles[node])
        if streamed:
            self.move((streamed[0], p.offchip, core, start, end, STREAM, node, -1, -1))
        if p.output_streamed[node]:
            self.move((output, core, p.offchip, start, end, STREAM, node, -1, -1))
            self.offchip[output] = end + p.latency_cycles
        else:
            stay = self.settle(output, pool, core, start, end, -1)
            self.made[node] = stay.number
            if p.tensor_is_final[output]:
                self.store(stay, FINAL_STORE, node, 0)
        self.starts[node], self.ends[node], self.core_free[core] = start, end, end
        self.finish(node)

    def finish(self, node: int) -> None:
        """Free the room of what nobody reads any more."""
        tensors = [int(self.problem.needs[need]) for need in self.needs(node)]
        for need in self.needs(node):
            if need in self.read:
                stay = self.stays[self.read[need]]
                stay.last_use = max(stay.last_use, self.ends[node])
        for tensor in [*tensors, int(self.problem.output_tensor[node])]:
            self.free_copies(tensor)

    def free_copies(self, tensor: int) -> None:
        """Close the stays that are neither read nor the only source of others."""
        stays = [s for s in self.stays if s.tensor == tensor and s.end == inf]
        for stay in sorted(stays, key=lambda s: s.pool):
            others = sum(s.tensor == tensor and s.end == inf for s in self.stays) - 1
            others += self.problem.tensor_maker[tensor] < 0
            wanted = self.reads(tensor) > 0
            if self.reads(tensor, stay.pool) == 0 and (others or not wanted):
                stay.end = stay.last_use

    def fetch(self, tensor: int, pool: int, node: int, idle: int) -> Stay:
        """Bring a tensor into a pool, to be there when the core is idle."""
        p = self.problem
        core = self.end_of_route(tensor, pool)
        stays = [s for s in self.stays if s.tensor == tensor and s.end == inf]
        holders = [(s.available, s.pool, s.core, s.number) for s in stays]
        if tensor in self.offchip:
            holders.append((self.offchip[tensor], p.pool_bytes.size, p.offchip, -1))
        since, _, source, sender = min(h for h in holders if p.route(h[2], core).size)
        duration = self.duration(source, core, tensor)
        if p.policy == "memory":
            since = max(since, idle - duration - p.latency_cycles)
        way = [(source, core)]
        self.evict(pool, self.size(tensor), node, self.earliest(way, duration, since))
        start = self.earliest(way, duration, since, pool, tensor)
        end = start + duration
        row = (tensor, source, core, start, end, FETCH, node, sender, len(self.stays))
        arrival = end + p.latency_cycles
        self.move(row)
        stay = self.settle(tensor, pool, core, start, arrival, len(self.transfers) - 1)
        if sender >= 0:
            self.stays[sender].last_use = max(self.stays[sender].last_use, arrival)
            self.free_copies(tensor)
        return stay

    def end_of_route(self, tensor: int, pool: int) -> int:
        """Core of a pool through which a tensor comes: its maker's, else its first reader's."""
        p = self.problem
        maker = int(p.tensor_maker[tensor])
        if maker >= 0 and p.activation_pool[p.core[maker]] == pool and not p.output_streamed[maker]:
            return int(p.core[maker])
        here = (p.needs == tensor) & (p.need_pool == pool) & ~p.need_streamed
        return int(p.core[p.need_node[here][0]])

    def bring_offchip(self, tensor: int, node: int) -> None:
        """Write a tensor off-chip unless it is there."""
        if tensor not in self.offchip:
            stays = [s for s in self.stays if s.tensor == tensor and s.end == inf]
            self.store(min(stays, key=lambda s: s.pool), EVICTION, node, 0)

    def store(self, stay: Stay, reason: int, node: int, wanted: int) -> None:
        """Write a stay off-chip, from cycle `wanted` on."""
        p = self.problem
        duration = self.duration(stay.core, p.offchip, stay.tensor)
        start = self.earliest([(stay.core, p.offchip)], duration, max(stay.available, wanted))
        end = start + duration
        row = (stay.tensor, stay.core, p.offchip, start, end, reason, node, stay.number, -1)
        self.move(row)
        self.offchip[stay.tensor] = end + p.latency_cycles
        stay.last_use = max(stay.last_use, end + p.latency_cycles)

    def evict(self, pool: int, size: int, node: int, wanted: int) -> None:
        """Evict stays of a pool until `size` bytes fit at some time."""
        p = self.problem
        held = [int(p.needs[n]) for n in self.needs(node) if not p.need_streamed[n]]
        pools = [int(p.need_pool[n]) for n in self.needs(node) if not p.need_streamed[n]]
        while True:
            stays = [s for s in self.stays if s.pool == pool and s.end == inf]
            if sum(self.size(s.tensor) for s in stays) + size <= p.pool_bytes[pool]:
                return
            loose = [s for s in stays if (s.tensor, pool) not in zip(held, pools, strict=True)]
            left = {s.number: self.reads(s.tensor, pool) * self.size(s.tensor) for s in loose}
            victim = min(loose, key=lambda s: (left[s.number], s.number))
            if victim.tensor not in self.offchip:
                self.store(victim, EVICTION, node, wanted)
            victim.end = victim.last_use

    def earliest(
        self,
        ways: list[tuple[int, int]],
        duration: int,
        since: int,
        pool: int = 0,
        tensor: int | None = None,
    ) -> int:
        """First cycle from `since` on with ways free for a duration and room for a tensor."""
        links = {link for way in ways for link in self.problem.route(*way).tolist()}
        busy = [span for link in links for span in self.busy(link)]
        changes = [t for s in self.stays if s.pool == pool for t in (s.start, s.end) if t < inf]
        return min(
            int(t)
            for t in {since, *changes, *(end for _, end in busy)}
            if t >= since
            and all(t + duration <= start or end <= t for start, end in busy)
            and (tensor is None or self.has_room(pool, self.size(tensor), t))
        )

    def has_room(self, pool: int, size: int, since: float) -> bool:
        """Whether a pool has room from a cycle on."""
        stays = [s for s in self.stays if s.pool == pool]
        return all(
            sum(self.size(s.tensor) for s in stays if s.start <= t < s.end) + size
            <= self.problem.pool_bytes[pool]
            for t in [since, *(s.start for s in stays if s.start > since)]
        )

    def busy(self, link: int) -> list[Span]:
        """When a link isn't free: up to its last use, or (gaps) in its uses, joined."""
        uses = sorted(self.link_uses[link])
        if self.problem.links == "fifo":
            return [(-1, max(end for _, end in uses))] if uses else []
        joined: list[Span] = []
        for start, end in uses:
            touches = bool(joined) and joined[-1][1] >= start
            first = joined.pop()[0] if touches else start
            joined.append((first, end))
        return joined

    def settle(
        self, tensor: int, pool: int, core: int, start: int, available: int, transfer: int
    ) -> Stay:
        """Open a stay."""
        number = len(self.stays)
        self.stays.append(Stay(number, tensor, pool, core, start, available, transfer, available))
        return self.stays[-1]

    def duration(self, source: int, target: int, tensor: int) -> int:
        """Cycles of a transfer."""
        widths = self.problem.link_width_bits[self.problem.route(source, target)]
        return ceil(8 * self.size(tensor) / int(widths.min()))

    def move(self, row: tuple[int, ...]) -> None:
        """Write a transfer down and occupy its links."""
        self.transfers.append(row)
        for link in self.problem.route(row[1], row[2]).tolist():
            self.link_uses[link].append((row[3], row[4]))

    def prefetch(self, stack: int) -> None:
        """Queue the weights of a stack that fit."""
        p = self.problem
        for need in range(p.needs.size):
            tensor, pool = int(p.needs[need]), int(p.need_pool[need])
            here = p.stack is None or p.stack[p.need_node[need]] == stack
            weight = p.tensor_is_weight[tensor] and not p.need_streamed[need]
            if not here or not weight or self.open_stay(tensor, pool):
                continue
            used = sum(self.size(s.tensor) for s in self.stays if (s.pool, s.end) == (pool, inf))
            if used + self.size(tensor) <= p.pool_bytes[pool]:
                self.fetch(tensor, pool, -1, 0)


def schedule_plain(problem: SchedulingProblem) -> Schedule:
    """The same as `schedule`, for small problems that can be scheduled."""
    scheduler, order, stack = Scheduler(problem), [], -1
    for _ in range(problem.layer.size):
        node = scheduler.next_node()
        entered = 0 if problem.stack is None else int(problem.stack[node])
        if problem.prefetch_weights and entered > stack:
            stack = entered
            scheduler.prefetch(stack)
        scheduler.decide(node)
        order.append(node)
    return _result(scheduler, order)


def _result(done: Scheduler, order: list[int]) -> Schedule:
    p = done.problem
    moved = np.array(done.transfers, dtype=np.int64).reshape(-1, len(TRANSFER_COLUMNS))
    rows = [(s.tensor, s.pool, s.start, int(s.end), s.transfer) for s in done.stays]
    stays = np.array(rows, dtype=np.int64).reshape(-1, len(RESIDENCE_COLUMNS))
    nodes, needs = range(p.layer.size), range(p.needs.size)
    times = sorted({s.start for s in done.stays})
    peaks = [
        max((_used(done, pool, time) for time in times), default=0)
        for pool in range(p.pool_bytes.size)
    ]
    counted = [row for row in done.transfers if row[5] != STREAM]
    users = [
        [row[4] - row[3] for row in counted if link in p.route(row[1], row[2])]
        for link in range(p.link_width_bits.size)
    ]
    return Schedule(
        node_start=np.array([done.starts[n] for n in nodes]),
        node_end=np.array([done.ends[n] for n in nodes]),
        order=np.array(order),
        transfers=dict(zip(TRANSFER_COLUMNS, moved.T, strict=True)),
        residences=dict(zip(RESIDENCE_COLUMNS, stays.T, strict=True)),
        node_residence=np.array([done.made.get(n, -1) for n in nodes]),
        need_residence=np.array([done.read.get(n, -1) for n in needs]),
        latency=max([*done.ends.values(), *(row[4] for row in done.transfers)], default=0),
        pool_peak_bytes=np.array(peaks),
        link_busy_cycles=np.array([sum(user) for user in users]),
        link_transfers=np.array([len(user) for user in users]),
    )


def _used(done: Scheduler, pool: int, time: int) -> int:
    stays = [s for s in done.stays if s.pool == pool and s.start <= time < s.end]
    return sum(done.size(s.tensor) for s in stays)
