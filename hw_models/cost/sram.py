"""Energy of an SRAM access, from the CACTI rows of the action table.

Rule: ARCHITECTURE.md COST-3.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import log
from typing import Literal

from hw_models.cost.action_table import rows_of
from hw_models.cost.interpolation import log_log_grid
from hw_models.cost.technology import energy_factor, nominal_vdd_v

Access = Literal["read", "write"]
SRAM_NODES_NM = (22, 28)
"""Nodes for which the table has a whole grid of capacities and widths with the same cells."""

KIB = 1024


@lru_cache(maxsize=8)
def sram_grid(action: Access, node_nm: int) -> Mapping[tuple[float, float], float]:
    """(KiB, bits of a word) -> pJ of an access, as measured with CACTI 7.0."""
    return {
        (float(row.config.removesuffix(" KB")), float(row.width_bits)): row.pj
        for row in rows_of("sram", action)
        if row.config.endswith(" KB") and row.node_nm == str(node_nm)
    }


def nearest_sram_node_nm(node_nm: int) -> int:
    """The measured node whose ratio to a node is closest to 1."""
    return min(SRAM_NODES_NM, key=lambda known: abs(log(known / node_nm)))


def sram_access_pj(
    action: Access, size_bytes: int, width_bits: int, node_nm: int, widest_bits: int
) -> float:
    """Energy of reading or writing one word of a single-ported array at a node.

    A word wider than widest_bits comes from equal arrays side by side. The measured grid is
    interpolated log-log in capacity, then in width; scaling from the nearest measured node uses
    the logic factor at nominal supplies.
    """
    arrays = -(-width_bits // widest_bits)
    kib, bits = size_bytes / arrays / KIB, width_bits / arrays
    known = nearest_sram_node_nm(node_nm)
    measured = log_log_grid(sram_grid(action, known), kib, bits)
    scale = energy_factor(known, nominal_vdd_v(known), node_nm, nominal_vdd_v(node_nm))
    return arrays * measured * scale
