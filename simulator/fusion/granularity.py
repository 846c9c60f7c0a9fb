"""How finely the layers of a fused stack are cut."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.workload.errors import did_you_mean
from simulator.workload.graph import Workload
from traces.errors import InputError

LayerTile = tuple[int, int, int]
"""Parts of the output channels, rows and columns of the output in a tile of one layer."""

_LINE = re.compile(r"line(?::(?P<rows>\d+))?")
_TILE = re.compile(r"tile:(?P<rows>\d+)x(?P<columns>\d+)")


@dataclass(frozen=True, slots=True)
class Granularity:
    """Extents of a tile.

    rows, columns: of the output; None: all of them. by_rate: they are those of the last layer of
    the stack, and each earlier one gets its share by the ratio of the output sizes; otherwise they
    hold for every layer, and the rows of a sequence (one row of positions) are its positions.
    by_image: each image of a batch has nodes of its own.
    layers: by layer name, what differs there.
    """

    rows: int | None = None
    columns: int | None = None
    by_rate: bool = False
    by_image: bool = False
    layers: Mapping[str, LayerTile] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, layers: Mapping[str, LayerTile] | None = None) -> Granularity:
        """The granularity that a text names: layer, image, line, line:N, tile:HxW.

        Raises InputError.
        """
        layers = dict(layers or {})
        for name, extents in layers.items():
            _check_layer_tile(name, extents)
        if text in ("layer", "image"):
            return cls(by_image=text == "image", layers=layers)
        if found := _LINE.fullmatch(text):
            rows = _positive(text, "rows", found["rows"] or "1")
            return cls(rows, by_image=True, layers=layers)
        if found := _TILE.fullmatch(text):
            rows, columns = (_positive(text, key, found[key]) for key in ("rows", "columns"))
            return cls(rows, columns, by_rate=True, by_image=True, layers=layers)
        raise InputError(
            f"granularity must be layer, image, line, line:N or tile:HxW, not {text!r}"
        )

    @property
    def text(self) -> str:
        """The text that `parse` takes for it, but for what differs from layer to layer."""
        if self.rows is None:
            return "image" if self.by_image else "layer"
        return f"tile:{self.rows}x{self.columns}" if self.by_rate else f"line:{self.rows}"

    def check_names(self, workload: Workload) -> None:
        """Raises InputError for an override of a layer that the workload doesn't have."""
        check_layer_names("granularity", self.layers, workload)


def check_layer_names(place: str, layers: Mapping[str, object], workload: Workload) -> None:
    """Raises InputError unless every key is the name of a layer."""
    known = [layer.name for layer in workload.layers]
    for name in layers:
        if name not in known:
            raise InputError(
                f"{place}: {name} must be a layer of {workload.name}{did_you_mean(name, known)}"
            )


def _positive(text: str, key: str, digits: str) -> int:
    if int(digits) < 1:
        raise InputError(f"granularity {text}: {key} must be at least 1, not {int(digits)}")
    return int(digits)


def _check_layer_tile(name: str, extents: LayerTile) -> None:
    if len(extents) != 3 or any(type(size) is not int or size < 1 for size in extents):
        raise InputError(
            f"granularity: {name} must be three positive ints (channel parts, rows, columns), "
            f"not {extents!r}"
        )
