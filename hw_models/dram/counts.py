"""What a DRAM system has done, and the energy of that from the currents of its data sheet.

Source of the formulas: DRAMsim3 commit 29817593b3, src/configuration.cc, its figures multiplied by
the clock period. Rules: ARCHITECTURE.md DRAM-12.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.dram import layout as at
from hw_models.dram.gaps import clocks_of
from hw_models.dram.standard import DramStandard
from hw_models.dram.system import DramSystem
from hw_models.kernel import Int64s
from hw_models.yaml_file import InputError


@dataclass(frozen=True, slots=True)
class DramCounts:
    """Commands and clocks of all channels together.

    latency_clocks: of all reads. open_clocks, idle_clocks: of all ranks, with and without an open
    row.
    """

    activates: int = 0
    precharges: int = 0
    reads: int = 0
    writes: int = 0
    refreshes: int = 0
    row_hits: int = 0
    latency_clocks: int = 0
    open_clocks: int = 0
    idle_clocks: int = 0


def counts_of(system: DramSystem, state: Int64s, clocks: int) -> DramCounts:
    """The counts in a kernel's state after so many clocks."""
    first, length = int(state[at.CHANNELS_AT]), int(state[at.CHANNEL_WORDS])
    channels = state[first:].reshape(system.channels, length)
    ranks = channels[:, at.RANKS_AT : at.RANKS_AT + system.ranks_per_channel * at.RANK_WORDS]
    ranks = ranks.reshape(-1, at.RANK_WORDS)
    still_open = ranks[ranks[:, at.OPEN_BANKS] > 0, at.OPEN_SINCE]
    total = channels.sum(axis=0)
    open_clocks = int(total[at.OPEN_TICKS] + (clocks - still_open).sum())
    return DramCounts(
        activates=int(total[at.ACTIVATES]),
        precharges=int(total[at.PRECHARGES]),
        reads=int(total[at.READ_COMMANDS]),
        writes=int(total[at.WRITE_COMMANDS]),
        refreshes=int(total[at.REFRESHES]),
        row_hits=int(total[at.ROW_HITS]),
        latency_clocks=int(total[at.LATENCY_SUM]),
        open_clocks=open_clocks,
        idle_clocks=clocks * len(ranks) - open_clocks,
    )


def energy_pj(
    standard: DramStandard, counts: DramCounts, refresh: str = "all_bank"
) -> dict[str, float]:
    """pJ by action: activate (with its precharge), read, write, refresh, background.

    Raises InputError for a standard without currents.
    """
    currents = standard.currents
    if currents is None:
        raise InputError(f"{standard.name}: must have currents to tell energy")
    clocks = clocks_of(standard)
    standby, refreshed, length = currents.idd3n_ma, currents.idd5ab_ma, clocks["rfc"]
    if refresh == "per_bank":
        if currents.idd5pb_ma is None:
            raise InputError(f"{standard.name}: must have idd5pb_ma to tell energy")
        refreshed, length = currents.idd5pb_ma, clocks["rfc_pb"]
    charge_ma_clocks = {
        "activate": currents.idd0_ma * clocks["rc"]
        - standby * clocks["ras"]
        - currents.idd2n_ma * clocks["rp"],
        "read": (currents.idd4r_ma - standby) * clocks["bl"],
        "write": (currents.idd4w_ma - standby) * clocks["bl"],
        "refresh": (refreshed - standby) * length,
    }
    times = (counts.activates, counts.reads, counts.writes, counts.refreshes)
    totals = {
        action: charge * count
        for (action, charge), count in zip(charge_ma_clocks.items(), times, strict=True)
    }
    totals["background"] = standby * counts.open_clocks + currents.idd2n_ma * counts.idle_clocks
    pj_per_ma_clock = currents.vdd_v * standard.organisation.devices * standard.tck_ns
    return {action: total * pj_per_ma_clock for action, total in totals.items()}
