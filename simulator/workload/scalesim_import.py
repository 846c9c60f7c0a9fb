"""Networks from SCALE-Sim topology files: one convolution or matrix product a line.

The format is that of SCALE-Sim 3.0.0 (its topology_utils reader), read in a friendlier way: rows
without a name or without numbers are skipped, cells after the expected ones are ignored, a row
need not end in a comma.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.workload.errors import WorkloadError
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload

COLUMNS = {
    "conv": ("IFMAP height", "IFMAP width", "filter height", "filter width", "channels",
             "filters", "stride"),
    "gemm": ("M", "N", "K"),
}  # fmt: skip
"""The numbers of a row after the name, by kind of topology."""

DEPTHWISE_MARK = "DP"
"""Part of a layer's name that makes it depthwise."""


class TopologyWarning(UserWarning):
    """A row that may not say what its author meant, but that is imported as it stands."""


@dataclass(frozen=True, slots=True)
class TopologyRow:
    """One layer of a topology file.

    numbers: as in COLUMNS. sparsity: N of each M weights are kept, (1, 1) for all of them.
    """

    name: str
    numbers: tuple[int, ...]
    sparsity: tuple[int, int] = (1, 1)


def load_topology(path: str | Path, kind: str | None = None) -> Workload:
    """The layers of a topology file, each on an input of its own.

    kind: "conv" or "gemm"; told from the header if not given. Maps are unpadded; the last, partly
    outside window of a row or column counts, so the output has ceil((H - R + s) / s) rows. A
    convolution whose name contains "DP" is depthwise. Names that repeat get a number. Sparsity
    is not part of a workload: `read_topology` has it.
    Raises: WorkloadError, file and line first.
    """
    kind, rows = read_topology(path, kind)
    names = _unique([row.name for row in rows])
    make = _conv_layer if kind == "conv" else _gemm_layer
    layers = tuple(make(row, name) for row, name in zip(rows, names, strict=True))
    tensors = [tensor for layer in layers for tensor in _tensors(layer)]
    return Workload(
        name=Path(path).stem,
        tensors={tensor.name: tensor for tensor in tensors},
        layers=layers,
        inputs=tuple(layer.inputs[0].tensor for layer in layers),
        outputs=tuple(layer.output for layer in layers),
        parameters=sum(layer.weight_elements for layer in layers),
    )


def read_topology(path: str | Path, kind: str | None = None) -> tuple[str, list[TopologyRow]]:
    """Kind and rows of a topology file.

    Raises: WorkloadError when the file cannot be read or a row breaks the format.
    """
    name = Path(path).name
    lines = _lines(Path(path))
    if kind not in (None, *COLUMNS):
        raise WorkloadError(f"{name}: kind must be conv or gemm, not {kind}")
    kind = kind or _kind_of_header(name, lines[0] if lines else "")
    rows: list[TopologyRow] = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            rows += _parse_row(line, kind)
        except WorkloadError as error:
            raise WorkloadError(f"{name}:{number}: {error}") from error
    if not rows:
        raise WorkloadError(f"{name}: topology must have layers; no row has a name and numbers")
    return kind, rows


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise WorkloadError(f"{path.name}: file must be readable: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WorkloadError(f"{path.name}: file must be text in UTF-8") from error


def _kind_of_header(name: str, header: str) -> str:
    cells = [cell.strip().lower() for cell in header.split(",")]
    if cells[1:4] == ["m", "n", "k"]:
        return "gemm"
    if any("filter" in cell for cell in cells):
        return "conv"
    raise WorkloadError(
        f"{name}:1: header must name M, N, K or IFMAP and filter sizes, not {header.strip()!r}"
    )


def _parse_row(line: str, kind: str) -> Iterator[TopologyRow]:
    """The row of a line; none for a line without a name or without numbers."""
    cells = [cell.strip() for cell in line.split(",")]
    columns = COLUMNS[kind]
    if not cells[0] or not any(cells[1:]):
        return
    given = cells[1 : len(columns) + 1]
    numbers = tuple(_positive(cell, column) for cell, column in zip(given, columns, strict=False))
    if len(numbers) < len(columns):
        raise WorkloadError(f"row must have {len(columns)} numbers, not {len(numbers)}")
    row = TopologyRow(cells[0], numbers, _sparsity(cells[len(columns) + 1 :]))
    if kind == "conv":
        _check_window(row)
    yield row


def _positive(cell: str, column: str) -> int:
    if not cell.isascii() or not cell.isdigit() or int(cell) == 0:
        raise WorkloadError(f"{column} must be a positive int, not {cell!r}")
    return int(cell)


def _sparsity(rest: Sequence[str]) -> tuple[int, int]:
    """N:M of the cell after the numbers; anything else there is a note."""
    match = re.fullmatch(r"(\d+)\s*:\s*(\d+)", rest[0]) if rest else None
    if match is None:
        return 1, 1
    kept, group = int(match[1]), int(match[2])
    if not 1 <= kept <= group:
        raise WorkloadError(f"sparsity must be N:M with 1 <= N <= M, not {rest[0]}")
    return kept, group


def _check_window(row: TopologyRow) -> None:
    rows, columns, filter_rows, filter_columns, channels, filters, _ = row.numbers
    if filter_rows > rows or filter_columns > columns:
        raise WorkloadError(
            f"filter must not be larger than the IFMAP, as {filter_rows}x{filter_columns} "
            f"on {rows}x{columns}"
        )
    if filters == 1 and channels > 1 and DEPTHWISE_MARK not in row.name:
        warnings.warn(
            f"{row.name}: one filter over {channels} channels; depthwise only with "
            f"{DEPTHWISE_MARK} in the name",
            TopologyWarning,
            stacklevel=2,
        )


def _unique(names: Sequence[str]) -> list[str]:
    """The names, each repeated one with a number that no other has."""
    taken, seen = set(names), Counter[str]()
    unique = []
    for name in names:
        seen[name] += 1
        candidate = name
        while seen[name] > 1 and candidate in taken:
            candidate = f"{name}_{seen[name]}"
            seen[name] += candidate in taken
        taken.add(candidate)
        unique.append(candidate)
    return unique


def _conv_layer(row: TopologyRow, name: str) -> Layer:
    rows, columns, filter_rows, filter_columns, channels, filters, stride = row.numbers
    groups = channels if DEPTHWISE_MARK in row.name else 1
    dims = LoopDims(
        g=groups,
        k=filters,
        c=channels // groups,
        oy=-(-(rows - filter_rows + stride) // stride),
        ox=-(-(columns - filter_columns + stride) // stride),
        fy=filter_rows,
        fx=filter_columns,
        iy=rows,
        ix=columns,
        stride_y=stride,
        stride_x=stride,
    )
    return _layer(name, LayerOp.CONV2D, dims)


def _gemm_layer(row: TopologyRow, name: str) -> Layer:
    m, n, k = row.numbers
    return _layer(name, LayerOp.MATMUL, LoopDims(k=n, c=k, ox=m, ix=m))


def _layer(name: str, op: LayerOp, dims: LoopDims) -> Layer:
    return Layer(
        name=name,
        op=op,
        dims=dims,
        inputs=(Operand(f"{name}.ifmap"),),
        output=f"{name}.ofmap",
        weight=Operand(f"{name}.filter", ("g", "k", "c", "fy", "fx")),
        source=(name,),
    )


def _tensors(layer: Layer) -> Iterator[Tensor]:
    d = layer.dims
    assert layer.weight is not None
    yield Tensor(layer.inputs[0].tensor, d.b * d.g * d.c * d.iy * d.ix)
    yield Tensor(layer.weight.tensor, layer.weight_elements, parameter=True)
    yield Tensor(layer.output, layer.output_elements)
