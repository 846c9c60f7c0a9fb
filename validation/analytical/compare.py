"""A network on a chip, simulated once, and what models say of its layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError
from simulator.mapping.mapping import Mapping as LayerMapping
from simulator.result import RunResult
from simulator.run import simulate
from simulator.workload.graph import Workload
from validation.analytical.explain import ALL, LayerError, layer_error
from validation.analytical.prediction import Predict, Prediction


@dataclass(frozen=True, slots=True)
class Case:
    """A simulated network, with the mapping of every layer."""

    workload: Workload
    chip: ChipSpec
    result: RunResult
    mappings: Mapping[str, LayerMapping]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model against a case. failures: layers that have no prediction, and why."""

    model: str
    errors: tuple[LayerError, ...]
    failures: tuple[str, ...] = ()

    @property
    def predicted_cycles(self) -> int:
        """Of all layers together."""
        return sum(error.predicted for error in self.errors)

    @property
    def unexplained_cycles(self) -> int:
        """What the causes leave open, of all layers."""
        return sum(abs(error.unexplained_cycles) for error in self.errors)


def simulated(workload: Workload, chip: ChipSpec, memory: str) -> Case:
    """Simulate a network. Raises InputError for a layer that fits in no legal tiling."""
    done = simulate(workload, chip, memory=memory)
    mappings = {name: plan.mapping for name, plan in done.lowered.plans.items()}
    return Case(workload, chip, done.result, mappings)


def compare(case: Case, name: str, predict: Predict) -> Comparison:
    """Ask a model for every layer; one that raises loses that layer only."""
    errors, failures = [], []
    for layer, result in zip(case.workload.layers, case.result.layers, strict=True):
        try:
            prediction = predict(layer, case.mappings[layer.name], case.chip)
            if prediction is None:
                continue
            check(prediction)
        except (Exception, SystemExit) as error:  # a user's model may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            failures.append(f"{name}: layer {layer.name}: {reason}")
            continue
        errors.append(layer_error(prediction, result))
    return Comparison(name, tuple(errors), tuple(failures))


def compare_given(case: Case, name: str, given: Mapping[str, Prediction]) -> Comparison:
    """Predictions by layer name; vector layers may be left out. Raises InputError."""
    check_layers(case.workload, name, given)
    errors = [layer_error(given[r.name], r) for r in case.result.layers if r.name in given]
    return Comparison(name, tuple(errors))


def check_layers(workload: Workload, name: str, given: Iterable[str]) -> None:
    """Refuse predictions of another network: they must have every product that this one has, and no
    layer that it hasn't. Raises InputError.
    """
    layers, predicted = [layer.name for layer in workload.layers], set(given)
    _refuse(name, "has", [n for n in given if n not in layers], workload.name)
    missing = [x.name for x in workload.layers if x.is_mac and x.name not in predicted]
    _refuse(name, "lacks", missing, workload.name)


def check(prediction: Prediction) -> None:
    """Refuse what can't be cycles, energy or bytes. Raises ValueError."""
    if not isinstance(prediction, Prediction):
        raise ValueError(f"predict must return a Prediction, not {type(prediction).__name__}")
    for name in ("cycles", "energy_pj", "dram_bytes"):
        value = getattr(prediction, name)
        if value is not None:
            _check_amount(name, value)
    _check_causes(prediction)


def _check_amount(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be at least 0, not {value!r}")


def _check_causes(prediction: Prediction) -> None:
    for cause, cycles in prediction.causes.items():
        if cause not in ALL:
            raise ValueError(f"causes must be of {', '.join(ALL)}, not {cause!r}")
        if not math.isfinite(cycles):
            raise ValueError(f"cycles of {cause} must be finite, not {cycles!r}")
    total = sum(prediction.causes.values())
    if prediction.causes and not math.isclose(total, prediction.cycles, abs_tol=0.5):
        raise ValueError(f"causes must add up to cycles ({prediction.cycles:g}), not {total:g}")


def _refuse(name: str, verb: str, layers: Iterable[str], network: str) -> None:
    named = list(layers)
    if named:
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        raise InputError(
            f"{name}: must have the layers of {network}; it {verb} {', '.join(named[:3])}{more}"
        )
