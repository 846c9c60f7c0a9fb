"""What fusion gains in energy-delay product, on chips of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from validation.exploration.evaluate import Row
from validation.exploration.space import ARCHITECTURES, LAYER, WAYS, Kind

PUBLISHED: dict[Kind, str] = {
    "single core": "2.4 (first version)",
    "homogeneous": "none",
    "heterogeneous": "up to 2.2 (journal), up to 30 (first version)",
}
"""EDP gains of fused layers over layer by layer. Source: Stream, abstracts of IEEE Trans. Computers
74(1), 2025, doi 10.1109/TC.2024.3477938, and of arXiv 2212.10612 version 1."""


@dataclass(frozen=True, slots=True)
class Gain:
    """EDP of layer by layer over that of a fused row of the same network and chip."""

    row: Row
    factor: float


def gains(rows: Sequence[Row]) -> list[Gain]:
    """The gain of every fused row whose network runs layer by layer on its chip, too."""
    alone = {(row.network, row.chip): row for row in rows if row.way == LAYER and not row.problem}
    return [
        Gain(row, alone[row.network, row.chip].edp / row.edp)
        for row in rows
        if row.way != LAYER and not row.problem and (row.network, row.chip) in alone
    ]


def best_gain(rows: Sequence[Row], kind: Kind) -> Gain | None:
    """The largest gain on chips of a kind; None if nothing ran there."""
    found = [gain for gain in gains(rows) if ARCHITECTURES[gain.row.chip].kind == kind]
    return max(found, key=lambda gain: gain.factor, default=None)


def best_edp(rows: Sequence[Row], network: str, kind: Kind) -> Row | None:
    """The point of least EDP of a network on chips of a kind."""
    found = [
        row
        for row in rows
        if row.network == network and ARCHITECTURES[row.chip].kind == kind and not row.problem
    ]
    return min(found, key=lambda row: (row.edp, WAYS.index(row.way)), default=None)
