"""Tables of energy and area that users bring: tilesim's own form, and Accelergy's ERT and ART.

Own form, with the action names of `ActionEnergies`:

    actions:
      mac: {value: 0.25, unit: pJ, source: "..."}
      core.cbuf.read_byte: {value: 0.09, unit: pJ, source: "..."}
    others: built_in        # or left out: then every action must be there

In an ERT the last parts of a component's name are those of tilesim (`system.core.cbuf[0..15]` is
core.cbuf), and its actions read and write are accesses of one word (of DRAM: one burst). MACs are
`mac` with the action compute; what it has no place for (PE stores, leakage, clock) counts as 0, and
so does an action of energy per cycle.
Rule: ARCHITECTURE.md ENERGY-10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from hw_models.yaml_file import InputError, Strict, build, parse_yaml, read_text

PJ_PER_UNIT = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3}

NO_ERT_ACTION = ("pe_store", "leakage_cycle", "clock_cycle", "gated_clock_cycle")
"""Last part of the actions that an ERT can't have."""

ERT_ACTIONS = {"mac": ("mac", "compute"), "vector_operation": ("vector_unit", "compute")}
"""Action -> component and action of an ERT, for those that don't go by the name of a memory."""

WITH_BURSTS = ("noc", "noc_router", "noc_link", "dram")
"""Components of an ERT whose accesses move a DRAM burst."""

Energy = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=False)]


class EnergyEntry(Strict):
    """Energy of one action."""

    value: Energy
    unit: Literal["fJ", "pJ", "nJ"]
    source: str = ""


class EnergyFile(Strict):
    """A table of tilesim's own form. others: where actions that are not in it come from."""

    actions: dict[str, EnergyEntry]
    others: Literal["built_in"] | None = None


class ErtAction(Strict):
    """An action of a component, in pJ."""

    name: str
    energy: Energy
    arguments: Any = None


class ErtComponent(Strict):
    """A component of an ERT."""

    name: str
    actions: tuple[ErtAction, ...] = Field(strict=False)


class ArtComponent(Strict):
    """A component of an ART: area of one copy in um2."""

    name: str
    area: Energy


class EnergyTable:
    """Energies by action name, in pJ. place: the file."""

    def __init__(self, place: str, pj: Mapping[str, float], *, others_built_in: bool) -> None:
        self.place, self.pj, self.others_built_in = place, dict(pj), others_built_in

    def values_of(self, actions: Sequence[str]) -> dict[str, float]:
        """pJ of each action, without those that are to be built in.

        Raises InputError for an action that is missing or that the chip doesn't have.
        """
        for name in self.pj:
            if name not in actions:
                known = ", ".join(actions)
                raise InputError(f"{self.place}: actions.{name} must be one of {known}")
        for name in actions:
            if name not in self.pj and not self.others_built_in:
                raise InputError(
                    f"{self.place}: actions must have {name}, which the chip needs "
                    "(others: built_in takes what is missing from tilesim's own tables)"
                )
        return self.pj


class ErtTable(EnergyTable):
    """Energies of an ERT by component and action. words: bytes that an access of a memory moves."""

    def __init__(self, place: str, pj: Mapping[str, float], words: Mapping[str, int]) -> None:
        super().__init__(place, pj, others_built_in=False)
        self.words = words

    def values_of(self, actions: Sequence[str]) -> dict[str, float]:
        """pJ of each action. Raises InputError for a component or action that is missing."""
        return {name: self._value(name) for name in actions}

    def _value(self, name: str) -> float:
        memory, _, last = name.rpartition(".")
        if last in NO_ERT_ACTION:
            return 0.0
        component = name.removesuffix("_byte")
        if component in WITH_BURSTS:
            both = [self._find(name, component, access) for access in ("read", "write")]
            return sum(both) / 2 / self.words[component]
        if last in ("read_byte", "write_byte"):
            access = last.removesuffix("_byte")
            return self._find(name, memory, access) / self.words[memory]
        return self._find(name, *ERT_ACTIONS[name])

    def _find(self, name: str, component: str, action: str) -> float:
        found = self.pj.get(f"{component}.{action}")
        if found is None:
            raise InputError(
                f"{self.place}: ERT.tables must have a component {component} with the action "
                f"{action}, which the chip needs for {name}"
            )
        return found


def load_energy_table(
    path: str | Path, buffer_bytes: Mapping[str, int], burst_bytes: int
) -> EnergyTable:
    """A user's table; an ERT is told by its key ERT.

    buffer_bytes: word of each buffer, by CORE.BUFFER. burst_bytes: of DRAM and network accesses.
    Raises InputError for a file that can't be read, an unknown key or unit, a value below 0.
    """
    place = str(path)
    data = parse_yaml(read_text(Path(path)), place)
    if "ERT" in data:
        tables = _tables(data, "ERT", place)
        components = [build(ErtComponent, t, f"{place}: ERT.tables[{i}]") for i, t in tables]
        pj = {
            f"{_name_of(c.name, buffer_bytes)}.{action.name}": action.energy
            for c in components
            for action in c.actions
        }
        return ErtTable(place, pj, {**buffer_bytes, **dict.fromkeys(WITH_BURSTS, burst_bytes)})
    file = build(EnergyFile, data, place)
    pj = {name: entry.value * PJ_PER_UNIT[entry.unit] for name, entry in file.actions.items()}
    return EnergyTable(place, pj, others_built_in=file.others is not None)


def load_area_table(path: str | Path) -> dict[str, float]:
    """An ART: component as written, without index -> um2 of all its copies. Raises InputError."""
    place = str(path)
    data = parse_yaml(read_text(Path(path)), place)
    tables = _tables(data, "ART", place)
    parts = [build(ArtComponent, table, f"{place}: ART.tables[{i}]") for i, table in tables]
    return {_without_index(part.name): part.area * _copies(part.name) for part in parts}


def _tables(data: Mapping[str, Any], key: str, place: str) -> list[tuple[int, Any]]:
    held = data.get(key)
    tables = held.get("tables") if isinstance(held, dict) else None
    if not isinstance(tables, list):
        raise InputError(f"{place}: {key}.tables must be a list of components")
    return list(enumerate(tables))


def _name_of(component: str, buffers: Mapping[str, int]) -> str:
    """tilesim's name of a component: that of a buffer that it ends in, else its last part."""
    plain = _without_index(component)
    for buffer in buffers:
        if plain == buffer or plain.endswith(f".{buffer}"):
            return buffer
    return plain.rpartition(".")[2]


def _without_index(component: str) -> str:
    return re.sub(r"\[[^\]]*\]", "", component)


def _copies(component: str) -> int:
    """Copies that the indices of a name stand for: system.pe[0..167].mac[0..1] are 336."""
    copies = 1
    for first, last in re.findall(r"\[(\d+)\.\.(\d+)\]", component):
        copies *= int(last) - int(first) + 1
    return copies
