"""A buffer of the cycle-accurate memory system: all banks in one server. Rules: SRAM-3, SRAM-8."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from hw_models.floorplan import BufferPlan
from hw_models.kernel import Kernel
from hw_models.sram import sram_kernel
from simulator.engine.fabric.resource import UNPACED, Int64s, Job, OperandPort, pace_of


class BankedPort(OperandPort):
    """One side of a buffer, or both where they share ports; a ledger for every bank.

    ports: of each bank. dma_bytes: what a DMA transfer moves a cycle at most.
    """

    def __init__(self, name: str, buffer: BufferPlan, ports: int, dma_bytes: int) -> None:
        spec = buffer.spec
        super().__init__(name, [f"{name}.bank{bank}" for bank in range(spec.banks)])
        self.word_bytes, self.banks, self.ports = spec.width_bytes, spec.banks, ports
        self.dma_lanes = min(self.banks, -(-dma_bytes // self.word_bytes))

    @property
    def bytes_per_cycle(self) -> Fraction:
        """Peak rate of a transfer."""
        return Fraction(self.dma_lanes * self.word_bytes)

    def build(self) -> Kernel:
        """The SRAM kernel."""
        return sram_kernel(self.banks, self.ports, self.classes)

    def transfers(self, moved: Mapping[str, Int64s], cycles_per_byte: Fraction | None) -> list[Job]:
        """First word, words, lanes and pace of every transfer."""
        pace = UNPACED
        if cycles_per_byte is not None:
            pace = pace_of(cycles_per_byte * self.dma_lanes * self.word_bytes)
        first = (moved["offset"] // self.word_bytes).tolist()
        words = (-(-moved["bytes"] // self.word_bytes)).tolist()
        return [(f, n, self.dma_lanes, *pace) for f, n in zip(first, words, strict=True)]

    def trains(self, moved_bytes: Int64s, offset: Int64s, cycles: Int64s) -> list[Job]:
        """Accesses of so many lanes that half of the task's cycles would do. Rule: SRAM-8."""
        words = -(-moved_bytes // self.word_bytes)
        lanes = np.minimum(self.banks, -(-2 * words // np.maximum(cycles, 1)))
        accesses = -(-words // np.maximum(lanes, 1))
        den = np.where(cycles > 0, accesses, 1)
        columns = (offset // self.word_bytes, words, lanes, cycles, den)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def load_of(self, jobs: Int64s) -> Int64s:
        """Words: each takes up a port of a bank."""
        return jobs[:, 1]

    @property
    def cycles_per_load(self) -> Fraction:
        """All ports of all banks move a word a cycle."""
        return Fraction(1, self.banks * self.ports)

    def served_by(self, jobs: Int64s) -> Int64s:
        """Accesses."""
        return -(-jobs[:, 1] // np.maximum(jobs[:, 2], 1))


def banked_ports(buffer: BufferPlan, dma_bytes: int) -> tuple[BankedPort, BankedPort]:
    """Read and write side of a buffer; one and the same where they share ports."""
    if buffer.spec.ports == "1r1w":
        return (
            BankedPort(f"{buffer.name}.read", buffer, 1, dma_bytes),
            BankedPort(f"{buffer.name}.write", buffer, 1, dma_bytes),
        )
    shared = BankedPort(buffer.name, buffer, 2 if buffer.spec.ports == "2rw" else 1, dma_bytes)
    return shared, shared
