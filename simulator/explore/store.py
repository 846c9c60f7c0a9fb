"""The folder of a study: every finished batch of points as a Parquet file of its own.

A file is there whole or not at all, so whatever is killed when, the next run goes on from what is
there. Once all points are in, `points.parquet` has them sorted, the same bytes whatever happened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from simulator.explore.evaluate import Row, Stage
from simulator.explore.metrics import METRICS
from simulator.explore.study import Point, Study
from simulator.run import write_text
from traces.errors import InputError

STUDY, POINTS, RESULT = "study.json", "points", "points.parquet"


class Store:
    """Rows of a study on disk, by stage and point."""

    def __init__(self, folder: Path | None, study: Study, *, resume: bool) -> None:
        self.folder, self.study = folder, study
        self.schema = _schema(study)
        self.rows: dict[tuple[str, ...], Row] = {}
        if folder is not None:
            self._open(folder, resume)

    def _open(self, folder: Path, resume: bool) -> None:
        """Make the folder, or read what an earlier run left in it. Raises InputError."""
        described = self.study.model_dump_json(indent=2) + "\n"
        about = folder / STUDY
        try:
            (folder / POINTS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--out {folder}: can't be made a folder: {error.strerror}") from None
        if about.exists() and not resume:
            raise InputError(f"--out {folder}: must be new; --resume goes on with what is there")
        if about.exists() and about.read_text(encoding="utf-8") != described:
            raise InputError(f"--out {folder}: must be of the same study to be resumed")
        write_text(about, described)
        for path in sorted((folder / POINTS).glob("*.parquet")):
            self._remember(pq.read_table(path).to_pylist())

    def find(self, stage: Stage, point: Point) -> Row | None:
        """The row of a point, if it is known."""
        return self.rows.get(self._key(stage, point))

    def add(self, rows: Sequence[Row]) -> None:
        """Keep rows, on disk before this returns."""
        self._remember(rows)
        if self.folder is None:
            return
        keys = json.dumps([self._key(row["stage"], row) for row in rows])
        name = f"{rows[0]['stage']}-{hashlib.sha256(keys.encode()).hexdigest()[:24]}.parquet"
        _write(self.folder / POINTS / name, rows, self.schema)

    def sorted_rows(self, stages: Iterable[str] = ("analytical", "simulated")) -> list[Row]:
        """All rows by stage, then by the place of their labels in the study."""
        places = {
            key: {label: i for i, label in enumerate(labels)}
            for key, labels in self.study.space.items()
        }
        return sorted(
            (row for row in self.rows.values() if row["stage"] in stages),
            key=lambda row: (row["stage"], *(at[row[key]] for key, at in places.items())),
        )

    def finish(self) -> None:
        """Write all rows, sorted, as one file."""
        if self.folder is not None:
            _write(self.folder / RESULT, self.sorted_rows(), self.schema)

    def _remember(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.rows[self._key(row["stage"], row)] = row

    def _key(self, stage: str, point: Point) -> tuple[str, ...]:
        return (stage, *(point[key] for key in self.study.space))


def _schema(study: Study) -> pa.Schema:
    texts = [(name, pa.string()) for name in ("stage", "status", "error", *study.space)]
    return pa.schema([*texts, *((name, pa.float64()) for name in METRICS)])


def _write(path: Path, rows: Sequence[Row], schema: pa.Schema) -> None:
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(pa.Table.from_pylist(list(rows), schema), partial)
    partial.replace(path)


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a `points.parquet`."""
    yield from pq.read_table(path).to_pylist()
