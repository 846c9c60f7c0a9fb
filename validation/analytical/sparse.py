"""Expected speed-up of a sparse design: only the products of non-zeros are left to compute."""

from __future__ import annotations

from hw_models.spec import ChipSpec
from simulator.mapping.layer_array import layer_array, weight_ratio
from simulator.mapping.mapping import Mapping
from simulator.workload.graph import Layer
from validation.analytical.prediction import DRAM, EMPTY, IDEAL, Model, Prediction, of_causes
from validation.analytical.tiling import compute_cycles, dram_cycles, ideal_cycles, operand_bytes


def predict(layer: Layer, mapping: Mapping, chip: ChipSpec) -> Prediction:
    """Cycles and least DRAM bytes of a layer, weights packed."""
    core = chip.cores[0]
    share = float(layer_array(core, layer).executed_share) if layer.is_mac else 1.0
    whole = operand_bytes(layer, chip)
    moved = sum(whole.values()) - whole["weight"] * (1 - float(weight_ratio(core, layer)))
    ideal = ideal_cycles(layer, chip) * share
    empty = max(0.0, compute_cycles(layer, mapping, chip) * share - ideal)
    waiting = max(0.0, dram_cycles(moved, chip) - ideal - empty)
    return of_causes({IDEAL: ideal, EMPTY: empty, DRAM: waiting}, dram_bytes=moved)


MODEL = Model(
    "sparse",
    predict,
    "expected speed-up 1 / (density of weights x density of activations), each where the design "
    "skips it; as in A. Parashar et al., SCNN, ISCA 2017, section II",
    (
        "zeros are spread so that all lanes have equally much to do, whatever the windows",
        "every operand goes to or from DRAM once, weights packed",
        "a dense design is a roofline with the empty PEs of the unrolled loops",
    ),
)
