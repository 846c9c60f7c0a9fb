"""Chip files: finding presets, reading and checking a file."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from hw_models.sourced import without_sources
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
