"""Chip files: finding presets, reading and checking a file, and where each number comes from."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path
from typing import Any

from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError, build, parse_yaml, read_text

_PRESETS = files("hw_models") / "chips"


def preset_names() -> list[str]:
    """Names of the chips that come with tilesim, sorted."""
    return sorted(
        p.name.removesuffix(".yaml") for p in _PRESETS.iterdir() if p.name[-5:] == ".yaml"
    )


def chip_text(name_or_path: str) -> tuple[str, str]:
    """Place and text of a preset (by name) or of a chip file (by path).

    Raises InputError when there is neither; a misspelt preset gets the nearest name.
    """
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        return name_or_path, read_text(Path(name_or_path))
    names = preset_names()
    if name_or_path not in names:
        near = difflib.get_close_matches(name_or_path, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(
            f"no chip is called {name_or_path!r}: {hint}presets are {', '.join(names)}; "
            "a file is given by its path"
        )
    return f"{name_or_path}.yaml", (_PRESETS / f"{name_or_path}.yaml").read_text(encoding="utf-8")


def load_chip(name_or_path: str) -> ChipSpec:
    """The checked spec of a preset or file. Raises InputError."""
    place, text = chip_text(name_or_path)
    return parse_chip(text, place)


def parse_chip(text: str, place: str) -> ChipSpec:
    """The checked spec in a YAML text; errors name `place`. Raises InputError."""
    return build(ChipSpec, without_sources(parse_yaml(text, place)), place)


def without_sources(data: Any) -> Any:
    """A chip file's data with `{value, source}` replaced by the value and `source` keys dropped."""
    if isinstance(data, dict):
        if set(data) == {"value", "source"}:
            return data["value"]
        return {key: without_sources(item) for key, item in data.items() if key != "source"}
    if isinstance(data, list):
        return [without_sources(item) for item in data]
    return data


def numbers_with_source(data: Any, place: str = "", source: str | None = None) -> dict[str, tuple]:
    """Each number of a chip file: dotted key -> (value, source or None).

    The source is the number's own or that of the nearest mapping around it.
    """
    if isinstance(data, dict):
        if set(data) == {"value", "source"}:
            return {place: (data["value"], data["source"])}
        own = data.get("source", source)
        parts = [(f"{place}.{key}" if place else key, item) for key, item in data.items()]
        return _merged(numbers_with_source(item, key, own) for key, item in parts)
    if isinstance(data, list):
        return _merged(
            numbers_with_source(item, f"{place}[{i}]", source) for i, item in enumerate(data)
        )
    is_number = isinstance(data, int | float) and not isinstance(data, bool)
    return {place: (data, source)} if is_number else {}


def _merged(parts: Any) -> dict[str, tuple]:
    return {key: item for part in parts for key, item in part.items()}
