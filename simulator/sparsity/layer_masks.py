"""Masks of every layer of a network for a combination of operands, as products on a core.

Rule: ARCHITECTURE.md BORROW-9.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from hw_models.pe_array.borrowing_schedule import Operands, TileCycles
from hw_models.pe_array.borrowing_window import Core
from hw_models.sparsity.mask_files import MaskKey, checked_mask
from hw_models.sparsity.masks import Mask, MaskModel, check_density, parse_mask_model
from simulator.sparsity.gemms import input_shape, products, weight_shape
from simulator.workload.graph import Layer, Workload

KEPT_ANSWERS = 16
"""Answers that a product keeps; the variations of a study ask the same of all designs again."""


class Combination(StrEnum):
    """Which operands are sparse."""

    DENSE = "dense"
    WEIGHTS = "weights"
    ACTIVATIONS = "activations"
    BOTH = "both"

    @property
    def sparse_weights(self) -> bool:
        """Whether weights are sparse."""
        return self in (Combination.WEIGHTS, Combination.BOTH)

    @property
    def sparse_activations(self) -> bool:
        """Whether activations are sparse."""
        return self in (Combination.ACTIVATIONS, Combination.BOTH)


@dataclass(frozen=True, slots=True)
class MaskSource:
    """Where masks come from: those given by layer and operand, the others generated.

    *_density: share of nonzeros. model: of generated masks. Raises InputError for a density
    outside [0, 1].
    """

    weight_density: float
    input_density: float
    model: MaskModel = field(default_factory=lambda: parse_mask_model("iid"))
    seed: int = 1
    given: Mapping[MaskKey, Mask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_density(self.weight_density)
        check_density(self.input_density)

    def weights(self, index: int, layer: Layer) -> Mask:
        """Weight mask of a layer, bool (g * k, c, fy, fx)."""
        shape = weight_shape(layer)
        given = checked_mask(self.given, layer.name, "weight", shape)
        if given is not None:
            return given
        outputs, depth = shape[0], shape[1] * shape[2] * shape[3]
        mask = self.model.mask((outputs, depth), self.weight_density, 0, (self.seed, index, 0))
        # Generated depths run like the products': filter rows, columns, then channels.
        return mask.reshape(outputs, shape[2], shape[3], shape[1]).transpose(0, 3, 1, 2)

    def inputs(self, index: int, layer: Layer) -> Mask:
        """Input mask of a layer, bool (b, g * c, iy, ix)."""
        shape = input_shape(layer)
        given = checked_mask(self.given, layer.name, "input", shape)
        if given is not None:
            return given
        images, channels, rows, columns = shape
        positions = images * rows * columns
        mask = self.model.mask((positions, channels), self.input_density, 1, (self.seed, index, 1))
        return mask.reshape(images, rows, columns, channels).transpose(0, 3, 1, 2)


class Product:
    """One product of a layer. a: bool (M, K). b: bool (K, N)."""

    def __init__(self, a: Mask, b: Mask, core: Core) -> None:
        self.a, self.b, self.core = a, b, core
        self.nnz_a, self.nnz_b = int(np.count_nonzero(a)), int(np.count_nonzero(b))
        self.pairs = int(a.sum(axis=0, dtype=np.int64) @ b.sum(axis=1, dtype=np.int64))
        self._operands: dict[bool, Operands] = {}
        self._kept: dict[Hashable, TileCycles] = {}

    @property
    def macs(self) -> int:
        """Multiplications of the dense product."""
        return len(self.a) * self.b.size

    def operands(self, shuffle: bool) -> Operands:
        """The masks as words, kept for the next design."""
        if shuffle not in self._operands:
            self._operands[shuffle] = Operands.of(self.a, self.b, self.core, shuffle)
        return self._operands[shuffle]

    def kept(self, question: Hashable, answer: Callable[[], TileCycles]) -> TileCycles:
        """An answer about this product, found anew only for a question not asked lately."""
        if question not in self._kept:
            if len(self._kept) >= KEPT_ANSWERS:
                self._kept.clear()
            self._kept[question] = answer()
        return self._kept[question]


@dataclass(frozen=True, slots=True)
class LayerProducts:
    """All products of a layer, the multiplications asked of it, and which operands are sparse."""

    name: str
    macs: int
    sparse_weights: bool
    sparse_activations: bool
    products: tuple[Product, ...]


def network_products(
    workload: Workload, source: MaskSource, combination: Combination, core: Core
) -> Iterator[LayerProducts]:
    """Products of every layer with MACs.

    A dense operand is all ones. Where the second operand is a feature map it is taken as dense:
    nothing can be packed offline that is not known offline.
    """
    for index, layer in enumerate(workload.layers):
        if not layer.is_mac:
            continue
        inputs, weights = np.ones(input_shape(layer), bool), np.ones(weight_shape(layer), bool)
        if combination.sparse_activations:
            inputs = source.inputs(index, layer)
        if combination.sparse_weights and layer.weight_is_constant:
            weights = source.weights(index, layer)
        made = tuple(Product(a, b, core) for a, b in products(layer, inputs, weights, core))
        yield LayerProducts(
            layer.name,
            layer.macs,
            combination.sparse_weights and layer.weight_is_constant,
            combination.sparse_activations,
            made,
        )
