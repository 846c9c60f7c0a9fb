"""SCALE-Sim's cycle-accurate traces as tasks. Rule: IMPORT-3.

A results folder holds layerN/{IFMAP,FILTER,OFMAP}_{SRAM,DRAM}_TRACE.csv without heading: a cycle,
then the addresses accessed in it, -1 where there is none. Source: SCALE-Sim v2,
scalesim/single_layer_sim.py (save_traces) and memory/read_buffer.py (print_trace).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from traces.errors import InputError
from traces.importers.imported import ImportedRun, ImportedTask

KINDS = {
    "IFMAP_DRAM": "LOAD",
    "FILTER_DRAM": "LOAD",
    "OFMAP_DRAM": "STORE",
    "IFMAP_SRAM": "COMPUTE",
    "FILTER_SRAM": "COMPUTE",
    "OFMAP_SRAM": "COMPUTE",
}
"""What the accesses of each file are part of."""


class _Accesses(NamedTuple):
    """Busy stretches of one file: cycles [first, last), accesses in each."""

    unit: str
    kind: str
    first: list[int]
    last: list[int]
    words: list[int]


def read_scalesim(folder: Path, word_bytes: int = 1) -> ImportedRun:
    """The traces in a results folder, layer after layer. Raises InputError.

    Accesses in neighbouring cycles are one task. A layer begins when the one before has ended; its
    first prefetches have negative cycles. word_bytes: of an access.
    """
    numbered = [(path, re.fullmatch(r"layer(\d+)", path.name)) for path in folder.glob("layer*")]
    layers = sorted((int(found[1]), path) for path, found in numbered if found)
    if not layers:
        raise InputError(f"{folder}: must hold folders layer0, layer1, ... with trace files")
    tasks: list[ImportedTask] = []
    begin = 0
    for _, path in layers:
        files = [_accesses(path / f"{name}_TRACE.csv", name) for name in KINDS]
        there = [found for found in files if found is not None and found.first]
        if not there:
            raise InputError(f"{path}: must hold IFMAP_SRAM_TRACE.csv or another trace file")
        shift = begin - min(found.first[0] for found in there)
        for found in there:
            tasks += _tasks(found, path.name, shift, word_bytes)
        begin = shift + max(found.last[-1] for found in there)
    return ImportedRun(str(folder), tasks)


def _tasks(found: _Accesses, layer: str, shift: int, word_bytes: int) -> Iterator[ImportedTask]:
    for i, (first, last, words) in enumerate(
        zip(found.first, found.last, found.words, strict=True)
    ):
        yield ImportedTask(
            f"{layer}/{found.unit}/{i}",
            found.unit,
            first + shift,
            last + shift,
            found.kind,
            layer,
            words * word_bytes,
        )


def _accesses(path: Path, name: str) -> _Accesses | None:
    """Stretches of accesses in one file; None if there is no such file."""
    if not path.exists():
        return None
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: must be a table of numbers: {error}") from None
    words = (table[:, 1:] >= 0).sum(axis=1)
    cycles = np.floor(table[:, 0]).astype(np.int64)[words > 0]
    words = words[words > 0]
    order = np.argsort(cycles, kind="stable")
    cycles, words = cycles[order], words[order]
    begins = np.flatnonzero(np.diff(cycles, prepend=cycles[:1] - 2) > 1)
    ends = np.append(begins[1:], cycles.size)
    operand, memory = name.lower().split("_")
    return _Accesses(
        f"{memory}.{operand}",
        KINDS[name],
        cycles[begins].tolist(),
        (cycles[ends - 1] + 1).tolist() if cycles.size else [],
        np.add.reduceat(words, begins).tolist() if cycles.size else [],
    )
