"""The network tick by tick: nodes inject, routers give lanes and the switch.

Both allocations are separable and round robin, one iteration (iSLIP): each output chooses among
those that ask, each input among the outputs that chose it; pointers move only when a choice was
accepted. Whatever a router does in a tick takes effect in later ticks, so routers may be looked at
in any order, and only when something can happen (their WAKE). w, s: wiring and state
(`hw_models.noc.wiring`). Rules: NOC-4 to NOC-9.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from hw_models.kernel import FOREVER
from hw_models.noc.wiring import (
    ACCEPT,
    ACTIVE,
    ADMITTED,
    AFTER,
    AS_INPUT,
    AS_OUTPUT,
    ASKED,
    AT,
    BEHIND,
    BEST,
    BEST_KEY,
    BURST,
    BUSY,
    BUSY_UNTIL,
    CHILD,
    COPIES,
    COUNT,
    CREDIT,
    CURRENT,
    CURRENT_LANE,
    DELAY,
    DELIVERED,
    END,
    FIRST_HOP,
    FIRST_JOB,
    FIRST_LANE,
    FLITS,
    FREE,
    FREE_AT,
    GRANT,
    HEAD,
    HEAD_BIT,
    HEAD_TICKS,
    HEAD_WORDS,
    HIGH,
    HOP_AT,
    HOP_LINK,
    IN_PORT,
    IN_PORTS,
    INJECTED,
    INPUTS,
    JOB_AT,
    JOB_PACKET,
    JOB_WORDS,
    LANE_WORDS,
    LAST_JOB,
    LAST_VC,
    LEFT,
    LENGTH_AT,
    LINK,
    LINKS_AT,
    LOW,
    MASK,
    MOST_HOPS,
    NEXT_END,
    NODE_LINK,
    NODE_WAKE,
    NODE_WORDS,
    NODES,
    NODES_AT,
    NOW,
    OUT,
    OUT_PORT,
    OUT_PORTS,
    OUTPUTS,
    OWNER,
    PACE_DEN,
    PACE_NUM,
    PACKET,
    PATH,
    READ_UNTIL,
    READY,
    RELEASE,
    ROUTERS,
    ROUTERS_AT,
    ROUTING,
    SENT_BY,
    SIBLING,
    SINK,
    SLOT,
    SLOTS,
    SOURCE,
    SPECULATIVE,
    STALL,
    STALLED,
    TAIL_BIT,
    TARGETS,
    TURN,
    UNREADY,
    VACATED,
    VC,
    VC_ACCEPT,
    VC_BEST,
    VC_GRANT,
    VC_KEY,
    VCS,
    WANTED,
)


@njit(cache=True)
def _length(word):
    """Flits of a burst."""
    return (word >> LENGTH_AT) & ((1 << (HOP_AT - LENGTH_AT)) - 1)


@njit(cache=True)
def _behind(pointer, number, total):
    """Places from a round-robin pointer to a number, going round."""
    return number - pointer if number >= pointer else number - pointer + total


@njit(cache=True)
def _slot_free_at(w, s, lane):
    """Tick from which on a burst may enter a lane, FOREVER while its buffer is full."""
    if s[lane + COUNT] == 2 * w[SLOTS]:
        return FOREVER
    slot = s[lane + HEAD] + s[lane + COUNT]
    if slot >= 2 * w[SLOTS]:
        slot -= 2 * w[SLOTS]
    return s[lane + SLOT + slot]


@njit(cache=True)
def _enter(w, s, lane, word, now):
    """A burst takes the link and a slot of a lane; a node takes it out at once."""
    link, flits = s[lane + LINK], _length(word)
    slot = s[lane + HEAD] + s[lane + COUNT]
    if slot >= 2 * w[SLOTS]:
        slot -= 2 * w[SLOTS]
    arrival = now + s[link + DELAY]
    s[link + BUSY] += flits
    s[link + BUSY_UNTIL] = now + flits
    s[link + SENT_BY] = word >> JOB_AT
    if word & 1:
        s[lane + FREE_AT] = now + flits
    if s[link + IN_PORT] >= 0:
        s[lane + SLOT + slot] = arrival
        s[lane + SLOT + slot + 1] = word
        s[lane + COUNT] += 2
        s[link + MASK] |= 1 << s[lane + VC]
        wake = s[link + SINK]
        s[wake] = min(s[wake], arrival)
        return
    s[lane + SLOT + slot] = arrival + s[link + CREDIT]
    s[lane + HEAD] = slot + 2 if slot + 2 < 2 * w[SLOTS] else 0
    job = word >> JOB_AT
    s[job + DELIVERED] += flits
    s[job + END] = max(s[job + END], arrival + flits - 1)
    if s[job + DELIVERED] == s[job + WANTED]:
        s[NEXT_END] = min(s[NEXT_END], s[job + END])


@njit(cache=True)
def _leave(w, s, lane, now):
    """The burst at the front of a lane is gone; the credit for its slot travels back."""
    link, slot = s[lane + LINK], s[lane + HEAD]
    back = now + s[link + CREDIT]
    s[lane + SLOT + slot] = back
    s[lane + HEAD] = slot + 2 if slot + 2 < 2 * w[SLOTS] else 0
    if s[lane + COUNT] == 2 * w[SLOTS]:  # else who waits for a slot knows when it will be free
        wake = s[link + SOURCE]
        s[wake] = min(s[wake], back)
    s[lane + COUNT] -= 2
    if s[lane + COUNT] == 0:
        s[link + MASK] &= ~(1 << s[lane + VC])


@njit(cache=True)
def _note_stall(s, link, now):
    """Open or close the stall of a link: wanted in this tick, and nothing moves on it."""
    stalled = s[link + ASKED] == now + 1 and s[link + BUSY_UNTIL] <= now
    if s[link + STALLED] == 0:
        if stalled:
            s[link + STALLED] = now + 1
    elif not stalled:
        s[link + STALL] += now + 1 - s[link + STALLED]
        s[link + STALLED] = 0


# Nodes: one packet at a time, of one job at a time.


@njit(cache=True)
def _available(s, job, flits):
    """Tick at which a node may begin to inject the next `flits` flits, without a pause in them."""
    num, den, sent = s[job + PACE_NUM], s[job + PACE_DEN], s[job + INJECTED]
    if num == 0:
        return s[job + RELEASE]
    return s[job + RELEASE] + max(sent * num // den, (sent + flits - 1) * num // den - flits + 1)


@njit(cache=True)
def _packet_flits(s, job):
    """Flits of the next packet of a job."""
    return min(s[job + JOB_PACKET], s[job + FLITS] - s[job + INJECTED])


@njit(cache=True)
def _next_job(s, node, now):
    """Round robin in row order: (job, or 0 if none has a packet; tick at which one may have)."""
    chosen, earliest = 0, FOREVER
    job = s[node + FIRST_JOB]
    while job:
        at = _available(s, job, _packet_flits(s, job))
        if at > now:
            earliest = min(earliest, at)
        elif job > s[node + LAST_JOB]:
            return job, now
        elif chosen == 0:
            chosen = job
        job = s[job + AFTER]
    return chosen, now if chosen else earliest


@njit(cache=True)
def _free_lane(w, s, link, last, now):
    """Round robin among the lanes of a node: (lane, or 0 if none can be entered; when one may)."""
    earliest = FOREVER
    for step in range(1, w[VCS] + 1):
        lane = s[link + FIRST_LANE] + (last + step) % w[VCS] * w[LANE_WORDS]
        at = max(s[lane + FREE_AT], _slot_free_at(w, s, lane))
        if at <= now:
            return lane, now
        earliest = min(earliest, at)
    return 0, earliest


@njit(cache=True)
def _unlink(s, node, job):
    """Take a job out of the list of those with flits to send."""
    if s[node + FIRST_JOB] == job:
        s[node + FIRST_JOB] = s[job + AFTER]
        return
    before = s[node + FIRST_JOB]
    while s[before + AFTER] != job:
        before = s[before + AFTER]
    s[before + AFTER] = s[job + AFTER]


@njit(cache=True)
def _begin_packet(w, s, node, now):
    """Choose the next packet of a node and its lane; returns when to look again."""
    link = s[node + NODE_LINK]
    job, at = _next_job(s, node, now)
    if job == 0:
        return at
    s[link + ASKED] = now + 1
    lane, at = _free_lane(w, s, link, s[node + LAST_VC], now)
    if lane == 0:
        return at
    flits = _packet_flits(s, job)
    available = _available(s, job, flits)
    s[job + UNREADY] += max(0, available - s[job + FREE])
    if s[link + SENT_BY] != job:
        s[job + BEHIND] += now - max(available, s[job + FREE])
    s[node + CURRENT] = s[node + LAST_JOB] = job
    s[node + LEFT] = flits
    s[node + CURRENT_LANE], s[node + LAST_VC] = lane, s[lane + VC]
    s[lane + FREE_AT] = FOREVER
    return now


@njit(cache=True)
def _send_burst(w, s, node, begins, now):
    """Inject the next burst of the packet under way; returns the tick after it."""
    job = s[node + CURRENT]
    flits = min(w[BURST], s[node + LEFT])
    s[node + LEFT] -= flits
    s[job + INJECTED] += flits
    s[job + FREE] = now + flits
    word = job << JOB_AT | s[job + PATH] << HOP_AT | flits << LENGTH_AT | begins << HEAD_BIT
    if s[node + LEFT] == 0:
        word |= 1 << TAIL_BIT
    _enter(w, s, s[node + CURRENT_LANE], word, now)
    if s[job + INJECTED] == s[job + FLITS]:
        _unlink(s, node, job)
    return now + flits


@njit(cache=True)
def _inject(w, s, node, now):
    """One tick of a node; sets when to look at it again."""
    link, at = s[node + NODE_LINK], now
    s[node + NODE_WAKE] = s[link + BUSY_UNTIL]
    if s[link + BUSY_UNTIL] > now:
        return
    begins = s[node + LEFT] == 0
    if begins:
        at = _begin_packet(w, s, node, now)
    if s[node + LEFT]:
        s[link + ASKED] = now + 1
        at = _slot_free_at(w, s, s[node + CURRENT_LANE])
        if at <= now:
            at = _send_burst(w, s, node, begins, now)
    s[node + NODE_WAKE] = at
    _note_stall(s, link, now)


# Routers: first all packets ask and lanes and outputs choose, then the packets and inputs accept.


@njit(cache=True)
def _ask_lanes(w, s, lane, now):
    """A packet asks for all free lanes that it may take; returns when to ask (again)."""
    hop, again = s[lane + AT], FOREVER
    for out in range(w[hop + LOW], w[hop + HIGH], w[LANE_WORDS]):
        if s[out + FREE_AT] > now:
            again = min(again, s[out + FREE_AT])
            continue
        again = now + 1
        key = _behind(s[out + VC_GRANT], s[lane + AS_INPUT], w[IN_PORTS] * w[VCS])
        if s[out + VC_BEST] == 0 or key < s[out + VC_KEY]:
            s[out + VC_BEST], s[out + VC_KEY] = lane, key
    return again


@njit(cache=True)
def _accept_lane(w, s, lane, now):
    """A packet takes one of the lanes that chose it."""
    hop, best, best_key = s[lane + AT], 0, FOREVER
    for out in range(w[hop + LOW], w[hop + HIGH], w[LANE_WORDS]):
        if s[out + VC_BEST] == lane:
            s[out + VC_BEST] = 0
            key = _behind(s[lane + VC_ACCEPT], s[out + AS_OUTPUT], w[OUT_PORTS] * w[VCS])
            if key < best_key:
                best, best_key = out, key
    if best == 0:
        s[w[hop + HOP_LINK] + ASKED] = now + 1
        return
    s[lane + OUT] = best
    s[lane + READY] = now + 1 - w[SPECULATIVE]
    s[lane + VC_ACCEPT] = (s[best + AS_OUTPUT] + 1) % (w[OUT_PORTS] * w[VCS])
    s[best + VC_GRANT] = (s[lane + AS_INPUT] + 1) % (w[IN_PORTS] * w[VCS])
    s[best + FREE_AT] = FOREVER


@njit(cache=True)
def _accept_lanes(w, s, router, now):
    """All packets that asked for lanes take one; returns when links that they want are free."""
    again = FOREVER
    for at in range(w[INPUTS] + router * w[IN_PORTS], w[INPUTS] + (router + 1) * w[IN_PORTS]):
        mask, lane = s[w[at] + MASK], s[w[at] + FIRST_LANE]
        while mask:
            if mask & 1 and s[lane + OUT] == 0 and s[lane + READY] <= now:
                _accept_lane(w, s, lane, now)
                until = s[w[s[lane + AT] + HOP_LINK] + BUSY_UNTIL]
                if until > now:
                    again = min(again, until)
            mask >>= 1
            lane += w[LANE_WORDS]
    return again


@njit(cache=True)
def _ready_at(s, lane):
    """Tick at which the burst at the front of a lane has arrived and may ask for its output."""
    return max(s[lane + READY], s[lane + SLOT + s[lane + HEAD]])


@njit(cache=True)
def _ask_output(w, s, lane, now):
    """The burst at the front of a lane asks for its output; returns `now`, or when it can ask."""
    ready = _ready_at(s, lane)
    if ready > now:
        return ready
    link, out = s[lane + LINK], s[s[lane + OUT] + LINK]
    s[out + ASKED] = now + 1
    if s[out + BUSY_UNTIL] > now:
        return s[out + BUSY_UNTIL]
    at = max(_slot_free_at(w, s, s[lane + OUT]), s[link + READ_UNTIL])
    if at > now:
        return at
    _bid(w, s, lane, out, 0)
    return now


@njit(cache=True)
def _speculate(w, s, lane, now):
    """A packet that asks for a lane also asks for the output, if one of the free lanes that it may
    take has a slot; returns whether it did."""
    hop, link = s[lane + AT], s[lane + LINK]
    out = w[hop + HOP_LINK]
    s[out + ASKED] = now + 1
    if max(s[out + BUSY_UNTIL], s[link + READ_UNTIL]) > now:
        return False
    for wish in range(w[hop + LOW], w[hop + HIGH], w[LANE_WORDS]):
        if max(s[wish + FREE_AT], _slot_free_at(w, s, wish)) <= now:
            _bid(w, s, lane, out, w[VCS])
            return True
    return False


@njit(cache=True)
def _bid(w, s, lane, out, penalty):
    """A lane asks for an output, which chooses the first input from its pointer on, and of its
    lanes the first from the pointer of the input on; `penalty` puts a lane behind the others."""
    link = s[lane + LINK]
    key = 2 * w[VCS] * _behind(s[out + GRANT], s[link + IN_PORT], w[IN_PORTS])
    key += _behind(s[link + TURN], s[lane + VC], w[VCS]) + penalty
    if s[out + BEST] == 0 or key < s[out + BEST_KEY]:
        s[out + BEST], s[out + BEST_KEY] = lane, key


@njit(cache=True)
def _accept_outputs(w, s, router, now, asked):
    """Each input takes one of the outputs that chose it, and sends; `asked`: bursts that asked.

    Returns when to do it again.
    """
    again = FOREVER
    first, last = w[OUTPUTS] + router * w[OUT_PORTS], w[OUTPUTS] + (router + 1) * w[OUT_PORTS]
    for at in range(first, last):
        best = w[at]
        lane = s[best + BEST]
        if lane == 0:
            continue
        link, s[best + BEST] = s[lane + LINK], 0
        best_key = _behind(s[link + ACCEPT], at - first, w[OUT_PORTS])
        for later in range(at + 1, last):
            rival = w[later]
            other = s[rival + BEST]
            if s[other + LINK] == link:
                s[rival + BEST] = 0
                key = _behind(s[link + ACCEPT], later - first, w[OUT_PORTS])
                if key < best_key:
                    best, best_key, lane = rival, key, other
        s[link + TURN] = s[lane + VC] + 1 if s[lane + VC] + 1 < w[VCS] else 0
        s[link + ACCEPT] = s[best + OUT_PORT] + 1 if s[best + OUT_PORT] + 1 < w[OUT_PORTS] else 0
        s[best + GRANT] = s[link + IN_PORT] + 1 if s[link + IN_PORT] + 1 < w[IN_PORTS] else 0
        if s[lane + OUT] and _slot_free_at(w, s, s[lane + OUT]) <= now:
            _send(w, s, lane, now)
            again = min(again, s[lane + READY])  # the link is free again
            asked -= 1
    return again if asked == 0 else now + 1


@njit(cache=True)
def _send(w, s, lane, now):
    """The burst at the front of a lane crosses the switch."""
    link, out, hop = s[lane + LINK], s[s[lane + OUT] + LINK], s[lane + AT]
    word = s[lane + SLOT + s[lane + HEAD] + 1]
    flits = _length(word)
    if word >> HEAD_BIT & 1:
        _blame(w, s, lane, out, word >> JOB_AT, now)
    onward = word & ~((MOST_HOPS - 1) << HOP_AT) | w[hop + CHILD] << HOP_AT
    _enter(w, s, s[lane + OUT], onward, now)
    if w[hop + SIBLING]:
        s[lane + AT], s[lane + OUT], s[lane + READY] = w[hop + SIBLING], 0, now + 1
        s[link + READ_UNTIL] = now + 1
        return
    _leave(w, s, lane, now)
    s[link + READ_UNTIL] = s[lane + READY] = now + flits
    if word & 1:
        s[lane + AT] = s[lane + OUT] = 0
        s[lane + VACATED] = now + flits


@njit(cache=True)
def _blame(w, s, lane, out, job, now):
    """A packet that waited for an output that another job used before it was behind that job."""
    if s[out + SENT_BY] == 0 or s[out + SENT_BY] == job:
        return
    arrived = max(s[lane + SLOT + s[lane + HEAD]], s[lane + VACATED])
    s[job + BEHIND] += max(0, now - arrived - w[ROUTING] - 1 + w[SPECULATIVE])


@njit(cache=True)
def _begin(w, s, lane):
    """Look at the packet that has come to the front of a lane: it is routed first."""
    slot = lane + SLOT + s[lane + HEAD]
    s[lane + AT] = (s[slot + 1] >> HOP_AT) & (MOST_HOPS - 1)
    s[lane + READY] = max(s[slot], s[lane + VACATED]) + w[ROUTING]


@njit(cache=True)
def _evaluate(w, s, router, now):
    """One tick of a router; returns when to look at it again."""
    again, lanes_asked, asked = FOREVER, False, 0
    for port in range(w[INPUTS] + router * w[IN_PORTS], w[INPUTS] + (router + 1) * w[IN_PORTS]):
        mask, lane = s[w[port] + MASK], s[w[port] + FIRST_LANE]
        while mask:
            if mask & 1:
                if s[lane + AT] == 0:
                    _begin(w, s, lane)
                if s[lane + OUT]:
                    at = _ask_output(w, s, lane, now)
                    if at == now:
                        asked, at = asked + 1, FOREVER
                elif s[lane + READY] <= now:
                    if w[SPECULATIVE] and _speculate(w, s, lane, now):
                        asked += 1
                    at = _ask_lanes(w, s, lane, now)
                    lanes_asked = True
                else:
                    at = s[lane + READY]
                again = min(again, at)
            mask >>= 1
            lane += w[LANE_WORDS]
    if lanes_asked:
        again = min(again, _accept_lanes(w, s, router, now))
    if asked:
        again = min(again, _accept_outputs(w, s, router, now, asked))
    for port in range(w[OUTPUTS] + router * w[OUT_PORTS], w[OUTPUTS] + (router + 1) * w[OUT_PORTS]):
        _note_stall(s, w[port], now)
    return again


@njit(cache=True)
def run(w, s, until, stop):
    """Run to tick `until`, or if `stop` to the end of the first job that ends before."""
    while True:
        bound = min(until, s[NEXT_END]) if stop else until
        now = FOREVER
        for node in range(w[NODES_AT], w[ROUTERS_AT], NODE_WORDS):
            now = min(now, s[node + NODE_WAKE])
        for wake in range(w[ROUTERS_AT], w[LINKS_AT]):
            now = min(now, s[wake])
        if now >= bound:
            s[NOW] = max(s[NOW], bound)
            return
        s[NOW] = now
        for node in range(w[NODES_AT], w[ROUTERS_AT], NODE_WORDS):
            if s[node + NODE_WAKE] <= now:
                _inject(w, s, node, now)
        for router in range(w[ROUTERS]):
            wake = w[ROUTERS_AT] + router
            if s[wake] <= now:
                s[wake] = FOREVER
                again = _evaluate(w, s, router, now)
                s[wake] = min(s[wake], again)


@njit(cache=True)
def admit(w, s, row, release, source, target, flits, pace_num, pace_den):
    """Put a job into its row and into the list of its node, in row order."""
    job, node, now = HEAD_WORDS + row * JOB_WORDS, w[NODES_AT] + source * NODE_WORDS, s[NOW]
    route = source * w[TARGETS] + target
    owner = s[job + OWNER]
    s[job : job + JOB_WORDS] = 0
    s[job + OWNER], s[job + ACTIVE], s[job + RELEASE] = owner, 1, release
    s[job + PATH] = w[w[FIRST_HOP] + route]
    s[job + FLITS], s[job + PACE_NUM], s[job + PACE_DEN] = flits, pace_num, pace_den
    s[job + WANTED] = flits * w[w[COPIES] + target]
    # A multicast packet is one burst, so that each branch of its tree can take it whole.
    s[job + JOB_PACKET] = w[PACKET] if target < w[NODES] else w[BURST]
    s[job + ADMITTED] = s[job + FREE] = now
    s[job + UNREADY] = w[w[HEAD_TICKS] + route] - 1
    before, after = 0, s[node + FIRST_JOB]
    while after and after < job:
        before, after = after, s[after + AFTER]
    s[job + AFTER] = after
    if before:
        s[before + AFTER] = job
    else:
        s[node + FIRST_JOB] = job
    s[node + NODE_WAKE] = min(s[node + NODE_WAKE], now)
