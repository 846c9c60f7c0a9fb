# mypy: disable-error-code="no-untyped-def"
"""The borrowing window cycle by cycle, on masks of which a machine word holds up to 64 lanes.

Rules: ARCHITECTURE.md BORROW-2 to BORROW-4. A window run works off `pending`, uint64
(rows, PEs, words): bit `(group % per_word) * lanes + lane` of word `group // per_word` is set while
the element of that group and lane waits, per_word being 64 // lanes. PEs are those over which the
window reaches; groups do not borrow from each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hw_models.pe_array.borrowing_window import Offset

UInt64s = NDArray[np.uint64]
WORD_BITS = 64


@njit(cache=True)
def run_window(pending, offsets, lanes, wrap, lane_order, picks, bases):
    """Cycles until nothing is pending; clears `pending` on the way.

    pending: uint64 (rows, pes, words). offsets: int64 (n, 3), the own slot first. lane_order:
    int64 (lanes,). picks: uint64 (cycles kept, n, pes, words), receives which slots execute which
    candidate; bases: int64 (cycles kept,), the oldest step of the cycle. Both are filled round and
    round, so that one cycle is enough where nobody reads them.
    """
    rows, pes, words = pending.shape
    deepest = offsets[:, 0].max()
    sideways = np.any(offsets[:, 1] != 0)
    flat, places = pending.reshape(-1), _places(offsets, pes, words, wrap)
    flat_picks, picks_size = picks.reshape(-1), len(offsets) * pes * words
    sources, copies = _sources(offsets, lanes, wrap), group_copies(lanes)
    base = cycle = kept = 0
    while base < rows:
        bases[kept] = base
        first, first_pick = base * pes * words, kept * picks_size
        if sideways:
            _choose_lane_by_lane(
                flat, places, sources, lane_order, copies, first, words, flat_picks, first_pick
            )
        else:
            _choose_all_lanes(flat, places, first, words, flat_picks, first_pick)
        cycle += 1
        kept = kept + 1 if kept + 1 < len(picks) else 0
        base = _retire(flat, base, min(rows, base + 1 + deepest), pes * words)
    return cycle


@njit(cache=True)
def group_copies(lanes):
    """A word in which lane 0 of every group is set; times lane bits it copies them to all."""
    copies = np.uint64(0)
    for group in range(WORD_BITS // lanes):
        copies |= np.uint64(1) << np.uint64(group * lanes)
    return copies


@njit(cache=True)
def _places(offsets, pes, words, wrap):
    """Where each PE's candidates lie from the oldest step on, in words; -1 beyond a clamped edge.

    Returns: int64 (pes, candidates).
    """
    places = np.empty((pes, len(offsets)), np.int64)
    for pe in range(pes):
        for candidate in range(len(offsets)):
            source = pe + offsets[candidate, 2]
            inside = source < pes or wrap
            place = (offsets[candidate, 0] * pes + source % pes) * words
            places[pe, candidate] = place if inside else -1
    return places


@njit(cache=True)
def _choose_all_lanes(pending, places, first, words, picks, first_pick):
    """The choices of a cycle when none is sideways: lanes never compete, so they choose together.

    pending, picks: flat. first, first_pick: the words at which oldest step and cycle begin.
    """
    pes, candidates = places.shape
    size = np.uintp(len(pending))
    for pe in range(pes):
        for word in range(words):
            free = ~np.uint64(0)
            for candidate in range(candidates):
                place, taken = places[pe, candidate], np.uint64(0)
                # Unsigned indices spare numba its check for negative ones.
                at = np.uintp(first + place + word)
                if place >= 0 and at < size:
                    waiting = pending[at]
                    taken = free & waiting
                    pending[at] = waiting ^ taken
                    free ^= taken
                picks[np.uintp(first_pick + (candidate * pes + pe) * words + word)] = taken


@njit(cache=True)
def _sources(offsets, lanes, wrap):
    """The lane that each lane's candidates lie on; -1 beyond a clamped edge. int64 (lanes, n)."""
    sources = np.empty((lanes, len(offsets)), np.int64)
    for lane in range(lanes):
        for candidate in range(len(offsets)):
            source = lane + offsets[candidate, 1]
            sources[lane, candidate] = source % lanes if wrap or 0 <= source < lanes else -1
    return sources


@njit(cache=True)
def _choose_lane_by_lane(
    pending, places, sources, lane_order, copies, first, words, picks, first_pick
):
    """The choices of a cycle, lane after lane, the same lane of all groups of a word together.

    pending, picks: flat, as in `_choose_all_lanes`. copies: lane 0 of every group of a word.
    """
    pes, candidates = places.shape
    picks[first_pick : first_pick + candidates * pes * words] = np.uint64(0)
    # What waits in the oldest step is for its own slot only, so that these need no order.
    for slot in range(pes * words):
        picks[first_pick + slot] = pending[first + slot]
        pending[first + slot] = np.uint64(0)
    for pe in range(pes):
        for word in range(words):
            idle = ~picks[first_pick + pe * words + word]
            for lane in lane_order:
                free = (idle >> np.uint64(lane)) & copies
                for candidate in range(1, candidates):
                    if not free:
                        break
                    place, source = places[pe, candidate], sources[lane, candidate]
                    at = np.uintp(first + place + word)
                    if place < 0 or source < 0 or at >= np.uintp(len(pending)):
                        continue
                    taken = (pending[at] >> np.uint64(source)) & free
                    if taken:
                        pending[at] ^= taken << np.uint64(source)
                        chosen = np.uintp(first_pick + (candidate * pes + pe) * words + word)
                        picks[chosen] |= taken << np.uint64(lane)
                        free ^= taken


@njit(cache=True)
def _retire(pending, base, last, size):
    """The oldest step after the empty ones in front have gone, `last` at most. size: of a step."""
    for at in range(np.uintp(base * size), np.uintp(last * size)):
        if pending[at]:
            return int(at) // size
    return last


class Element(NamedTuple):
    """Where an element waits: step, group, PE and lane."""

    row: int
    group: int
    pe: int
    lane: int


class Event(NamedTuple):
    """One executed element: cycle, executing slot, oldest step of the cycle, offset."""

    cycle: int
    group: int
    pe: int
    lane: int
    base: int
    offset: Offset


def run_window_plain(
    waiting: Iterable[Element],
    sizes: tuple[int, int, int, int],
    offsets: tuple[Offset, ...],
    wrap: bool,
    lane_order: tuple[int, ...],
) -> tuple[int, list[Event]]:
    """Twin of `run_window`: a set of elements and one slot at a time.

    sizes: of the fields of an Element. Returns: cycles, and what was executed in order.
    """
    rows, groups, pes, _ = sizes
    left, events, base, cycle = set(waiting), [], 0, 0
    deepest = max(step for step, _, _ in offsets)
    while base < rows:
        for group in range(groups):
            for pe in range(pes):
                for lane in lane_order:
                    slot = Element(base, group, pe, lane)
                    for offset, element in _candidates_plain(slot, sizes, offsets, wrap):
                        if element in left:
                            left.remove(element)
                            events.append(Event(cycle, group, pe, lane, base, offset))
                            break
        cycle += 1
        oldest = min((element.row for element in left), default=rows)
        base = min(oldest, base + 1 + deepest)
    return cycle, events


def _candidates_plain(
    slot: Element, sizes: tuple[int, int, int, int], offsets: tuple[Offset, ...], wrap: bool
) -> Iterator[tuple[Offset, Element]]:
    rows, _, pes, lanes = sizes
    for offset in offsets:
        row, pe, lane = slot.row + offset[0], slot.pe + offset[2], slot.lane + offset[1]
        inside = 0 <= pe < pes and 0 <= lane < lanes
        if row < rows and (inside or wrap):
            yield offset, Element(row, slot.group, pe % pes, lane % lanes)
