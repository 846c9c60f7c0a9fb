"""Options of the verbs that compile a network for several cores, and what they stand for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from traces.errors import InputError, check_one_of

if TYPE_CHECKING:
    from simulator.allocation.options import Objective
    from simulator.fusion.compile import FusionChoices, Policy
    from simulator.fusion.overlap import Overlap
    from simulator.workload.graph import Workload

SEARCHES = ("cp", "ga", "greedy")
OVERLAPS = ("full", "horizontal", "recompute")
POLICIES = ("best", "latency", "memory")
OBJECTIVES = ("latency", "energy", "edp")

GranularityOption = Annotated[
    str,
    typer.Option(
        "--granularity", help="Several cores, tile by tile: layer, image, line[:N], tile:HxW."
    ),
]
OverlapOption = Annotated[
    str,
    typer.Option("--overlap", help="What tiles share: full (all cached), horizontal, recompute."),
]
PolicyOption = Annotated[
    str,
    typer.Option(
        "--policy",
        help="Which tile goes first: latency (ready first), memory (deepest), best of both.",
    ),
]
SecondsOption = Annotated[
    float, typer.Option("--seconds", min=0.1, help="Time limit of the allocation search.")
]


def fusion_choices(
    workload: Workload,
    *,
    granularity: str,
    allocation: str,
    overlap: str,
    policy: str,
    objective: str,
    seconds: float,
) -> FusionChoices:
    """The choices that the options of a command name. Raises InputError."""
    from simulator.allocation.file import layer_cores
    from simulator.fusion.compile import FusionChoices
    from simulator.fusion.granularity import Granularity

    check_one_of("--overlap", overlap, OVERLAPS)
    check_one_of("--policy", policy, POLICIES)
    check_one_of("--objective", objective, OBJECTIVES)
    choices = FusionChoices(
        granularity=Granularity.parse(granularity),
        overlap=cast("Overlap", overlap),
        policy=cast("Policy", policy),
        objective=cast("Objective", objective),
        seconds=seconds,
    )
    if allocation in SEARCHES:
        return replace(choices, search=allocation)
    if not allocation.endswith((".yaml", ".yml")) and "/" not in allocation:
        raise InputError(
            f"--allocation must be {', '.join(SEARCHES)} or a YAML file, not {allocation!r}"
        )
    return replace(choices, cores=layer_cores(Path(allocation), workload))
