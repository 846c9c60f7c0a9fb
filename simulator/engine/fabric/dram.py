"""External memory of the cycle-accurate memory system: all channels in one server. Rule: MEM-4."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from hw_models.clock import exact
from hw_models.dram.bursts import RUN_COLUMNS as RUN_WORDS
from hw_models.dram.bursts import bursts_of
from hw_models.dram.kernel import dram_kernel
from hw_models.dram.system import DramSystem, dram_peak_bytes_per_clock
from hw_models.kernel import Kernel
from simulator.engine.fabric.resource import Int64s, Job, Resource
from simulator.lowering.addresses import RUN_COLUMNS


class DramServer(Resource):
    """The channels of a DRAM system; a ledger for each."""

    def __init__(self, name: str, system: DramSystem, clock_ghz: float) -> None:
        super().__init__(name, [f"{name}.channel{i}" for i in range(system.channels)])
        self.system = system
        self.cycles_per_tick = exact(system.standard.tck_ns) * exact(clock_ghz)
        self.granule_bytes = system.standard.organisation.granule_bytes

    @property
    def bytes_per_cycle(self) -> Fraction:
        """Peak of all channels together."""
        peak = dram_peak_bytes_per_clock(self.system.standard, self.system.channels)
        return peak / self.cycles_per_tick

    def build(self) -> Kernel:
        """The DRAM kernel."""
        return dram_kernel(self.system, self.owners, self.cycles_per_tick)

    def transfers(self, moved: Mapping[str, Int64s], cycles_per_byte: Fraction | None) -> list[Job]:
        """Byte runs, direction and pace of every transfer: short runs take more bursts a byte."""
        columns = [moved[name] for name in (*RUN_COLUMNS, "store")]
        rate = (cycles_per_byte or 0) / self.cycles_per_tick
        bursts = self.served_by(np.stack(columns, axis=1))
        num, den = moved["bytes"] * rate.numerator, np.maximum(bursts, 1) * rate.denominator
        columns += [num // np.gcd(num, den), den // np.gcd(num, den)]
        return list(zip(*(column.tolist() for column in columns), strict=True))

    @property
    def cycles_per_load(self) -> Fraction:
        """A burst takes up its share of the peak of all channels."""
        return self.granule_bytes / self.bytes_per_cycle

    def served_by(self, jobs: Int64s) -> Int64s:
        """Bursts."""
        runs = np.ascontiguousarray(jobs[:, :RUN_WORDS])
        return np.asarray(bursts_of(runs, self.granule_bytes))
