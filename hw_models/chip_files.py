"""Chip files: finding presets, reading and checking a file."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path
from typing import Any

from hw_models.sourced import without_sources
from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError, build, parse_yaml, read_text

_PRESETS = files("hw_models") / "chips"
_CORES = _PRESETS / "cores"


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
    return build(ChipSpec, without_sources(chip_data(text, place)), place)


def chip_data(text: str, place: str) -> dict[str, Any]:
    """The keys of a chip file with their sources; errors name `place`. Raises InputError.

    A core that is `like: NAME` has the keys of hw_models/chips/cores/NAME.yaml, except those that
    it gives itself.
    """
    data = parse_yaml(text, place)
    if isinstance(data.get("cores"), list):
        data["cores"] = [_filled(core, place) for core in data["cores"]]
    return data


def _filled(core: Any, place: str) -> Any:
    if not isinstance(core, dict) or "like" not in core:
        return core
    known = sorted(p.name.removesuffix(".yaml") for p in _CORES.iterdir())
    name = core["like"]
    if name not in known:
        raise InputError(f"{place}: like must be one of the cores {', '.join(known)}, not {name!r}")
    shared = parse_yaml((_CORES / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml")
    return shared | {key: value for key, value in core.items() if key != "like"}
