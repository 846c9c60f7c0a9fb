"""The mapping of a layer, and mapping files: what the search found or what a user wants."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from hw_models.yaml_file import InputError, Strict, build, parse_yaml, read_text
from simulator.mapping.streams import TILED_LOOPS, stream_names
from simulator.workload.graph import Layer, Workload

Extent = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a layer runs on a core.

    tile: extent of each of the six tiled loops. order: the loops from outermost to innermost.
    slots: tiles of each stream that its buffer keeps side by side.
    """

    tile: dict[str, int]
    order: tuple[str, ...]
    slots: dict[str, int]


class LayerMappingSpec(Strict):
    """A layer in a mapping file. Loops that `tile` leaves out stay whole; `order` leaves out loops
    with one tile; `slots` left out are the fewest that the chip allows."""

    tile: dict[str, Extent] = Field(default_factory=dict)
    order: tuple[str, ...] = Field(default=(), strict=False)
    slots: dict[str, Extent] = Field(default_factory=dict)


class MappingFile(Strict):
    """A mapping file: a mapping for each named layer; the others are searched for."""

    layers: dict[str, LayerMappingSpec]


def load_mapping_file(path: Path, workload: Workload) -> dict[str, LayerMappingSpec]:
    """The mappings in a file, checked against the network. Raises InputError."""
    given = build(MappingFile, parse_yaml(read_text(path), str(path)), str(path)).layers
    layers = {layer.name: layer for layer in workload.layers}
    for name, spec in given.items():
        if name not in layers:
            raise InputError(f"{path}: layers.{name} is not a layer of {workload.name}")
        problem = _problem(spec, layers[name])
        if problem:
            raise InputError(f"{path}: layers.{name}.{problem}")
    return given


def dump_mappings(mappings: MappingOf[str, Mapping]) -> str:
    """Mappings as the text of a mapping file, which can be given back."""
    layers: dict[str, Any] = {
        name: {"tile": dict(m.tile), "order": list(m.order), "slots": dict(m.slots)}
        for name, m in mappings.items()
    }
    return yaml.safe_dump({"layers": layers}, sort_keys=False, default_flow_style=None)


def _problem(spec: LayerMappingSpec, layer: Layer) -> str:
    sizes = dict(zip(TILED_LOOPS, layer.dims.loops[:6], strict=True))
    for loop, extent in spec.tile.items():
        if loop not in sizes:
            return f"tile.{loop} must be one of {', '.join(TILED_LOOPS)}"
        if extent > sizes[loop]:
            return f"tile.{loop} must be at most {sizes[loop]}, not {extent}"
    names = stream_names(layer)
    for name in spec.slots:
        if name not in names:
            return f"slots.{name} must be one of {', '.join(names)}"
    cut = [loop for loop in TILED_LOOPS if spec.tile.get(loop, sizes[loop]) < sizes[loop]]
    if len(set(spec.order)) < len(spec.order) or not set(spec.order) <= set(TILED_LOOPS):
        return f"order must name loops of {', '.join(TILED_LOOPS)} once each"
    missing = [loop for loop in cut if spec.order and loop not in spec.order]
    if missing:
        return f"order must name every loop that is cut; {missing[0]} is missing"
    return ""
