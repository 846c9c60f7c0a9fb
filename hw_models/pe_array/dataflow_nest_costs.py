"""Costs of orders of the loops of a tile on a dataflow array.

Rules: ARCHITECTURE.md TILE-1 to TILE-4.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from math import ceil

from hw_models.nest.energy import READS, transfer_energy_pj
from hw_models.nest.hierarchy import OPERANDS, Machine, Nest
from hw_models.nest.latency import moves_latency
from hw_models.nest.order import Likeness
from hw_models.nest.transfers import OperandMoves, Transfer, operand_moves
from hw_models.pe_array.dataflow import DataflowSpec
from hw_models.pe_array.dataflow_machine import OFFCHIP
from hw_models.pe_array.tile import TileCost

STREAM_PJ_PER_BIT = 700 / 64
"""Energy of a streamed bit where an order is chosen for energy: a DRAM that takes 700 pJ for 64
bits (dram_dp of Stream's exploration)."""


class NestCosts:
    """Costs of orders of one tile. Orders share much: what an operand does is worked out once."""

    def __init__(self, spec: DataflowSpec, nest: Nest, machine: Machine) -> None:
        self.spec, self.machine, self.likeness = spec, machine, Likeness(nest)
        self.known: dict[Hashable, OperandMoves] = {}
        self.known_pj: dict[Hashable, float] = {}

    def chip_pj(self, nest: Nest) -> float:
        """Energy of an order with its streams."""
        return nest.macs * self.machine.mac_pj + sum(self._operand_pj(nest, o) for o in OPERANDS)

    def cost(self, nest: Nest) -> TileCost:
        """Cost of an order. Lanes that the last step leaves idle take time but no energy."""
        moves = self._moves(nest)
        latency = moves_latency(self._moves(_whole(nest)), self.machine, moves, edges_hide=False)
        cycles = latency.loop_cycles + latency.stall_cycles + latency.onload_cycles
        if self.spec.last_store == "waits":
            cycles += latency.offload_cycles
        moved = [transfer for move in moves.values() for transfer in move.transfers]
        beyond = [transfer for transfer in moved if transfer.memory.name == OFFCHIP]
        others = {OFFCHIP, *(store.name for store in self.spec.stores)}
        return TileCost(
            ceil(cycles),
            latency.loop_cycles,
            _trains([t for t in moved if t.memory.name not in others]),
            nest.macs * self.machine.mac_pj + sum(map(transfer_energy_pj, moved)),
            sum(_moved_bits(t) for t in beyond if t.direction in READS) // 8,
            sum(_moved_bits(t) for t in beyond if t.direction not in READS) // 8,
        )

    def _moves(self, nest: Nest) -> Mapping[str, OperandMoves]:
        return {operand: self._move(nest, operand) for operand in OPERANDS}

    def _move(self, nest: Nest, operand: str) -> OperandMoves:
        key = self._key(nest, operand)
        if key not in self.known:
            self.known[key] = operand_moves(nest, self.machine, operand)
        return self.known[key]

    def _key(self, nest: Nest, operand: str) -> Hashable:
        spatial = tuple(tuple(loops) for loops in nest.spatial[operand])
        return spatial, self.likeness.of(operand, nest.temporal[operand])

    def _operand_pj(self, nest: Nest, operand: str) -> float:
        key = self._key(nest, operand)
        if key not in self.known_pj:
            moved = self._move(nest, operand).transfers
            bits = sum(_moved_bits(t) for t in moved if t.memory.name == OFFCHIP)
            pj = sum(map(transfer_energy_pj, moved)) + bits * STREAM_PJ_PER_BIT
            self.known_pj[key] = pj
        return self.known_pj[key]


def _whole(nest: Nest) -> Nest:
    """The nest with whole lanes: of 3.5 the fourth is busy as well."""
    spatial = {
        operand: [[(loop, float(ceil(n))) for loop, n in loops] for loops in levels]
        for operand, levels in nest.spatial.items()
    }
    return replace(nest, spatial=spatial)


def _moved_bits(transfer: Transfer) -> int:
    return transfer.elements * transfer.bits * transfer.periods


def _trains(moved: Sequence[Transfer]) -> tuple[tuple[str, int, int], ...]:
    found: dict[tuple[str, int], int] = {}
    for transfer in moved:
        key = transfer.memory.name, int(transfer.direction not in READS)
        found[key] = found.get(key, 0) + transfer.accessed_bits // 8
    return tuple((name, write, n) for (name, write), n in found.items())
