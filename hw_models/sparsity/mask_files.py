"""Masks of a user: .npy files by layer and operand in a folder, or rows of one Arrow file.

A folder holds `LAYER.weight.npy` and `LAYER.input.npy`. An Arrow IPC file has the columns layer,
operand ("weight" or "input"), shape (list of ints) and mask (list of bools or numbers). Anything
but zero counts as nonzero.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from hw_models.sparsity.masks import Mask
from traces.errors import InputError

OPERANDS = ("weight", "input")
COLUMNS = ("layer", "operand", "shape", "mask")
MaskKey = tuple[str, str]
"""Layer name and operand."""


def load_masks(path: Path) -> dict[MaskKey, Mask]:
    """All masks of a folder or Arrow file. Raises InputError."""
    if path.is_dir():
        found = dict(_from_npy(file) for file in sorted(path.glob("*.npy")))
    elif path.is_file():
        found = _from_arrow(path)
    else:
        raise InputError(f"{path}: no such file or folder")
    if not found:
        raise InputError(f"{path}: must have masks, LAYER.weight.npy or LAYER.input.npy")
    return found


def checked_mask(
    masks: Mapping[MaskKey, Mask], layer: str, operand: str, shape: tuple[int, ...]
) -> Mask | None:
    """The mask of a layer's operand, None if there is none. Raises InputError for another shape.

    Axes of length 1 may be left out.
    """
    mask = masks.get((layer, operand))
    if mask is None:
        return None
    if [n for n in mask.shape if n != 1] != [n for n in shape if n != 1]:
        raise InputError(
            f"{layer}: mask of {operand} must have the shape {_text(shape)}, "
            f"not {_text(mask.shape)}"
        )
    return mask.reshape(shape)


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _from_npy(file: Path) -> tuple[MaskKey, Mask]:
    layer, _, operand = file.stem.rpartition(".")
    if operand not in OPERANDS or not layer:
        raise InputError(f"{file}: must be called LAYER.weight.npy or LAYER.input.npy")
    try:
        return (layer, operand), np.load(file, allow_pickle=False) != 0
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: can't be read as an array: {error}") from None


def _from_arrow(path: Path) -> dict[MaskKey, Mask]:
    try:
        with pa.memory_map(str(path)) as source:
            table = pyarrow.ipc.open_file(source).read_all()
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: can't be read as an Arrow file: {error}") from None
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise InputError(f"{path}: must have the columns {', '.join(missing)}")
    found = {}
    for row in table.select(COLUMNS).to_pylist():
        values = np.asarray(row["mask"])
        if values.size != np.prod(row["shape"], dtype=int):
            raise InputError(
                f"{path}: {row['layer']}: mask must have as many elements as its shape "
                f"{_text(row['shape'])}, not {values.size}"
            )
        found[row["layer"], row["operand"]] = (values != 0).reshape(row["shape"])
    return found
