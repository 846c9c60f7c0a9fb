"""Energy and area of logic from one technology node and supply to another.

Rules: ARCHITECTURE.md ENERGY-2, AREA-1. Source: Stillmaker and Baas, "Scaling equations for the
accurate prediction of CMOS device performance from 180 nm to 7 nm", Integration 58 (2017) 74-81:
energy is a polynomial of the supply for each node. The coefficients are rows of
`energy_actions.csv`.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

from hw_models.cost.action_table import rows_of
from traces.errors import InputError

SOURCE = "Stillmaker and Baas, Integration 58 (2017) 74-81"


@lru_cache(maxsize=1)
def _coefficients() -> dict[int, tuple[float, float, float]]:
    """node in nm -> a, b, c of E(V) = a * V**2 + b * V + c."""
    by_letter = {
        letter: {int(row.node_nm): row.pj for row in rows_of("scaling_energy_coefficient", letter)}
        for letter in "abc"
    }
    return {
        node: (by_letter["a"][node], by_letter["b"][node], by_letter["c"][node])
        for node in by_letter["a"]
    }


@lru_cache(maxsize=1)
def _nominal_voltages() -> dict[int, float]:
    rows = rows_of("scaling_energy", "factor vs 45nm 0.9 V")
    return {int(row.node_nm): float(row.vdd_v) for row in rows}


def nominal_vdd_v(node_nm: int) -> float:
    """Supply at which a node normally runs, linear in the node between those of the table."""
    return _between(_nominal_voltages(), node_nm)


def energy_factor(from_nm: int, from_v: float, to_nm: int, to_v: float) -> float:
    """Energy of a logic operation at one node and supply relative to another.

    Nodes between those of the paper are interpolated linearly, supplies follow the polynomials.
    Raises InputError for a node outside the paper's.
    """
    return _relative_energy(to_nm, to_v) / _relative_energy(from_nm, from_v)


def area_factor(from_nm: int, to_nm: int) -> float:
    """Area of logic at one node relative to another, linear in the node between the paper's.

    Raises InputError for a node outside the paper's.
    """
    factors = {int(row.node_nm): row.pj for row in rows_of("scaling_area", "factor vs 45nm")}
    return _between(factors, to_nm) / _between(factors, from_nm)


def _relative_energy(node_nm: int, vdd_v: float) -> float:
    at_nodes = {node: a * vdd_v**2 + b * vdd_v + c for node, (a, b, c) in _coefficients().items()}
    return _between(at_nodes, node_nm)


def _between(values: dict[int, float], node_nm: int) -> float:
    nodes = sorted(values)
    if not nodes[0] <= node_nm <= nodes[-1]:
        raise InputError(f"technology_nm must be between {nodes[0]} and {nodes[-1]}, not {node_nm}")
    upper = max(1, bisect_left(nodes, node_nm))
    low, high = nodes[upper - 1], nodes[upper]
    share = (node_nm - low) / (high - low)
    return values[low] * (1 - share) + values[high] * share
