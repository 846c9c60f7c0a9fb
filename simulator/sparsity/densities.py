"""Sparsity of a network in the simulator: shares of zeros for all of its MAC layers."""

from __future__ import annotations

import re
from dataclasses import replace

from simulator.sparsity.presets import sparsity_presets
from simulator.workload.graph import Workload
from traces.errors import InputError

SHARES = re.compile(r"([0-9.]+):([0-9.]+)")


def with_sparsity(workload: Workload, text: str) -> Workload:
    """A network whose MAC layers have zeros.

    text: `published` (those of the network in simulator/sparsity/networks.yaml), or the shares of
    zeros among weights and among activations, as `0.81:0.43`. Weights that are feature maps count
    as dense. Raises InputError.
    """
    weight_zeros, activation_zeros = _shares(workload, text)
    layers = [
        replace(
            layer,
            weight_density=round(1 - weight_zeros, 9) if layer.weight_is_constant else 1.0,
            input_density=round(1 - activation_zeros, 9),
        )
        if layer.is_mac
        else layer
        for layer in workload.layers
    ]
    return replace(workload, layers=tuple(layers))


def _shares(workload: Workload, text: str) -> tuple[float, float]:
    presets = {preset.network: preset for preset in sparsity_presets().values()}
    if text == "published":
        if workload.name not in presets:
            raise InputError(
                f"--sparsity published must be for one of {', '.join(presets)}, not {workload.name}"
            )
        preset = presets[workload.name]
        return preset.weight_zeros, preset.activation_zeros
    found = SHARES.fullmatch(text)
    shares = [float(part) for part in found.groups()] if found else []
    if not shares or not all(0 <= share < 1 for share in shares):
        raise InputError(
            "--sparsity must be published or the shares of zeros of weights and activations, "
            f"each from 0 to below 1, as 0.81:0.43, not {text!r}"
        )
    return shares[0], shares[1]
