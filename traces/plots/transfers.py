"""Bytes that move between DRAM and chip, over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.plots.bins import Floats, Int64s, amount_in_bins, joined
from traces.plots.columns import columns
from traces.schema import TASK_KIND


@dataclass(frozen=True, slots=True)
class Transfers:
    """DRAM transfers: task columns start, end, bytes, and whether each writes."""

    start: Int64s
    end: Int64s
    bytes: Int64s
    writes: NDArray[np.bool_]


def transfers_of(tasks: pa.Table) -> Transfers:
    """The tasks that move bytes from or to DRAM."""
    kind, start, end, moved = columns(tasks, "kind", "start", "end", "bytes")
    loads, stores = (kind == TASK_KIND[name] for name in ("LOAD", "STORE"))
    mine = (loads | stores) & (moved > 0)
    return Transfers(start[mine], end[mine], moved[mine], stores[mine])


def bytes_per_cycle(
    moved: Transfers, boundaries: Int64s, most_bins: int
) -> tuple[Floats, Floats, Int64s]:
    """Bytes read and written in a cycle of each bin, float64 (bins,), and the bins' boundaries.

    The bytes of a transfer are spread evenly over its time. boundaries: neighbouring bins of them
    are joined until there are at most `most_bins`.
    """
    per_bin = [
        amount_in_bins(moved.start[of], moved.end[of], moved.bytes[of], boundaries)
        for of in (~moved.writes, moved.writes)
    ]
    (read, write), bounds = joined(np.array(per_bin), boundaries, most_bins)
    return read / np.diff(bounds), write / np.diff(bounds), bounds
