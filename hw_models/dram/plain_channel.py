"""A DRAM channel as a plain loop over clocks: what both oracles of the controllers share.

Distances come from when each bank got each command last; lists are Python lists; nothing is
skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hw_models.dram.gaps import (
    ACT,
    BANK,
    COMMAND_NAMES,
    GROUP,
    PRE,
    PREA,
    RANK,
    RD,
    RDA,
    REF,
    REFB,
    WINDOWS,
    WR,
    WRA,
    clocks_of,
    gap_rows,
)
from hw_models.dram.system import CONTROLLERS, DramSystem

CAUSES = ("busy", "refresh", "row", "between", "flight", "idle")
"""Of a channel's ticks, in the order of `channel.TICK_CAUSES`."""


@dataclass(eq=False)
class PlainRequest:
    """A request; `jobs`: whose bursts it carries, with the tick of each one's arrival."""

    address: int
    place: dict[str, int]
    store: int
    arrival: int
    job: Any
    merged: list[int] = field(default_factory=list)
    seen: bool = False


class PlainChannel:
    """What both controllers share: banks, the history of commands, counts."""

    def __init__(self, system: DramSystem) -> None:
        self.system, self.clocks = system, clocks_of(system.standard)
        org = system.standard.organisation
        self.banks_of_group = org.banks_per_group
        self.banks_of_rank = org.banks_per_group * org.bank_groups
        self.banks, self.ranks = system.banks_per_channel, system.ranks_per_channel
        family = CONTROLLERS[system.controller][0]
        self.rules: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for first, then, scope, clocks in gap_rows(system.standard, family):
            self.rules.setdefault((first, then), []).append((scope, clocks))
        self.last: dict[tuple[int, int], int] = {}
        self.activates: dict[int, list[int]] = {rank: [] for rank in range(self.ranks)}
        self.issued = dict.fromkeys(range(len(COMMAND_NAMES)), 0)
        self.rows: dict[int, int | None] = dict.fromkeys(range(self.banks))
        self.accesses = dict.fromkeys(range(self.banks), 0)
        self.reads: list[PlainRequest] = []
        self.writes: list[PlainRequest] = []
        self.refreshes: list[int] = []
        self.refresh_next = self.row_hits = self.latency = 0
        self.busy_until = self.refresh_until = self.row_until = self.data_until = 0
        self.busy_owner, self.returned, self.open_clocks = -1, 0, 0
        self.ticks = dict.fromkeys(CAUSES, 0)

    def waiting(self) -> list[PlainRequest]:
        """Requests whose data command is still to come."""
        raise NotImplementedError

    def has_room(self, address: int, store: int) -> bool:
        """Whether a request can be taken in."""
        return len(self.writes if store else self.reads) < 32

    def accept(self, address: int, store: int, now: int, job: Any) -> None:
        """Take a request in at the end of tick `now`."""
        raise NotImplementedError

    def tick(self, now: int) -> None:
        """One clock."""
        raise NotImplementedError

    def count(self, *commands: int) -> int:
        """Commands of some kinds so far."""
        return sum(self.issued[command] for command in commands)

    def place(self, address: int) -> dict[str, int]:
        """Flat bank, row and column of an address."""
        fields = self.system.map.fields
        bank = fields["ra"].of(address) * self.banks_of_rank
        bank += fields["bg"].of(address) * self.banks_of_group + fields["ba"].of(address)
        return {"bank": bank, "row": fields["ro"].of(address), "column": fields["co"].of(address)}

    def earliest(self, command: int, bank: int) -> int:
        """First tick at which all rules allow a command."""
        found = 0
        for (first, other), at in self.last.items():
            for scope, clocks in self.rules.get((first, command), ()):
                if at + clocks > found and self._bound(scope, other, bank):
                    found = at + clocks
        if command == ACT:
            acts = self.activates[bank // self.banks_of_rank]
            for name, count in WINDOWS:
                if name in self.clocks and len(acts) >= count:
                    found = max(found, acts[-count] + self.clocks[name])
        return found

    def _bound(self, scope: int, first: int, then: int) -> bool:
        """Whether a rule from one bank binds another."""
        same_rank = first // self.banks_of_rank == then // self.banks_of_rank
        if scope == BANK:
            return first == then
        if scope == GROUP:
            return first // self.banks_of_group == then // self.banks_of_group
        return same_rank if scope == RANK else not same_rank

    def issue(self, command: int, bank: int, row: int | None, now: int) -> None:
        """Issue a command."""
        if self.system.page_policy == "closed":
            command = {RD: RDA, WR: WRA}.get(command, command)
        self.last[command, bank] = now
        self.issued[command] += 1
        clocks = self.clocks
        if command == ACT:
            self.activates[bank // self.banks_of_rank].append(now)
            self.rows[bank] = row
            self.row_until = max(self.row_until, now + clocks["rcd_rd"])
        elif command in (PRE, PREA):
            self.row_until = max(self.row_until, now + clocks["rp"])
        elif command in (REF, REFB):
            length = clocks["rfc" if command == REF else "rfc_pb"]
            self.refresh_until = max(self.refresh_until, now + length)
        else:
            self.accesses[bank] += 1
            self.busy_until = max(self.busy_until, now + clocks["bl"])
        first = bank - bank % self.banks_of_rank if command == PREA else bank
        for closed in range(first, first + (self.banks_of_rank if command == PREA else 1)):
            if command in (PRE, PREA, RDA, WRA):
                self.rows[closed], self.accesses[closed] = None, 0

    def retire(self, request: PlainRequest, now: int) -> None:
        """The data command of a request has been issued."""
        clocks, arrivals = self.clocks, [request.arrival, *request.merged]
        end = now + clocks["bl"] + clocks["cwl" if request.store else "cl"]
        if not request.store:
            self.latency += sum(end - arrival for arrival in arrivals)
            self.returned = max(self.returned, end)
        self.busy_owner = request.job.owner
        for _ in arrivals:
            self.moved(request.job, end)

    def moved(self, job: Any, end: int) -> None:
        """A burst of a job will have moved by `end`."""
        self.data_until = max(self.data_until, end)
        job.under_way -= 1
        job.end = max(job.end, end)

    def cause(self, now: int) -> str:
        """What tick `now` goes into, after all that happens in it."""
        if now < self.busy_until:
            return "busy"
        if not self.waiting():
            return "flight" if now < self.data_until else "idle"
        if self.refreshes or now < self.refresh_until:
            return "refresh"
        return "row" if now < self.row_until else "between"

    def close_tick(self, now: int) -> None:
        """Count a tick that is over."""
        self.ticks[self.cause(now)] += 1
        for rank in range(self.ranks):
            banks = range(rank * self.banks_of_rank, (rank + 1) * self.banks_of_rank)
            self.open_clocks += any(self.rows[bank] is not None for bank in banks)

    def refresh_target(self) -> tuple[list[int], int]:
        """Banks and command of the refresh served."""
        if self.system.refresh == "per_bank":
            return [self.refreshes[0]], REFB
        first = self.refreshes[0] * self.banks_of_rank
        return list(range(first, first + self.banks_of_rank)), REF

    def insert_refresh(self, count: int) -> None:
        """So many refreshes become due."""
        per_bank = self.system.refresh == "per_bank"
        for _ in range(count):
            self.refreshes.append(self.refresh_next)
            self.refresh_next = (self.refresh_next + 1) % (self.banks if per_bank else self.ranks)
