"""Groups of a layer on a borrowing core: one product each, or several as a block diagonal.

Rule: ARCHITECTURE.md BORROW-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from hw_models.pe_array.borrowing_schedule import Mask
from hw_models.pe_array.borrowing_window import Core


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """Products of a layer. at_once: groups in one of them; depth (K) and columns (N) of one."""

    at_once: int
    products: int
    depth: int
    columns: int

    @classmethod
    def of(cls, groups: int, depth: int, columns: int, core: Core) -> GroupLayout:
        """One by one, or as many at once as there are columns for: what takes fewer dense cycles.

        depth, columns: of one group.
        """
        alone = cls._laid(groups, depth, columns, 1)
        most = min(groups, max(1, core.columns // columns))
        together = cls._laid(groups, depth, columns, most)
        return min(alone, together, key=lambda layout: layout.steps(core))

    @classmethod
    def _laid(cls, groups: int, depth: int, columns: int, at_once: int) -> GroupLayout:
        return cls(at_once, ceil(groups / at_once), at_once * depth, at_once * columns)

    def steps(self, core: Core) -> int:
        """Dense cycles of all products for one row tile."""
        tiles = ceil(self.columns / core.columns)
        return self.products * tiles * ceil(self.depth / core.lanes)


def block_diagonal(filters: Mask) -> Mask:
    """B (taps * groups * c, groups * k) of filters, bool (groups, taps, c, k)."""
    groups, taps, c, k = filters.shape
    matrix = np.zeros((taps, groups, c, groups, k), np.bool_)
    for group in range(groups):
        matrix[:, group, :, group] = filters[group]
    return matrix.reshape(taps * groups * c, groups * k)
