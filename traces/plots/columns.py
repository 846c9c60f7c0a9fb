"""Columns of a trace's tables as numpy arrays, words as codes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.schema import DEPENDENCES, TASK_KINDS

Int64s = NDArray[np.int64]

KNOWN = {"kind": TASK_KINDS, "dependence": DEPENDENCES}
"""Columns of words whose codes count in a list of the schema, whatever their order in a trace."""


def columns(table: pa.Table, *names: str) -> tuple[Int64s, ...]:
    """Columns of a whole table, int64; of words their codes, null and unknown ones being -1."""
    return tuple(_column(table, name) for name in names)


def words(table: pa.Table, name: str) -> tuple[str, ...]:
    """All words of a column, in code order; none for a table without rows."""
    chunks = table.column(name).chunks
    return tuple(chunks[0].dictionary.to_pylist()) if chunks else ()


def _column(table: pa.Table, name: str) -> Int64s:
    parts = table.column(name).chunks
    if not parts:
        return np.zeros(0, dtype=np.int64)
    if not pa.types.is_dictionary(parts[0].type):
        return np.concatenate([part.to_numpy() for part in parts]).astype(np.int64, copy=False)
    codes = np.concatenate(
        [part.indices.fill_null(-1).to_numpy(zero_copy_only=False) for part in parts]
    ).astype(np.int64)
    if name not in KNOWN:
        return codes
    known = KNOWN[name]
    code_of = [known.index(word) if word in known else -1 for word in words(table, name)]
    return np.array([*code_of, -1], dtype=np.int64)[codes]
