"""A DRAM system: a standard, a controller, and how addresses spread over channels and ranks."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from hw_models.dram import layout as at
from hw_models.dram.address_map import FIELDS, AddressMap, parse_address_map
from hw_models.dram.gaps import (
    ACTIVE_LIST,
    COMMANDS,
    NO_GAP,
    PER_BANK_QUEUES,
    SCOPES,
    TIMERS,
    clocks_of,
    gap_table,
)
from hw_models.dram.standard import DramStandard
from hw_models.kernel import FOREVER, Int64s
from hw_models.yaml_file import InputError

CONTROLLERS: Mapping[str, tuple[int, bool]] = {
    "bank_queues": (PER_BANK_QUEUES, False),
    "active_list": (ACTIVE_LIST, False),
    "active_list_hits": (ACTIVE_LIST, True),
}
"""Name -> family, and whether a waiting row hit keeps its row open (Ramulator's FRFCFS-RowHit)."""

PAGE_POLICIES = ("open", "closed")
"""Closed: every read or write closes its row again, by automatic precharge."""

REFRESHES = ("all_bank", "per_bank")


@dataclass(frozen=True)
class DramSystem:
    """A standard under a controller. Raises InputError for what doesn't fit together.

    ranks: of each channel (1 for a standard with pseudo channels, which take that place).
    kept_writes: writes that may stay in the write buffer of an idle channel (8 in DRAMsim3).
    """

    standard: DramStandard
    controller: str = "bank_queues"
    page_policy: str = "open"
    address_map: str = "ro-ra-bg-ba-ch-co"
    channels: int = 1
    ranks: int = 1
    refresh: str = "all_bank"
    channel_hash: str = "none"
    kept_writes: int = 0

    def __post_init__(self) -> None:
        _one_of("controller", self.controller, tuple(CONTROLLERS))
        _one_of("page_policy", self.page_policy, PAGE_POLICIES)
        _one_of("refresh", self.refresh, REFRESHES)
        clocks = self.standard.timing_clocks
        if self.refresh == "per_bank" and (clocks.rfc_pb is None or clocks.refi_pb is None):
            raise InputError(
                f"refresh must be all_bank, not per_bank: {self.standard.name} has no per-bank one"
            )
        if self.ranks != 1 and self.standard.organisation.pseudo_channels > 1:
            raise InputError(f"ranks must be 1 with pseudo channels, not {self.ranks}")
        _ = self.map

    @property
    def ranks_per_channel(self) -> int:
        """Ranks or pseudo channels."""
        return self.ranks * self.standard.organisation.pseudo_channels

    @property
    def banks_per_channel(self) -> int:
        """Banks of all ranks."""
        org = self.standard.organisation
        return self.ranks_per_channel * org.bank_groups * org.banks_per_group

    @cached_property
    def map(self) -> AddressMap:
        """The address map."""
        org = self.standard.organisation
        sizes = {
            "ro": org.rows,
            "ra": self.ranks_per_channel,
            "bg": org.bank_groups,
            "ba": org.banks_per_group,
            "ch": self.channels,
            "co": org.bursts_per_row,
        }
        return parse_address_map(self.address_map, sizes, org.granule_bytes, self.channel_hash)

    @property
    def capacity_bytes(self) -> int:
        """Bytes of all channels."""
        return self.map.capacity_bytes

    def check_transfer(self, place: str, address: int, size_bytes: int) -> None:
        """Raise InputError for a transfer that begins before, or goes past, the memory."""
        end = address + size_bytes
        if address < 0 or end > self.capacity_bytes:
            raise InputError(
                f"{place}: bytes {address} to {end} must lie in the memory of "
                f"{self.capacity_bytes} bytes"
            )


def dram_peak_bytes_per_clock(standard: DramStandard, channels: int) -> Fraction:
    """Bytes a clock at which the data buses alone limit."""
    org, clocks = standard.organisation, standard.timing_clocks
    burst_clocks = max(clocks.bl, clocks.ccd_s)
    return Fraction(channels * org.pseudo_channels * org.granule_bytes, burst_clocks)


def new_state(system: DramSystem, owners: tuple[int, ...], cycles: int, ticks: int) -> Int64s:
    """The state at tick 0: all banks closed, nothing under way. owners: the core of each job."""
    channel_words = _channel_places(system)
    jobs_end = at.HEADER + len(owners) * at.JOB_WORDS
    size = jobs_end + system.channels * channel_words["CHANNEL_WORDS"]
    state = np.zeros(size, dtype=np.int64)
    header = {
        "FEED_AT": FOREVER,
        "JOBS": len(owners),
        "CHANNELS": system.channels,
        "CYCLES": cycles,
        "TICKS": ticks,
        "JOBS_AT": at.HEADER,
        "CHANNELS_AT": jobs_end,
        **channel_words,
        **_configuration(system),
    }
    for name, value in header.items():
        state[getattr(at, name)] = value
    _write_map(state, system.map)
    _write_rules(state, system)
    for job, owner in enumerate(owners):
        state[at.HEADER + job * at.JOB_WORDS + at.OWNER] = owner
    for channel in range(system.channels):
        _close_all(state, jobs_end + channel * channel_words["CHANNEL_WORDS"], system)
    return state


def _channel_places(system: DramSystem) -> dict[str, int]:
    """Places of the parts of a channel whose sizes depend on the system, and its length."""
    banks, ranks = system.banks_per_channel, system.ranks_per_channel
    queues = CONTROLLERS[system.controller][0] == PER_BANK_QUEUES
    listed = banks * (at.QUEUE_PLACES if queues else 1)
    requests = listed + 2 * at.BUFFER_PLACES + 1
    lengths = {
        "GROUPS_AT": ranks * at.RANK_WORDS,
        "BANKS_AT": ranks * system.standard.organisation.bank_groups * TIMERS,
        "READS_AT": banks * at.BANK_WORDS,
        "WRITES_AT": at.BUFFER_PLACES,
        "LISTS_AT": at.BUFFER_PLACES,
        "FREE_AT": listed + 2,
        "POOL_AT": requests,
        "CHANNEL_WORDS": requests * at.REQUEST_WORDS,
    }
    places, end = {}, at.RANKS_AT
    for name, length in lengths.items():
        end += length
        places[name] = end
    return places


def _configuration(system: DramSystem) -> dict[str, int]:
    org, clocks = system.standard.organisation, clocks_of(system.standard)
    family, hits_first = CONTROLLERS[system.controller]
    per_bank = system.refresh == "per_bank"
    period = clocks["refi_pb" if per_bank else "refi"]
    if family == PER_BANK_QUEUES and not per_bank:
        period //= system.ranks_per_channel
    return {
        "CONTROLLER": family,
        "HITS_FIRST": int(hits_first),
        "CLOSED": int(system.page_policy == "closed"),
        "KEPT_WRITES": system.kept_writes,
        "COMMAND_BUSES": org.command_buses,
        "ACT2_WITHIN": clocks.get("act2_within", 0),
        "WCK_POST": clocks.get("wck_post", 0),
        "PER_BANK_REFRESH": int(per_bank),
        "REFRESH_PERIOD": period,
        "READ_DELAY": clocks["cl"] + clocks["bl"],
        "WRITE_DELAY": clocks["cwl"] + clocks["bl"],
        "BURST": clocks["bl"],
        "OPENING": clocks["rcd_rd"],
        "CLOSING": clocks["rp"],
        "REFRESHING": clocks["rfc_pb" if per_bank else "rfc"],
        "FAW": clocks["faw"],
        "W32": clocks.get("w32", 0),
        "RANKS": system.ranks_per_channel,
        "BANKS": system.banks_per_channel,
        "GROUP_SHIFT": org.banks_per_group.bit_length() - 1,
        "RANK_SHIFT": (org.bank_groups * org.banks_per_group).bit_length() - 1,
        "GRANULE_SHIFT": org.granule_bytes.bit_length() - 1,
    }


def _write_map(state: Int64s, address_map: AddressMap) -> None:
    for i, name in enumerate(FIELDS):
        field = address_map.fields[name]
        state[at.FIELDS_AT + 2 * i : at.FIELDS_AT + 2 * i + 2] = field.shift, field.mask
    masks = address_map.channel_parity
    state[at.PARITIES] = len(masks)
    state[at.PARITY : at.PARITY + len(masks)] = masks


def _write_rules(state: Int64s, system: DramSystem) -> None:
    table = gap_table(system.standard, CONTROLLERS[system.controller][0])
    for first in range(COMMANDS):
        rules = [
            (scope, then, table[scope, first, then])
            for scope in range(SCOPES)
            for then in range(TIMERS)
            if table[scope, first, then] != NO_GAP
        ]
        begin = at.RULES_AT + first * at.RULE_WORDS
        state[begin] = len(rules)
        state[begin + 1 : begin + 1 + 3 * len(rules)] = np.array(rules, dtype=np.int64).ravel()


def _close_all(state: Int64s, ch: int, system: DramSystem) -> None:
    """A channel without history."""
    banks_at, free_at = int(state[at.BANKS_AT]), int(state[at.FREE_AT])
    state[ch + at.RANKS_AT : ch + int(state[at.READS_AT])] = at.LONG_AGO
    for rank in range(system.ranks_per_channel):
        begin = ch + at.RANKS_AT + rank * at.RANK_WORDS
        state[begin + at.OPEN_BANKS : begin + at.ACT_4] = 0
    for bank in range(system.banks_per_channel):
        begin = ch + banks_at + bank * at.BANK_WORDS
        state[begin + TIMERS : begin + at.BANK_WORDS] = 0
        state[begin + at.OPEN_ROW] = -1
    state[ch + at.SPLIT] = state[ch + at.CAS] = -1
    requests = int(state[at.POOL_AT]) - free_at
    state[ch + free_at : ch + free_at + requests] = range(requests)
    state[ch + at.FREE] = requests
    # Ramulator's clock is one ahead of the tick.
    ahead = CONTROLLERS[system.controller][0] == ACTIVE_LIST
    state[ch + at.REFRESH_AT] = state[at.REFRESH_PERIOD] - ahead
    state[ch + at.TOOK_AT] = -1


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1, cutoff=0.4)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"{name} must be one of {', '.join(known)}, not {value!r}{hint}")
