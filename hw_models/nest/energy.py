"""Energy of the accesses of a mapped loop nest."""

from __future__ import annotations

from hw_models.nest.hierarchy import Direction
from hw_models.nest.transfers import Transfer

READS = frozenset({Direction.TO_LOW, Direction.TO_HIGH})
"""Ways in which data leave a memory."""


def transfer_energy_pj(transfer: Transfer) -> float:
    """Energy of all accesses of a transfer on the side of its memory."""
    memory = transfer.memory
    return transfer.words * (memory.read_pj if transfer.direction in READS else memory.write_pj)
