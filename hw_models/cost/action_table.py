"""The table of energy per action, `tables/energy_actions.csv`: one row is one action."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_TABLE = files("hw_models.cost") / "tables" / "energy_actions.csv"


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One row of the table; cells as they are written, since some hold ranges ("15-25")."""

    component: str
    action: str
    config: str
    width_bits: str
    node_nm: str
    vdd_v: str
    value: str
    unit: str
    area_um2: str
    source: str
    flag: str

    @property
    def pj(self) -> float:
        """The value as a number."""
        return float(self.value)

    @property
    def um2(self) -> float:
        """The area as a number."""
        return float(self.area_um2)


@lru_cache(maxsize=1)
def action_rows() -> tuple[ActionRow, ...]:
    """All rows, in the order of the file."""
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return tuple(ActionRow(**row) for row in rows)


def rows_of(component: str, action: str, node_nm: int | None = None) -> list[ActionRow]:
    """Rows of an action. Raises ValueError when the table has none."""
    found = [
        row
        for row in action_rows()
        if (row.component, row.action) == (component, action)
        and (node_nm is None or row.node_nm == str(node_nm))
    ]
    if not found:
        raise ValueError(f"energy_actions.csv must have a row for {component} {action}")
    return found
