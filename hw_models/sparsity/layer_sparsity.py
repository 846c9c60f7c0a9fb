"""The sparsity of a layer: how many of its operands' elements are not zero."""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.sparsity.masks import check_density, parse_mask_model


@dataclass(frozen=True, slots=True)
class LayerSparsity:
    """What is known of a layer's zeros. *_density: share of nonzeros; 1 for a dense operand.

    seed: names the layer, so that equal layers of a network draw different masks.
    Raises InputError for a density outside [0, 1] or an unknown mask model.
    """

    weight_density: float = 1.0
    input_density: float = 1.0
    mask_model: str = "iid"
    seed: int = 1

    def __post_init__(self) -> None:
        check_density(self.weight_density)
        check_density(self.input_density)
        parse_mask_model(self.mask_model)
