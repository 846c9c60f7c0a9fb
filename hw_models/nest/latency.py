"""Latency of a mapped loop nest: what the ports of its memories can't deliver in time.

Source: L. Mei et al., "A Uniform Latency Model for DNN Accelerators with Diverse Architectures and
Dataflows", DATE 2022; details as zigzag-dse 3.9.1 has them. Assumptions: every port works all the
time that its windows allow; the stalls of different ports hide each other; transfers are periodic;
no latency, row misses, refresh, bank conflicts or hops; first loads may use the spare bandwidth of
the computing phase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from hw_models.nest.hierarchy import OPERANDS, Direction, Machine, Memory, Nest, Port
from hw_models.nest.transfers import OperandMoves, Transfer, operand_moves

Key = tuple[str, str, Direction]
"""Operand, memory, direction."""

Moves = Mapping[str, OperandMoves]
"""By operand."""


@dataclass(frozen=True, slots=True)
class NestLatency:
    """Cycles of a nest: of its loops, of stalls, before the first and after the last of them.

    slowest: the memory whose port stalls most; empty without any stall.
    """

    loop_cycles: int
    stall_cycles: float
    onload_cycles: float
    offload_cycles: float
    slowest: str

    @property
    def total_cycles(self) -> float:
        """All of them."""
        return self.loop_cycles + self.stall_cycles + self.onload_cycles + self.offload_cycles


def nest_latency(nest: Nest, machine: Machine, exact: Nest | None = None) -> NestLatency:
    """Latency of a settled nest. exact: the same with fractional unrolling, for what is stored."""
    moves, kept = (
        {operand: operand_moves(some, machine, operand) for operand in OPERANDS}
        for some in (nest, exact or nest)
    )
    return moves_latency(moves, machine, kept)


def moves_latency(
    moves: Moves, machine: Machine, kept: Moves, *, edges_hide: bool = True
) -> NestLatency:
    """Latency of what the operands of a settled nest do.

    kept: the same with fractional unrolling. edges_hide: whether what moves only once may use the
    bandwidth that the computing phase leaves (as zigzag-dse 3.9.1 has it, 2.5.3 not).
    """
    moving = [transfer for operand in OPERANDS for transfer in moves[operand].transfers]
    doubled = _doubled(kept, machine)
    loops = moves["O"].flow.cycles[-1]
    ports = _by_port(moving, machine)
    stalls = [(_port_stall(t, doubled), m) for (m, _), t in ports.items()]
    stall, slowest = max([(0.0, ""), *stalls])
    edge: dict[Key, float] = {}
    least = {op: moves[op].flow.elements[1] * moves[op].flow.bits[1] for op in OPERANDS}
    for served in ports.values():
        edge |= _edge_cycles(served, least, loops + stall if edges_hide else 0)
    return NestLatency(loops, stall, _onload(edge, machine), _offload(edge, machine), slowest)


def double_buffered(nest: Nest, machine: Machine) -> set[tuple[str, int]]:
    """(operand, level) where a memory has room for the next data beside those in use."""
    return _doubled({op: operand_moves(nest, machine, op) for op in OPERANDS}, machine)


def _doubled(moves: Moves, machine: Machine) -> set[tuple[str, int]]:
    used: dict[tuple[str, int], float] = {}
    home: dict[tuple[str, int], Memory] = {}
    for operand in OPERANDS:
        flow = moves[operand].flow
        for level, memory in enumerate(machine.levels(operand), 1):
            bits = flow.elements[level] * flow.bits[level]
            used[operand, level] = bits // flow.top_relevant[level] / memory.size_bits
            home[operand, level] = memory
    shared = {m.name: sum(used[key] for key in home if home[key] is m) for m in machine.memories}
    doubled = set()
    for key, memory in home.items():
        if shared[memory.name] <= 0.5:
            doubled.add(key)
        elif used[key] <= 1 - shared[memory.name]:
            doubled.add(key)
            shared[memory.name] += used[key]
    return doubled


def _by_port(moving: Sequence[Transfer], machine: Machine) -> dict[tuple[str, int], list[Transfer]]:
    """The transfers of every port, in the order in which the port names them."""
    found: dict[tuple[str, int], list[Transfer]] = {}
    known = {(t.operand, t.memory.name, t.direction): t for t in moving}
    for memory in machine.memories:
        for number, port in enumerate(memory.ports):
            keys = [(operand, memory.name, direction) for operand, direction in port.serves]
            found[memory.name, number] = [known[key] for key in keys if key in known]
    return found


def _port_stall(served: Sequence[Transfer], doubled: set[tuple[str, int]]) -> float:
    """Cycles by which a port makes the computation wait after the first period."""
    windows = [_window_cycles(t, doubled) for t in served]
    slips = [
        (t.cycles - window) * (t.periods - 1) for t, window in zip(served, windows, strict=True)
    ]
    if len(served) < 2:
        return max(slips, default=0)
    late, spare = sum(s for s in slips if s > 0), sum(s for s in slips if s <= 0)
    allowed = sum(window * (t.periods - 1) for t, window in zip(served, windows, strict=True))
    return late + max(0, spare + allowed - _union_cycles(served, windows))


def _window_cycles(transfer: Transfer, doubled: set[tuple[str, int]]) -> int:
    """Cycles of a period in which its data may move."""
    if (transfer.operand, transfer.level) in doubled:
        return transfer.period_cycles
    return transfer.window_cycles


def _union_cycles(served: Sequence[Transfer], windows: Sequence[int]) -> int:
    """Cycles of the whole computation in which at least one of the transfers may move."""
    for transfer, window in zip(served, windows, strict=True):
        if window == transfer.period_cycles:
            return window * transfer.periods
    slots = sorted(zip((t.period_cycles for t in served), windows, strict=True))
    longest = max(served, key=lambda t: t.period_cycles)
    return _open_cycles(longest.period_cycles, slots) * longest.periods


def _open_cycles(until: int, slots: Sequence[tuple[int, int]]) -> int:
    """Cycles before `until` in which a slot is open, each at the start of its period.

    slots: (period, window), shortest period first; each period is a multiple of the one before, as
    all operands have the same loops in the same order.
    """
    if not slots:
        return 0
    *inner, (period, window) = slots
    periods, rest = divmod(until, period)

    def within(end: int) -> int:
        later = _open_cycles(end, inner) - _open_cycles(window, inner) if end > window else 0
        return min(end, window) + later

    return periods * within(period) + within(rest)


def _edge_cycles(
    served: Sequence[Transfer], least_bits: Mapping[str, int], computing_cycles: float
) -> dict[Key, float]:
    """Cycles of each first load or last store of a port.

    What moves only once may in part use the port while others leave it free.
    """
    moving = [t for t in served if not _is_returning_sum(t)]
    asked = sum(t.mean_bits_per_cycle for t in moving if t.periods > 1)
    edge = {(t.operand, t.memory.name, t.direction): float(t.cycles) for t in moving}
    once = sorted((t for t in moving if t.periods == 1), key=lambda t: -t.cycles)
    for transfer in once:
        width = transfer.port.bits
        if transfer is once[0]:
            spare = max(0.0, (width - asked) / width * computing_cycles)
        least = ceil(least_bits[transfer.operand] / width)
        hidden = min(max(0.0, transfer.cycles - least), spare)
        edge[transfer.operand, transfer.memory.name, transfer.direction] -= hidden
        spare -= hidden
    return edge


def _is_returning_sum(transfer: Transfer) -> bool:
    return transfer.operand == "O" and transfer.direction in (
        Direction.TO_LOW,
        Direction.FROM_HIGH,
    )


def _onload(edge: dict[Key, float], machine: Machine) -> float:
    """First loads of both inputs: in turn on ports that both use, else side by side."""
    shared, alone = {"I": 0.0, "W": 0.0}, {"I": 0.0, "W": 0.0}
    for operand in shared:
        half = 0.0
        for low, high in _neighbours(machine, operand):
            keys = (low, Direction.FROM_HIGH), (high, Direction.TO_LOW)
            cycles = max(edge[operand, memory.name, way] for memory, way in keys)
            both = [_port(memory, operand, way).has_both_inputs for memory, way in keys]
            if all(both):
                shared[operand] += cycles
            elif any(both):
                half = cycles
            else:
                alone[operand] += cycles
        alone[operand] += half
    return min(
        shared[one] + max(shared[other] + alone[other], alone[one])
        for one, other in (("I", "W"), ("W", "I"))
    )


def _offload(edge: dict[Key, float], machine: Machine) -> float:
    """Last stores, one memory after another."""
    return sum(
        max(edge["O", low.name, Direction.TO_HIGH], edge["O", high.name, Direction.FROM_LOW])
        for low, high in _neighbours(machine, "O")
    )


def _neighbours(machine: Machine, operand: str) -> list[tuple[Memory, Memory]]:
    levels = machine.levels(operand)
    return list(pairwise(levels))


def _port(memory: Memory, operand: str, direction: Direction) -> Port:
    port = memory.port_of(operand, direction)
    assert port is not None
    return port
