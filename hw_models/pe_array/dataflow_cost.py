"""Cost of a tile on a dataflow array: the best order of its loops on the memories of the core.

Rules: ARCHITECTURE.md TILE-1 to TILE-4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hw_models.nest.hierarchy import Machine, Nest
from hw_models.pe_array.dataflow import DataflowSpec
from hw_models.pe_array.dataflow_machine import (
    UNLIMITED_BITS,
    best_unrolling,
    machine_of,
    nest_of,
)
from hw_models.pe_array.dataflow_nest_costs import NestCosts
from hw_models.pe_array.dataflow_search import best_nest
from hw_models.pe_array.tile import Tile, TileCost
from hw_models.spec import CoreSpec
from hw_models.yaml_file import InputError

Search = Callable[[DataflowSpec, Nest, Mapping[str, int], Machine, Machine], Nest | None]
"""As best_nest."""


def dataflow_cost(
    core: CoreSpec, spec: DataflowSpec, tile: Tile, *, search: Search = best_nest
) -> TileCost:
    """The cost of the best order, which search finds.

    Whether tensors fit into the core's buffers is for the one who places them: a tile that is a
    little too large for every order is timed as if its buffers held it. Raises InputError for one
    that the registers or local buffers can't hold.
    """
    machine = machine_of(core, spec, tile.stream)
    nest, steps = nest_of(spec, best_unrolling(spec, tile.size), machine, tile)
    best = search(spec, nest, steps, machine, machine)
    best = best or search(spec, nest, steps, machine, _roomy(spec, machine))
    if best is None:
        raise InputError(f"core {core.name}: a tile must fit in some order, not {tile}")
    return NestCosts(spec, nest, machine).cost(best)


def _roomy(spec: DataflowSpec, machine: Machine) -> Machine:
    """The machine with buffers of any size, its stores as they are."""
    stores, others = machine.memories[: len(spec.stores)], machine.memories[len(spec.stores) :]
    roomy = (replace(memory, size_bits=UNLIMITED_BITS) for memory in others)
    return replace(machine, memories=(*stores, *roomy))
