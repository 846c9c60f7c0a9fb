"""The allocation problem: items (layers of a fused stack), their options, and what joins them.

An item runs on the cores of one of its options, every iteration anew (one tile of every layer of a
stack, at the rates of the layers). Its weights stay on those cores for the whole stack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from traces.errors import InputError

Int64s = npt.NDArray[np.int64]
Objective = Literal["latency", "energy", "edp"]
OBJECTIVES: tuple[Objective, ...] = ("latency", "energy", "edp")


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run an item: its parts, divided by output channel, on one or several cores.

    cycles: of one part in one iteration. energy_pj: of all parts in one iteration.
    weight_bytes: that stay on each of the cores.
    """

    cores: tuple[int, ...]
    cycles: int
    energy_pj: float = 0.0
    weight_bytes: int = 0


@dataclass(frozen=True, slots=True)
class AllocationProblem:
    """Which option for which item? Items come in topological order; cores and links by number.

    options: per item. edges: int64 (m, 3), producer item, consumer item, bytes per iteration.
    weight_capacity: int64 (cores,), bytes. routes: (source core, target core) -> links, a missing
    pair has none; link_bits: per cycle, of every link; latency_cycles: of a transfer beyond its
    duration; link_pj_per_bit: energy of a bit on one link. iterations: of the steady state.
    fixed: item -> number of the option that a user demands.

    External memory takes part as one more core: an item of zero cycles on it is a source or a sink
    of data. Raises InputError for edges that aren't topological and options that don't exist.
    """

    names: tuple[str, ...]
    options: tuple[tuple[Option, ...], ...]
    edges: Int64s
    weight_capacity: Int64s
    routes: Mapping[tuple[int, int], tuple[int, ...]]
    link_bits: tuple[int, ...]
    iterations: int
    core_names: tuple[str, ...]
    latency_cycles: int = 0
    link_pj_per_bit: float = 0.0
    fixed: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, options in zip(self.names, self.options, strict=True):
            if not options:
                raise InputError(f"allocation: {name} must have a core that runs it, not none")
        for producer, consumer, _ in self.edges.tolist():
            if not 0 <= producer < consumer < len(self.names):
                pair = f"{producer} to {consumer}"
                raise InputError(f"allocation: edges must go from item to later item, not {pair}")
        for item, option in self.fixed.items():
            if not 0 <= option < len(self.options[item]):
                last = len(self.options[item]) - 1
                place = f"allocation: fixed option of {self.names[item]}"
                raise InputError(f"{place} must be from 0 to {last}, not {option}")

    def allowed(self, item: int) -> tuple[int, ...]:
        """Options of an item that are open: the fixed one, otherwise those whose weights fit."""
        if item in self.fixed:
            return (self.fixed[item],)
        fits = [self.fits(option) for option in self.options[item]]
        return tuple(number for number, good in enumerate(fits) if good)

    def fits(self, option: Option) -> bool:
        """Whether the weights of an option alone fit on each of its cores."""
        return all(option.weight_bytes <= self.weight_capacity[core] for core in option.cores)

    def cores_text(self, option: Option) -> str:
        """Names of an option's cores."""
        return "+".join(self.core_names[core] for core in option.cores)


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """What a search found.

    choice: option number per item. cost: the objective's value (`steady_state.cost`), bound: no
    allocation costs less. gap: (cost - bound) / cost. proved: whether cost is the least there is.
    """

    choice: tuple[int, ...]
    cost: int
    bound: int

    @property
    def gap(self) -> float:
        """How much of the cost a better allocation could save at most, as a fraction of it."""
        return (self.cost - self.bound) / self.cost if self.cost else 0.0

    @property
    def proved(self) -> bool:
        """Whether no allocation costs less."""
        return self.cost <= self.bound


def fixed_options(
    names: Sequence[str],
    options: Sequence[Sequence[Option]],
    core_names: Sequence[str],
    wanted: Mapping[str, Sequence[str]],
) -> dict[int, int]:
    """Item -> option of the cores that a user names for it, for AllocationProblem.fixed.

    wanted: item name -> core names, in any order. Raises InputError for unknown items and for
    cores that no option of the item is made of.
    """
    fixed = {}
    for name, cores in wanted.items():
        if name not in names:
            raise InputError(
                f"allocation: fixed item must be one of {', '.join(names)}, not {name}"
            )
        item = list(names).index(name)
        found = [{core_names[core] for core in option.cores} for option in options[item]]
        if set(cores) not in found:
            possible = ", ".join("+".join(sorted(one)) for one in found)
            place = f"allocation: {name} must be on one of {possible}"
            raise InputError(f"{place}, not {'+'.join(cores)}")
        fixed[item] = found.index(set(cores))
    return fixed
