"""Allocation files: which core computes which layer, or which range of one.

default: split                     # a rule for the layers that are not named: single or split
layers:
  conv1: core0                     # the whole layer on one core
  conv2: {split: k}                # divided over all cores along a loop
  fc:                              # ranges [low, high) of loops on given cores
    - {core: core0, k: [0, 600]}
    - {core: core1, k: [600, 1000]}
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hw_models.floorplan import Floorplan
from hw_models.yaml_file import Strict, build, parse_yaml, read_text
from simulator.allocation.shares import RULES, SPLIT_LOOPS, Allocation, Share, split_layer
from simulator.mapping.streams import TILED_LOOPS
from simulator.workload.graph import ROW_OPS, Layer, LayerOp, Workload
from traces.errors import InputError

Range = Annotated[tuple[int, int], Field(strict=False)]


class RangeSpec(Strict):
    """A range of a layer's loops on a core; loops left out are whole."""

    core: str
    b: Range | None = None
    g: Range | None = None
    k: Range | None = None
    oy: Range | None = None
    ox: Range | None = None

    @property
    def ranges(self) -> dict[str, tuple[int, int]]:
        """The ranges that are given."""
        found = {loop: getattr(self, loop) for loop in SPLIT_LOOPS}
        return {loop: span for loop, span in found.items() if span is not None}


class SplitSpec(Strict):
    """A layer divided over all cores along a loop."""

    split: Literal["b", "g", "k", "oy", "ox"]


class AllocationFile(Strict):
    """What an allocation file may say."""

    default: Literal["single", "split"] = "single"
    layers: dict[str, str | SplitSpec | Annotated[tuple[RangeSpec, ...], Field(strict=False)]]


def load_allocation(path: Path, workload: Workload, plan: Floorplan) -> Allocation:
    """The allocation in a file, checked against network and chip. Raises InputError."""
    spec = build(AllocationFile, parse_yaml(read_text(path), str(path)), str(path))
    names = [layer.name for layer in workload.layers]
    for name in spec.layers:
        if name not in names:
            raise InputError(f"{path}: layers.{name} is not a layer of {workload.name}")
    default = RULES[spec.default](workload, plan)
    return [
        _shares(f"{path}: layers.{layer.name}", spec.layers[layer.name], layer, plan)
        if layer.name in spec.layers
        else shares
        for layer, shares in zip(workload.layers, default, strict=True)
    ]


def layer_cores(path: Path, workload: Workload) -> dict[str, tuple[str, ...]]:
    """The cores that a file names for layers, for a search to place the others.

    A layer on several cores is divided evenly by output channels. Raises InputError.
    """
    spec = build(AllocationFile, parse_yaml(read_text(path), str(path)), str(path))
    names = [layer.name for layer in workload.layers]
    cores: dict[str, tuple[str, ...]] = {}
    for name, given in spec.layers.items():
        place = f"{path}: layers.{name}"
        if name not in names:
            raise InputError(f"{place} is not a layer of {workload.name}")
        if isinstance(given, SplitSpec):
            raise InputError(f"{place} must name cores, not split")
        cores[name] = (given,) if isinstance(given, str) else tuple(one.core for one in given)
        if not isinstance(given, str) and any(set(one.ranges) != {"k"} for one in given):
            raise InputError(f"{place} must be divided along k only")
    return cores


def rule_or_file(text: str, workload: Workload, plan: Floorplan) -> Allocation:
    """The allocation that a rule's name or a path stands for. Raises InputError."""
    if text in RULES:
        return RULES[text](workload, plan)
    if text.endswith((".yaml", ".yml")) or "/" in text:
        return load_allocation(Path(text), workload, plan)
    raise InputError(f"--allocation must be {', '.join(RULES)} or a YAML file, not {text!r}")


def _shares(
    place: str, given: str | SplitSpec | tuple[RangeSpec, ...], layer: Layer, plan: Floorplan
) -> Sequence[Share]:
    numbers = {core.name: core.index for core in plan.cores}
    if isinstance(given, str):
        return [Share(_core(place, given, numbers))]
    if isinstance(given, SplitSpec):
        _check_loop(place, given.split, layer)
        weights = [plan.core_peak_macs(core.index) for core in plan.cores]
        return split_layer(layer, weights, given.split)
    shares = [Share(_core(place, one.core, numbers), one.ranges) for one in given]
    _check_cover(place, shares, layer)
    return shares


def _core(place: str, name: str, numbers: dict[str, int]) -> int:
    if name not in numbers:
        raise InputError(f"{place} must be on one of {', '.join(numbers)}, not {name}")
    return numbers[name]


def _check_loop(place: str, loop: str, layer: Layer) -> None:
    if loop == "g" and (layer.op in ROW_OPS or layer.op is LayerOp.CONCAT):
        raise InputError(f"{place} can't be divided along g, as it is a {layer.op.value}")


def _check_cover(place: str, shares: Sequence[Share], layer: Layer) -> None:
    """Every iteration must be computed once: ranges inside, disjoint, and of the right total."""
    sizes = dict(zip(TILED_LOOPS, layer.dims.loops, strict=False))
    for share in shares:
        for loop, (low, high) in share.ranges.items():
            _check_loop(place, loop, layer)
            if not 0 <= low < high <= sizes[loop]:
                whole = f"[0, {sizes[loop]}]"
                raise InputError(
                    f"{place}: {loop} must be a range inside {whole}, not [{low}, {high}]"
                )
    spans = [{loop: s.ranges.get(loop, (0, sizes[loop])) for loop in SPLIT_LOOPS} for s in shares]
    for (i, a), (j, b) in product(enumerate(spans), repeat=2):
        if i < j and all(a[n][0] < b[n][1] and b[n][0] < a[n][1] for n in SPLIT_LOOPS):
            raise InputError(f"{place}: ranges {i} and {j} must not overlap")
    total = sum(prod(high - low for low, high in span.values()) for span in spans)
    needed = prod(sizes[loop] for loop in SPLIT_LOOPS)
    if total != needed:
        raise InputError(f"{place}: ranges must cover all of the layer, not {total} of {needed}")
