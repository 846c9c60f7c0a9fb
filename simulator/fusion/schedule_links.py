# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""When links are busy, as compiled lists: part of the kernel in `schedule_kernel`.

A link has its busy intervals in order of time, joined where they touch and searched from both ends.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True)
def earliest_gap(s, link, duration, since):
    """First cycle from `since` on from which a link is free for a duration."""
    this = s.links[link]
    start = max(since, this.filled_to) if duration >= this.filled_for else since
    busy = _first_busy(s, link, start)
    while busy >= 0 and s.busy[busy].start - start < duration:
        start, busy = max(start, s.busy[busy].end), s.busy[busy].later
    if since == 0:
        this.filled_for, this.filled_to = duration, start
    return start


@njit(cache=True)
def _first_busy(s, link, since):
    """First busy interval of a link that ends after a cycle, searched from both ends; -1: none."""
    first, last = s.links[link].oldest, s.links[link].newest
    if first < 0:
        return first
    while s.busy[first].end <= since and s.busy[last].end > since:
        first, last = s.busy[first].later, s.busy[last].earlier
    return first if s.busy[first].end > since else s.busy[last].later


@njit(cache=True)
def occupy(s, link, start, end):
    """Take a link for an interval, joined with what it touches; False when the table is full."""
    later = _first_busy(s, link, start - 1)
    if later >= 0 and s.busy[later].start <= end:
        _widen(s, link, later, start, end)
        return True
    row = s.counts[2]
    if row == s.busy.size:
        return False
    s.counts[2] = row + 1
    s.busy[row].start, s.busy[row].end = start, end
    _follow(s, link, s.busy[later].earlier if later >= 0 else s.links[link].newest, row)
    _follow(s, link, row, later)
    return True


@njit(cache=True)
def _widen(s, link, row, start, end):
    """Join an interval to the first busy one that it touches, and this to the next if they do."""
    this = s.busy[row]
    this.start, this.end = min(this.start, start), max(this.end, end)
    if this.later >= 0 and s.busy[this.later].start == this.end:
        this.end = s.busy[this.later].end
        _follow(s, link, row, s.busy[this.later].later)


@njit(cache=True)
def _follow(s, link, earlier, later):
    """Make two busy intervals of a link neighbours; -1: none, the other is the end of the list."""
    if earlier >= 0:
        s.busy[earlier].later = later
    else:
        s.links[link].oldest = later
    if later >= 0:
        s.busy[later].earlier = earlier
    else:
        s.links[link].newest = earlier
