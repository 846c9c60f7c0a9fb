"""Data with sources: a number may be `{value: 3, source: "..."}`, a mapping may have one source."""

from __future__ import annotations

from typing import Any


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
