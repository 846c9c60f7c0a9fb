"""Saying why a run is stuck: which units wait, for what, since when, and round which circle."""

from __future__ import annotations

import numpy as np

from hw_models.floorplan import Floorplan
from simulator.engine.scoreboard import Scoreboard
from simulator.program import TileProgram
from traces.schema import TASK_KINDS


class DeadlockError(Exception):
    """No event is left though tasks are open."""


def describe_deadlock(program: TileProgram, plan: Floorplan, board: Scoreboard, now: int) -> str:
    """The waiting units with what each waits for, and the circle of waits if there is one."""
    stuck = board.gated()
    waits = [
        f"{plan.units[int(program.tasks['unit'][task])]} waits to start {_text(program, task)} "
        f"for {_text(program, _open_predecessor(program, board, task))}"
        for task in stuck
    ]
    head = f"deadlock at cycle {now}: {board.left} of {len(program)} tasks are open"
    circle = _circle(program, board, stuck)
    if circle:
        waits.append("in a circle: " + " -> ".join(_text(program, task) for task in circle))
    return "; ".join([head, *waits])


def _circle(program: TileProgram, board: Scoreboard, stuck: list[int]) -> list[int]:
    """Tasks each of which waits for the next; empty when the chain ends in a lost task."""
    for first in stuck:
        path: list[int] = []
        task = first
        while task >= 0 and task not in path:
            path.append(task)
            task = _waits_for(program, board, task)
        if task >= 0:
            return [*path[path.index(task) :], task]
    return []


def _waits_for(program: TileProgram, board: Scoreboard, task: int) -> int:
    """An open predecessor; for a task whose predecessors have ended, the one before it in line."""
    found = _open_predecessor(program, board, task)
    if found >= 0:
        return found
    line = program.tasks_of(int(program.tasks["unit"][task]))
    before = line[line < task]
    unstarted = [t for t in before.tolist() if board.start_cycle[t] < 0]
    return unstarted[0] if unstarted else -1


def _open_predecessor(program: TileProgram, board: Scoreboard, task: int) -> int:
    sources = program.edges["src"][program.edges["dst"] == task]
    ended = np.array(board.end_cycle)[sources] >= 0
    return int(sources[~ended][0]) if (~ended).any() else -1


def _text(program: TileProgram, task: int) -> str:
    if task < 0:
        return "nothing (its unit never took it)"
    kind = TASK_KINDS[int(program.tasks["kind"][task])]
    layer = int(program.tasks["layer"][task])
    return f"{kind} {task} of {program.layers[layer] if layer >= 0 else 'no layer'}"
