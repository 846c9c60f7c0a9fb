"""Energy by level of the memory hierarchy, with the relative costs of Eyeriss."""

from __future__ import annotations

from math import prod

from hw_models.cost.energy import action_energies_pj
from hw_models.spec import ChipSpec
from simulator.mapping.mapping import Mapping
from simulator.workload.graph import LOOPS, Layer
from validation.analytical.prediction import EMPTY, IDEAL, Model, Prediction, of_causes
from validation.analytical.tiling import compute_cycles, dram_bytes, ideal_cycles, unrolled

REGISTER, NETWORK, BUFFER, EXTERNAL = 1.0, 2.0, 6.0, 200.0
"""Energy of an access of a 16-bit word, in multiply-accumulates. Source: see MODEL."""

REGISTERS_PER_MAC = 4
"""Input and weight are read, a partial sum is read and written."""

USED_BY = {
    "input": ("b", "g", "c", "oy", "ox", "fy", "fx"),
    "weight": ("g", "k", "c", "fy", "fx"),
    "output": ("b", "g", "k", "oy", "ox"),
}


def predict(layer: Layer, mapping: Mapping, chip: ChipSpec) -> Prediction:
    """Energy, cycles of the array and DRAM bytes of a layer."""
    moved = dram_bytes(layer, mapping, chip)
    unroll = unrolled(layer, mapping, chip) if layer.is_mac else {}
    accesses = sum(layer.macs / _shared(unroll, loops) for loops in USED_BY.values())
    word_bytes = chip.precision.input_bits / 8
    units = layer.macs * (1 + REGISTERS_PER_MAC * REGISTER)
    units += accesses * (BUFFER + NETWORK) + moved / word_bytes * EXTERNAL
    ideal = ideal_cycles(layer, chip)
    empty = max(0.0, compute_cycles(layer, mapping, chip) - ideal)
    energy = units * action_energies_pj(chip)["mac"]
    return of_causes({IDEAL: ideal, EMPTY: empty}, energy, moved)


def _shared(unroll: dict[str, int], loops: tuple[str, ...]) -> int:
    """PEs that one word serves at a time."""
    return prod(unroll.get(loop, 1) for loop in LOOPS if loop not in loops)


MODEL = Model(
    "eyeriss",
    predict,
    "Y.-H. Chen, J. Emer, V. Sze: Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow, "
    "ISCA 2016, table IV (register 1, between PEs 2, buffer 6, DRAM 200)",
    (
        "energy is accesses times relative costs; no leakage, clock, row activation or refresh",
        "a word read from the buffer serves all PEs that use it at the same time, and no others",
        "cycles are those of the unrolled loops, never waiting",
    ),
)
