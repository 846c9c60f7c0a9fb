"""Which bytes of which buffer are taken when, as far as the tasks of a trace say it.

A tile that is loaded, or sent from another core, takes its slot from the start of that to the end
of the last task that uses it; a tile that is stored, from the start of the first computation that
made it to the end of the store. Tiles that stay on the chip from one layer to the next have no task
that moves them and are not seen here; the peak of a result counts them too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.plots.columns import columns, words
from traces.schema import DEPENDENCE, TASK_KIND

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slots:
    """Slots that were taken: buffer (code), [taken, freed) in cycles, bytes; int64, one a slot."""

    buffers: tuple[str, ...]
    buffer: Int64s
    taken: Int64s
    freed: Int64s
    bytes: Int64s


def slots_of(tasks: pa.Table, edges: pa.Table) -> Slots:
    """The slots that a table of tasks takes in order of their buffer, given a table of edges."""
    task, kind, buffer, size, start, end = columns(
        tasks, "task", "kind", "buffer", "buffer_bytes", "start", "end"
    )
    taken, freed = _lives(task, kind, start, end, data_edges(edges, task))
    row = np.flatnonzero(buffer >= 0)
    names = words(tasks, "buffer")
    order = row[np.argsort(buffer[row], kind="stable")]
    return Slots(names, buffer[order], taken[order], freed[order], size[order])


def data_edges(edges: pa.Table, task: Int64s) -> tuple[Int64s, Int64s]:
    """Rows of source and destination of the data edges between recorded tasks."""
    src, dst, dependence = columns(edges, "src", "dst", "dependence")
    row_of = np.full(int(max(task.max(initial=0), src.max(initial=0), dst.max(initial=0))) + 1, -1)
    row_of[task] = np.arange(task.size)
    src, dst = row_of[src], row_of[dst]
    known = (dependence == DEPENDENCE["data"]) & (src >= 0) & (dst >= 0)
    return src[known], dst[known]


def _lives(
    task: Int64s, kind: Int64s, start: Int64s, end: Int64s, edges: tuple[Int64s, Int64s]
) -> tuple[Int64s, Int64s]:
    """From when to when each task's slot is taken."""
    src, dst = edges
    computes = kind == TASK_KIND["COMPUTE"]
    used = np.isin(kind[src], (TASK_KIND["LOAD"], TASK_KIND["SEND"])) & computes[dst]
    freed = end.copy()
    np.maximum.at(freed, src[used], end[dst[used]])
    # The array makes what the vector unit finishes: its start is the tile's.
    made = start.copy()
    chained = computes[src] & computes[dst]
    np.minimum.at(made, dst[chained], start[src[chained]])
    stored = computes[src] & (kind[dst] == TASK_KIND["STORE"])
    taken = start.copy()
    np.minimum.at(taken, dst[stored], made[src[stored]])
    return taken, freed
