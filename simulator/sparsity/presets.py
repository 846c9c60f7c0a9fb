"""Published shares of zeros of the networks of the study, from `networks.yaml`."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from hw_models.yaml_file import Strict, build, parse_yaml
from simulator.sparsity.layer_masks import Combination

_FILE = files("simulator.sparsity") / "networks.yaml"
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SparsityPreset(Strict):
    """Mean shares of zeros of a network."""

    network: str
    weight_zeros: Share
    activation_zeros: Share

    def combinations(self) -> tuple[Combination, ...]:
        """The combinations that the network can show: no zeros, no sparse operand."""
        return tuple(
            combination
            for combination in Combination
            if (self.weight_zeros or not combination.sparse_weights)
            and (self.activation_zeros or not combination.sparse_activations)
        )


@lru_cache(maxsize=1)
def sparsity_presets() -> dict[str, SparsityPreset]:
    """The presets by network, in the order of the file."""
    rows = parse_yaml(_FILE.read_text(encoding="utf-8"), _FILE.name)
    return {name: build(SparsityPreset, row, _FILE.name) for name, row in rows.items()}
