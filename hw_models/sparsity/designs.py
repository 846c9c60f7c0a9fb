"""Design points of sparse cores, from `designs.yaml`; which configuration runs what; the sweep.

Rule: ARCHITECTURE.md BORROW-10.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import Annotated, Literal

from pydantic import Field

from hw_models.pe_array.borrowing_window import (
    DENSE,
    Borrowing,
    Core,
    Edge,
    Mode,
    Offset,
    Reach,
    parse_borrowing,
)
from hw_models.yaml_file import Strict, build, parse_yaml
from traces.errors import InputError

_FILE = files("hw_models.sparsity") / "designs.yaml"

PREFERRED: dict[tuple[bool, bool], tuple[Mode, ...]] = {
    (False, False): (),
    (True, False): ("B", "AB"),
    (False, True): ("A", "AB"),
    (True, True): ("AB", "B", "A"),
}
"""(weights sparse, activations sparse) -> modes that gain something, the best suited first."""


@dataclass(frozen=True, slots=True)
class Design:
    """A sparse core: the configurations it can take on. family: "dense", "griffin", "prior" ..."""

    name: str
    configurations: tuple[Borrowing, ...]
    family: str
    source: str
    approximated: str

    def configuration(self, *, sparse_weights: bool, sparse_activations: bool) -> Borrowing:
        """What the core morphs into for a layer; dense when it can't use the layer's zeros."""
        for mode in PREFERRED[sparse_weights, sparse_activations]:
            for borrowing in self.configurations:
                if borrowing.mode == mode:
                    return borrowing
        return DENSE

    def check(self, core: Core) -> None:
        """Refuse a configuration that reaches around the core. Raises InputError."""
        for borrowing in self.configurations:
            borrowing.check(core)


class _Spelled(Strict):
    """A configuration spelled out."""

    mode: Mode
    shuffle: bool
    offsets: tuple[Annotated[Offset, Field(strict=False)], ...] = Field(strict=False)
    lane_order: tuple[int, ...] = Field(default=(), strict=False)


class _Row(Strict):
    """A design of the file."""

    family: Literal["dense", "griffin", "prior"]
    configurations: tuple[str | _Spelled, ...] = Field(min_length=1, strict=False)
    source: str
    approximated: str


@lru_cache(maxsize=8)
def named_designs(edge: Edge = "wrap") -> dict[str, Design]:
    """The designs of `designs.yaml` by name."""
    rows = parse_yaml(_FILE.read_text(encoding="utf-8"), _FILE.name)
    return {name: _design(name, build(_Row, row, _FILE.name), edge) for name, row in rows.items()}


def _design(name: str, row: _Row, edge: Edge) -> Design:
    configurations = tuple(
        parse_borrowing(item, edge)
        if isinstance(item, str)
        else Borrowing(
            item.mode,
            shuffle=item.shuffle,
            edge=edge,
            offsets=item.offsets,
            lane_order=item.lane_order,
        )
        for item in row.configurations
    )
    return Design(name, configurations, row.family, row.source, row.approximated)


def find_designs(text: str, edge: Edge = "wrap") -> list[Design]:
    """The designs that a list names. Raises InputError.

    Entries, parted by semicolons or spaces: a name of the file, "named" for all of them, "sweep"
    for the whole design space, or a point such as B(4,0,1,on).
    """
    found: dict[str, Design] = {}
    for entry in text.replace(";", " ").split():
        for design in _entry(entry, edge):
            found[design.name] = design
    if not found:
        raise InputError("designs must name at least one design")
    return list(found.values())


def _entry(entry: str, edge: Edge) -> list[Design]:
    named = named_designs(edge)
    if entry == "named":
        return list(named.values())
    if entry == "sweep":
        return [named["dense"], *sweep(edge)]
    if entry in named:
        return [named[entry]]
    if "(" in entry:
        return [_point(parse_borrowing(entry, edge))]
    near = difflib.get_close_matches(entry, [*named, "named", "sweep"], n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    raise InputError(f"design must be a name or a point like B(4,0,1), not {entry!r}{hint}")


def _point(borrowing: Borrowing) -> Design:
    return Design(borrowing.name, (borrowing,), "sweep", "a point of the design space", "nothing")


SWEEP_AHEAD, SWEEP_ASIDE, SWEEP_PES = (1, 2, 3, 4, 6, 8), (0, 1, 2, 3), (0, 1, 2)
"""Distances of the one-sided points of the sweep."""
SWEEP_DUAL_A: tuple[Reach, ...] = ((1, 0, 0), (2, 0, 0), (2, 1, 0), (3, 0, 0))
SWEEP_DUAL_AHEAD, SWEEP_DUAL_OTHER = (1, 2, 3, 4), (0, 1)
"""Run-time reach of the dual points; offline lookahead; offline lookaside and reach over PEs."""


def sweep(edge: Edge = "wrap") -> Iterator[Design]:
    """The design space: every one-sided and dual point of the grids, with and without shuffle."""
    for shuffle in (True, False):
        for reach in product(SWEEP_AHEAD, SWEEP_ASIDE, SWEEP_PES):
            yield _point(Borrowing("A", reach, shuffle=shuffle, edge=edge))
            yield _point(Borrowing("B", b=reach, shuffle=shuffle, edge=edge))
        reaches = product(SWEEP_DUAL_AHEAD, SWEEP_DUAL_OTHER, SWEEP_DUAL_OTHER)
        for a, b in product(SWEEP_DUAL_A, reaches):
            yield _point(Borrowing("AB", a, b, shuffle, edge))
