"""A stream of requests into a DRAM system: the feeder of the validator.

In each clock, after the memory's own tick, up to `per_clock` requests are inserted in order; one
that finds no room blocks those behind it, also for other channels.
Source: how validation/references/dram_traces.csv was measured.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from hw_models.dram.channel import accept, channel_of, has_room, tick
from hw_models.dram.counts import DramCounts, counts_of
from hw_models.dram.gaps import ACTIVE_LIST
from hw_models.dram.layout import (
    CHANNEL_WORDS,
    CHANNELS,
    CHANNELS_AT,
    CONTROLLER,
    DRAIN,
    DUE,
    KEPT_WRITES,
    REQUESTS,
    RETURNED,
    ROOM,
    WRITES_WAITING,
)
from hw_models.dram.system import DramSystem, new_state
from hw_models.kernel import FOREVER, Int64s


def run_stream(
    system: DramSystem, addresses: Int64s, stores: Int64s, per_clock: int = 1, interval: int = 0
) -> tuple[int, DramCounts]:
    """Run requests from an empty system; returns its clocks and counts.

    stores: 1 for a write. interval: request i is not inserted before clock i * interval. The end is
    when all reads have returned and all but the kept writes have been issued.
    """
    state = new_state(system, (0,), 1, 1)
    clocks = int(feed_stream(state, addresses, stores, per_clock, interval))
    return clocks, counts_of(system, state, clocks)


@njit(cache=True)
def feed_stream(state, addresses, stores, per_clock, interval):
    """Feed all requests and return the clocks until they are done."""
    now, done, last_write, feed_at = 0, 0, -FOREVER, 0
    first, length = state[CHANNELS_AT], state[CHANNEL_WORDS]
    after = first + state[CHANNELS] * length
    while True:
        for ch in range(first, after, length):
            if state[ch + DUE] <= now:
                tick(state, ch, now)
                if state[ch + ROOM]:
                    state[ch + ROOM] = 0
                    feed_at = min(feed_at, now)
        if feed_at <= now:
            taken, feed_at = 0, FOREVER
            while done < len(addresses):
                if taken == per_clock or now < done * interval:
                    feed_at = max(now + 1, done * interval)
                    break
                ch = channel_of(state, addresses[done])
                if not has_room(state, ch, addresses[done], stores[done]):
                    break
                accept(state, ch, addresses[done], stores[done], now, 0)
                if stores[done]:
                    last_write = now
                taken += 1
                done += 1
        end = _end(state, first, after, length, last_write) if done == len(addresses) else FOREVER
        if end <= now + 1:
            return now + 1
        following = min(feed_at, end - 1) if feed_at > now or done < len(addresses) else end - 1
        for ch in range(first, after, length):
            following = min(following, state[ch + DUE])
        now = max(now + 1, following)


@njit(cache=True)
def _end(state, first, after, length, last_write):
    """Clocks until everything accepted is done, FOREVER while commands are still to come."""
    end = 0
    if state[CONTROLLER] != ACTIVE_LIST:
        end = last_write + 3  # a write is acknowledged in the clock after next
    for ch in range(first, after, length):
        waiting = state[ch + WRITES_WAITING]
        if state[ch + DRAIN] or waiting > state[KEPT_WRITES] or state[ch + REQUESTS] > waiting:
            return FOREVER
        end = max(end, state[ch + RETURNED] + 1)
    return end
