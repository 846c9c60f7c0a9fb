"""Which feature maps stay on the chip from the layer that makes them to the last that reads them.

Greedy: short-lived and small ones first, as long as every layer on the way keeps enough of the
buffer for its tiles. Rule: ARCHITECTURE.md MAP-8.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from hw_models.floorplan import CorePlan
from simulator.workload.graph import Workload

RESERVE = 4
"""A layer keeps at least 1 / RESERVE of the buffer for its tiles, more where it needs more."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A feature map in a buffer: bytes [offset, offset + size) for layers first..last."""

    tensor: str
    offset: int
    size: int
    first: int
    last: int

    def during(self, layer: int) -> bool:
        """Whether it takes its bytes while a layer runs."""
        return self.first <= layer <= self.last


@dataclass(frozen=True, slots=True)
class Placement:
    """The feature maps that stay in a buffer of a core. buffer: -1 when the core can keep none."""

    buffer: int
    size_bytes: int
    stays: dict[str, Stay]

    def on_chip(self, layer: int) -> frozenset[str]:
        """Tensors that lie in the buffer while a layer runs."""
        return frozenset(name for name, stay in self.stays.items() if stay.during(layer))

    def free_bytes(self, layer: int) -> int:
        """Bytes below the lowest feature map that stays while a layer runs."""
        offsets = [stay.offset for stay in self.stays.values() if stay.during(layer)]
        return min(offsets, default=self.size_bytes)


def place_features(
    workload: Workload,
    core: CorePlan,
    bits: int,
    users: Sequence[Collection[int]],
    least_bytes: Callable[[int, int], int],
) -> Placement:
    """Choose the feature maps that stay on a core: those that only its layers make and read.

    bits: of one element of a feature map. users: the cores that each layer runs on.
    least_bytes: of a layer and a buffer, the bytes that its smallest tiles take there.
    """
    home = core.buffer_of("input")
    if "output" not in home.spec.holds:
        return Placement(-1, 0, {})
    size = home.spec.size_bytes
    consumers, producer = workload.consumers(), workload.producer()
    spans = {}
    for name, made_by in producer.items():
        readers = consumers[name]
        if name in workload.outputs or not readers or not _can_stay(workload, readers, name):
            continue
        if any(set(users[layer]) != {core.index} for layer in (made_by, *readers)):
            continue
        need = -(-workload.tensors[name].elements * bits // 8)
        spans[name] = (made_by, max(readers), _aligned(need, home.spec.bytes_per_cycle))
    reserve = [
        max(size // RESERVE, least_bytes(i, home.index)) if core.index in users[i] else 0
        for i in range(len(workload.layers))
    ]
    stays: dict[str, Stay] = {}
    for name in sorted(spans, key=lambda n: (spans[n][1] - spans[n][0], spans[n][2], spans[n][0])):
        first, last, need = spans[name]
        offset = _highest_gap(list(stays.values()), first, last, need, size)
        if offset is not None and offset >= max(reserve[first : last + 1]):
            stays[name] = Stay(name, offset, need, first, last)
    return Placement(home.index, size, stays)


def _can_stay(workload: Workload, readers: list[int], name: str) -> bool:
    """A map that a matmul reads as weights must be in their buffer, so it goes through DRAM."""
    for reader in readers:
        weight = workload.layers[reader].weight
        if weight is not None and weight.tensor == name:
            return False
    return True


def _aligned(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _highest_gap(stays: list[Stay], first: int, last: int, need: int, size: int) -> int | None:
    """The highest offset at which `need` bytes are free all through layers first..last."""
    taken = [(s.offset, s.offset + s.size) for s in stays if s.first <= last and first <= s.last]
    high = size
    # Downwards by upper end: stays that never meet in time may overlap in address.
    for low, top in sorted(taken, key=lambda span: -span[1]):
        if high - top >= need:
            break
        high = min(high, low)
    return high - need if high >= need else None
