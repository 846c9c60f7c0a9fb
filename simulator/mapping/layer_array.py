"""The PE array of a core as it runs a certain layer."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hw_models.pe_array.registry import pe_array
from hw_models.pe_array.timing import PEArray
from hw_models.sparsity.layer_sparsity import LayerSparsity
from hw_models.spec import CoreSpec
from simulator.workload.graph import Layer


def layer_array(core: CoreSpec, layer: Layer) -> PEArray:
    """The array of a core, set up for the sparsity of a layer."""
    sparsity = LayerSparsity(layer.weight_density, layer.input_density)
    return pe_array(core.pe_array).for_layer(sparsity)


def weight_ratio(core: CoreSpec, layer: Layer) -> Fraction:
    """Bytes of a layer's constant weights as a core stores them, over those of dense ones."""
    if not layer.is_mac or not layer.weight_is_constant:
        return Fraction(1)
    ratio = layer_array(core, layer).weight_ratio(np.array(layer.dims.loops, dtype=np.int64))
    return min(ratio, Fraction(1))  # what doesn't get smaller is stored as it is
