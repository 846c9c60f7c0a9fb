"""Room in pools as dependences: what must have left before something may come.

The schedule says when each tensor comes to a pool and when it goes. The program must keep to that
whatever its own timing: a newcomer waits for as many of the departures before it, in order of their
time, as make room for all that has come so far. Departures of a pool are chained by SYNC
tasks, so that a newcomer has a single predecessor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from simulator.program import Int64s


@dataclass(frozen=True, slots=True)
class Credits:
    """Departures that newcomers wait for.

    before: per step of the schedule, the link of the chain to wait for, -1 for none.
    chain: per link, the residences that must have been left since the link before; links of a pool
        follow one another. previous: per link the one before it in its pool, -1 for the first.
    step: per link, the step before which it stands.
    """

    before: Int64s
    chain: Sequence[Sequence[int]]
    previous: Sequence[int]
    step: Sequence[int]


def credits(
    pool: Int64s, size: Int64s, maker: Int64s, last_user: Int64s, until: Int64s, room: Int64s
) -> Credits:
    """Credits of a schedule.

    pool, size: of each residence. maker, last_user: steps of the schedule at which it
    comes and after which nobody needs it. until: cycle at which the schedule lets it go.
    room: bytes of each pool. Raises ValueError when what was decided can't fit.
    """
    steps = int(max(last_user.max(initial=-1), maker.max(initial=-1))) + 1
    comes, goes = _by_step(maker, steps), _by_step(last_user, steps)
    before = np.full(steps, -1, dtype=np.int64)
    chain: list[list[int]] = []
    previous: list[int] = []
    step_of: list[int] = []
    head = [-1] * room.size
    free, ready = room.tolist(), [[] for _ in range(room.size)]  # type: tuple[list[int], list]
    for step in range(steps):
        for residence in comes[step]:
            where = int(pool[residence])
            free[where] -= int(size[residence])
            left: list[int] = []
            while free[where] < 0:
                if not ready[where]:
                    raise ValueError(f"pool {where} lacks {-free[where]} bytes at step {step}")
                _, gone = heappop(ready[where])
                free[where] += int(size[gone])
                left.append(gone)
            if left:
                previous.append(head[where])
                head[where] = len(chain)
                chain.append(left)
                step_of.append(step)
            before[step] = head[where]
        for residence in goes[step]:
            heappush(ready[int(pool[residence])], (int(until[residence]), residence))
    return Credits(before, chain, previous, step_of)


def _by_step(step: Int64s, steps: int) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(steps)]
    for residence, at in enumerate(step.tolist()):
        found[at].append(residence)
    return found
