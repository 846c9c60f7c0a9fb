"""A tile that a core is asked about, and what it costs there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw_models.pe_array.timing import SHAPE_COLUMNS
from hw_models.spec import Operand, PrecisionSpec


@dataclass(frozen=True, slots=True)
class Stream:
    """Operands that stay off-chip, and the ports over which they come and go.

    ports: "1rw" one for both ways, "1r1w" one for each, so many bits a cycle wide.
    """

    operands: frozenset[Operand] = frozenset()
    bits_per_cycle: int = 0
    ports: str = "1rw"


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of a layer. op: a LayerOp value. sizes: of the eight loops. window: as for timing."""

    op: str
    sizes: tuple[int, ...]
    window: tuple[int, ...]
    precision: PrecisionSpec
    stream: Stream

    @property
    def size(self) -> Mapping[str, int]:
        """Size of each loop by its name."""
        return dict(zip(SHAPE_COLUMNS, self.sizes, strict=True))

    def __str__(self) -> str:
        extents = " x ".join(f"{loop} {n}" for loop, n in self.size.items() if n > 1)
        return f"{self.op} of {extents or 'one element'}"


@dataclass(frozen=True, slots=True)
class TileCost:
    """Cost of a tile.

    cycles: on a core of its own, operands in its buffers, their port widths included; with streamed
    operands the time that these take too. array_cycles: with every port infinitely wide. trains:
    buffer, 0 for reads or 1 for writes, bytes moved in whole accesses. energy_pj: operations,
    registers, local buffers and the core's buffers; 0 where the array's spec has no energies, as
    only those of dataflow arrays do (`hw_models.tile_cost.tile_energy_pj` has it for all).
    stream_*_bytes: off-chip traffic of streamed operands, as often as they move.
    """

    cycles: int
    array_cycles: int
    trains: tuple[tuple[str, int, int], ...]
    energy_pj: float
    stream_read_bytes: int
    stream_write_bytes: int
