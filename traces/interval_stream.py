"""The ledger of a run batch by batch: traces larger than memory can be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.errors import InputError
from traces.run_folder import read_manifest
from traces.schema import CAUSES, STREAM_SUFFIX

Int64s = NDArray[np.int64]
Batch = dict[str, Int64s]


@dataclass(frozen=True, slots=True)
class IntervalStream:
    """Intervals as they were written. units: the words behind the codes. batches: columns unit,
    start, end, cause (counting in schema.CAUSES), task, packed; to be read once."""

    units: tuple[str, ...]
    batches: Iterator[Batch]


def interval_batches(folder: Path) -> IntervalStream:
    """The intervals of a run. Raises InputError for a damaged one, and for unknown causes."""
    manifest = read_manifest(folder)
    path = folder / f"intervals{STREAM_SUFFIX}"
    try:
        # Read, not mapped: what a mapping has touched counts as memory until it is closed.
        source = pa.OSFile(str(path))
    except OSError:
        raise InputError(f"{folder}: {path.name} is missing") from None
    parts = _record_batches(source, f"{folder}: {path.name} is damaged", manifest["complete"])
    first = next(parts, None)
    if first is None:
        return IntervalStream((), iter(()))
    return IntervalStream(
        tuple(first.column("unit").dictionary.to_pylist()), _columns(folder, first, parts)
    )


def _record_batches(
    source: pa.NativeFile, problem: str, complete: bool
) -> Iterator[pa.RecordBatch]:
    try:
        reader = pa.ipc.open_stream(source)
        while True:
            yield reader.read_next_batch()
    except StopIteration:
        return
    except (pa.ArrowInvalid, OSError):
        # The last batch of a run that died may be cut short; what came before it is whole.
        if complete:
            raise InputError(problem) from None


def _columns(
    folder: Path, first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]
) -> Iterator[Batch]:
    words = first.column("cause").dictionary.to_pylist()
    for word in words:
        if word not in CAUSES:
            raise InputError(
                f"{folder}: cause of an interval must be one of {', '.join(CAUSES)}, not {word!r}"
            )
    cause = np.array([CAUSES.index(word) for word in words], dtype=np.int64)
    batch: pa.RecordBatch | None = first
    while batch is not None:
        columns = {
            name: np.asarray(batch.column(name).to_numpy(zero_copy_only=False), dtype=np.int64)
            for name in ("start", "end", "task", "packed")
        }
        for name in ("unit", "cause"):
            codes = batch.column(name).indices.to_numpy(zero_copy_only=False)
            columns[name] = codes.astype(np.int64)
        columns["cause"] = cause[columns["cause"]]
        yield columns
        batch = next(rest, None)
