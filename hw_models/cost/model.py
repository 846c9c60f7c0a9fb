"""Numbers of the energy and area model that are in no table of measurements, with their sources."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from hw_models.sourced import without_sources
from hw_models.yaml_file import parse_yaml


@lru_cache(maxsize=1)
def model_numbers() -> dict[str, Any]:
    """Key -> value of tables/energy_model.yaml."""
    table = files("hw_models.cost") / "tables" / "energy_model.yaml"
    return without_sources(parse_yaml(table.read_text(encoding="utf-8"), table.name))
