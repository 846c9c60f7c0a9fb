"""Roofline: the longer of computing with every PE busy and moving every operand once."""

from __future__ import annotations

from hw_models.spec import ChipSpec
from simulator.mapping.mapping import Mapping
from simulator.workload.graph import Layer
from validation.analytical.prediction import DRAM, IDEAL, Model, Prediction, of_causes
from validation.analytical.tiling import dram_cycles, ideal_cycles, least_bytes


def predict(layer: Layer, _mapping: Mapping, chip: ChipSpec) -> Prediction:
    """Cycles and least DRAM bytes of a layer."""
    moved = least_bytes(layer, chip)
    computing, moving = ideal_cycles(layer, chip), dram_cycles(moved, chip)
    causes = {IDEAL: computing, DRAM: max(0.0, moving - computing)}
    return of_causes(causes, dram_bytes=moved)


MODEL = Model(
    "roofline",
    predict,
    "S. Williams, A. Waterman, D. Patterson: Roofline, Comm. ACM 52(4), 2009",
    (
        "every PE (or lane) works in every cycle",
        "every operand goes to or from DRAM once, whatever the buffers hold",
        "DRAM at its peak, no latency, all transfers behind the computing or the other way round",
    ),
)
