"""YAML files read strictly: duplicate keys are refused, and every error names file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from traces.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Base of every spec: frozen, unknown keys refused, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice."""


def _mapping_without_duplicates(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int):
            raise yaml.constructor.ConstructorError(
                None, None, f"a key must be a plain name, not {key!r}", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} is given twice", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates
)


def read_text(path: Path) -> str:
    """The text of a file. Raises InputError when it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{path}: can't be read: {reason}") from None


def parse_yaml(text: str, place: str) -> dict[str, Any]:
    """The mapping in a YAML text. Raises InputError that names `place` and line."""
    try:
        data = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{place}{where}: {problem}") from None
    if not isinstance(data, dict):
        raise InputError(f"{place}: must be a mapping of keys, not {type(data).__name__}")
    return data


def build(model: type[Model], data: dict[str, Any], place: str) -> Model:
    """`data` as a `model`. Raises InputError with the first offending key and its rule."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{place}: {_first_problem(error, data)}") from None


_RULES = {
    "extra_forbidden": "is not a known key",
    "missing": "is missing",
    "greater_than": "must be greater than {gt}, not {input}",
    "greater_than_equal": "must be at least {ge}, not {input}",
    "less_than": "must be less than {lt}, not {input}",
    "less_than_equal": "must be at most {le}, not {input}",
    "int_type": "must be an int, not {input}",
    "float_type": "must be a number, not {input}",
    "string_type": "must be text, not {input}",
    "bool_type": "must be true or false, not {input}",
    "literal_error": "must be one of {expected}, not {input}",
    "tuple_type": "must be a list, not {input}",
    "list_type": "must be a list, not {input}",
    "model_type": "must be a mapping of keys, not {input}",
    "dict_type": "must be a mapping of keys, not {input}",
    "finite_number": "must be a finite number, not {input}",
    "union_tag_invalid": "must have a kind that is one of {expected_tags}, not {tag!r}",
    "union_tag_not_found": "must have a kind",
    "too_short": "must have at least {min_length} entries, not {actual_length}",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}, not {input}",
}


def _first_problem(error: ValidationError, data: dict[str, Any]) -> str:
    # A misspelt key shows as one unknown and one missing: the unknown one names the cause.
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    key = _dotted(first["loc"], data)
    if first["type"] == "value_error":
        text = str(first["ctx"]["error"])
        # What a whole mapping breaks begins with the key; what a number breaks, with its rule.
        between = " " if text.startswith("must ") else "."
        return f"{key}{between}{text}" if key else text
    rule = _RULES.get(first["type"], first["msg"])
    context = {name: _plain(value) for name, value in first.get("ctx", {}).items()}
    text = rule.format(**context, input=repr(first["input"]))
    return f"{key} {text}" if key else text


def _plain(value: Any) -> Any:
    """A bound as a person writes it: 0 rather than 0.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dotted(location: tuple[str | int, ...], data: Any) -> str:
    """Place of an error as the user wrote it: `cores[0].pe_array.rows`, without union tags."""
    text, here, tagged = "", data, False
    for part in location:
        if isinstance(here, dict) and here.get("kind") == part and not tagged:
            tagged = True
            continue
        tagged = False
        if isinstance(part, int):
            text += f"[{part}]"
            here = here[part] if isinstance(here, list) and part < len(here) else None
            continue
        known = isinstance(here, dict) and part in here
        is_tag = isinstance(here, dict) and here.get("kind") == part
        if known or (part == location[-1] and not is_tag):
            text += f".{part}" if text else part
            here = here[part] if known else None
    return text
