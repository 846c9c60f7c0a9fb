"""Energy and area of multiply-accumulate units, by the widths of their operands.

Rules: ARCHITECTURE.md ENERGY-4, AREA-1. Source: Horowitz, ISSCC 2014, Fig. 1.1.9 (45 nm).
"""

from __future__ import annotations

from math import sqrt

from hw_models.cost.action_table import rows_of
from hw_models.cost.interpolation import log_log
from hw_models.cost.model import model_numbers
from hw_models.cost.technology import area_factor, energy_factor, nominal_vdd_v
from hw_models.spec import PrecisionSpec


def mac_pj(precision: PrecisionSpec, node_nm: int) -> float:
    """Energy of an integer multiply-accumulate at a node and its nominal supply.

    A multiplication at the geometric mean of the two operands' widths and an addition at the width
    of the partial sum, each log-log between the widths of the table.
    """
    model = model_numbers()
    here = (node_nm, nominal_vdd_v(node_nm))
    scale = energy_factor(model["arithmetic_node_nm"], model["arithmetic_vdd_v"], *here)
    operations = (("int_mult", "mult", _width(precision)), ("int_add", "add", precision.psum_bits))
    return scale * sum(log_log(_pj_by_width(*of), width) for *of, width in operations)


def mac_um2(precision: PrecisionSpec, node_nm: int) -> float:
    """Area of an integer multiplier and an adder as wide as the partial sum."""
    operations = (("int_mult", "mult", _width(precision)), ("int_add", "add", precision.psum_bits))
    area = sum(log_log(_um2_by_width(*of), width) for *of, width in operations)
    return area * area_factor(model_numbers()["arithmetic_node_nm"], node_nm)


def _width(precision: PrecisionSpec) -> float:
    return sqrt(precision.input_bits * precision.weight_bits)


def _pj_by_width(component: str, action: str) -> dict[float, float]:
    rows = rows_of(component, action, model_numbers()["arithmetic_node_nm"])
    return {float(row.width_bits): row.pj for row in rows}


def _um2_by_width(component: str, action: str) -> dict[float, float]:
    rows = rows_of(component, action, model_numbers()["arithmetic_node_nm"])
    return {float(row.width_bits): row.um2 for row in rows if row.area_um2}
