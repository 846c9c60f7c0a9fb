"""What runs on a chip, and when: workloads, mapping, tile programs and the engine.

`import simulator as ts` gives the stable names of `simulator.api`, which is loaded when the first
of them is asked for: importing this package, or a module of it, costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.api import *  # noqa: F403  (the list of names is there, and only there)


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        # `from simulator import api` would ask this very function for `api`.
        api = import_module("simulator.api")
        if name in api.__all__:
            return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("simulator.api").__all__})
