"""Rows of pictures of units: many units that differ only in their number share one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_ALIKE = 16
"""Units of a kind (banks of a buffer, links of a network) that get a row each."""

NAMES_PX = 176
"""Room for the names of rows beside a wide picture."""

NUMBER = re.compile(r"\d+$")


@dataclass(frozen=True, slots=True)
class Rows:
    """names: of the rows. of_unit: the row of every unit, int64 (units,)."""

    names: tuple[str, ...]
    of_unit: NDArray[np.int64]

    def mean(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Means over the units of every row. values: (units, ...); returns (rows, ...)."""
        total = np.zeros((len(self.names), *values.shape[1:]))
        np.add.at(total, self.of_unit, values)
        counts = np.bincount(self.of_unit, minlength=len(self.names))
        return total / counts.reshape(-1, *[1] * (values.ndim - 1))


def rows_of(units: Sequence[str]) -> Rows:
    """Rows in the order of the units: `core.sram.bank0`, ... become `core.sram.bank x 32`."""
    kinds = [NUMBER.sub("", unit) for unit in units]
    alike = {kind: kinds.count(kind) for kind in kinds}
    names = [
        f"{kind} x {alike[kind]}" if alike[kind] > MOST_ALIKE and kind != unit else unit
        for kind, unit in zip(kinds, units, strict=True)
    ]
    order = list(dict.fromkeys(names))
    return Rows(tuple(order), np.array([order.index(name) for name in names], dtype=np.int64))
