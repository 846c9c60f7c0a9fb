"""The best order of the loops of a tile, of all that the memories of its core can hold.

For few cycles, and of equals for little energy; a core mapped for energy considers only the orders
of least energy. Of orders that cost the same the first is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hw_models.nest.hierarchy import OPERANDS, Machine, Nest
from hw_models.nest.order import mapped
from hw_models.nest.search_kernel import search_orders
from hw_models.nest.search_tables import Candidates, candidates, search_tables
from hw_models.pe_array.dataflow import DataflowSpec
from hw_models.pe_array.dataflow_machine import OFFCHIP
from hw_models.pe_array.dataflow_nest_costs import STREAM_PJ_PER_BIT, NestCosts

EQUAL = 1 + 1e-9
"""Energies up to this apart are the same but for the order of a sum."""

LARGEST_MACS = 1 << 48
"""Larger tiles may have counts beyond 64 bits: the plain search takes them."""


def best_nest(
    spec: DataflowSpec, nest: Nest, steps: Mapping[str, int], machine: Machine, room: Machine
) -> Nest | None:
    """The nest in its best order, settled; None if no order fits.

    steps: of each loop. room: the machine as large as orders may take it to be.
    """
    if nest.macs > LARGEST_MACS:
        return best_nest_plain(spec, nest, steps, machine, room)
    tried = candidates(steps)
    tables = search_tables(nest, machine, room, tried.sets, {OFFCHIP: STREAM_PJ_PER_BIT})
    waits = spec.last_store == "waits"
    cycles, energies_pj, cuts = search_orders(tables, tried.orders, waits)
    (fitting,) = np.nonzero(cycles >= 0)
    if spec.mapping == "energy" and fitting.size:
        chip_pj = energies_pj[fitting, 1]
        fitting = fitting[chip_pj <= chip_pj.min() * EQUAL]
    if not fitting.size:
        return None
    best = min(fitting, key=lambda i: (cycles[i], energies_pj[i, 0]))
    return _ordered(nest, machine, tried, tried.rows[best], cuts[best])


def _ordered(
    nest: Nest,
    machine: Machine,
    tried: Candidates,
    order: NDArray[np.int64],
    cuts: NDArray[np.int64],
) -> Nest:
    loops = [tried.loops[i] for i in order]
    temporal = {}
    for operand, row in zip(OPERANDS, cuts.tolist(), strict=True):
        ends = row[: len(machine.levels(operand))]
        starts = [0, *ends[:-1]]
        temporal[operand] = [loops[i:j] for i, j in zip(starts, ends, strict=True)]
    return replace(nest, temporal=temporal)


def best_nest_plain(
    spec: DataflowSpec, nest: Nest, steps: Mapping[str, int], machine: Machine, room: Machine
) -> Nest | None:
    """The same by the models of `hw_models.nest`, one order after another."""
    found, costs = list(mapped(nest, steps, room)), NestCosts(spec, nest, machine)
    if spec.mapping == "energy" and found:
        energies_pj = [costs.chip_pj(order) for order in found]
        least = min(energies_pj) * EQUAL
        found = [order for order, pj in zip(found, energies_pj, strict=True) if pj <= least]
    rated = [(costs.cost(order), order) for order in found]
    best = min(rated, key=lambda one: (one[0].cycles, one[0].energy_pj), default=None)
    return best[1] if best else None
