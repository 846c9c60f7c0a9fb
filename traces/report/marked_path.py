"""The critical path as the timeline marks it."""

from __future__ import annotations

import numpy as np

from traces.critical_path import critical_path
from traces.plots.timeline import Path
from traces.plots.view import RunView
from traces.task_graph import load_task_graph


def marked_path(view: RunView) -> Path:
    """The tasks on the path: unit (as the view counts them, -1: none), start, end."""
    graph = load_task_graph(view.folder)
    rows = critical_path(graph).rows
    lanes = {name: lane for lane, name in enumerate(view.units)}
    lane_of = np.array([*(lanes.get(name, -1) for name in graph.units), -1], dtype=np.int64)
    return {
        "unit": lane_of[graph.tasks["unit"][rows]],
        "start": graph.tasks["start"][rows],
        "end": graph.tasks["end"][rows],
    }
