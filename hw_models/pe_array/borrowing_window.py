"""The window of a multiplier: from which slots it may borrow work, and in which order.

Rules: ARCHITECTURE.md BORROW-1, BORROW-2. Source of the parameters: Shin et al., "Griffin:
Rethinking Sparse Optimization for Deep Learning Architectures", HPCA 2022; order and edges are
conventions of this project.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from traces.errors import InputError

Edge = Literal["wrap", "clamp"]
Order = Literal["time", "space"]
Mode = Literal["dense", "A", "B", "AB"]
Reach = tuple[int, int, int]
"""Lookahead in steps, lookaside in lanes, reach over neighbouring PEs (d1, d2, d3)."""
Offset = tuple[int, int, int]
"""Where a candidate lies as seen from a slot: steps ahead, lanes aside, PEs aside."""

NO_REACH: Reach = (0, 0, 0)
MOST_LANES = 64
"""Lanes of a PE fit in one machine word."""

KINDS = ("own", "time", "aside", "neigh", "aside_neigh")
"""Kinds of offset, by which executed work is counted."""


@dataclass(frozen=True, slots=True)
class Core:
    """A core: rows x columns of PEs, each a dot product over lanes (M0 x N0, K0)."""

    lanes: int = 16
    columns: int = 16
    rows: int = 4

    def __post_init__(self) -> None:
        for name, value in (("lanes", self.lanes), ("columns", self.columns), ("rows", self.rows)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"core: {name} must be an int of at least 1, not {value!r}")
        if self.lanes > MOST_LANES:
            raise InputError(f"core: lanes must be at most {MOST_LANES}, not {self.lanes}")

    @property
    def multipliers(self) -> int:
        """Multipliers of all PEs."""
        return self.lanes * self.columns * self.rows


@lru_cache(maxsize=1024)
def offsets_of(reach: Reach, order: Order = "time") -> tuple[Offset, ...]:
    """Candidates of a slot in the order in which it looks at them, its own first.

    time: the oldest step first, then the nearest lane, then the nearest PE. space: the other way.
    """
    ahead, aside, neighbours = reach
    others = [
        (step, lane, pe)
        for step in range(1, ahead + 1)
        for lane in range(aside + 1)
        for pe in range(neighbours + 1)
    ]
    if order == "space":
        others.sort(key=lambda offset: offset[::-1])
    return ((0, 0, 0), *others)


def kind_of(offset: Offset) -> str:
    """Which of KINDS an offset is."""
    step, lane, pe = offset
    if step == 0:
        return "own"
    return {(0, 0): "time", (1, 0): "aside", (0, 1): "neigh"}.get(
        (int(lane != 0), int(pe != 0)), "aside_neigh"
    )


@dataclass(frozen=True, slots=True)
class Borrowing:
    """One configuration of a core: which operand's zeros it skips, and how far it reaches.

    mode: "dense", "A" (activations, on the fly), "B" (weights, offline) or "AB" (both).
    a, b: reach of the run-time and of the offline stage. offsets: candidates of the one stage that
    schedules, in place of those of its reach, for designs whose window is no box.
    lane_order: order in which lanes choose; ascending when empty.
    Raises InputError when a number is impossible.
    """

    mode: Mode
    a: Reach = NO_REACH
    b: Reach = NO_REACH
    shuffle: bool = True
    edge: Edge = "wrap"
    order: Order = "time"
    offsets: tuple[Offset, ...] = ()
    lane_order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for stage, reach in (("a", self.a), ("b", self.b)):
            for number, value in enumerate(reach, 1):
                if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                    raise InputError(
                        f"{self.mode}: d{stage}{number} must be an int of at least 0, not {value!r}"
                    )
        if self.offsets and self.offsets[0] != (0, 0, 0):
            raise InputError(
                f"{self.mode}: offsets must begin with the own slot (0, 0, 0), "
                f"not {self.offsets[0]}"
            )
        if any(step < 1 or pe < 0 for step, _, pe in self.offsets[1:]):
            raise InputError(f"{self.mode}: offsets must reach ahead in time and no PE back")

    @property
    def name(self) -> str:
        """Griffin's notation, `B(4,0,1,on)`; with offsets of its own, how many inputs it has."""
        if self.mode == "dense":
            return "dense"
        if self.offsets:
            return f"{self.mode}({len(self.offsets)} inputs,{'on' if self.shuffle else 'off'})"
        reach = {"A": self.a, "B": self.b, "AB": self.a + self.b}[self.mode]
        return f"{self.mode}({','.join(map(str, reach))},{'on' if self.shuffle else 'off'})"

    @property
    def run_time_offsets(self) -> tuple[Offset, ...]:
        """Candidates of the stage that works while the core runs."""
        if self.offsets and self.mode in ("A", "AB"):
            return self.offsets
        return offsets_of(self.a, self.order)

    @property
    def offline_offsets(self) -> tuple[Offset, ...]:
        """Candidates of the stage that packs weights ahead of time."""
        if self.offsets and self.mode == "B":
            return self.offsets
        return offsets_of(self.b, self.order)

    def check(self, core: Core) -> None:
        """Refuse a window that reaches around the core. Raises InputError."""
        stages = (
            ("a", self.run_time_offsets, core.rows),
            ("b", self.offline_offsets, core.columns),
        )
        for stage, offsets, pes in stages:
            lane = max(abs(offset[1]) for offset in offsets)
            pe = max(offset[2] for offset in offsets)
            if lane >= core.lanes:
                raise InputError(
                    f"{self.name}: d{stage}2 must be less than the lanes of the core "
                    f"({core.lanes}), not {lane}"
                )
            if pe >= pes:
                raise InputError(
                    f"{self.name}: d{stage}3 must be less than the PEs it reaches over "
                    f"({pes}), not {pe}"
                )
        if self.lane_order and sorted(self.lane_order) != list(range(core.lanes)):
            raise InputError(f"{self.name}: lane_order must name each of {core.lanes} lanes once")


DENSE = Borrowing("dense", shuffle=False)

_NOTATION = re.compile(r"(A|B|AB)\(([^()]*)\)")
_LENGTH = {"A": 3, "B": 3, "AB": 6}


def parse_borrowing(text: str, edge: Edge = "wrap", order: Order = "time") -> Borrowing:
    """The configuration in Griffin's notation: `A(2,1,0)`, `B(2,5,0,off)`, `AB(2,0,0,2,0,1,on)`.

    Shuffling is on unless the last entry is "off". Raises InputError.
    """
    if text == "dense":
        return DENSE
    found = _NOTATION.fullmatch(text.replace(" ", ""))
    if not found:
        raise InputError(f"design must be like dense, A(2,1,0) or B(4,0,1,off), not {text!r}")
    mode = cast(Mode, found[1])
    entries = found[2].split(",")
    shuffle = entries.pop() if entries[-1] in ("on", "off") else "on"
    if len(entries) != _LENGTH[mode]:
        raise InputError(f"{text}: must have {_LENGTH[mode]} distances, not {len(entries)}")
    numbers = tuple(_distance(text, entry) for entry in entries)
    a = numbers[:3] if mode != "B" else NO_REACH
    b = numbers[-3:] if mode != "A" else NO_REACH
    return Borrowing(mode, cast(Reach, a), cast(Reach, b), shuffle == "on", edge, order)


def _distance(text: str, entry: str) -> int:
    if not (entry.isascii() and entry.isdigit() and len(entry) < 4):
        raise InputError(f"{text}: a distance must be a whole number from 0 to 999, not {entry!r}")
    return int(entry)
