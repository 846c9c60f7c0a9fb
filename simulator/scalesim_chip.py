"""A SCALE-Sim configuration as a chip, so that its files run here as they are.

What the configuration doesn't say is filled in so that it never limits more than there: one word is
one byte, all memories are 1r1w and double buffered, the bus is as wide as everything behind it, the
vector unit as wide as the array, DRAM has no latency. USER mode: DRAM moves the sum of the three
interface bandwidths; CALC mode, where memory never stalls: as much as the array can use.
"""

from __future__ import annotations

from pathlib import Path

from hw_models.dram_spec import DramSpec
from hw_models.noc_spec import WireSpec
from hw_models.pe_array.systolic import SystolicSpec
from hw_models.spec import (
    BufferSpec,
    ChipSpec,
    CoreSpec,
    DmaSpec,
    Operand,
    PrecisionSpec,
    VectorSpec,
)
from simulator.workload.scalesim_config import ScaleSimConfig, load_config

WORD_BITS = 8
CLOCK_GHZ, TECHNOLOGY_NM, PJ_PER_BIT, CAPACITY_MIB = 1.0, 28, 10.0, 4096
"""Not part of a configuration: cycles don't depend on them, times and energies do."""


def load_scalesim_chip(path: Path) -> ChipSpec:
    """The chip that a SCALE-Sim configuration file describes. Raises WorkloadError."""
    return scalesim_chip(load_config(path))


def scalesim_chip(config: ScaleSimConfig) -> ChipSpec:
    """The chip that a SCALE-Sim configuration describes."""
    rows, columns = config.array_rows, config.array_columns
    bytes_per_cycle = 2 * (rows + columns)
    if config.mode == "USER":
        reads = config.ifmap_bank_bandwidth + config.filter_bank_bandwidth
        bytes_per_cycle = reads + config.ofmap_bandwidth
    array = {"rows": rows, "cols": columns, "dataflow": config.dataflow, "fold_overlap": "serial"}
    return ChipSpec(
        name=_name(config.run_name),
        description=f"SCALE-Sim configuration {config.run_name}, {config.mode} mode",
        technology_nm=TECHNOLOGY_NM,
        clock_ghz=CLOCK_GHZ,
        precision=PrecisionSpec(
            input_bits=WORD_BITS, weight_bits=WORD_BITS, psum_bits=WORD_BITS, output_bits=WORD_BITS
        ),
        cores=(
            CoreSpec(
                name="core",
                pe_array=SystolicSpec.model_validate({"kind": "systolic", **array}),
                vector_unit=VectorSpec(lanes=columns),
                buffers=(
                    _buffer("ifmap", ("input",), config.ifmap_sram_kib, rows + columns),
                    _buffer("filter", ("weight",), config.filter_sram_kib, rows + columns),
                    _buffer("ofmap", ("psum", "output"), config.ofmap_sram_kib, rows + columns),
                ),
                dma=DmaSpec(outstanding=4),
            ),
        ),
        noc=WireSpec(kind="bus", width_bytes=bytes_per_cycle, latency_cycles=0),
        dram=DramSpec(
            channels=1,
            bandwidth_gb_per_s=bytes_per_cycle * CLOCK_GHZ,
            latency_ns=0,
            granule_bytes=1,
            capacity_mib=CAPACITY_MIB,
            pj_per_bit=PJ_PER_BIT,
        ),
    )


def _buffer(name: str, holds: tuple[Operand, ...], kib: int, words: int) -> BufferSpec:
    """A memory of whole words of one for each row and column, so that it never limits the array."""
    size_bytes = kib * 1024 // words * words
    return BufferSpec(
        name=name,
        holds=holds,
        size_bytes=size_bytes,
        banks=1,
        width_bytes=words,
        ports="1r1w",
        slots=2,
    )


def _name(run_name: str) -> str:
    return "".join(c if c.isalnum() or c in "_.-" else "_" for c in run_name)
