"""Stream-style estimate of a pipeline without prefetch: computing and moving take turns."""

from __future__ import annotations

from hw_models.spec import ChipSpec
from simulator.mapping.mapping import Mapping
from simulator.workload.graph import Layer
from validation.analytical.prediction import DRAM, EMPTY, IDEAL, Model, Prediction, of_causes
from validation.analytical.tiling import compute_cycles, dram_bytes, dram_cycles, ideal_cycles


def predict(layer: Layer, mapping: Mapping, chip: ChipSpec) -> Prediction:
    """Cycles and DRAM bytes of a layer."""
    moved, ideal = dram_bytes(layer, mapping, chip), ideal_cycles(layer, chip)
    empty = max(0.0, compute_cycles(layer, mapping, chip) - ideal)
    causes = {IDEAL: ideal, EMPTY: empty, DRAM: dram_cycles(moved, chip)}
    return of_causes(causes, dram_bytes=moved)


MODEL = Model(
    "stream",
    predict,
    "A. Symons et al.: Stream, IEEE Trans. Computers 74(1), 2025: a transfer starts when its tile "
    "is chosen, so tile times and bus times add up",
    (
        "no tile is fetched ahead of its turn; one bus, at the peak of DRAM",
        "tiles take the steps of their unrolled loops",
        "layers are not fused: every tile comes from and goes to DRAM",
    ),
)
