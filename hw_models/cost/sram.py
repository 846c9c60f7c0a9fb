"""Energy of an access, leakage and area of an SRAM, from the CACTI rows of the action table.

Points are interpolated log-log. A grid point left out and predicted from the others of its width
is off, on average, by 7 % in read energy, 12 % in write energy, 4 % in leakage and 7 % in area:
CACTI's own figures jump where it changes the organisation of an array (ENERGY-3).
Rules: ARCHITECTURE.md ENERGY-3, AREA-2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import log
from typing import Literal

from hw_models.cost.action_table import rows_of
from hw_models.cost.interpolation import log_log_grid
from hw_models.cost.technology import area_factor, energy_factor, nominal_vdd_v

Access = Literal["read", "write"]
SRAM_NODES_NM = (22, 28)
"""Nodes for which the table has a whole grid of capacities and widths with the same cells."""

KIB = 1024
Grid = Mapping[tuple[float, float], float]
"""(KiB, bits of a word) -> value, as measured with CACTI 7.0."""


@lru_cache(maxsize=16)
def sram_grid(action: Access | Literal["leakage"], node_nm: int) -> Grid:
    """pJ of an access, or mW that the whole array leaks."""
    return {
        (float(row.config.removesuffix(" KB")), float(row.width_bits)): row.pj
        for row in rows_of("sram", action)
        if row.config.endswith(" KB") and row.node_nm == str(node_nm)
    }


@lru_cache(maxsize=4)
def sram_area_grid(node_nm: int) -> Grid:
    """um2 of the whole array."""
    return {
        (float(row.config.removesuffix(" KB")), float(row.width_bits)): row.um2
        for row in rows_of("sram", "read")
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
    known = nearest_sram_node_nm(node_nm)
    scale = energy_factor(known, nominal_vdd_v(known), node_nm, nominal_vdd_v(node_nm))
    return scale * _side_by_side(sram_grid(action, known), size_bytes, width_bits, widest_bits)


def sram_leakage_mw(size_bytes: int, width_bits: int, node_nm: int, widest_bits: int) -> float:
    """Leakage of an array at 350 K with low-operating-power cells.

    That of the nearest measured node: published factors of scaling are of switching energy.
    """
    grid = sram_grid("leakage", nearest_sram_node_nm(node_nm))
    return _side_by_side(grid, size_bytes, width_bits, widest_bits)


def sram_area_um2(size_bytes: int, width_bits: int, node_nm: int, widest_bits: int) -> float:
    """Area of a single-ported array at a node, scaled from the nearest measured one like logic."""
    known = nearest_sram_node_nm(node_nm)
    area = _side_by_side(sram_area_grid(known), size_bytes, width_bits, widest_bits)
    return area * area_factor(known, node_nm)


def _side_by_side(grid: Grid, size_bytes: int, width_bits: int, widest_bits: int) -> float:
    """The value of as many equal arrays as a word needs."""
    arrays = -(-width_bits // widest_bits)
    return arrays * log_log_grid(grid, size_bytes / arrays / KIB, width_bits / arrays)
