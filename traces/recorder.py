"""Writing a run folder as a stream: batches of rows, constant memory, readable at any moment."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from traces.schema import MANIFEST, SCHEMA_VERSION, STREAM_SUFFIX, TABLES

BATCH_ROWS = 1 << 16


class Stream:
    """One Arrow IPC stream, fed with rows of integers; words are given by their code.

    words: for each dictionary column, all its words, so that every batch has the same dictionary.
    """

    def __init__(self, path: Path, schema: pa.Schema, words: Mapping[str, Sequence[str]]) -> None:
        self.schema = schema
        self._dictionaries = {
            column: pa.array(list(words[column]), pa.string())
            for column, kind in zip(schema.names, schema.types, strict=True)
            if pa.types.is_dictionary(kind)
        }
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def write(self, columns: Mapping[str, Any]) -> None:
        """Append one batch. columns: an array per column; negative word codes become null."""
        arrays = [
            self._encoded(name, kind, columns[name])
            for name, kind in zip(self.schema.names, self.schema.types, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self.schema))

    def close(self) -> None:
        """End the stream; what was written stays readable even without this."""
        self._writer.close()
        self._sink.close()

    def _encoded(self, name: str, kind: pa.DataType, values: Any) -> pa.Array:
        if not pa.types.is_dictionary(kind):
            return pa.array(np.asarray(values), kind)
        codes = np.asarray(values, dtype=np.int32)
        missing = codes < 0
        # Polars checks the codes under the mask too.
        indices = pa.array(np.where(missing, 0, codes), pa.int32(), mask=missing)
        return pa.DictionaryArray.from_arrays(indices, self._dictionaries[name])


class RowBuffer:
    """Rows of integers collected in a flat array until there are enough for a batch."""

    __slots__ = ("columns", "data", "extend")

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self.data = array("q")
        self.extend = self.data.extend

    def __len__(self) -> int:
        return len(self.data) // len(self.columns)

    def take(self) -> dict[str, np.ndarray]:
        """All rows as columns; the buffer is empty afterwards."""
        rows = np.array(self.data, dtype=np.int64).reshape(-1, len(self.columns))
        del self.data[:]
        return {name: rows[:, i] for i, name in enumerate(self.columns)}


class Recorder:
    """The folder of one run. Use as a context manager: an exception leaves it marked incomplete.

    words: the words of every dictionary column ("unit", "layer", "cause", ...), in code order.
    manifest: what to say of the run; `complete`, `schema_version` are added here.
    """

    def __init__(
        self, folder: Path, words: Mapping[str, Sequence[str]], manifest: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self.manifest = {"schema_version": SCHEMA_VERSION, "complete": False, **manifest}
        folder.mkdir(parents=True, exist_ok=True)
        self._write_manifest()
        self.streams = {
            name: Stream(folder / f"{name}{STREAM_SUFFIX}", schema, words)
            for name, schema in TABLES.items()
        }

    def write(self, table: str, columns: Mapping[str, Any]) -> None:
        """Append a batch to a table."""
        self.streams[table].write(columns)

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Add facts to the manifest while the run goes on."""
        self.manifest.update(facts)
        self._write_manifest()

    def complete(self, facts: Mapping[str, Any]) -> None:
        """Mark the run as complete and add facts known only at its end."""
        self.manifest.update(facts, complete=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream in self.streams.values():
            stream.close()
        if error is not None:
            self.manifest["ended_by"] = f"{type(error).__name__}: {error}".strip(": ")
        self._write_manifest()

    def _write_manifest(self) -> None:
        # Replaced in one step, so that a reader never sees half a manifest.
        text = json.dumps(self.manifest, indent=2, sort_keys=True) + "\n"
        partial = self.folder / f".{MANIFEST}.partial"
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, self.folder / MANIFEST)
