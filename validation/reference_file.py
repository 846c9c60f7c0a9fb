"""Reference files: CSV with source lines (#) above the header, read strictly.

Every error is one line that names file, line and column.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from hw_models.yaml_file import InputError, read_text

Cell = Callable[[str], Any]
"""Reads the text of a cell. Raises ValueError("must be RULE, not VALUE")."""


def text(cell: str) -> str:
    """Any text."""
    return cell


def whole(least: int, most: int = 2**63 - 1) -> Cell:
    """A whole number within bounds, both included."""

    def read(cell: str) -> int:
        rule = f"must be a whole number from {least} to {most}, not {cell!r}"
        digits = cell.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise ValueError(rule)
        if not least <= int(cell) <= most:
            raise ValueError(rule)
        return int(cell)

    return read


def number(cell: str) -> Decimal:
    """A finite number; its decimals say how far it was rounded (`rounding_of`)."""
    try:
        value = Decimal(cell)
    except InvalidOperation:
        raise ValueError(f"must be a number, not {cell!r}") from None
    if not value.is_finite():
        raise ValueError(f"must be a finite number, not {cell!r}")
    return value


def one_of(*names: str) -> Cell:
    """One of some words."""

    def read(cell: str) -> str:
        if cell not in names:
            raise ValueError(f"must be one of {', '.join(names)}, not {cell!r}")
        return cell

    return read


def or_blank(cell_rule: Cell) -> Cell:
    """A cell that may be blank, which reads as None."""
    return lambda cell: cell_rule(cell) if cell else None


def rounding_of(value: Decimal) -> float:
    """Half a unit of the last decimal: how far the true value may be from a printed one."""
    exponent = value.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return 0.5 * 10.0**-decimals * (1 + 1e-6)


def read_reference(
    path: Path, columns: Mapping[str, Cell], optional: Mapping[str, Cell] | None = None
) -> list[dict[str, Any]]:
    """Rows of a reference file as dicts of the named columns, and their line as "line".

    Further columns are ignored; an optional column that is missing reads as None.
    Raises InputError.
    """
    lines = [
        (index, line)
        for index, line in enumerate(read_text(path).lstrip("\ufeff").splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines:
        raise InputError(f"{path}: must have a header line, not only blank lines and comments")
    header = _cells(path, *lines[0])
    _check_header(path, header, columns)
    if len(lines) == 1:
        raise InputError(f"{path}: must have at least one row below its header")
    rules = {**columns, **(optional or {})}
    missing = {name: None for name in rules if name not in header}
    return [{**missing, **_row(path, index, line, header, rules)} for index, line in lines[1:]]


def _cells(path: Path, index: int, line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise InputError(f"{path}: line {index}: {error}") from None


def _check_header(path: Path, header: list[str], columns: Mapping[str, Cell]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"{path}: must have the columns {', '.join(missing)}")
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise InputError(f"{path}: must have each column once, not {', '.join(twice)} twice")


def _row(
    path: Path, index: int, line: str, header: list[str], rules: Mapping[str, Cell]
) -> dict[str, Any]:
    cells = _cells(path, index, line)
    if len(cells) != len(header):
        raise InputError(f"{path}: line {index}: must have {len(header)} cells, not {len(cells)}")
    row: dict[str, Any] = {"line": index}
    for name, cell in zip(header, cells, strict=True):
        if name in rules:
            try:
                row[name] = rules[name](cell)
            except ValueError as error:
                raise InputError(f"{path}: line {index}: {name} {error}") from None
    return row
