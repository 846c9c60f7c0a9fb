"""Timing rules of DRAM as rows: what must lie how many clocks apart, and for which banks.

Sources: DRAMsim3 (commit 29817593b3) src/timing.cc and Ramulator 2.1 (commit c5b1c3a478)
python/ramulator/dram/*.py; where the two differ, a row belongs to one controller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw_models.dram.standard import DramStandard

ACT, PRE, RD, WR, PREA, REF, REFB = range(7)
"""Commands: activate, precharge, read, write, precharge all banks, refresh all, refresh one."""
RDA, WRA = 7, 8
"""Read and write with automatic precharge; they have to wait for what RD and WR wait for."""
TIMERS, COMMANDS = 8, 9
"""Places for timers (RDA and WRA need none), number of commands."""
COMMAND_NAMES = ("ACT", "PRE", "RD", "WR", "PREA", "REF", "REFB", "RDA", "WRA")

BANK, GROUP, RANK, OTHER_RANKS = range(4)
"""Which banks a rule binds: the same one, those of its bank group, of its rank (or pseudo channel),
of all other ranks of the channel."""
SCOPES = 4

NO_GAP = -(1 << 60)
"""Where a table has no rule."""

READS, WRITES, ROW_COMMANDS = (RD, RDA), (WR, WRA), (ACT, PRE, PREA, REF, REFB)
BOTH, PER_BANK_QUEUES, ACTIVE_LIST = -1, 0, 1
"""Controllers: of DRAMsim3, of Ramulator 2.1."""


@dataclass(frozen=True, slots=True)
class Gap:
    """After any of `first`, banks in `scope` accept any of `then` only so many clocks later.

    clocks: names of timing parameters, added up, those with a minus subtracted; a rule whose
    parameter the standard hasn't got does not apply. controller: which one has the rule.
    """

    first: tuple[int, ...]
    then: tuple[int, ...]
    scope: int
    clocks: str
    controller: int = BOTH


GAPS = (
    # Column commands: burst, bank groups, turning the data bus round.
    Gap(READS, READS, RANK, "bl"),
    Gap(READS, READS, RANK, "ccd_s"),
    Gap(READS, READS, GROUP, "ccd_l"),
    Gap(READS, READS, OTHER_RANKS, "bl rtrs"),
    Gap(WRITES, WRITES, RANK, "bl"),
    Gap(WRITES, WRITES, RANK, "ccd_s"),
    Gap(WRITES, WRITES, GROUP, "ccd_l"),
    Gap(WRITES, WRITES, OTHER_RANKS, "bl"),
    Gap(READS, WRITES, RANK, "cl bl rtw -cwl"),
    Gap(READS, WRITES, OTHER_RANKS, "cl bl rtrs -cwl", PER_BANK_QUEUES),
    Gap(READS, WRITES, OTHER_RANKS, "bl rtrs", ACTIVE_LIST),
    Gap(WRITES, READS, RANK, "cwl bl wtr_s"),
    Gap(WRITES, READS, GROUP, "cwl bl_max wtr_l"),
    Gap(WRITES, READS, OTHER_RANKS, "cwl bl rtrs -cl"),
    # Opening and closing a row.
    Gap((ACT,), READS, BANK, "rcd_rd"),
    Gap((ACT,), WRITES, BANK, "rcd_wr"),
    Gap((ACT,), (PRE,), BANK, "ras"),
    Gap((ACT,), (PREA,), RANK, "ras"),
    Gap((RD,), (PRE,), BANK, "rtp"),
    Gap((RD,), (PREA,), RANK, "rtp"),
    Gap((WR,), (PRE,), BANK, "cwl bl wr"),
    Gap((WR,), (PREA,), RANK, "cwl bl wr"),
    Gap((PRE,), (ACT,), BANK, "rp"),
    Gap((PREA,), (ACT,), RANK, "rp_all"),
    Gap((RDA,), (ACT, REFB), BANK, "bl rtp rp", PER_BANK_QUEUES),
    Gap((RDA,), (ACT, REFB), BANK, "rtp rp", ACTIVE_LIST),
    Gap((WRA,), (ACT, REFB), BANK, "cwl bl wr rp"),
    Gap((PRE, PREA), (PRE, PREA), RANK, "ppd"),
    # Activates among each other (windows of several: see WINDOWS).
    Gap((ACT,), (ACT,), BANK, "rc"),
    Gap((ACT,), (ACT,), GROUP, "rrd_l"),
    Gap((ACT,), (ACT,), RANK, "rrd_s"),
    Gap((ACT,), ROW_COMMANDS, RANK, "act_bus"),
    Gap((ACT,), ROW_COMMANDS, OTHER_RANKS, "act_bus"),
    # All-bank refresh.
    Gap((ACT,), (REF,), RANK, "rc"),
    Gap((PRE, PREA), (REF,), RANK, "rp"),
    Gap((RDA,), (REF,), RANK, "rtp rp"),
    Gap((WRA,), (REF,), RANK, "cwl bl wr rp"),
    Gap((REF,), (ACT, PREA, REF, REFB), RANK, "rfc"),
    # Per-bank refresh.
    Gap((ACT,), (REFB,), BANK, "rc"),
    Gap((ACT,), (REFB,), RANK, "act_to_pb"),
    Gap((PRE,), (REFB,), BANK, "rp"),
    Gap((PREA,), (REFB,), RANK, "rp_all"),
    Gap((REFB,), (ACT, REFB), BANK, "rfc_pb"),
    Gap((REFB,), (ACT,), RANK, "pb_to_act"),
    Gap((REFB,), (REFB,), RANK, "pb_to_pb"),
    Gap((REFB,), (REF,), RANK, "rfc_pb"),
)

WINDOWS = (("faw", 4), ("w32", 32))
"""At most so many activates of a rank within the clocks of a parameter."""

ALIASES = {"bl_max": "bl", "rp_all": "rp"}
"""Parameters that count as another one where a standard doesn't tell them apart."""


def clocks_of(standard: DramStandard) -> dict[str, int]:
    """The timing parameters that apply, aliases resolved."""
    given = standard.timing_clocks.model_dump(exclude_none=True)
    return {**{name: given[other] for name, other in ALIASES.items()}, **given}


def gap_clocks(expression: str, clocks: dict[str, int]) -> int | None:
    """The sum that an expression names; None where a parameter is missing."""
    names = expression.split()
    if any(name.lstrip("-") not in clocks for name in names):
        return None
    return sum(-clocks[name[1:]] if name[0] == "-" else clocks[name] for name in names)


def gap_rows(standard: DramStandard, controller: int) -> Iterator[tuple[int, int, int, int]]:
    """All rules as (first, then, scope, clocks), several of which may bind the same pair.

    An ACT that takes effect `act_late` clocks after it starts moves its rules by that much. Pseudo
    channels share the row bus and nothing else.
    """
    clocks = clocks_of(standard)
    late = clocks.get("act_late", 0)
    pseudo = standard.organisation.pseudo_channels > 1
    for gap in GAPS:
        distance = gap_clocks(gap.clocks, clocks)
        if distance is None or gap.controller not in (BOTH, controller):
            continue
        on_bus = gap.clocks == "act_bus"
        if pseudo and gap.scope == OTHER_RANKS and not on_bus:
            continue
        for first in gap.first:
            for then in gap.then:
                shift = 0 if on_bus else late * ((first == ACT) - (then == ACT))
                yield first, then, gap.scope, distance + shift


def gap_table(standard: DramStandard, controller: int) -> NDArray[np.int64]:
    """int64 (SCOPES, COMMANDS, TIMERS): clocks from one command to another, NO_GAP where free."""
    table = np.full((SCOPES, COMMANDS, TIMERS), NO_GAP, dtype=np.int64)
    for first, then, scope, distance in gap_rows(standard, controller):
        if then <= REFB:
            table[scope, first, then] = max(table[scope, first, then], distance)
    return table
