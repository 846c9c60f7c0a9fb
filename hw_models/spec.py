"""The chip spec: what a chip file may say, with the rule of every key.

A number is given plainly or as `{value: 512, source: "..."}`; a mapping may carry one `source` for
all its numbers. Presets give a source for every number (tests/hw_models/test_presets.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hw_models.clock import exact, few_digits
from hw_models.dram_spec import DramSpec
from hw_models.noc_ports import noc_ports
from hw_models.noc_spec import NocSpec
from hw_models.pe_array.borrowing_array import BorrowingSpec
from hw_models.pe_array.dataflow import DataflowSpec
from hw_models.pe_array.row_stationary import RowStationarySpec
from hw_models.pe_array.spatial import SpatialSpec
from hw_models.pe_array.systolic import SystolicSpec
from hw_models.yaml_file import InputError, Strict

Operand = Literal["input", "weight", "psum", "output"]
OPERANDS: tuple[Operand, ...] = ("input", "weight", "psum", "output")

Op = Literal[
    "conv2d",
    "matmul",
    "pool",
    "elementwise",
    "activation",
    "softmax",
    "norm",
    "concat",
    "resize",
    "embedding",
]
"""What a layer does; the values of `LayerOp`."""

RESERVED = ("dram", "any", "shared")
"""Names that no core can have, as ends of links and buffers of several cores use them."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Count = Annotated[int, Field(ge=1, le=1 << 20)]
Bits = Annotated[int, Field(ge=1, le=64)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ClockGhz = Annotated[float, Field(gt=0, le=20, allow_inf_nan=False), AfterValidator(few_digits)]

LARGEST_CLOCK_RATIO = 10_000
"""Of the clocks of a core and the chip, so that times fit 64 bits in ticks of both."""

PeArraySpec = Annotated[
    SystolicSpec | SpatialSpec | RowStationarySpec | BorrowingSpec | DataflowSpec,
    Field(discriminator="kind"),
]


class PrecisionSpec(Strict):
    """Bits of each operand as it is stored. psum: a partial sum before requantisation."""

    input_bits: Bits
    weight_bits: Bits
    psum_bits: Bits
    output_bits: Bits

    def bits(self, operand: Operand) -> int:
        """Bits of one element of an operand."""
        return int(getattr(self, f"{operand}_bits"))

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.output_bits != self.input_bits:
            raise ValueError(
                f"output_bits must equal input_bits ({self.input_bits}), as one layer's output is "
                f"the next one's input, not {self.output_bits}"
            )
        if self.psum_bits < self.output_bits:
            raise ValueError(
                f"psum_bits must be at least output_bits ({self.output_bits}), not {self.psum_bits}"
            )
        return self


class BufferSpec(Strict):
    """An on-chip SRAM of one core.

    holds: the operands stored in it. slots: tiles of each operand that must fit side by side; 2 is
    double buffering, 1 makes a transfer wait for the computation before it.
    banks, width_bytes: each bank moves width_bytes a cycle on each of its ports.
    ports: "1rw" one port shared by reads and writes, "1r1w" one of each, "2rw" two shared ones.
    shared: one memory for all cores that list a buffer of this name; all describe it alike, except
    that each may hold other operands in it.
    """

    name: Name
    holds: tuple[Operand, ...] = Field(min_length=1, strict=False)
    size_bytes: Annotated[int, Field(ge=64, le=1 << 34)]
    banks: Count
    width_bytes: Count
    ports: Literal["1rw", "1r1w", "2rw"]
    slots: Annotated[int, Field(ge=1, le=64)]
    shared: bool = False

    @property
    def bytes_per_cycle(self) -> int:
        """Bytes that one port of every bank together moves a cycle."""
        return self.banks * self.width_bytes

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.banks & (self.banks - 1):
            raise ValueError(f"banks must be a power of two, not {self.banks}")
        if self.size_bytes % (self.banks * self.width_bytes):
            raise ValueError(
                "size_bytes must be a multiple of banks * width_bytes "
                f"({self.banks * self.width_bytes}), not {self.size_bytes}"
            )
        return self


class VectorSpec(Strict):
    """The vector unit: lanes elements a cycle, one simple operation each."""

    lanes: Count


class DmaSpec(Strict):
    """The DMA engines of a core, one per operand: transfers each may have under way."""

    outstanding: Annotated[int, Field(ge=1, le=64)]


class CoreSpec(Strict):
    """A core: one PE array, its vector unit, buffers and DMA engines. count: equal copies.

    runs: layers that the core takes, all if empty. clock_ghz: the core's own, else the chip's.
    """

    name: Name
    count: Annotated[int, Field(ge=1, le=1024)] = 1
    pe_array: PeArraySpec
    vector_unit: VectorSpec
    buffers: tuple[BufferSpec, ...] = Field(min_length=1, strict=False)
    dma: DmaSpec
    runs: Annotated[tuple[Op, ...], Field(strict=False)] = ()
    clock_ghz: ClockGhz | None = None

    @model_validator(mode="after")
    def _each_operand_has_one_buffer(self) -> Self:
        homes = Counter(operand for buffer in self.buffers for operand in buffer.holds)
        for operand in OPERANDS:
            if homes[operand] != 1:
                raise ValueError(
                    f"buffers must hold {operand} in exactly one place, not {homes[operand]}"
                )
        _unique("buffers", [buffer.name for buffer in self.buffers])
        return self

    @model_validator(mode="after")
    def _energies_of_a_dataflow_array_are_those_of_its_buffers(self) -> Self:
        if isinstance(self.pe_array, DataflowSpec):
            names = {buffer.name for buffer in self.buffers}
            given = {buffer.name for buffer in self.pe_array.buffers}
            if given != names:
                raise ValueError(
                    f"pe_array.buffers must name {', '.join(sorted(names))}, "
                    f"not {', '.join(sorted(given)) or 'none'}"
                )
        return self

    def buffer_of(self, operand: Operand) -> BufferSpec:
        """The buffer that holds an operand."""
        return next(buffer for buffer in self.buffers if operand in buffer.holds)

    def takes(self, op: str) -> bool:
        """Whether layers of this type can run here."""
        return not self.runs or op in self.runs

    @property
    def computes_macs(self) -> bool:
        """Whether convolutions or matrix products can run here; a pooling core takes none."""
        return self.takes("conv2d") or self.takes("matmul")


class ChipSpec(Strict):
    """A chip: cores, what connects them, and external memory, on one clock.

    energy_table: path of a table of energy per action that replaces tilesim's own.
    """

    name: Name
    description: Annotated[str, Field(min_length=1)]
    technology_nm: Annotated[int, Field(ge=2, le=250)]
    clock_ghz: ClockGhz
    precision: PrecisionSpec
    cores: tuple[CoreSpec, ...] = Field(min_length=1, strict=False)
    noc: NocSpec
    dram: DramSpec
    energy_table: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        _unique("cores", [core.name for core in self.cores])
        for name in self.core_names:
            if name in RESERVED:
                raise ValueError(f"cores must not be called {', '.join(RESERVED)}, not {name!r}")
        return self

    @model_validator(mode="after")
    def _shared_buffers_are_alike(self) -> Self:
        shared = {b.name for core in self.cores for b in core.buffers if b.shared}
        for name in sorted(shared):
            views = [(c.name, b) for c in self.cores for b in c.buffers if b.name == name]
            for core, buffer in views[1:]:
                _alike(name, views[0], (core, buffer))
        return self

    @model_validator(mode="after")
    def _clocks_have_simple_ratios(self) -> Self:
        for number, core in enumerate(self.cores):
            ratio = self.core_cycle(core)
            if max(ratio.numerator, ratio.denominator) > LARGEST_CLOCK_RATIO:
                raise ValueError(
                    f"cores[{number}].clock_ghz must be to the chip's as two ints of at most "
                    f"{LARGEST_CLOCK_RATIO}, not {ratio.denominator} to {ratio.numerator}"
                )
        return self

    @model_validator(mode="after")
    def _cores_reach_dram(self) -> Self:
        try:
            noc_ports(self.noc, self.core_names)
        except InputError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def core_names(self) -> list[str]:
        """Name of every core; copies are numbered from 0."""
        return [
            core.name if core.count == 1 else f"{core.name}{copy}"
            for core in self.cores
            for copy in range(core.count)
        ]

    @property
    def dram_bytes_per_cycle(self) -> Fraction:
        """Peak bytes that all DRAM channels together move in a chip cycle, exactly."""
        return self.dram.channel_gb_per_s * self.dram.channels / exact(self.clock_ghz)

    def core_cycle(self, core: CoreSpec) -> Fraction:
        """Chip cycles that a cycle of a core lasts."""
        return exact(self.clock_ghz) / exact(core.clock_ghz or self.clock_ghz)

    def buffers_of(self, core: CoreSpec) -> Iterator[tuple[BufferSpec, int]]:
        """Buffers of all copies of a core, with their number; a shared one at its first core."""
        before = self.cores[: self.cores.index(core)]
        seen = {b.name for other in before for b in other.buffers if b.shared}
        for buffer in core.buffers:
            if not buffer.shared:
                yield buffer, core.count
            elif buffer.name not in seen:
                yield buffer, 1

    def cycles_ceil(self, time_ns: Fraction) -> int:
        """A time in whole chip cycles, rounded up."""
        return -int(-time_ns * exact(self.clock_ghz) // 1)

    @property
    def peak_macs_per_cycle(self) -> int:
        """Multiply-accumulates a cycle of all cores together."""
        from hw_models.pe_array.registry import pe_array

        macs = [(c.count, pe_array(c.pe_array)) for c in self.cores if c.computes_macs]
        return sum(count * array.peak_macs_per_cycle for count, array in macs)


def _alike(name: str, first: tuple[str, BufferSpec], other: tuple[str, BufferSpec]) -> None:
    for key in type(first[1]).model_fields:
        mine, theirs = getattr(first[1], key), getattr(other[1], key)
        if key != "holds" and mine != theirs:
            raise ValueError(
                f"cores must describe the shared buffer {name} alike, not with {key} {mine} in "
                f"{first[0]} and {theirs} in {other[0]}"
            )


def _unique(key: str, names: list[str]) -> None:
    for name, number in Counter(names).items():
        if number > 1:
            raise ValueError(f"{key} must have different names, not {name!r} {number} times")
