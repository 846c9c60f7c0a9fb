"""A core with a dataflow array as memories and loops: what the nest models reckon with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from hw_models.nest.hierarchy import (
    OPERANDS,
    RELEVANT,
    Direction,
    Levels,
    Machine,
    Memory,
    Nest,
    Port,
)
from hw_models.pe_array.dataflow import DataflowSpec, steps_of
from hw_models.pe_array.tile import Stream, Tile
from hw_models.spec import BufferSpec, CoreSpec, Operand
from hw_models.yaml_file import InputError

NEST_NAMES: dict[Operand, str] = {"input": "I", "weight": "W", "output": "O"}
"""Operands of nests by those of chips; a buffer for outputs keeps their partial sums as well."""

OFFCHIP = "offchip"
UNLIMITED_BITS = 1 << 60

TO_LOW, FROM_HIGH = Direction.TO_LOW, Direction.FROM_HIGH
FROM_LOW, TO_HIGH = Direction.FROM_LOW, Direction.TO_HIGH

PORTS: dict[str, tuple[tuple[Direction, ...], ...]] = {
    "1rw": ((TO_LOW, FROM_HIGH, FROM_LOW, TO_HIGH),),
    "1r1w": ((TO_LOW, TO_HIGH), (FROM_HIGH, FROM_LOW)),
    "2rw": ((TO_LOW, FROM_HIGH), (FROM_LOW, TO_HIGH)),
    "2r2w": ((TO_LOW,), (FROM_HIGH,), (FROM_LOW,), (TO_HIGH,)),
}
"""Ways that each port serves: of two that read and write, one has operands that come, the other
results that go. Source: DepFiN and DIANA as Stream's validation describes them."""

ONE_INPUT = {**RELEVANT, "W": frozenset[str]()}
EVERY_ELEMENT = {**RELEVANT, "W": RELEVANT["W"] | RELEVANT["O"]}


@dataclass(frozen=True, slots=True)
class Operation:
    """How a layer indexes its operands, as RELEVANT. two_inputs: whether "W" is there at all."""

    relevant: Mapping[str, frozenset[str]]
    two_inputs: bool


PRODUCT = Operation(RELEVANT, True)
OPERATIONS = {
    "conv2d": PRODUCT,
    "matmul": PRODUCT,
    "elementwise": Operation(EVERY_ELEMENT, True),
}
UNARY = Operation(ONE_INPUT, False)
"""Every other layer reads one feature map and no weights. The second input of an element-wise
layer goes where weights go."""


def machine_of(core: CoreSpec, spec: DataflowSpec, stream: Stream) -> Machine:
    """The memories of a core from the registers outwards, and what lies beyond for a stream.

    Raises InputError for a buffer without energies.
    """
    stores = [
        Memory(
            s.name,
            s.size_bits,
            _ports(s.ports, s.width_bits, s.width_bits // s.banks, s.holds),
            s.read_pj,
            s.write_pj,
        )
        for s in spec.stores
    ]
    buffers = [_buffer(core, spec, buffer) for buffer in core.buffers]
    used = [buffer for buffer in buffers if buffer.ports]
    beyond = []
    if stream.operands:
        width = stream.bits_per_cycle
        ports = _ports(stream.ports, width, width, sorted(stream.operands))
        beyond.append(Memory(OFFCHIP, UNLIMITED_BITS, ports))
    return Machine((*stores, *used, *beyond), spec.mac_pj)


def _buffer(core: CoreSpec, spec: DataflowSpec, buffer: BufferSpec) -> Memory:
    energy = next((e for e in spec.buffers if e.name == buffer.name), None)
    if energy is None:
        raise InputError(f"core {core.name}: pe_array.buffers must name {buffer.name} too")
    width, least = buffer.bytes_per_cycle * 8, buffer.width_bytes * 8
    ports = _ports(buffer.ports, width, least, buffer.holds)
    return Memory(buffer.name, buffer.size_bytes * 8, ports, energy.read_pj, energy.write_pj)


def _ports(kind: str, bits: int, least_bits: int, holds: Sequence[str]) -> tuple[Port, ...]:
    held = [name for operand, name in NEST_NAMES.items() if operand in holds]
    ports = [
        tuple((name, way) for name in held for way in ways if name == "O" or way in PORTS["2rw"][0])
        for ways in PORTS[kind]
    ]
    return tuple(Port(bits, least_bits, serves) for serves in ports if serves)


def best_unrolling(spec: DataflowSpec, size: Mapping[str, int]) -> int:
    """Number of the unrolling that leaves the fewest steps, the first of equals."""
    return min(range(len(spec.unrollings)), key=lambda n: prod(steps_of(spec, n, size).values()))


def nest_of(
    spec: DataflowSpec, unrolling: int, machine: Machine, tile: Tile
) -> tuple[Nest, dict[str, int]]:
    """A tile as a nest that is spread over the array but not yet ordered, and its steps by loop.

    A loop of 14 in 4 steps is unrolled by 3.5: counts and energy are right, times those of 4.
    """
    operation, size, precision = OPERATIONS.get(tile.op, UNARY), tile.size, tile.precision
    steps = steps_of(spec, unrolling, size)
    bits = {
        "I": precision.input_bits,
        "W": precision.weight_bits if operation.two_inputs else 0,
        "O": precision.output_bits,
        "P": precision.psum_bits,
    }
    loops = spec.unrollings[unrolling]
    spread = [(loop.upper(), float(Fraction(size[loop], steps[loop]))) for loop in loops]
    nest = Nest(
        {loop.upper(): n for loop, n in size.items()},
        {operand: _levels(spec, machine, operand, spread) for operand in OPERANDS},
        {},
        max(tile.window[:2]),
        bits,
        operation.relevant,
    )
    return nest, {loop.upper(): n for loop, n in steps.items()}


def _levels(
    spec: DataflowSpec, machine: Machine, operand: str, spread: Sequence[tuple[str, float]]
) -> Levels:
    """The unrolled loops below each memory of an operand: those that one copy of it serves."""
    shared = {store.name: set(store.shared_along) for store in spec.stores}
    every, placed = set(range(len(spread))), set[int]()
    levels = []
    for memory in machine.levels(operand):
        here = (shared.get(memory.name, every) & every) - placed
        levels.append([spread[dimension] for dimension in sorted(here)])
        placed |= here
    return [*levels, []]
