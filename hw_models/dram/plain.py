"""The DRAM system as plain loops over clocks: the oracle of stream, kernel and server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hw_models.dram.counts import DramCounts
from hw_models.dram.gaps import (
    ACT,
    ACTIVE_LIST,
    PRE,
    PREA,
    RD,
    RDA,
    REF,
    REFB,
    WR,
    WRA,
)
from hw_models.dram.plain_channel import PlainChannel
from hw_models.dram.plain_controllers import PlainBankQueues, plain_channels
from hw_models.dram.system import CONTROLLERS, DramSystem


class PlainTransfer(NamedTuple):
    """A job of the plain system: it arrives at tick `arrival`; the rest as in `dram_kernel`."""

    arrival: int
    row: int
    release: int
    address: int
    run_bytes: int
    count_1: int
    stride_1: int
    count_2: int
    stride_2: int
    count_3: int
    stride_3: int
    store: int
    pace_num: int
    pace_den: int


@dataclass(eq=False)
class _Job:
    """A transfer under way. bursts: the addresses still to be offered."""

    transfer: PlainTransfer
    row: int
    owner: int
    bursts: list[int]
    offered: int = 0
    under_way: int = 0
    end: int = 0
    at: PlainChannel | None = None
    finished: bool = False
    ticks: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("own", "row", "refresh", "queue", "latency"), 0)
    )

    def available(self) -> int:
        """Tick from which on the next burst is there."""
        num, den = self.transfer.pace_num, self.transfer.pace_den
        return self.transfer.release + (self.offered * num // den if num else 0)


def burst_addresses(transfer: PlainTransfer, granule_bytes: int) -> list[int]:
    """The aligned bursts of a transfer, in order."""
    found = []
    for i3 in range(transfer.count_3):
        for i2 in range(transfer.count_2):
            for i1 in range(transfer.count_1):
                first = transfer.address + i1 * transfer.stride_1
                first += i2 * transfer.stride_2 + i3 * transfer.stride_3
                last = first + transfer.run_bytes - 1
                low, high = first // granule_bytes, last // granule_bytes
                found += [n * granule_bytes for n in range(low, high + 1)]
    return found


def transfers_plain(
    system: DramSystem, transfers: Sequence[PlainTransfer], owners: Sequence[int], ticks: int
) -> tuple[list[tuple[int, ...]], list[dict[str, int]]]:
    """All transfers, tick by tick. Transfers of one row must not overlap.

    Returns, per transfer: end, bursts, further own ticks, ticks with rows, with refresh, queued,
    latency; and the ticks of each channel by cause, over `ticks` ticks.
    """
    granule = system.standard.organisation.granule_bytes
    channels = plain_channels(system)
    jobs = [_Job(t, t.row - 1, owners[t.row - 1], burst_addresses(t, granule)) for t in transfers]
    start = 0
    for now in range(ticks):
        present = [job for job in jobs if job.transfer.arrival <= now and not job.finished]
        for job in present:
            if not job.bursts and job.under_way == 0 and job.end <= now:
                job.finished = True
        present = [job for job in present if not job.finished]
        for channel in channels:
            channel.tick(now)
        start = _offer(system, channels, present, start, len(owners), now)
        for job in present:
            job.ticks[_job_cause(system, channels, job, now)] += 1
        for channel in channels:
            channel.close_tick(now)
    results = []
    for job in jobs:
        own = max(0, job.ticks["own"] - job.offered)
        rest = (job.ticks[name] for name in ("row", "refresh", "queue", "latency"))
        results.append((job.end, job.offered, own, *rest))
    return results, [channel.ticks for channel in channels]


def _offer(
    system: DramSystem,
    channels: Sequence[PlainChannel],
    present: list[_Job],
    start: int,
    rows: int,
    now: int,
) -> int:
    """Let jobs offer bursts in turn; returns the row that begins in the next tick."""
    taken: set[int] = set()
    came_first = None
    in_turn = sorted(present, key=lambda job: (job.row - start) % rows)
    while True:
        progress = False
        for job in in_turn:
            if not job.bursts or job.available() > now:
                continue
            number = system.map.channel(job.bursts[0])
            channel, store = channels[number], job.transfer.store
            if number in taken or not channel.has_room(job.bursts[0], store):
                continue
            taken.add(number)
            job.under_way += 1
            job.offered += 1
            job.at = channel
            channel.accept(job.bursts.pop(0), store, now, job)
            progress = True
            came_first = job.row if came_first is None else came_first
        if not progress:
            return start if came_first is None else (came_first + 1) % rows


def _job_cause(system: DramSystem, channels: Sequence[PlainChannel], job: _Job, now: int) -> str:
    """What a tick of a job goes into, by the channel that it waits for."""
    if job.bursts and job.available() <= now:
        channel = channels[system.map.channel(job.bursts[0])]
    elif job.under_way and job.at is not None:
        channel = job.at
    else:
        return "latency"
    cause = channel.cause(now)
    if cause == "busy":
        return "own" if channel.busy_owner == job.owner else "queue"
    return {"between": "own", "row": "row", "refresh": "refresh"}.get(cause, "latency")


@dataclass(eq=False)
class _Sink:
    """The requester of a stream."""

    row: int = 0
    owner: int = 0
    under_way: int = 0
    end: int = 0


def stream_plain(
    system: DramSystem,
    addresses: Sequence[int],
    stores: Sequence[int],
    per_clock: int = 1,
    interval: int = 0,
) -> tuple[int, DramCounts]:
    """A stream of requests clock by clock: the oracle of `stream.run_stream`."""
    channels, job = plain_channels(system), _Sink()
    done, now, acknowledged = 0, 0, 0
    posted = CONTROLLERS[system.controller][0] != ACTIVE_LIST
    while True:
        for channel in channels:
            channel.tick(now)
        for _ in range(per_clock):
            if done == len(addresses) or now < done * interval:
                break
            address, store = int(addresses[done]), int(stores[done])
            channel = channels[system.map.channel(address)]
            if not channel.has_room(address, store):
                break
            channel.accept(address, store, now, job)
            acknowledged = now + 2 if store and posted else acknowledged
            done += 1
        for channel in channels:
            channel.close_tick(now)
        returned = max(channel.returned for channel in channels)
        empty = done == len(addresses) and all(_is_done(channel) for channel in channels)
        if empty and now >= max(returned, acknowledged):
            return now + 1, _counts(channels, now + 1)
        now += 1


def _is_done(channel: PlainChannel) -> bool:
    """Whether nothing but the kept writes is left."""
    left = channel.waiting()
    draining = isinstance(channel, PlainBankQueues) and channel.drain > 0
    return left == channel.writes and len(left) <= channel.system.kept_writes and not draining


def _counts(channels: Sequence[PlainChannel], clocks: int) -> DramCounts:
    open_clocks = sum(channel.open_clocks for channel in channels)
    return DramCounts(
        activates=sum(c.count(ACT) for c in channels),
        precharges=sum(c.count(PRE, PREA, RDA, WRA) for c in channels),
        reads=sum(c.count(RD, RDA) for c in channels),
        writes=sum(c.count(WR, WRA) for c in channels),
        refreshes=sum(c.count(REF, REFB) for c in channels),
        row_hits=sum(c.row_hits for c in channels),
        latency_clocks=sum(c.latency for c in channels),
        open_clocks=open_clocks,
        idle_clocks=clocks * sum(c.ranks for c in channels) - open_clocks,
    )
