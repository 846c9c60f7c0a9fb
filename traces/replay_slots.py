"""Another number of slots in a buffer: which tiles a tile must wait for. Rule: REPLAY-5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from traces.schema import DEPENDENCES
from traces.task_graph import TaskGraph

Int64s = NDArray[np.int64]


def moved_credits(graph: TaskGraph, slots: Mapping[str, int]) -> TaskGraph:
    """The graph in which each tile takes the credits of the tile that many tiles before it.

    With n slots more, tile k of a buffer waits for the users of the tile that tile k - n waited
    for; with fewer, for those that a later tile waited for, as far as they come before it.
    """
    recorded = graph.machine.get("slots", {})
    edges = graph.edges
    src, dst = edges["src"].copy(), edges["dst"].copy()
    is_credit = edges["dependence"] == DEPENDENCES.index("credit")
    # The buffer is named by the store that empties the slot or the load that fills it.
    buffer = graph.tasks["buffer"][dst]
    buffer = np.where(buffer >= 0, buffer, graph.tasks["buffer"][src])
    keep = np.ones(src.size, dtype=bool)
    for code, name in enumerate(graph.buffers):
        more = slots.get(name, 0) - recorded.get(name, 0)
        if more:
            for unit in np.unique(graph.tasks["unit"][dst[is_credit & (buffer == code)]]).tolist():
                mine = is_credit & (buffer == code) & (graph.tasks["unit"][dst] == unit)
                fills = _fills(graph, code, unit, dst[mine])
                place = np.searchsorted(fills, dst[mine]) + more
                inside = (place >= 0) & (place < fills.size)
                dst[mine] = fills[np.clip(place, 0, fills.size - 1)]
                keep[mine] = inside & (src[mine] < dst[mine])
    order = np.flatnonzero(keep)
    order = order[np.argsort(dst[order], kind="stable")]
    columns = {"src": src, "dst": dst, "dependence": edges["dependence"]}
    return replace(graph, edges={name: column[order] for name, column in columns.items()})


def _fills(graph: TaskGraph, buffer: int, unit: int, with_credit: Int64s) -> Int64s:
    """The tasks of a unit that fill slots of a buffer, in program order."""
    tasks = graph.tasks
    loads = np.flatnonzero((tasks["unit"] == unit) & (tasks["buffer"] == buffer))
    return loads if np.isin(with_credit, loads).all() else np.unique(with_credit)
