"""Why a prediction differs from the simulation: the ledger's causes that the model hasn't.

The simulated cycles of a layer are those of its causes (LEDGER-1), so predicted cycles are laid
against them cause by cause, and the differences add up to the error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.result import LayerResult
from traces.schema import CAUSES
from validation.analytical.prediction import EMPTY, IDEAL, Prediction

OVERESTIMATE = "model/overestimate"
"""Cycles by which a total without causes exceeds the simulation."""

FIRST = (
    IDEAL,
    EMPTY,
    *("busy/fill", "stall/sparsity_imbalance", "stall/dram_bandwidth", "stall/noc_bandwidth"),
    *("stall/sram_bandwidth", "stall/operand_wait", "stall/dram_latency"),
)
ORDER = (*FIRST, *(cause for cause in CAUSES if cause not in FIRST))
"""The causes that a total without any is laid against, what models have most often first."""


@dataclass(frozen=True, slots=True)
class LayerError:
    """A layer predicted and simulated.

    explained: cycles by cause, simulated less predicted; they add up to the error. predicted is in
    whole cycles. energy_pj, dram_bytes: predicted and simulated, None if the model has none.
    """

    layer: str
    op: str
    predicted: int
    simulated: int
    explained: dict[str, int]
    energy_pj: tuple[float, float] | None = None
    dram_bytes: tuple[float, float] | None = None

    @property
    def error_cycles(self) -> int:
        """Predicted less simulated."""
        return self.predicted - self.simulated

    @property
    def error_pct(self) -> float:
        """Size of the error in percent of the simulated cycles (of 1 where there are none)."""
        return 100 * abs(self.error_cycles) / (self.simulated or 1)

    @property
    def unexplained_cycles(self) -> int:
        """Of the error, what no cause accounts for."""
        return -self.error_cycles - sum(self.explained.values())


def layer_error(prediction: Prediction, result: LayerResult) -> LayerError:
    """Lay a prediction against a simulated layer."""
    simulated = split_causes(result)
    given = prediction.causes or _laid_out(prediction.cycles, simulated)
    predicted = _whole(given)
    both = {cause: simulated.get(cause, 0) - predicted.get(cause, 0) for cause in ALL}
    total = sum(predicted.values())
    explained = {cause: cycles for cause, cycles in both.items() if cycles}
    moved = result.dram_read_bytes + result.dram_write_bytes
    energy = None if prediction.energy_pj is None else (prediction.energy_pj, result.energy_pj)
    dram = None if prediction.dram_bytes is None else (prediction.dram_bytes, float(moved))
    return LayerError(result.name, result.op, total, result.cycles, explained, energy, dram)


ALL = (*CAUSES, EMPTY, OVERESTIMATE)


def split_causes(result: LayerResult) -> dict[str, int]:
    """A layer's causes, computing parted into what all PEs would have needed and the rest."""
    computing = result.causes.get(IDEAL, 0)
    full = min(result.ideal_cycles, computing)
    return {**result.causes, IDEAL: full, EMPTY: computing - full}


def _laid_out(cycles: float, simulated: Mapping[str, int]) -> dict[str, float]:
    """A total without causes laid against those simulated, in ORDER."""
    left, found = cycles, {}
    for cause in ORDER:
        found[cause] = min(left, simulated.get(cause, 0))
        left -= found[cause]
    return {**found, OVERESTIMATE: left}


def _whole(causes: Mapping[str, float]) -> dict[str, int]:
    """Causes in whole cycles whose sum is the rounded sum."""
    before, found, exact = 0, {}, 0.0
    for cause, cycles in causes.items():
        exact += cycles
        found[cause] = round(exact) - before
        before += found[cause]
    return found
