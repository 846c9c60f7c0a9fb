"""How many bursts the byte runs of a transfer take."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

RUN_COLUMNS = 8
"""address, run_bytes, count_1, stride_1, count_2, stride_2, count_3, stride_3."""


@njit(cache=True)
def bursts_of(runs, granule_bytes):
    """Bursts of every transfer. runs: int64 (n, RUN_COLUMNS). Returns int64 (n,)."""
    bursts = np.zeros(runs.shape[0], dtype=np.int64)
    for i in range(runs.shape[0]):
        address, size, count_1, stride_1, count_2, stride_2, count_3, stride_3 = runs[i]
        aligned = (count_1 == 1 or stride_1 % granule_bytes == 0) and (
            (count_2 == 1 or stride_2 % granule_bytes == 0)
            and (count_3 == 1 or stride_3 % granule_bytes == 0)
        )
        if aligned:
            once = (address + size - 1) // granule_bytes - address // granule_bytes + 1
            bursts[i] = once * count_1 * count_2 * count_3
            continue
        for i_3 in range(count_3):
            for i_2 in range(count_2):
                for i_1 in range(count_1):
                    first = address + i_1 * stride_1 + i_2 * stride_2 + i_3 * stride_3
                    last = first + size - 1
                    bursts[i] += last // granule_bytes - first // granule_bytes + 1
    return bursts


def bursts_of_plain(run: tuple[int, ...], granule_bytes: int) -> int:
    """Twin of `bursts_of` for one transfer, byte by byte."""
    address, size, count_1, stride_1, count_2, stride_2, count_3, stride_3 = run
    return sum(
        len({byte // granule_bytes for byte in range(first, first + size)})
        for i_1 in range(count_1)
        for i_2 in range(count_2)
        for i_3 in range(count_3)
        for first in [address + i_1 * stride_1 + i_2 * stride_2 + i_3 * stride_3]
    )
