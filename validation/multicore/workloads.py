"""Workloads that multi-core references name: layers of a table, and networks as Stream runs them.

Stream counts no biases, so none of these layers has one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hw_models.yaml_file import InputError
from simulator.fusion.granularity import LayerTile
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload
from simulator.workload.source import load_network
from validation.reference_file import one_of, or_blank, read_reference, text, whole

REFERENCES = Path(__file__).parent.parent / "references" / "multicore"
CHIP_WORKLOADS = "chip_workloads.csv"
WEIGHT_LOOPS = ("g", "k", "c", "fy", "fx")

SIZE = or_blank(whole(1, 1 << 20))
CHIP_WORKLOAD_COLUMNS = {
    "chip": text,
    "layer": whole(0, 10_000),
    "op": one_of("conv", "maxpool", "add"),
    "pred": text,
    "core": whole(0, 10_000),
    **dict.fromkeys(("B", "G", "K", "C", "OY", "OX", "FY", "FX"), SIZE),
    "stride": whole(1, 64),
    "pad": text,
    "tiling": text,
    "macs": whole(0),
}
OPS = {
    "conv": (LayerOp.CONV2D, ""),
    "maxpool": (LayerOp.POOL, "max"),
    "add": (LayerOp.ELEMENTWISE, "add"),
}
"""Word of the table -> layer type and function."""

NETWORKS = {
    "rn18": ("resnet18", 0),
    "rn18few": ("resnet18", 8),
    "resnet18": ("resnet18", 0),
    "fsrcnn": ("fsrcnn", 0),
    "mobilenetv2": ("mobilenet_v2", 0),
    "squeezenet": ("squeezenet1_0", 0),
}
"""Word of Stream's runs -> network of the zoo, and how many of its first layers; 0: all."""

SPLIT = re.compile(r"\b(K|OY|OX) split (?:in )?(\d+)")


@dataclass(frozen=True, slots=True)
class PlacedWorkload:
    """A workload with the core number and the tile extents of each layer, by layer name."""

    workload: Workload
    cores: Mapping[str, int]
    tiles: Mapping[str, LayerTile]


def beside(reference: Path, name: str) -> Path:
    """The table of a name in the folder of a reference file, or else that of REFERENCES."""
    there = reference.parent / name
    return there if there.is_file() else REFERENCES / name


def chip_workloads(path: Path = REFERENCES / CHIP_WORKLOADS) -> dict[str, PlacedWorkload]:
    """The workload of every chip of a table. Raises InputError for one that can't be used.

    Source of the format: references/multicore/chip_workloads.csv.
    """
    rows = read_reference(path, CHIP_WORKLOAD_COLUMNS)
    chips = dict.fromkeys(row["chip"] for row in rows)
    return {
        chip: _chip_workload(path, chip, [r for r in rows if r["chip"] == chip]) for chip in chips
    }


def _chip_workload(path: Path, chip: str, rows: Sequence[Mapping[str, Any]]) -> PlacedWorkload:
    layers: dict[int, Layer] = {}
    for row in rows:
        try:
            layers[row["layer"]] = _layer(row, layers)
        except ValueError as error:
            raise InputError(f"{path}: line {row['line']}: {error}") from None
    names = [layer.name for layer in layers.values()]
    return PlacedWorkload(
        linked(chip, tuple(layers.values())),
        {name: row["core"] for name, row in zip(names, rows, strict=True)},
        {name: _tile(row) for name, row in zip(names, rows, strict=True)},
    )


def _layer(row: Mapping[str, Any], before: Mapping[int, Layer]) -> Layer:
    """A layer of the table. Raises ValueError."""
    if row["layer"] in before:
        raise ValueError(f"layer must be new, not {row['layer']} again")
    op, function = OPS[row["op"]]
    makers = (
        [] if row["pred"] == "input" else [_maker(cell, before) for cell in row["pred"].split("+")]
    )
    read = [maker.output for maker in makers] or ["input"]
    dims, name = _dims(row), f"{row['op']}{row['layer']}"
    if op is LayerOp.CONV2D and dims.macs != row["macs"]:
        raise ValueError(f"macs must be the product of the loops ({dims.macs}), not {row['macs']}")
    for maker in makers:
        _check_fit(row, dims, maker)
    weight = Operand(f"{name}.weight", WEIGHT_LOOPS) if op is LayerOp.CONV2D else None
    operands = tuple(Operand(tensor) for tensor in read)
    return Layer(name, op, dims, operands, f"{name}.out", weight=weight, function=function)


def _maker(cell: str, before: Mapping[int, Layer]) -> Layer:
    if not (cell.isdigit() and int(cell) in before):
        raise ValueError(f"pred must be input or layers above, not {cell!r}")
    return before[int(cell)]


def _check_fit(row: Mapping[str, Any], dims: LoopDims, maker: Layer) -> None:
    made = (maker.dims.g * maker.dims.k, maker.dims.oy, maker.dims.ox)
    read = (dims.g * dims.c, dims.iy, dims.ix)
    if made != read:
        raise ValueError(f"layer must read what {maker.name} makes, {made}, not {read}")


def _dims(row: Mapping[str, Any]) -> LoopDims:
    stride, (before, after) = row["stride"], _padding(row["pad"])
    size = {loop.lower(): row[loop] or 1 for loop in ("B", "G", "K", "C", "OY", "OX", "FY", "FX")}
    rows, columns = (
        (size[out] - 1) * stride + size[window] - before - after
        for out, window in (("oy", "fy"), ("ox", "fx"))
    )
    return LoopDims(
        **size,
        iy=rows,
        ix=columns,
        stride_y=stride,
        stride_x=stride,
        pad_top=before,
        pad_left=before,
    )


def _padding(cell: str) -> tuple[int, int]:
    """Rows before and after: one number for both, or two."""
    found = re.fullmatch(r"(\d+)(?:,(\d+))?", cell)
    if found is None:
        raise ValueError(f"pad must be one or two whole numbers, not {cell!r}")
    return int(found[1]), int(found[2] or found[1])


def _tile(row: Mapping[str, Any]) -> LayerTile:
    """Parts of K, rows and columns of a tile: all of a loop that isn't split."""
    split = {loop: int(count) for loop, count in SPLIT.findall(row["tiling"])}
    rows, columns = (-(-row[loop] // split.get(loop, 1)) for loop in ("OY", "OX"))
    return split.get("K", 1), rows, columns


def linked(name: str, layers: tuple[Layer, ...]) -> Workload:
    """Layers as a workload: what none makes enters it, what none reads leaves it."""
    tensors: dict[str, Tensor] = {}
    read = {operand.tensor for layer in layers for operand in layer.inputs}
    made = {layer.output for layer in layers}
    for layer in layers:
        d = layer.dims
        for operand in layer.inputs:
            elements = d.b * d.g * d.c * d.iy * d.ix
            tensors.setdefault(operand.tensor, Tensor(operand.tensor, elements))
        if layer.weight is not None:
            weight = layer.weight.tensor
            tensors[weight] = Tensor(weight, layer.weight_elements, parameter=True)
        tensors[layer.output] = Tensor(layer.output, layer.output_elements)
    inputs = tuple(n for n, t in tensors.items() if n not in made and not t.parameter)
    outputs = tuple(n for n in tensors if n in made - read)
    return Workload(name, tensors, layers, inputs, outputs)


def network_of(word: str) -> Workload:
    """The network of a word of Stream's runs. Raises ValueError for an unknown one."""
    if word not in NETWORKS:
        raise ValueError(f"workload must be one of {', '.join(NETWORKS)}, not {word!r}")
    name, layers = NETWORKS[word]
    workload = without_biases(load_network(name))
    return workload.slice(0, layers - 1) if layers else workload


def without_biases(workload: Workload) -> Workload:
    """The same workload, its layers without bias vectors."""
    layers = tuple(replace(layer, bias=False) for layer in workload.layers)
    return replace(workload, layers=layers)
