"""Networks of a study with their masks: published shares of zeros, a model's own, a user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hw_models.sparsity.mask_files import MaskKey, load_masks
from hw_models.sparsity.masks import Mask, parse_mask_model
from simulator.sparsity.layer_masks import Combination, MaskSource
from simulator.sparsity.model_masks import activation_masks, weight_masks
from simulator.sparsity.presets import SparsityPreset, sparsity_presets
from simulator.sparsity.study import Case
from simulator.workload.graph import Workload
from simulator.workload.source import load_network
from traces.errors import InputError


@dataclass(frozen=True, slots=True)
class Zeros:
    """Shares of zeros that a user asks for; None for the published ones."""

    weights: float | None = None
    activations: float | None = None


def case_of(
    network: str,
    zeros: Zeros,
    mask_model: str,
    seed: int,
    given: Path | None,
    inputs: Path | None,
) -> Case:
    """A network as a case. Raises InputError.

    given: masks of the user. inputs: of an ONNX model, whose activations then are its own. The
    weights of an ONNX model are pruned by magnitude to the share asked for.
    """
    preset = _preset(network, zeros)
    workload = load_network(network)
    source = MaskSource(
        1 - preset.weight_zeros,
        1 - preset.activation_zeros,
        parse_mask_model(mask_model),
        seed,
        _given_masks(network, workload, preset, given, inputs),
    )
    combinations = tuple(Combination) if given or inputs else preset.combinations()
    return Case(workload, source, combinations)


def _preset(network: str, zeros: Zeros) -> SparsityPreset:
    published = sparsity_presets().get(network)
    shares = []
    for operand in ("weight", "activation"):
        asked = zeros.weights if operand == "weight" else zeros.activations
        if asked is None and published is None:
            raise InputError(
                f"{network}: --{operand}-zeros must be given, since no share is published"
            )
        share = getattr(published, f"{operand}_zeros") if asked is None else asked
        if not 0 <= share <= 1:
            raise InputError(f"--{operand}-zeros must be from 0 to 1, not {share}")
        shares.append(float(share))
    return SparsityPreset(network=network, weight_zeros=shares[0], activation_zeros=shares[1])


def _given_masks(
    network: str,
    workload: Workload,
    preset: SparsityPreset,
    given: Path | None,
    inputs: Path | None,
) -> dict[MaskKey, Mask]:
    found: dict[MaskKey, Mask] = {}
    if network.endswith(".onnx"):
        found |= weight_masks(Path(network), workload, 1 - preset.weight_zeros)
    if inputs is not None:
        if not network.endswith(".onnx"):
            raise InputError(f"{network}: must be an .onnx file, whose --inputs can be run")
        found |= activation_masks(Path(network), workload, inputs)
    if given is not None:
        masks = load_masks(given)
        known = {layer.name for layer in workload.layers}
        unknown = sorted({layer for layer, _ in masks} - known)
        if unknown:
            raise InputError(f"{given}: must name layers of {network}, not {unknown[0]}")
        found |= masks
    return found
