"""What can be wrong with a network that is brought in from outside."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from traces.errors import InputError


class WorkloadError(InputError):
    """A network file, name or option that cannot be used; one line, the file first."""


class UnsupportedNodeError(WorkloadError):
    """A node of a kind that cannot be simulated, but that can be left out on request."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The closing words of an error about an unknown name: the nearest known one, if any is near.

    Returns: " (did you mean X?)", or " (one of: ...)" when there are few, or nothing.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f" (did you mean {near[0]}?)"
    return f" (one of: {', '.join(names)})" if 0 < len(names) <= 8 else ""
