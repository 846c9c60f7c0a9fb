"""A server of the memory system before it is built: who has rows on it, and what its jobs are.

A server row holds one job at a time, so every requester gets rows of its own: a DMA engine one per
lane on each server of its routes, a compute unit one per operand train. Rules: DMA-2, SRAM-1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hw_models.kernel import Kernel

Int64s = NDArray[np.int64]
Job = tuple[int, ...]
"""The numbers of a job as its kernel wants them, without the release."""

UNPACED = (0, 1)
"""Pace of a job whose beats are all available at once."""

COMPUTE_CLASS, DMA_CLASS = 0, 1
"""Who chooses first where a memory has classes."""


class Resource(ABC):
    """A server in the making. name: of the server; ledgers: names of its ledger entries."""

    def __init__(self, name: str, ledgers: Sequence[str]) -> None:
        self.name, self.ledgers = name, tuple(ledgers)
        self.owners: list[int] = []
        self.classes: list[int] = []

    def claim(self, owner: int, rows: int, kind: int = DMA_CLASS) -> int:
        """Reserve rows for a requester of a core; returns the first."""
        first = 1 + len(self.owners)
        self.owners.extend([owner] * rows)
        self.classes.extend([kind] * rows)
        return first

    @property
    @abstractmethod
    def bytes_per_cycle(self) -> Fraction:
        """Peak rate."""

    @abstractmethod
    def build(self) -> Kernel:
        """The kernel, once all rows are claimed."""

    @abstractmethod
    def transfers(self, moved: Mapping[str, Int64s], cycles_per_byte: Fraction | None) -> list[Job]:
        """Jobs of DMA transfers.

        moved: columns bytes, store (1 from the core to DRAM), offset in the buffer, and the runs of
        lowering.addresses.RUN_COLUMNS. cycles_per_byte: the rate at which the slowest server of the
        route lets bytes through, None where that is this one.
        """

    @abstractmethod
    def served_by(self, jobs: Int64s) -> Int64s:
        """What the server will have served when jobs are done, in the kernel's own measure.

        jobs: a row each. Returns int64 (n,).
        """

    def load_of(self, jobs: Int64s) -> Int64s:
        """What jobs take up of the server, in units of `cycles_per_load`, int64 (n,)."""
        return self.served_by(jobs)

    @property
    def cycles_per_load(self) -> Fraction | None:
        """Chip cycles of the server that one unit of load takes up; None: a tick of its kernel."""
        return None


class OperandPort(Resource):
    """A server that compute units move their operands through as well."""

    @abstractmethod
    def trains(self, moved_bytes: Int64s, offset: Int64s, cycles: Int64s) -> list[Job]:
        """Jobs of operand trains, spread evenly over the cycles of their tasks. Rule: SRAM-2."""


def pace_of(ticks: Fraction) -> tuple[int, int]:
    """Ticks between two beats as a kernel wants them."""
    return ticks.numerator, ticks.denominator


def spread(cycles: Int64s, beats: Int64s, cycles_per_tick: Fraction) -> tuple[Int64s, Int64s]:
    """Pace (num, den) of trains of `beats` beats, evenly over `cycles`; if of no length, none."""
    num = cycles * cycles_per_tick.denominator
    return num, np.where(num > 0, beats * cycles_per_tick.numerator, 1)
