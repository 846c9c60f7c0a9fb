"""Which tile sizes are tried: multiples that fill the array, and even cuts of the other loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.part import Part
from simulator.mapping.streams import TILED_LOOPS
from simulator.workload.graph import ROW_OPS

Int64s = NDArray[np.int64]

CUTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024)
COLUMN_CUTS = (1, 2, 4, 8, 16)


def tile_candidates(part: Part, spatial_loops: dict[str, int], *, thorough: bool) -> Int64s:
    """Tile extents to try, int64 (n, 6), in a fixed order.

    spatial_loops: extents that the array unrolls. thorough: also the smallest tiles there are,
    which are needed only where nothing larger fits.
    """
    b, g, k, c, oy, ox = part.extent
    whole_channels = part.layer.op in ROW_OPS
    taps = part.layer.dims.fy * part.layer.dims.fx
    unit_c = spatial_loops.get("c", 1)
    choices = [
        _cuts(b, 1, CUTS),
        [g] if whole_channels else _cuts(g, spatial_loops.get("g", 1), CUTS),
        _cuts(k, spatial_loops.get("k", 1), CUTS),
        # Arrays that unroll the taps beside the channels are filled by fewer channels.
        sorted({*_cuts(c, unit_c, CUTS), *_cuts(c, max(1, unit_c // taps), CUTS)}),
        _cuts(oy, spatial_loops.get("oy", 1), CUTS),
        _cuts(ox, spatial_loops.get("ox", 1), COLUMN_CUTS if oy > 1 else CUTS),
    ]
    if thorough:
        choices = [
            found if loop == "g" and whole_channels else sorted({1, *found})
            for loop, found in zip(TILED_LOOPS, choices, strict=True)
        ]
    grid = np.stack(np.meshgrid(*choices, indexing="ij"), axis=-1).reshape(-1, len(TILED_LOOPS))
    tile_g, tile_k, tile_c, tile_oy, tile_ox = grid[:, 1:].T
    # A tile of several groups is contiguous in memory only with all channels of each.
    whole = part.layer.dims
    contiguous = (tile_g == 1) | ((tile_k == whole.k) & (tile_c == whole.c))
    # Columns are cut only once the rows are: the other way round moves more halo.
    rows_first = (tile_ox == ox) | (tile_oy < oy) | (oy == 1)
    return grid[contiguous & rows_first][::-1].astype(np.int64)


def _cuts(size: int, unit: int, cuts: tuple[int, ...]) -> list[int]:
    """Extents that cut `size` as evenly as multiples of `unit` allow, ascending.

    Below one unit, which leaves PEs idle but may be all that fits, only halves of halves.
    """
    found = set()
    for n in cuts:
        extent = -(-size // n)
        if extent >= unit:
            found.add(min(size, -(-extent // unit) * unit))
        elif n <= size and n & (n - 1) == 0:
            found.add(extent)
    return sorted(found)
