"""Published sparse cores that are no borrowing window: cycles of a product after their own rule.

Rule: ARCHITECTURE.md BORROW-16. Each is given as many multipliers as the core it is compared with;
only cycles are modelled, no area or energy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np

from hw_models.pe_array.borrowing_window import Core
from hw_models.sparsity.masks import Mask

CLUSTER_UNITS, CHUNK = 32, 128
"""SparTen: units of a cluster, each with its own filter; depth of a chunk."""
VECTOR, OUTPUT_GROUP = 4, 64
"""SCNN: nonzero weights and activations that a PE multiplies all with all; filters at a time."""
KEPT, GROUP = 2, 4
"""2:4 sparsity: nonzeros of every group along the depth."""


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A rule. cycles: of masks a (M, K) and b (K, N) on as many multipliers as a core has."""

    name: str
    cycles: Callable[[Mask, Mask, Core], int]
    source: str
    approximated: str


def dense_cycles(a: Mask, b: Mask, core: Core) -> int:
    """Cycles of the dense core."""
    tiles = ceil(a.shape[0] / core.rows) * ceil(b.shape[1] / core.columns)
    return tiles * ceil(a.shape[1] / core.lanes)


def two_of_four_cycles(a: Mask, b: Mask, core: Core) -> int:
    """Half the steps if every group of 4 weights along the depth has at most 2, else all."""
    depth, columns = b.shape
    padded = np.zeros((ceil(depth / GROUP) * GROUP, columns), np.bool_)
    padded[:depth] = b
    fits = padded.reshape(-1, GROUP, columns).sum(axis=1).max(initial=0) <= KEPT
    if not fits:
        return dense_cycles(a, b, core)
    tiles = ceil(a.shape[0] / core.rows) * ceil(columns / core.columns)
    return tiles * ceil(depth * KEPT / GROUP / core.lanes)


def sparten_cycles(a: Mask, b: Mask, core: Core) -> int:
    """Inner joins: a cluster takes one position and a chunk, its units a filter each.

    A unit multiplies a pair of nonzeros a cycle; the cluster goes on with the slowest unit, after
    one cycle at least. Clusters share the positions evenly.
    """
    clusters = max(1, core.multipliers // CLUSTER_UNITS)
    columns = b.shape[1]
    starts = np.arange(0, columns, CLUSTER_UNITS)
    total = 0
    for first in range(0, a.shape[1], CHUNK):
        some = slice(first, first + CHUNK)
        pairs = a[:, some].astype(np.float32) @ b[some].astype(np.float32)
        slowest = np.maximum.reduceat(pairs, starts, axis=1)
        total += int(np.maximum(slowest, 1).sum(dtype=np.float64))
    return ceil(total / clusters)


def scnn_cycles(a: Mask, b: Mask, core: Core) -> int:
    """Outer products: a PE multiplies 4 nonzero weights with 4 nonzero activations of a depth.

    Positions are dealt out to PEs in equal runs; a group of filters ends with the slowest PE.
    """
    pes = max(1, core.multipliers // VECTOR**2)
    run = ceil(len(a) / pes)
    starts = np.arange(0, len(a), run)
    activations = np.add.reduceat(a, starts, axis=0, dtype=np.int64)
    groups = np.arange(0, b.shape[1], OUTPUT_GROUP)
    weights = np.add.reduceat(b, groups, axis=1, dtype=np.int64)
    products = -(-activations // VECTOR) @ -(-weights // VECTOR)
    return int(np.maximum(products.max(axis=0), 1).sum())


SCHEDULERS = (
    Scheduler(
        "two_of_four",
        two_of_four_cycles,
        "Mishra et al., Accelerating Sparse Deep Neural Networks, arXiv 2104.08378: 2:4 weights "
        "run at twice the rate of dense ones",
        "a product whose weights are not 2:4 runs dense; the study prunes to 2:4 instead of to the "
        "published share; zeros beside the diagonal of packed groups count as pruned",
    ),
    Scheduler(
        "sparten",
        sparten_cycles,
        "Gondimalla et al., SparTen, MICRO 2019: inner join of bit masks, chunks of 128, clusters "
        "of 32 units",
        "no greedy balancing of filters; joins cost no cycles of their own",
    ),
    Scheduler(
        "scnn",
        scnn_cycles,
        "Parashar et al., SCNN, ISCA 2017: 4 x 4 multipliers a PE, outer product of nonzeros",
        "outer products per filter tap instead of per input channel, 64 filters at a time, no "
        "contention for accumulator banks, no halos",
    ),
)
