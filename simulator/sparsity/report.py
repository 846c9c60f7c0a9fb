"""What a study leaves in its folder: Arrow and CSV tables, pictures."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from simulator.sparsity.claims import claims
from simulator.sparsity.plots import plot_gains, plot_pareto
from simulator.sparsity.study import StudyRow, mean_rows


def write_study(folder: Path, rows: Sequence[StudyRow]) -> None:
    """Write study.arrow (all rows), means.csv, claims.csv, pareto.png and gains.png."""
    table = pa.Table.from_pylist([row.as_dict() for row in rows])
    with pyarrow.ipc.new_file(str(folder / "study.arrow"), table.schema) as writer:
        writer.write_table(table)
    means = mean_rows(rows)
    write_lines(folder / "means.csv", [asdict(row) for row in means])
    write_lines(folder / "claims.csv", [asdict(claim) for claim in claims(means)])
    plot_pareto(means, folder / "pareto.png")
    if any(row.family != "sweep" for row in means):
        plot_gains(means, folder / "gains.png")


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write mappings with the same keys as CSV, at least one."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
