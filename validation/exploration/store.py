"""Finished points as JSON lines, so that an exploration goes on where it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from hw_models.yaml_file import InputError
from validation.exploration.evaluate import Row, Search
from validation.exploration.space import Point

POINTS = "points.jsonl"


class Store:
    """Rows of points by search. folder: where they are kept, None for memory only.

    A line that an interruption has cut short is dropped. Raises InputError for a folder that can't
    be made and for lines that aren't rows.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = None if folder is None else folder / POINTS
        self.rows: dict[tuple[Point, Search], Row] = {}
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--out {folder}: can't be made a folder: {error.strerror}") from None
        self._read(folder / POINTS)

    def find(self, point: Point, search: Search) -> Row | None:
        """The row of a point, if it has been evaluated."""
        return self.rows.get((point, search))

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows, on disk before this returns."""
        for row in rows:
            self._remember(row)
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(row)) + "\n")

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self._remember(Row(**json.loads(line)))
            except (TypeError, ValueError):
                raise InputError(f"{path}: line {number}: must be a point of this study") from None
        if whole != text:
            path.write_text(whole, encoding="utf-8")

    def _remember(self, row: Row) -> None:
        point = Point(row.network, row.chip, row.way)
        self.rows[point, Search(row.search, row.seconds)] = row
