"""Servers with the port kernel: one beat a tick, round robin. Rules: PORT-1 to PORT-4, DMA-4."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from hw_models.kernel import Kernel
from hw_models.port import PortCauses, port_kernel
from hw_models.spec import ChipSpec
from simulator.engine.fabric.resource import (
    UNPACED,
    Int64s,
    Job,
    OperandPort,
    pace_of,
    spread,
)

DRAM_CAUSES = PortCauses(
    ("busy/transfer", "stall/dram_latency", "idle/no_work"),
    ("stall/dram_bandwidth", "stall/dram_bandwidth", "stall/dram_queue", "stall/dram_latency"),
)
NOC_CAUSES = PortCauses(
    ("busy/transfer", "stall/operand_wait", "idle/no_work"),
    ("stall/noc_bandwidth", "stall/noc_contention", "stall/noc_contention", "stall/operand_wait"),
)
SRAM_CAUSES = PortCauses(
    ("busy/transfer", "stall/operand_wait", "idle/no_work"),
    ("stall/sram_bandwidth", "stall/bank_conflict", "stall/bank_conflict", "stall/operand_wait"),
)


class Port(OperandPort):
    """A server with the port kernel: one beat a tick, round robin."""

    def __init__(
        self, name: str, bytes_per_beat: int, cycles_per_tick: Fraction, causes: PortCauses
    ) -> None:
        super().__init__(name, [name])
        self.bytes_per_beat, self.cycles_per_tick = bytes_per_beat, cycles_per_tick
        self.causes = causes

    @property
    def bytes_per_cycle(self) -> Fraction:
        """Peak rate."""
        return self.bytes_per_beat / self.cycles_per_tick

    def build(self) -> Kernel:
        """The port kernel."""
        return port_kernel(self.owners, self.cycles_per_tick, self.causes)

    def transfers(self, moved: Mapping[str, Int64s], cycles_per_byte: Fraction | None) -> list[Job]:
        """Beats and pace of every transfer."""
        pace = UNPACED
        if cycles_per_byte is not None:
            pace = pace_of(cycles_per_byte * self.bytes_per_beat / self.cycles_per_tick)
        return [(beats, *pace) for beats in self._beats(moved).tolist()]

    def trains(self, moved_bytes: Int64s, offset: Int64s, cycles: Int64s) -> list[Job]:
        """Beats and pace of every train."""
        beats = -(-moved_bytes // self.bytes_per_beat)
        num, den = spread(cycles, beats, self.cycles_per_tick)
        return list(zip(beats.tolist(), num.tolist(), den.tolist(), strict=True))

    def served_by(self, jobs: Int64s) -> Int64s:
        """Beats."""
        return jobs[:, 0]

    def _beats(self, moved: Mapping[str, Int64s]) -> Int64s:
        return -(-moved["bytes"] // self.bytes_per_beat)


class BurstPort(Port):
    """A port that moves whole bursts for every contiguous run of bytes. Rule: DMA-4."""

    def _beats(self, moved: Mapping[str, Int64s]) -> Int64s:
        runs = moved["count_1"] * moved["count_2"] * moved["count_3"]
        return runs * -(-moved["run_bytes"] // self.bytes_per_beat)


def interface_port(chip: ChipSpec, name: str) -> BurstPort:
    """The interface to DRAM at its rate."""
    granule = chip.dram.access_bytes
    return BurstPort(name, granule, granule / chip.dram_bytes_per_cycle, DRAM_CAUSES)
