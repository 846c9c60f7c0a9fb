"""Which tile lies in which slot of a buffer, step by step, when the whole future is known.

A tile that is not there replaces the one that is needed again last (Belady), among those that are
never needed again the one unused for longest. Rule: ARCHITECTURE.md MAP-7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Residency:
    """Where the tiles of a stream are, each an array over n steps.

    slot: slot of the tile used at the step. loaded: whether it has to be brought in for that step.
    replaced_at: for loaded ones, the last step that used what was in the slot, -1 for nothing.
    last_use: for loaded ones, the last step that uses the tile before it is replaced.
    previous: the step before this one that used the same tile, -1 for none.
    """

    slot: Int64s
    loaded: NDArray[np.bool_]
    replaced_at: Int64s
    last_use: Int64s
    previous: Int64s


def assign_slots(keys: Int64s, slots: int) -> Residency:
    """The residency of tiles `keys` (n,), used one a step, in `slots` slots."""
    n = keys.size
    _, compact = np.unique(keys, return_inverse=True)
    arrays = [np.full(n, -1, dtype=np.int64) for _ in range(4)]
    loaded = np.zeros(n, dtype=np.bool_)
    if n:
        _assign(compact.astype(np.int64), slots, arrays[0], loaded, *arrays[1:])
    return Residency(arrays[0], loaded, arrays[1], arrays[2], arrays[3])


@njit(cache=True)
def _assign(keys, slots, slot, loaded, replaced_at, last_use, previous):
    n = keys.size
    next_use = np.full(n, NEVER, dtype=np.int64)
    seen = np.full(keys.max() + 1, -1, dtype=np.int64)
    for step in range(n):
        before = seen[keys[step]]
        previous[step] = before
        if before >= 0:
            next_use[before] = step
        seen[keys[step]] = step
    place = np.full(seen.size, -1, dtype=np.int64)
    content = np.full(slots, -1, dtype=np.int64)
    needed_at = np.full(slots, NEVER, dtype=np.int64)
    used_at = np.full(slots, -1, dtype=np.int64)
    filled_at = np.full(slots, -1, dtype=np.int64)
    for step in range(n):
        key = keys[step]
        here = place[key]
        if here < 0:
            here = 0
            for candidate in range(1, slots):
                later = needed_at[candidate] > needed_at[here]
                longer = (
                    needed_at[candidate] == needed_at[here] and used_at[candidate] < used_at[here]
                )
                if later or longer:
                    here = candidate
            if content[here] >= 0:
                place[content[here]] = -1
                last_use[filled_at[here]] = used_at[here]
            loaded[step] = True
            replaced_at[step] = used_at[here]
            content[here] = key
            place[key] = here
            filled_at[here] = step
        slot[step] = here
        needed_at[here] = next_use[step]
        used_at[here] = step
    for here in range(slots):
        if content[here] >= 0:
            last_use[filled_at[here]] = used_at[here]


def assign_slots_plain(keys: Sequence[int], slots: int) -> list[tuple[int, bool]]:
    """Slot and load flag of every step, by looking ahead along the list: the oracle."""
    content: list[int | None] = [None] * slots
    used: list[int] = [-1] * slots
    result = []
    for step, key in enumerate(keys):
        hit = key in content
        if hit:
            here = content.index(key)
        else:
            ahead = list(keys[step:])
            distance = [ahead.index(c) if c in ahead else len(keys) for c in content]
            here = min(range(slots), key=lambda s: (-distance[s], used[s], s))
            content[here] = key
        used[here] = step
        result.append((here, not hit))
    return result
