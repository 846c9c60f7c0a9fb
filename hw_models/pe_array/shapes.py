"""Tile shapes as a PE array gets them: which rows a timing kernel can answer exactly."""

from __future__ import annotations

from math import prod

import numpy as np

from hw_models.pe_array.timing import SHAPE_COLUMNS, Int64s


def check_shapes(shapes: Int64s, most_cycles_per_mac: int) -> None:
    """Refuse tile shapes that a kernel would answer wrongly without a word.

    shapes: int64 (n, 8). most_cycles_per_mac: no tile takes more cycles, nor moves more words.
    Raises ValueError for a loop size below 1 and for counts that may not fit in 64 bits.
    """
    if not len(shapes):
        return
    if shapes.min() < 1:
        row, column = (int(place[0]) for place in np.nonzero(shapes < 1))
        name, value = SHAPE_COLUMNS[column], shapes[row, column]
        raise ValueError(f"tile shape {row}: {name} must be at least 1, not {value}")
    # Nearly always the largest sizes of all rows together fit, and no row need be looked at.
    if _fits(shapes.max(axis=0), most_cycles_per_mac):
        return
    for row, shape in enumerate(shapes):
        if not _fits(shape, most_cycles_per_mac):
            macs = prod(int(size) for size in shape)
            raise ValueError(
                f"tile shape {row}: cycles must fit in 64 bits, not those of {macs} MACs"
            )


def _fits(shape: Int64s, most_cycles_per_mac: int) -> bool:
    return prod(int(size) for size in shape) * most_cycles_per_mac < 2**63
