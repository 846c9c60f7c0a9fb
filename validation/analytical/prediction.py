"""What an analytical model answers, and what it may be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hw_models.spec import ChipSpec
from simulator.mapping.mapping import Mapping as LayerMapping
from simulator.workload.graph import Layer
from traces.plots.view import PARTLY

IDEAL, EMPTY, FILL = "busy/compute", PARTLY, "busy/fill"
DRAM, SRAM, IMBALANCE = (
    "stall/dram_bandwidth",
    "stall/sram_bandwidth",
    "stall/sparsity_imbalance",
)
"""Causes that models have; IDEAL with every PE busy, EMPTY the rest of computing."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a layer.

    causes: what its cycles go into, adding up to them; empty for a model that gives a total only.
    """

    cycles: float
    energy_pj: float | None = None
    dram_bytes: float | None = None
    causes: Mapping[str, float] = field(default_factory=dict)


Predict = Callable[[Layer, LayerMapping, ChipSpec], Prediction | None]
"""layer, its mapping on one core, chip -> Prediction; None for a layer that isn't modelled.

May raise: the layer is then named as failed."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its source and what it assumes."""

    name: str
    predict: Predict
    source: str
    assumptions: tuple[str, ...]


def of_causes(
    causes: Mapping[str, float], energy_pj: float | None = None, dram_bytes: float | None = None
) -> Prediction:
    """The prediction whose cycles are those of its causes."""
    return Prediction(sum(causes.values()), energy_pj, dram_bytes, causes)
