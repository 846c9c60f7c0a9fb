"""Tasks from tables: the format in which any tool can bring its own. Rule: IMPORT-2.

A folder with tasks.csv (or .arrow, .parquet) and, if tasks depend on each other, edges.csv:

    tasks   task, unit, start, end; and if there are: kind (LOAD, COMPUTE, STORE, SEND), layer,
            bytes, macs
    edges   src, dst; and if there is: dependence (data, credit, resource)

`task`, `src` and `dst` are names or numbers of tasks; start and end are cycles, [start, end).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from traces.errors import InputError
from traces.importers.imported import COMPUTE, ImportedRun, ImportedTask
from traces.schema import TASK_KINDS

NEEDED = {"tasks": ("task", "unit", "start", "end"), "edges": ("src", "dst")}
OPTIONAL = {"tasks": ("kind", "layer", "bytes", "macs"), "edges": ("dependence",)}
READERS = {
    ".csv": pyarrow.csv.read_csv,
    ".arrow": pyarrow.feather.read_table,
    ".feather": pyarrow.feather.read_table,
    ".parquet": pyarrow.parquet.read_table,
}


def read_tables(folder: Path, lanes: dict[str, int]) -> ImportedRun:
    """The tasks in a folder of tables. Raises InputError."""
    rows = _read(folder, "tasks")
    if rows is None:
        raise InputError(f"{folder}: tasks.csv, .arrow or .parquet is missing")
    tasks = [_task(folder, row) for row in rows]
    edges = [
        (str(row["src"]), str(row["dst"]), str(row.get("dependence") or "data"))
        for row in _read(folder, "edges") or []
    ]
    return ImportedRun(str(folder), tasks, edges, lanes)


def _read(folder: Path, name: str) -> list[dict[str, Any]] | None:
    path = next((p for s in READERS if (p := folder / f"{name}{s}").exists()), None)
    if path is None:
        return None
    try:
        table = READERS[path.suffix](str(path))
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: can't be read: {reason}") from None
    missing = [column for column in NEEDED[name] if column not in table.column_names]
    unknown = set(table.column_names) - {*NEEDED[name], *OPTIONAL[name]}
    if missing or unknown:
        columns = f"{', '.join(NEEDED[name])} and may have {', '.join(OPTIONAL[name])}"
        raise InputError(f"{path}: columns must be {columns}, not {', '.join(table.column_names)}")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _task(folder: Path, row: dict[str, Any]) -> ImportedTask:
    kind = row.get("kind") or COMPUTE
    if kind not in TASK_KINDS[:-1]:
        raise InputError(
            f"{folder}: kind of task {row['task']} must be one of {', '.join(TASK_KINDS[:-1])}, "
            f"not {kind!r}"
        )
    numbers = {name: row.get(name) or 0 for name in ("start", "end", "bytes", "macs")}
    for name, number in numbers.items():
        if not isinstance(number, int):
            raise InputError(
                f"{folder}: {name} of task {row['task']} must be a whole number, not {number!r}"
            )
    layer = row.get("layer")
    return ImportedTask(
        str(row["task"]), str(row["unit"]), kind=kind, layer=str(layer or ""), **numbers
    )
