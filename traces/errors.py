"""The error that is meant for the user, not for the developer."""

from __future__ import annotations

from collections.abc import Iterable


class InputError(ValueError):
    """Something a user gave is wrong; the message is one line that names place and rule."""


def check_one_of(place: str, given: str, known: Iterable[str]) -> None:
    """Raises InputError unless a word is one of those that are known."""
    names = tuple(known)
    if given not in names:
        raise InputError(f"{place} must be one of {', '.join(names)}, not {given!r}")
