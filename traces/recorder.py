"""Writing a run folder as a stream: batches of rows, constant memory, readable at any moment."""

from __future__ import annotations

import errno
import json
import os
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from traces.errors import InputError
from traces.folder_lock import FolderLock
from traces.schema import MANIFEST, SCHEMA_VERSION, STREAM_SUFFIX, TABLES
from traces.whole_file import write_whole

BATCH_ROWS = 1 << 16

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""What a file system says when it takes no more."""


class Stream:
    """One Arrow IPC stream, fed with rows of integers; words are given by their code.

    words: for each dictionary column, all its words, so that every batch has the same dictionary.
    A batch that can't be written as a whole is cut off again and ends the stream.
    """

    def __init__(self, path: Path, schema: pa.Schema, words: Mapping[str, Sequence[str]]) -> None:
        self.path, self.schema = path, schema
        self._failure: OSError | None = None
        self._dictionaries = {
            column: pa.array(list(words[column]), pa.string())
            for column, kind in zip(schema.names, schema.types, strict=True)
            if pa.types.is_dictionary(kind)
        }
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, schema)
        self._whole_bytes = self._sink.tell()

    def write(self, columns: Mapping[str, Any]) -> None:
        """Append one batch. columns: an array per column; negative word codes become null.

        Raises OSError, also for every batch after one that couldn't be written.
        """
        if self._failure is not None:
            raise self._failure
        arrays = [
            self._encoded(name, kind, columns[name])
            for name, kind in zip(self.schema.names, self.schema.types, strict=True)
        ]
        batch = pa.record_batch(arrays, schema=self.schema)
        try:
            self._writer.write_batch(batch)
        except OSError as error:
            self._cut(error)
            raise
        self._whole_bytes = self._sink.tell()

    def close(self) -> None:
        """End the stream; what was written stays readable even without this. Raises OSError."""
        if self._failure is not None:
            return
        try:
            self._writer.close()
            self._sink.close()
        except OSError as error:
            self._cut(error)
            raise

    def _cut(self, error: OSError) -> None:
        self._failure = error
        self._sink.close()
        os.truncate(self.path, self._whole_bytes)

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
    Raises InputError when the folder can't be written, at once or later, and when another process
    writes to it; what was written until then stays readable.
    """

    def __init__(
        self, folder: Path, words: Mapping[str, Sequence[str]], manifest: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self.manifest = {"schema_version": SCHEMA_VERSION, "complete": False, **manifest}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refusal(error) from None
        self._lock = FolderLock(folder)
        try:
            self._write_manifest()
            self.streams = self._open_streams(words)
        except InputError:
            self._lock.release()
            raise

    def _open_streams(self, words: Mapping[str, Sequence[str]]) -> dict[str, Stream]:
        try:
            return {
                name: Stream(self.folder / f"{name}{STREAM_SUFFIX}", schema, words)
                for name, schema in TABLES.items()
            }
        except OSError as error:
            raise self._refusal(error) from None

    def write(self, table: str, columns: Mapping[str, Any]) -> None:
        """Append a batch to a table. Raises InputError."""
        try:
            self.streams[table].write(columns)
        except OSError as error:
            raise self._refusal(error) from None

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Add facts to the manifest while the run goes on. Raises InputError."""
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
        refusal = self._close_streams()
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            refusal = self._refusal(error)
        reason = refusal or error
        if reason is not None:
            ended_by = f"{type(reason).__name__}: {reason}".strip(": ")
            self.manifest.update(complete=False, ended_by=ended_by)
        try:
            self._write_manifest()
        except InputError as problem:
            refusal = refusal or problem  # the manifest that stays says that it is incomplete
        self._lock.release()
        if refusal is not None and (error is None or isinstance(error, OSError)):
            raise refusal from None

    def _close_streams(self) -> InputError | None:
        refusal = None
        for stream in self.streams.values():
            try:
                stream.close()
            except OSError as error:
                refusal = self._refusal(error)
        return refusal

    def _write_manifest(self) -> None:
        text = json.dumps(self.manifest, indent=2, sort_keys=True) + "\n"
        try:
            write_whole(self.folder / MANIFEST, text)
        except OSError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> InputError:
        reason = os.strerror(error.errno) if error.errno else str(error)
        return InputError(f"{self.folder}: can't be written: {reason}")
