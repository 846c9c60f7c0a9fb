"""The study file: which chips, networks and mappings are tried, how they are searched and judged.

name: arrays
chips: [edge_os_16x16]
networks: [alexnet, resnet18]
parameters:                       # dotted keys of the chip file -> values to try
  cores[0].pe_array.rows: [8, 16, 32]
  dram.channels: [1, 2]
search: {kind: grid}              # or random, bayesian, evolutionary with a budget
constraints: ["area_mm2 <= 10"]
objectives: [latency_ms, energy_mj]
simulate: pareto                  # after the analytical screening: none, pareto, all, {top: 20}
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from hw_models.chip_files import chip_data, chip_text
from hw_models.sourced import without_sources
from hw_models.spec import ChipSpec
from hw_models.yaml_file import Strict, build, parse_yaml, read_text
from simulator.explore.metrics import (
    Constraint,
    check_consistent,
    check_metric,
    parse_constraint,
)
from simulator.workload.errors import did_you_mean
from simulator.workload.zoo import NETWORKS
from traces.errors import InputError

Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
Objective = Literal["latency", "energy", "edp", "dram_bytes"]
Point = Mapping[str, Any]
"""A point of a study: chip, network, mapping objective and label of each parameter's value."""

CHIP, NETWORK, MAPPING = "chip", "network", "mapping"
_STUDIES = files("simulator.explore") / "studies"


class TopSpec(Strict):
    """How many points of the screening are simulated, by the first objective."""

    top: Annotated[int, Field(ge=1)]


class SearchSpec(Strict):
    """How points are chosen.

    budget: points to try, of grids all. batch: points that are chosen at a time; a search that
    learns sees their results before it chooses the next.
    """

    kind: Literal["grid", "random", "bayesian", "evolutionary"] = "grid"
    budget: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    batch: Annotated[int, Field(ge=1, le=100_000)] = 32


class Study(Strict):
    """A study. Values of a parameter are listed, or named: {label: value}."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    description: str = ""
    chips: Names
    networks: Names
    mapping: Annotated[tuple[Objective, ...], Field(strict=False)] = ("latency",)
    batch: Annotated[int, Field(ge=1, le=4096)] = 1
    parameters: dict[str, dict[str, Any] | list[Any]] = Field(default_factory=dict)
    search: SearchSpec = SearchSpec()
    constraints: Names = ()
    objectives: Names = ("latency_ms", "energy_mj")
    simulate: Literal["none", "pareto", "all"] | TopSpec = "pareto"
    memory: Literal["ideal", "simple", "cycle"] = "simple"

    @property
    def bounds(self) -> tuple[Constraint, ...]:
        """The constraints, parsed."""
        return tuple(parse_constraint(text, "constraints") for text in self.constraints)

    @property
    def space(self) -> dict[str, tuple[str, ...]]:
        """Every dimension of a point with its labels, in the order of the file."""
        fixed = {CHIP: self.chips, NETWORK: self.networks, MAPPING: self.mapping}
        return fixed | {key: self.labels(key) for key in self.parameters}

    def values(self, key: str) -> dict[str, Any]:
        """Values of a parameter by label."""
        given = self.parameters[key]
        return given if isinstance(given, dict) else dict(zip(self.labels(key), given, strict=True))

    def labels(self, key: str) -> tuple[str, ...]:
        """Labels of the values of a parameter."""
        given = self.parameters[key]
        return tuple(given) if isinstance(given, dict) else tuple(_label(value) for value in given)

    @property
    def size(self) -> int:
        """Points of the whole space."""
        number = 1
        for labels in self.space.values():
            number *= len(labels)
        return number


def load_study(name_or_path: str) -> Study:
    """The checked study of a file, or one that comes with tilesim. Raises InputError."""
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        return parse_study(read_text(Path(name_or_path)), name_or_path)
    if name_or_path not in study_names():
        known = ", ".join(study_names())
        hint = did_you_mean(name_or_path, study_names())
        raise InputError(f"study must be a YAML file or one of {known}, not {name_or_path}{hint}")
    text = (_STUDIES / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    return parse_study(text, f"{name_or_path}.yaml")


def study_names() -> list[str]:
    """Studies that come with tilesim."""
    return sorted(p.name[:-5] for p in _STUDIES.iterdir() if p.name.endswith(".yaml"))


def parse_study(text: str, place: str) -> Study:
    """The checked study in a YAML text; errors name `place`. Raises InputError."""
    study = build(Study, parse_yaml(text, place), place)
    for key, labels in study.space.items():
        if not labels:
            name = {CHIP: "chips", NETWORK: "networks"}.get(key, f"parameters.{key}")
            raise InputError(f"{place}: {name} must have at least one value: the space is empty")
        if len(set(labels)) < len(labels):
            raise InputError(f"{place}: {key} must not have a value twice")
    if not study.objectives:
        raise InputError(f"{place}: objectives must name at least one metric")
    for name in study.objectives:
        check_metric(name, f"{place}: objectives")
    rules = [parse_constraint(text, f"{place}: constraints") for text in study.constraints]
    check_consistent(rules, f"{place}: constraints")
    if study.search.kind != "grid" and study.search.budget is None:
        raise InputError(f"{place}: search.budget must be given for a {study.search.kind} search")
    _check_networks(study, place)
    _check_keys(study, place)
    return study


def _check_networks(study: Study, place: str) -> None:
    for name in study.networks:
        if name not in NETWORKS and not Path(name).suffix:
            hint = did_you_mean(name, NETWORKS)
            raise InputError(
                f"{place}: networks must be of the zoo, .onnx or .csv files, not {name}{hint}"
            )


def _check_keys(study: Study, place: str) -> None:
    """Every key must be one of every chip; whether values fit together is seen point by point."""
    for chip in study.chips:
        data = _chip_data(chip)
        build(ChipSpec, data, chip)
        for key in study.parameters:
            value = next(iter(study.values(key).values()))
            try:
                build(ChipSpec, _with(data, key, value), chip)
            except KeyError:
                raise InputError(f"{place}: parameters.{key} is not a key of {chip}") from None
            except InputError as error:
                if str(error).endswith("is not a known key"):
                    raise InputError(f"{place}: parameters.{key} is not a key of {chip}") from None


def point_chip(study: Study, point: Point) -> ChipSpec:
    """The chip of a point. Raises InputError when its values don't make a chip."""
    choices = tuple((key, point[key]) for key in study.parameters)
    return _built_chip(study.model_dump_json(), point[CHIP], choices)


@lru_cache(maxsize=64)
def _built_chip(study: str, chip: str, choices: tuple[tuple[str, str], ...]) -> ChipSpec:
    spec, data = _study_of(study), _chip_data(chip)
    for key, label in choices:
        data = _with(data, key, spec.values(key)[label])
    return build(ChipSpec, data, chip)


@lru_cache(maxsize=8)
def _study_of(text: str) -> Study:
    return Study.model_validate(json.loads(text))


@lru_cache(maxsize=64)
def _chip_data(name_or_path: str) -> dict[str, Any]:
    place, text = chip_text(name_or_path)
    found: dict[str, Any] = without_sources(chip_data(text, place))
    return found


def _with(data: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of a chip's data with the value at a dotted key. Raises KeyError for a wrong way."""
    changed = copy.deepcopy(data)
    path = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key)]
    here: Any = changed
    for part in path[:-1]:
        here = _step(here, part)
    if isinstance(here, list):
        _step(here, path[-1])
    elif not isinstance(here, dict):
        raise KeyError(key)
    here[path[-1]] = value
    return changed


def _step(here: Any, part: str | int) -> Any:
    if isinstance(here, list) and isinstance(part, int) and part < len(here):
        return here[part]
    if isinstance(here, dict) and part in here:
        return here[part]
    raise KeyError(part)


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
