"""Reading a run folder back: manifest and tables, also of a run that died."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from traces.errors import InputError
from traces.schema import MANIFEST, SCHEMA_VERSION, STREAM_SUFFIX, TABLES


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run. Raises InputError."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        raise InputError(f"{folder}: not a run folder: {MANIFEST} can't be read") from None
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(f"{folder}: schema_version must be {SCHEMA_VERSION}, not {version!r}")
    return dict(manifest)


def read_table(folder: Path, name: str) -> pa.Table:
    """One table of a run; of an incomplete one, all batches that were written whole."""
    read_manifest(folder)
    path = folder / f"{name}{STREAM_SUFFIX}"
    try:
        source = pa.memory_map(str(path))
    except OSError:
        raise InputError(f"{folder}: {path.name} is missing") from None
    batches: list[pa.RecordBatch] = []
    try:
        reader = pa.ipc.open_stream(source)
        while True:
            batches.append(reader.read_next_batch())
    except StopIteration:
        pass
    except (pa.ArrowInvalid, OSError):
        # The last batch of a run that died may be cut short; what came before it is whole.
        if read_manifest(folder)["complete"]:
            raise InputError(f"{folder}: {path.name} is damaged") from None
    return pa.Table.from_batches(batches, schema=TABLES[name])
