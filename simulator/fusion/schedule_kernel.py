# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
"""The list scheduler as a compiled kernel over `schedule_tables`; its rules are in `schedule`.

Timelines of pools are searched from their end, because nearly all decisions are about it; those of
links from both, because what is off-chip from the beginning may go into their first gaps.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from numba import njit

from simulator.fusion.schedule_links import earliest_gap, occupy
from simulator.fusion.schedule_tables import (
    BEFORE_ALL,
    DONE,
    EVICTION,
    FETCH,
    FINAL_STORE,
    NEVER,
    NO_ROOM,
    NO_ROUTE,
    STREAM,
    TABLE_FULL,
)


@njit(cache=True)
def run(s):
    """Decide all nodes; DONE or what is in the way."""
    ready = [(np.int64(0), np.int64(0), np.int64(0)) for _ in range(0)]
    for node in range(s.nodes.size):
        if s.nodes[node].missing == 0:
            heappush(ready, _candidate(s, node))
    prefetched = np.int64(-1)
    for position in range(s.nodes.size):
        node = heappop(ready)[2]
        s.order[position] = node
        if s.prefetch and s.nodes[node].stack > prefetched:
            prefetched = s.nodes[node].stack
            status = _prefetch(s, prefetched)
            if status != DONE:
                return status
        status = _decide(s, node)
        if status != DONE:
            return status
        made = s.tensors[s.nodes[node].output_tensor]
        for row in range(made.first_follower, made.end_follower):
            follower = s.nodes[s.followers[row]]
            follower.missing -= 1
            follower.predecessors_end = max(follower.predecessors_end, s.nodes[node].end)
            if follower.missing == 0:
                heappush(ready, _candidate(s, s.followers[row]))
    return DONE


@njit(cache=True)
def _candidate(s, node):
    ready = s.nodes[node].predecessors_end if s.by_ready_time else np.int64(0)
    return (s.nodes[node].group, ready, np.int64(node))


@njit(cache=True)
def _prefetch(s, stack):
    """Queue the weights of a stack, in order of first need, as far as there is room for them."""
    for node in range(s.nodes.size):
        if s.nodes[node].stack != stack:
            continue
        for row in range(s.nodes[node].first_need, s.nodes[node].end_need):
            place, tensor = s.needs[row].place, s.tensors[s.needs[row].tensor]
            if place < 0 or not tensor.is_weight or s.places[place].residence >= 0:
                continue
            if _fits(s, place):
                status = _fetch(s, place, -1, 0)
                if status != DONE:
                    return status
    return DONE


@njit(cache=True)
def _decide(s, node):
    first, end = s.nodes[node].first_need, s.nodes[node].end_need
    for row in range(first, end):
        if s.needs[row].place >= 0:
            s.places[s.needs[row].place].pinned = node
    ready = max(s.core_free[s.nodes[node].core], s.nodes[node].predecessors_end)
    start = ready
    for row in range(first, end):
        need = s.needs[row]
        status = DONE
        if need.place < 0:
            status = _bring_offchip(s, need.tensor, node)
        elif s.places[need.place].residence < 0:
            status = _fetch(s, need.place, node, ready if s.just_in_time else 0)
        if status != DONE:
            return status
        if need.place < 0:
            start = max(start, s.tensors[need.tensor].offchip_at)
        else:
            need.residence = s.places[need.place].residence
            start = max(start, s.residences[need.residence].available)
    return _place_node(s, node, start)


@njit(cache=True)
def _place_node(s, node, start):
    this = s.nodes[node]
    tensor = s.tensors[this.output_tensor]
    if this.output_place >= 0:
        status = _make_room(s, this.output_place, node, start)
        if status != DONE:
            return status
    read = _route(s, s.cores, this.core) if this.reads_stream else np.int64(-1)
    write = _route(s, this.core, s.cores) if this.writes_stream else np.int64(-1)
    if read == NEVER or write == NEVER:
        return NO_ROUTE
    start = _earliest_start(s, read, write, this.cycles, this.output_place, start)
    this.start = start
    this.end = start + this.cycles
    s.core_free[this.core] = this.end
    if not _stream(s, node):
        return TABLE_FULL
    if this.output_place >= 0:
        if not _settle(s, this.output_place, start, this.end, -1):
            return TABLE_FULL
        this.residence = s.places[this.output_place].residence
        if tensor.is_final:
            status = _to_offchip(s, this.output_place, FINAL_STORE, node, 0)
            if status != DONE:
                return status
    _release(s, node)
    return DONE


@njit(cache=True)
def _stream(s, node):
    """Block the routes of a node's streamed operands; False when the table is full."""
    this = s.nodes[node]
    if this.reads_stream:
        row = this.first_need
        while s.needs[row].place >= 0:
            row += 1
        tensor = s.needs[row].tensor
        moved = (tensor, s.cores, this.core, this.start, this.end, STREAM, node, -1, -1)
        if not _write_transfer(s, moved):
            return False
    if this.writes_stream:
        tensor = this.output_tensor
        s.tensors[tensor].offchip_at = this.end + s.latency_cycles
        moved = (tensor, this.core, s.cores, this.start, this.end, STREAM, node, -1, -1)
        return _write_transfer(s, moved)
    return True


@njit(cache=True)
def _release(s, node):
    """Count the node off the readers of its needs; what nobody reads any more frees its room."""
    this = s.nodes[node]
    for row in range(this.first_need, this.end_need):
        s.tensors[s.needs[row].tensor].readers_left -= 1
        if s.needs[row].place >= 0:
            s.places[s.needs[row].place].readers_left -= 1
            residence = s.residences[s.needs[row].residence]
            residence.last_use = max(residence.last_use, this.end)
    for row in range(this.first_need, this.end_need):
        _free_idle_copies(s, s.needs[row].tensor)
    _free_idle_copies(s, this.output_tensor)


@njit(cache=True)
def _free_idle_copies(s, tensor):
    """Close all residences if nobody reads the tensor any more, else those that aren't a source."""
    this = s.tensors[tensor]
    copies = 1 if this.offchip_at == 0 else 0
    for place in range(this.first_place, this.end_place):
        copies += s.places[place].residence >= 0
    for place in range(this.first_place, this.end_place):
        if s.places[place].residence < 0 or s.places[place].readers_left > 0:
            continue
        if this.readers_left == 0 or copies > 1:
            _close(s, place)
            copies -= 1


@njit(cache=True)
def _fetch(s, place, node, ready):
    """Bring a tensor to a place, from who has held it longest, to be there at cycle `ready`."""
    tensor, target = s.places[place].tensor, s.places[place].core
    source, sender, since = _longest_holder(s, tensor, target)
    if since == NEVER:
        return NO_ROUTE
    route = _route(s, source, target)
    duration = _transfer_cycles(s, route, s.tensors[tensor].bytes)
    since = max(since, ready - duration - s.latency_cycles)
    if not _fits(s, place):
        wanted = _earliest_free(s, route, -1, duration, since)
        status = _make_room(s, place, node, wanted)
        if status != DONE:
            return status
    start = _earliest_start(s, route, -1, duration, place, since)
    end = start + duration
    arrival = end + s.latency_cycles
    moved = (tensor, source, target, start, end, FETCH, node, sender, s.counts[1])
    if not _write_transfer(s, moved):
        return TABLE_FULL
    if not _settle(s, place, start, arrival, s.counts[0] - 1):
        return TABLE_FULL
    if sender >= 0:
        s.residences[sender].last_use = max(s.residences[sender].last_use, arrival)
        _free_idle_copies(s, tensor)
    return DONE


@njit(cache=True)
def _longest_holder(s, tensor, target):
    """Core, residence (-1: off-chip) and first cycle of the oldest copy with a way to a core."""
    this = s.tensors[tensor]
    source, sender, since = np.int64(-1), np.int64(-1), NEVER
    for place in range(this.first_place, this.end_place):
        row, core = s.places[place].residence, s.places[place].core
        if row < 0 or s.residences[row].available >= since:
            continue
        if _route(s, core, target) < NEVER:
            source, sender, since = core, row, s.residences[row].available
    if this.offchip_at < since and _route(s, s.cores, target) < NEVER:
        return s.cores, np.int64(-1), this.offchip_at
    return source, sender, since


@njit(cache=True)
def _bring_offchip(s, tensor, node):
    """Write a tensor off-chip that is about to be streamed from there, unless it is there."""
    if s.tensors[tensor].offchip_at < NEVER:
        return DONE
    place = s.tensors[tensor].first_place
    while s.places[place].residence < 0:
        place += 1
    return _to_offchip(s, place, EVICTION, node, 0)


@njit(cache=True)
def _to_offchip(s, place, reason, node, wanted):
    """Write a tensor off-chip, not before cycle `wanted`."""
    tensor, core, row = s.places[place].tensor, s.places[place].core, s.places[place].residence
    residence = s.residences[row]
    route = _route(s, core, s.cores)
    if route == NEVER:
        return NO_ROUTE
    duration = _transfer_cycles(s, route, s.tensors[tensor].bytes)
    start = _earliest_start(s, route, -1, duration, -1, max(residence.available, wanted))
    end = start + duration
    s.tensors[tensor].offchip_at = end + s.latency_cycles
    residence.last_use = max(residence.last_use, end + s.latency_cycles)
    moved = (tensor, core, s.cores, start, end, reason, node, row, -1)
    return DONE if _write_transfer(s, moved) else TABLE_FULL


@njit(cache=True)
def _make_room(s, place, node, wanted):
    """Evict from cycle `wanted` on until a tensor fits its pool, now or at some later time."""
    while not _fits(s, place):
        victim = _least_wanted(s, s.places[place].pool, node)
        if victim < 0:
            return NO_ROOM
        if s.tensors[s.places[victim].tensor].offchip_at == NEVER:
            status = _to_offchip(s, victim, EVICTION, node, wanted)
            if status != DONE:
                return status
        _close(s, victim)
    return DONE


@njit(cache=True)
def _fits(s, place):
    """Whether the pool of a place has room for it, now or at some later time."""
    pool = s.pools[s.places[place].pool]
    return pool.open_bytes + s.tensors[s.places[place].tensor].bytes <= pool.bytes


@njit(cache=True)
def _least_wanted(s, pool, node):
    """Place in the pool with the fewest bytes left to read, the longest there first; -1: none."""
    best, fewest = np.int64(-1), NEVER
    head = s.first_ring + pool
    place = s.places[head].next
    while place != head:
        this = s.places[place]
        left = this.readers_left * s.tensors[this.tensor].bytes
        if this.pinned != node and left < fewest:
            best, fewest = place, left
        place = this.next
    return best


@njit(cache=True)
def _earliest_start(s, read, write, duration, place, since):
    """First cycle from `since` on with routes free for a duration and room at a place; -1: none."""
    start, free = since, np.int64(-1)
    while start > free:
        free = _earliest_free(s, read, write, duration, start)
        start = _earliest_room(s, place, free) if place >= 0 else free
    return start


@njit(cache=True)
def _earliest_free(s, read, write, duration, since):
    """First cycle from `since` on with all links of two routes, or -1, free for a duration."""
    free, tried = since, np.int64(-1)
    while free > tried:
        tried = free
        for route in (read, write):
            if route >= 0:
                for at in range(s.routes[route].first, s.routes[route].end):
                    free = earliest_gap(s, s.route_links[at], duration, free)
    return free


@njit(cache=True)
def _earliest_room(s, place, since):
    """First cycle from `since` on after which the pool of a place always has room for it."""
    pool = s.places[place].pool
    limit = s.pools[pool].bytes - s.tensors[s.places[place].tensor].bytes
    used = s.pools[pool].open_bytes
    event = s.pools[pool].newest
    while event >= 0 and s.events[event].time > since:
        used -= s.events[event].bytes
        if used > limit:
            return s.events[event].time
        event = s.events[event].earlier
    return since


@njit(cache=True)
def _settle(s, place, start, available, transfer):
    """Open a residence at a place; False when the table is full."""
    row, this = s.counts[1], s.places[place]
    if row == s.residences.size:
        return False
    s.counts[1] = row + 1
    size = s.tensors[this.tensor].bytes
    residence = s.residences[row]
    residence.tensor, residence.pool, residence.transfer = this.tensor, this.pool, transfer
    residence.from_cycle, residence.available, residence.last_use = start, available, available
    this.residence = row
    s.pools[this.pool].open_bytes += size
    _add_event(s, this.pool, 2 * row, start, size)
    head = s.first_ring + this.pool
    this.next, this.previous = head, s.places[head].previous
    s.places[this.previous].next, s.places[head].previous = place, place
    return True


@njit(cache=True)
def _close(s, place):
    """End the residence at a place with its last use."""
    this = s.places[place]
    row, size = this.residence, s.tensors[this.tensor].bytes
    s.residences[row].to_cycle = s.residences[row].last_use
    this.residence = -1
    s.pools[this.pool].open_bytes -= size
    _add_event(s, this.pool, 2 * row + 1, s.residences[row].to_cycle, -size)
    s.places[this.previous].next, s.places[this.next].previous = this.next, this.previous


@njit(cache=True)
def _add_event(s, pool, row, time, size):
    """Put an event into the timeline; of one cycle, what frees comes before what takes."""
    later, before = np.int64(-1), s.pools[pool].newest
    while before >= 0 and (
        s.events[before].time > time
        or (s.events[before].time == time and s.events[before].bytes > 0 and size < 0)
    ):
        later, before = before, s.events[before].earlier
    event = s.events[row]
    event.time, event.bytes, event.earlier = time, size, before
    if later < 0:
        s.pools[pool].newest = row
    else:
        s.events[later].earlier = row


@njit(cache=True)
def _route(s, source, target):
    """Row of a route; NEVER, and noted, without one."""
    row = source * (s.cores + 1) + target
    if s.routes[row].first == s.routes[row].end:
        s.counts[3], s.counts[4] = source, target
        return NEVER
    return row


@njit(cache=True)
def _transfer_cycles(s, route, size):
    narrowest = NEVER
    for at in range(s.routes[route].first, s.routes[route].end):
        narrowest = min(narrowest, s.links[s.route_links[at]].width_bits)
    return (8 * size + narrowest - 1) // narrowest


@njit(cache=True)
def _write_transfer(s, values):
    """Append a transfer and occupy its links; False when a table is full."""
    if s.counts[0] == s.transfers.size:
        return False
    row = s.transfers[s.counts[0]]
    s.counts[0] += 1
    row.tensor, row.source, row.target, row.start, row.end = values[:5]
    row.reason, row.for_node, row.source_residence, row.target_residence = values[5:]
    route = s.routes[row.source * (s.cores + 1) + row.target]
    for at in range(route.first, route.end):
        if not occupy(s, s.route_links[at], row.start if s.in_gaps else BEFORE_ALL, row.end):
            return False
    return True
