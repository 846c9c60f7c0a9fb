"""What a validator answers: every row of a reference file beside tilesim's own figures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hw_models.yaml_file import InputError

Progress = Callable[[int, int], None]
"""Called with the rows done and the rows there are."""

OUT_SUFFIXES = (".csv", ".parquet")


def no_progress(_done: int, _total: int) -> None:
    """A Progress that tells nobody."""


def error_pct(ours: float, reference: float) -> float:
    """Relative error in percent of the reference; of 1 where the reference is 0."""
    return 100 * abs(ours - reference) / (abs(reference) or 1)


def compared(
    identity: Mapping[str, Any],
    reference: Mapping[str, float],
    ours: Mapping[str, float],
    slack: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """One row of a ValidationResult: identity, then reference, ours and error_pct of each figure.

    slack: by how much a figure may differ and still be exact (rounding in the file), 0 by default.
    The error of an exact figure is 0.
    """
    row: dict[str, Any] = {**identity, "exact": True}
    for name, expected in reference.items():
        exact = abs(ours[name] - expected) <= (slack or {}).get(name, 0)
        row["exact"] = row["exact"] and exact
        row[f"{name}_reference"], row[f"{name}_ours"] = expected, ours[name]
        row[f"{name}_error_pct"] = 0.0 if exact else error_pct(ours[name], expected)
    return row


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """All rows of a validation and the verdict.

    name: of the validator. rows: made by `compared`. identity, figures: which columns name a row
    and which figures it holds. main: the figure that the summary is about. tolerance: in words,
    what `passed` was decided by. more: further keys of the summary line, values as printed. by: an
    identity column whose values get a table each, of all their rows.
    """

    name: str
    rows: list[dict[str, Any]]
    identity: tuple[str, ...]
    figures: tuple[str, ...]
    main: str
    tolerance: str
    passed: bool
    more: Mapping[str, str] = field(default_factory=dict)
    by: str = ""

    @property
    def exact_rows(self) -> int:
        """Rows in which every figure is exact."""
        return sum(row["exact"] for row in self.rows)

    def errors_pct(self, figure: str) -> list[float]:
        """Errors of a figure in all rows."""
        return [row[f"{figure}_error_pct"] for row in self.rows]

    def worst_figure(self, row: Mapping[str, Any]) -> str:
        """The figure of a row with the greatest error; the first of equals."""
        return max(self.figures, key=lambda figure: row[f"{figure}_error_pct"])

    def failing_rows(self) -> list[dict[str, Any]]:
        """Rows that are not exact, worst first."""
        rows = [row for row in self.rows if not row["exact"]]
        return sorted(rows, key=lambda row: -row[f"{self.worst_figure(row)}_error_pct"])

    def summary(self) -> dict[str, str]:
        """The figures of the summary line, errors those of the main figure."""
        errors = self.errors_pct(self.main)
        return {
            "rows": str(len(self.rows)),
            "exact": str(self.exact_rows),
            "mean_error_pct": f"{fmean(errors):.4f}",
            "p90_error_pct": f"{nearest_rank(errors, 90):.4f}",
            "worst_error_pct": f"{max(errors):.4f}",
            "main": self.main,
            **self.more,
        }

    def summary_line(self) -> str:
        """`rows=... exact=... mean_error_pct=... p90_error_pct=... worst_error_pct=... ...`."""
        return " ".join(f"{key}={value}" for key, value in self.summary().items())

    def write(self, path: Path) -> None:
        """Write all rows as CSV or Parquet, by the suffix. Raises InputError when it can't."""
        check_out_path(path)
        try:
            if path.suffix == ".parquet":
                pq.write_table(pa.Table.from_pylist(self.rows), path)
            else:
                with path.open("w", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, list(self.rows[0]), lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(self.rows)
        except OSError as error:
            raise InputError(f"{path}: can't be written: {error.strerror}") from None


def nearest_rank(values: Sequence[float], percent: int) -> float:
    """The percentile by nearest rank: the least value that so many percent do not exceed."""
    return sorted(values)[max(0, ceil(percent * len(values) / 100) - 1)]


def check_out_path(path: Path) -> None:
    """Refuse a file name of unknown format or in no folder, before the work. Raises InputError."""
    if path.suffix not in OUT_SUFFIXES:
        raise InputError(f"{path}: must end in {' or '.join(OUT_SUFFIXES)}")
    if not path.parent.is_dir():
        raise InputError(f"{path}: must be in a folder that exists, not in {path.parent}")
