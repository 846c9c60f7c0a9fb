"""SCALE-Sim's closed form: folds of a product over a systolic array, one after another."""

from __future__ import annotations

from math import ceil, isqrt

from hw_models.pe_array.systolic import SystolicSpec
from hw_models.spec import ChipSpec
from simulator.mapping.mapping import Mapping
from simulator.workload.graph import Layer
from validation.analytical.prediction import EMPTY, FILL, IDEAL, Model, Prediction, of_causes
from validation.analytical.tiling import cores, ideal_cycles

LOADS = {"os": 0, "ws": 1, "is": 1}
"""Times the rows of the array that a fold takes to get its stationary operand."""


def predict(layer: Layer, _mapping: Mapping, chip: ChipSpec) -> Prediction | None:
    """Cycles of a layer; None for one that isn't a product."""
    if not layer.is_mac:
        return None
    d = layer.dims
    m, n, k = d.b * d.oy * d.ox, d.k, d.c * d.fy * d.fx
    rows, columns, dataflow = _array(chip)
    across, down, steps = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[dataflow]
    folds = d.g * ceil(across / rows) * ceil(down / columns) / cores(chip)
    fill = folds * (rows + columns - 2 + LOADS[dataflow] * rows)
    ideal = ideal_cycles(layer, chip)
    return of_causes({IDEAL: ideal, EMPTY: folds * steps - ideal, FILL: fill})


def _array(chip: ChipSpec) -> tuple[int, int, str]:
    spec = chip.cores[0].pe_array
    if isinstance(spec, SystolicSpec):
        return spec.rows, spec.cols, spec.dataflow
    peak = chip.peak_macs_per_cycle // cores(chip)
    rows = 1 << (isqrt(peak).bit_length() - 1)
    return rows, peak // rows, "os"


MODEL = Model(
    "scalesim",
    predict,
    "A. Samajdar et al.: A Systematic Methodology for Characterizing Scalability of DNN "
    "Accelerators using SCALE-Sim, ISPASS 2020, eq. 1 to 4; as counted by SCALE-Sim v3 (SYS-3)",
    (
        "operands are always at hand: no memory",
        "folds one after another, each with its skew and drain; edge folds take the whole array",
        "groups one after another; cores share the folds evenly",
        "an array that isn't systolic is taken for an output-stationary one of as many PEs, near "
        "square; layers that are no products have no prediction",
    ),
)
