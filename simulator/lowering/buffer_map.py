"""What lies where in a buffer, layer after layer, so that a tile waits for what it overwrites."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(slots=True)
class Region:
    """Bytes [low, high) of a buffer and the tasks that must end before they may be overwritten."""

    low: int
    high: int
    holders: list[int] = field(default_factory=list)


class BufferMap:
    """The regions of one buffer, disjoint and in order of address. Rule: ARCHITECTURE.md PROG-4."""

    def __init__(self) -> None:
        self._regions: list[Region] = []
        self._lows: list[int] = []

    def take(self, low: int, high: int) -> tuple[Region, list[int]]:
        """A new region over [low, high) and the tasks that hold what it covers.

        Of a region that sticks out, the parts outside stay, with the same holders.
        """
        first = max(0, bisect_right(self._lows, low) - 1)
        kept_before, covered, after = [], [], first
        for region in self._regions[first:]:
            if region.low >= high:
                break
            after += 1
            if region.high <= low:
                kept_before.append(region)
            else:
                covered.append(region)
        new = Region(low, high)
        left = [Region(r.low, low, r.holders) for r in covered if r.low < low]
        right = [Region(high, r.high, r.holders) for r in covered if r.high > high]
        self._regions[first:after] = [*kept_before, *left, new, *right]
        self._lows = [region.low for region in self._regions]
        return new, sorted({task for region in covered for task in region.holders})
