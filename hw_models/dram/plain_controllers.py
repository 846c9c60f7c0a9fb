"""Both controllers as plain loops over clocks: the oracles of the compiled ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hw_models.dram.gaps import (
    ACT,
    ACTIVE_LIST,
    PRE,
    PREA,
    RD,
    REF,
    REFB,
    WR,
)
from hw_models.dram.plain_channel import PlainChannel, PlainRequest
from hw_models.dram.system import CONTROLLERS, DramSystem


class PlainBankQueues(PlainChannel):
    """As DRAMsim3."""

    def __init__(self, system: DramSystem) -> None:
        super().__init__(system)
        self.queues: list[list[PlainRequest]] = [[] for _ in range(self.banks)]
        self.pointer = self.drain = 0

    def waiting(self) -> list[PlainRequest]:
        """All of them."""
        return [*self.reads, *self.writes, *(r for queue in self.queues for r in queue)]

    def tick(self, now: int) -> None:
        """One clock."""
        per_bank = self.system.refresh == "per_bank"
        period = self.clocks["refi_pb"] if per_bank else self.clocks["refi"] // self.ranks
        if now > 0 and now % period == 0:
            self.insert_refresh(1)
        command = self._serve_refresh(now) if self.refreshes else None
        if command is None:
            command = self._from_queues(now, None)
        if command is not None and self.system.standard.organisation.command_buses == 2:
            self._from_queues(now, command)
        self._transfer()

    def _serve_refresh(self, now: int) -> int | None:
        banks, refresh = self.refresh_target()
        for bank in banks:
            if self.rows[bank] is not None and self.earliest(PRE, bank) <= now:
                self.issue(PRE, bank, None, now)
                return PRE
        if any(self.rows[bank] is not None for bank in banks):
            return None
        if any(self.earliest(refresh, bank) > now for bank in banks):
            return None
        self.issue(refresh, banks[0], None, now)
        self.refreshes.pop(0)
        return refresh

    def _from_queues(self, now: int, before: int | None) -> int | None:
        blocked = self.refresh_target()[0] if self.refreshes else []
        for step in range(1, self.banks + 1):
            bank = (self.pointer + step) % self.banks
            if bank in blocked:
                continue
            found = self._first_ready(bank, now)
            if found is None:
                continue
            self.pointer = bank
            command, request = found
            if before is None or (command in (RD, WR)) != (before in (RD, WR)):
                self._issue_for(command, request, now)
            return command
        return None

    def _first_ready(self, bank: int, now: int) -> tuple[int, PlainRequest] | None:
        queue, row = self.queues[bank], self.rows[bank]
        for i, request in enumerate(queue):
            if row is None:
                command = ACT
            elif request.place["row"] == row:
                command = WR if request.store else RD
                if request.store and any(
                    not r.store and r.place == request.place for r in queue[:i]
                ):
                    continue
            else:
                hits = any(r.place["row"] == row for r in queue)
                if i or (hits and self.accesses[bank] < 4):
                    continue
                command = PRE
            if self.earliest(command, bank) <= now:
                return command, request
        return None

    def _issue_for(self, command: int, request: PlainRequest, now: int) -> None:
        bank = request.place["bank"]
        if command in (RD, WR):
            self.row_hits += self.accesses[bank] > 0
            self.queues[bank].remove(request)
        self.issue(command, bank, request.place["row"], now)
        if command in (RD, WR):
            self.retire(request, now)

    def _transfer(self) -> None:
        kept, idle = self.system.kept_writes, not any(self.queues)
        enough = len(self.writes) == 32 or (len(self.writes) > kept and idle)
        if self.drain == 0 and enough:
            self.drain = len(self.writes)
        if self.drain:
            movable = self._movable(self.writes)
            if movable is None:
                return
            if not self._of_address(movable.address, 0):
                self.drain -= 1
                self._move(self.writes, movable)
                return
            self.drain = 0
            if not (idle and len(self.writes) > kept):
                return
        movable = self._movable(self.reads)
        if movable is not None:
            self._move(self.reads, movable)

    def _movable(self, source: list[PlainRequest]) -> PlainRequest | None:
        return next((r for r in source if len(self.queues[r.place["bank"]]) < 8), None)

    def _move(self, source: list[PlainRequest], request: PlainRequest) -> None:
        source.remove(request)
        self.queues[request.place["bank"]].append(request)

    def _of_address(self, address: int, store: int) -> list[PlainRequest]:
        return [r for r in self.waiting() if r.address == address and r.store == store]

    def accept(self, address: int, store: int, now: int, job: Any) -> None:
        """Join, forward or put in line."""
        arrival = now + 1
        if self._of_address(address, 1):
            if not store:
                self.latency += 1
                self.returned = max(self.returned, arrival + 1)
            self.moved(job, arrival + 1)
            return
        same = [r for r in self._of_address(address, 0) if r.job.row == job.row]
        if same and not store:
            same[0].merged.append(arrival)
            return
        request = PlainRequest(address, self.place(address), store, arrival, job)
        (self.writes if store else self.reads).append(request)


class PlainActiveList(PlainChannel):
    """As Ramulator 2.1."""

    def __init__(self, system: DramSystem) -> None:
        super().__init__(system)
        self.active: list[PlainRequest] = []
        self.write_mode = False
        self.split: PlainRequest | None = None
        self.split_deadline = 0
        self.started: PlainRequest | None = None
        self.wck_until = 0

    def waiting(self) -> list[PlainRequest]:
        """All of them."""
        return [*self.reads, *self.writes, *self.active, *([self.split] if self.split else [])]

    def has_room(self, address: int, store: int) -> bool:
        """What the write buffer absorbs or answers needs no place."""
        return super().has_room(address, store) or any(r.address == address for r in self.writes)

    def tick(self, now: int) -> None:
        """One clock."""
        per_bank = self.system.refresh == "per_bank"
        if (now + 1) % self.clocks["refi_pb" if per_bank else "refi"] == 0:
            self.insert_refresh(1 if per_bank else self.ranks)
        if "act2_within" in self.clocks:
            self._two_step(now)
        elif self.system.standard.organisation.command_buses == 2:
            self._issue_chosen(self._choose(now, (RD, WR)), now)
            self._issue_chosen(self._choose(now, (ACT, PRE, PREA, REF, REFB)), now)
        else:
            self._issue_chosen(self._choose(now, (RD, WR, ACT, PRE, PREA, REF, REFB)), now)

    def _choose(self, now: int, allowed: Sequence[int]) -> tuple[int, PlainRequest | None] | None:
        if RD in allowed or self.system.page_policy == "closed":
            found = self._best(self.active, now, allowed)
            if found:
                return found
        if self.refreshes:
            banks, refresh = self.refresh_target()
            opened = [bank for bank in banks if self.rows[bank] is not None]
            close = PREA if refresh == REF else PRE
            command = close if opened else refresh
            users = [*self.active, *([self.split] if self.split else [])]
            if opened and any(r.place["bank"] in banks for r in users):
                return None
            if command in allowed and self.earliest(command, banks[0]) <= now:
                return command, None
            return None
        if self.write_mode:
            self.write_mode = not (len(self.writes) < 0.2 * 32 and self.reads)
        else:
            self.write_mode = len(self.writes) > 0.8 * 32 or not self.reads
        return self._best(self.writes if self.write_mode else self.reads, now, allowed)

    def _needs(self, request: PlainRequest) -> int | None:
        row = self.rows[request.place["bank"]]
        if row is None:
            return None if self.split else ACT
        if row == -2:
            return None
        return (WR if request.store else RD) if row == request.place["row"] else PRE

    def _best(
        self, source: list[PlainRequest], now: int, allowed: Sequence[int]
    ) -> tuple[int, PlainRequest] | None:
        ready = []
        for request in source:
            command = self._needs(request)
            if command is None or command not in allowed:
                continue
            if self.earliest(command, request.place["bank"]) > now:
                continue
            if command == PRE and source is not self.active and self._is_kept(request, source):
                continue
            ready.append((command, request))
        return min(ready, key=lambda found: found[1].arrival, default=None)

    def _is_kept(self, request: PlainRequest, source: list[PlainRequest]) -> bool:
        """Whether the open row in a request's way has to stay open."""
        bank = request.place["bank"]
        if any(r.place["bank"] == bank for r in self.active):
            return True
        hits = [
            r
            for r in source
            if r.place["bank"] == bank
            and r.place["row"] == self.rows[bank]
            and r.arrival <= request.arrival
        ]
        return bool(hits) and CONTROLLERS[self.system.controller][1]

    def _issue_chosen(self, found: tuple[int, PlainRequest | None] | None, now: int) -> None:
        if found is None:
            return
        command, request = found
        if request is None:
            self.issue(command, self.refresh_target()[0][0], None, now)
            if command in (REF, REFB):
                self.refreshes.pop(0)
            return
        self.row_hits += not request.seen and command in (RD, WR)
        request.seen = True
        two_step = "act2_within" in self.clocks
        self.issue(command, request.place["bank"], -2 if two_step else request.place["row"], now)
        if command == PRE:
            return
        for source in (self.reads, self.writes, self.active):
            if request in source:
                source.remove(request)
        if command == ACT and two_step:
            self.split, self.split_deadline = request, now + self.clocks["act2_within"]
        elif command == ACT:
            self.active.append(request)
        else:
            self.retire(request, now)

    def _two_step(self, now: int) -> None:
        if self.split and self.split_deadline <= now:
            self._second_step()
            return
        if self.started:
            command = WR if self.started.store else RD
            found: tuple[int, PlainRequest | None] | None = (command, self.started)
        else:
            found = self._choose(now, (RD, WR, ACT, PRE, PREA, REF, REFB))
            if found is None:
                if self.split:
                    self._second_step()
                return
            command = found[0]
            if command in (RD, WR) and now >= self.wck_until:
                if self.split and self.split_deadline <= now + 1:
                    self._second_step()
                else:
                    self.started = found[1]
                return
        if command in (RD, WR):
            delay = self.clocks["cl" if command == RD else "cwl"] + self.clocks["bl"]
            self.wck_until = max(self.wck_until, now + delay + self.clocks["wck_post"])
            self.started = None
        self._issue_chosen(found, now)

    def _second_step(self) -> None:
        assert self.split is not None
        self.rows[self.split.place["bank"]] = self.split.place["row"]
        self.active.append(self.split)
        self.split = None

    def accept(self, address: int, store: int, now: int, job: Any) -> None:
        """Join, forward or put in line."""
        if any(r.address == address for r in self.writes):
            end = now + 1
            if not store:
                self.latency += 1
                end = self.returned = max(end, self.returned)
            self.moved(job, end)
            return
        request = PlainRequest(address, self.place(address), store, now, job)
        (self.writes if store else self.reads).append(request)


def plain_channels(system: DramSystem) -> list[PlainChannel]:
    """The channels of a system at tick 0."""
    family = CONTROLLERS[system.controller][0]
    kind = PlainActiveList if family == ACTIVE_LIST else PlainBankQueues
    return [kind(system) for _ in range(system.channels)]
