"""Stream's peaks of memories and busy cycles of links, and the units here that they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hw_models.floorplan import floorplan
from hw_models.noc_spec import ANY, DRAM, LinkSpec, LinksSpec
from hw_models.spec import ChipSpec, Operand

WEIGHTS = re.compile(r"(^|_)w($|_)", re.IGNORECASE)
END = re.compile(r"Core\((\d+)\)|Any")
BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that a memory held, theirs. buffer: its name here."""

    buffer: str
    peak_bytes: float


@dataclass(frozen=True, slots=True)
class Busy:
    """Busy cycles of a link, theirs. name: the link's here."""

    name: str
    busy_cycles: int
    transfers: int


def peaks(rows: Sequence[Mapping[str, Any]], chip: ChipSpec) -> list[Peak]:
    """Memories of the cores that held anything. Raises ValueError for a memory without core.

    rows: of a table with the columns name, cores and peak_bits_or_busy_cycles. Memories of one name
    stand in the order of their cores; `cores` lists all that have an equal one.
    """
    plan, taken, found = floorplan(chip), set[tuple[str, int]](), []
    for row in rows:
        listed = [int(core) for core in re.findall(r"\d+", row["cores"])]
        core = next((c for c in listed if (row["name"], c) not in taken), None)
        if core is None:
            raise ValueError(f"cores must have one that isn't listed before, not {row['cores']!r}")
        taken.add((row["name"], core))
        if core == len(plan.cores) or not row["peak_bits_or_busy_cycles"]:
            continue
        operand: Operand = "weight" if WEIGHTS.search(row["name"]) else "input"
        buffer = plan.buffers[plan.cores[core].buffer_of(operand).index]
        found.append(Peak(buffer, row["peak_bits_or_busy_cycles"] / BITS_PER_BYTE))
    return found


def busy_links(rows: Sequence[Mapping[str, Any]], chip: ChipSpec) -> list[Busy]:
    """Links with their busy cycles. Raises ValueError for a link that the chip hasn't."""
    return [
        Busy(link_here(row["name"], chip), row["peak_bits_or_busy_cycles"], row["transfers"])
        for row in rows
    ]


def link_here(name: str, chip: ChipSpec) -> str:
    """The link that Stream calls `Core(0)->Core(1)` or `Core(1)->Any`. Raises ValueError."""
    assert isinstance(chip.noc, LinksSpec)
    ends = [_place(end, chip) for end in name.split("->")]
    if len(ends) == 2:
        for link in chip.noc.links:
            if _joins(link, *ends):
                return f"noc.{link.name}"
    raise ValueError(f"name must be that of a link of {chip.name}, not {name!r}")


def _place(end: str, chip: ChipSpec) -> str:
    found = END.fullmatch(end)
    if found is None:
        raise ValueError(f"name must be a link between Core(N) or Any, not {end!r}")
    places = [*chip.core_names, DRAM]
    if found[1] is None:
        return ANY
    if int(found[1]) >= len(places):
        raise ValueError(f"name must have cores of 0 to {len(places) - 1}, not {end!r}")
    return places[int(found[1])]


def _joins(link: LinkSpec, source: str, target: str) -> bool:
    ways = [link.ends] if link.directed else [link.ends, link.ends[::-1]]
    return any(_same(a, source) and _same(b, target) for a, b in ways)


def _same(end: str, place: str) -> bool:
    return end == place or (ANY in (end, place) and DRAM not in (end, place))
