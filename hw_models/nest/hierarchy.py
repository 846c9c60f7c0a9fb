"""Memories and loops as ZigZag-style models see them: operands, levels, ports, a mapped loop nest.

Operands are "I" (input), "W" (weight) and "O" (output). Source: L. Mei et al., "ZigZag: Enlarging
Joint Architecture-Mapping Design Space Exploration for DNN Accelerators", IEEE Trans. Computers
70(8), 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import prod

OPERANDS = ("O", "W", "I")
LOOPS = ("B", "G", "K", "C", "OY", "OX", "FY", "FX")

RELEVANT = {
    "O": frozenset({"B", "G", "K", "OY", "OX"}),
    "W": frozenset({"G", "K", "C", "FY", "FX"}),
    "I": frozenset({"B", "G", "C"}),
}
"""Loops that index an operand one to one."""

WINDOWS = {"I": (("OY", "FY"), ("OX", "FX"))}
"""Pairs of loops (output position, filter tap) that index an operand together."""

Loop = tuple[str, float]
Levels = Sequence[Sequence[Loop]]


class Direction(StrEnum):
    """Where data go at a memory, named as in ZigZag's hardware files."""

    TO_LOW = "tl"
    FROM_HIGH = "fh"
    FROM_LOW = "fl"
    TO_HIGH = "th"


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a memory: bits a cycle, bits of the finest access, and the transfers it serves."""

    bits: float
    least_bits: int
    serves: tuple[tuple[str, Direction], ...]

    @property
    def has_both_inputs(self) -> bool:
        """Whether inputs and weights share the port."""
        return {"I", "W"} <= {operand for operand, _ in self.serves}


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory: its size, its ports and the energy of a read and of a write of a port's width."""

    name: str
    size_bits: int
    ports: tuple[Port, ...]
    read_pj: float = 0.0
    write_pj: float = 0.0

    @property
    def operands(self) -> frozenset[str]:
        """Operands that are stored here."""
        return frozenset(operand for port in self.ports for operand, _ in port.serves)

    def port_of(self, operand: str, direction: Direction) -> Port | None:
        """The port that serves a transfer; None if there is none."""
        return next((port for port in self.ports if (operand, direction) in port.serves), None)


@dataclass(frozen=True, slots=True)
class Machine:
    """Memories from the innermost to the outermost, and the energy of a multiply-accumulate.

    systolic: whether results leave the array one PE a cycle, along every unrolled dimension.
    """

    memories: tuple[Memory, ...]
    mac_pj: float = 0.0
    systolic: bool = False

    def levels(self, operand: str) -> list[Memory]:
        """The memories of an operand, innermost first."""
        return [memory for memory in self.memories if operand in memory.operands]


@dataclass(frozen=True, slots=True)
class Nest:
    """A layer as mapped loops.

    spatial: for each operand the unrolled loops at the array (first) and above each memory;
    temporal: the loops of each memory, inside a level from the innermost. stride: output position
    to input position. bits: of an element; "P" of a partial sum. relevant: as RELEVANT.
    """

    sizes: Mapping[str, int]
    spatial: Mapping[str, Levels]
    temporal: Mapping[str, Levels]
    stride: int
    bits: Mapping[str, int]
    relevant: Mapping[str, frozenset[str]] = field(default_factory=lambda: RELEVANT)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer."""
        return prod(self.sizes.values())

    def elements(self, operand: str, loops: Sequence[Loop]) -> float:
        """Different elements of an operand that some loops touch."""
        extent: dict[str, float] = {}
        for loop, factor in loops:
            extent[loop] = extent.get(loop, 1) * factor
        count = prod((n for loop, n in extent.items() if loop in self.relevant[operand]), start=1.0)
        for position, tap in WINDOWS.get(operand, ()):
            count *= _window(int(extent.get(position, 1)), int(extent.get(tap, 1)), self.stride)
        return count

    def repeats(self, operand: str, loop: str) -> bool:
        """Whether a loop uses the same elements again and again."""
        paired = {name for pair in WINDOWS.get(operand, ()) for name in pair}
        return loop not in self.relevant[operand] and loop not in paired

    def settled(self) -> Nest:
        """The nest with the loops that repeat an operand at the bottom of a level moved below.

        What lies below a memory keeps its data meanwhile, so its transfer takes place less often.
        """
        return replace(self, temporal={op: self._settle(op) for op in self.temporal})

    def _settle(self, operand: str) -> Levels:
        levels = [list(loops) for loops in self.temporal[operand]]
        for level in range(1, len(levels)):
            while levels[level] and self.repeats(operand, levels[level][0][0]):
                below = level - 1
                levels[below].append(levels[level].pop(0))
                while below and self._repeats_all(operand, levels[below]):
                    levels[below - 1] += levels[below]
                    levels[below] = []
                    below -= 1
        return levels

    def _repeats_all(self, operand: str, loops: Sequence[Loop]) -> bool:
        return all(self.repeats(operand, loop) for loop, _ in loops)


def _window(positions: int, taps: int, stride: int) -> int:
    """Different inputs under `taps` filter taps at `positions` places."""
    return positions * taps - max(0, taps - stride) * (positions - 1)
