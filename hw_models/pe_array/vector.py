"""Cycles of the vector unit: layers without multiply-accumulates, and functions applied to outputs.

Rules: ARCHITECTURE.md VEC-1 to VEC-5. What a function costs is data: `vector_functions.yaml`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from hw_models.yaml_file import InputError, Strict, build, parse_yaml

_TABLE = files("hw_models.pe_array") / "vector_functions.yaml"
Operations = Annotated[int, Field(ge=0, le=1000)]


class FunctionCost(Strict):
    """Operations of one function; the head of `vector_functions.yaml` says what each key counts."""

    per_output: Operations = 0
    per_window: Operations = 0
    per_row: Operations = 0
    reductions: Operations = 0
    source: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class VectorExtent:
    """Sizes of a vector layer or of a tile of one. Raises ValueError for a size below 1.

    outputs: output elements. window: elements of the pooling window. inputs: tensors that an
    element-by-element function combines. row: elements over which a row function reduces.
    """

    outputs: int
    window: int = 1
    inputs: int = 1
    row: int = 1

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) < 1:
                raise ValueError(f"{item.name} must be at least 1, not {getattr(self, item.name)}")

    @property
    def rows(self) -> int:
        """Rows that are reduced, the last one perhaps shorter."""
        return -(-self.outputs // self.row)


@lru_cache(maxsize=1)
def vector_functions() -> dict[str, FunctionCost]:
    """The cost of every known function, by name."""
    place = _TABLE.name
    table = parse_yaml(_TABLE.read_text(encoding="utf-8"), place)
    return {name: build(FunctionCost, cost, f"{place}: {name}") for name, cost in table.items()}


def function_cost(function: str) -> FunctionCost:
    """The cost of a function. Raises InputError for an unknown name, with the nearest known one."""
    known = vector_functions()
    if function not in known:
        near = difflib.get_close_matches(function, known, n=1, cutoff=0.4)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(
            f"vector function must be one of vector_functions.yaml, not {function!r}{hint}"
        )
    return known[function]


def vector_cycles(function: str, extent: VectorExtent, lanes: int) -> int:
    """Cycles of a vector layer on `lanes` lanes. Rules: VEC-1 to VEC-3.

    Raises InputError for an unknown function, ValueError for less than one lane.
    """
    if lanes < 1:
        raise ValueError(f"lanes must be at least 1, not {lanes}")
    cost = function_cost(function)
    tree_steps = (min(lanes, extent.row) - 1).bit_length()
    spread = -(-extent.outputs // lanes) * _operations_per_output(cost, extent)
    return spread + extent.rows * (cost.per_row + cost.reductions * tree_steps)


def vector_operations(function: str, extent: VectorExtent) -> int:
    """Operations of a vector layer, for its energy. Raises InputError for an unknown function."""
    cost = function_cost(function)
    return extent.outputs * _operations_per_output(cost, extent) + extent.rows * cost.per_row


def _operations_per_output(cost: FunctionCost, extent: VectorExtent) -> int:
    per_window = cost.per_window * extent.window
    return cost.per_output * max(1, extent.inputs - 1) + per_window


def post_op_passes(functions: tuple[str, ...]) -> int:
    """Cycles a lane needs for one output on its way out through a chain of functions (VEC-4).

    Raises InputError for an unknown function, ValueError for one that needs more than its element.
    """
    for function in functions:
        cost = function_cost(function)
        if cost.per_window or cost.per_row or cost.reductions:
            raise ValueError(f"a post-op must be element by element, not {function!r}")
    return max(1, sum(function_cost(function).per_output for function in functions))


def post_op_cycles(functions: tuple[str, ...], outputs: int, lanes: int) -> int:
    """Cycles in which `outputs` elements leave through a chain of functions."""
    return -(-outputs // lanes) * post_op_passes(functions)
