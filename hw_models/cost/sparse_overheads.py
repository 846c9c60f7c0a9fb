"""Area and energy of a sparse core by component, from buffer depths and multiplexer fan-ins.

Rules: ARCHITECTURE.md BORROW-11, BORROW-12. Source of the fan-in formulae: Griffin, HPCA 2022; the
row for dual designs is derived from the same reasoning. Unit costs: tables/sparse_units.csv.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from importlib.resources import files
from math import ceil, log2
from typing import Literal

from hw_models.cost.action_table import rows_of
from hw_models.cost.interpolation import log_log
from hw_models.cost.sram import sram_access_pj
from hw_models.pe_array.borrowing_events import metadata_bits
from hw_models.pe_array.borrowing_window import Borrowing, Core
from traces.errors import InputError

OPERAND_BITS, PRODUCT_BITS, SUM_BITS = 8, 16, 32
SHUFFLE_MUX_BITS = 12 * OPERAND_BITS
"""Four 4:1 multiplexers of an operand's width for each group of four lanes."""
NODE_NM, SRAM_NODE_NM, SRAM_WORD_BITS = 7, 22, 64
CLOCK_GHZ = 0.8
A_SRAM_KIB, B_SRAM_KIB = 512, 32
"""Griffin's core (recalled): 800 MHz at 7 nm, 512 KiB for activations, 32 KiB for weights."""

UNIT_SETS = ("asap7", "scaled_45nm")
MuxSwitching = Literal["inputs", "path"]


@dataclass(frozen=True, slots=True)
class Unit:
    """Cost of one unit."""

    area_um2: float
    energy_fj: float


@lru_cache(maxsize=4)
def unit_costs(name: str = "asap7") -> dict[str, Unit]:
    """A set of unit costs. Raises InputError for an unknown one."""
    table = files("hw_models.cost") / "tables" / "sparse_units.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    found = {
        row["unit"]: Unit(float(row["area_um2"]), float(row["energy_fj"]))
        for row in rows
        if row["set"] == name
    }
    if not found:
        raise InputError(f"unit costs must be one of {', '.join(UNIT_SETS)}, not {name!r}")
    return found


@dataclass(frozen=True, slots=True)
class Sizes:
    """Buffer depths in steps, multiplexer inputs, adder trees, and what else a window needs.

    amux_shared, picker_shared: one serves all columns. pick_inputs: of a run-time picker, 0 if
    there is none. metadata_bits: of a packed weight.
    """

    abuf_steps: int = 1
    amux_inputs: int = 1
    bbuf_steps: int = 1
    bmux_inputs: int = 1
    trees: int = 1
    pick_inputs: int = 0
    metadata_bits: int = 0
    amux_shared: bool = True
    picker_shared: bool = True
    shuffled: bool = False
    b_shuffled: bool = False

    @classmethod
    def of(cls, borrowing: Borrowing) -> Sizes:
        """What one configuration needs (BORROW-11)."""
        if borrowing.mode == "dense":
            return cls()
        run_time, offline = borrowing.run_time_offsets, borrowing.offline_offsets
        ahead_a, ahead_b = (max(offset[0] for offset in side) for side in (run_time, offline))
        trees_a, trees_b = (1 + max(offset[2] for offset in side) for side in (run_time, offline))
        depth = (1 + ahead_a) * (1 + ahead_b)
        return cls(
            abuf_steps=depth,
            amux_inputs=_amux_inputs(borrowing, depth),
            bbuf_steps=1 + ahead_a,
            bmux_inputs=len({offset[:2] for offset in run_time}),
            trees=trees_a * trees_b,
            pick_inputs=len(run_time) if ahead_a else 0,
            metadata_bits=metadata_bits(offline),
            amux_shared=borrowing.mode == "A",
            picker_shared=borrowing.mode == "A",
            shuffled=borrowing.shuffle,
            b_shuffled=borrowing.shuffle and borrowing.mode == "A",
        )

    @classmethod
    def in_use(cls, borrowing: Borrowing, configurations: Iterable[Borrowing]) -> Sizes:
        """What one configuration uses of the hardware of several; the rest is clock gated."""
        shared = all(cls.of(other).amux_shared for other in configurations)
        return replace(cls.of(borrowing), amux_shared=shared)


def _amux_inputs(borrowing: Borrowing, depth: int) -> int:
    if borrowing.offsets:
        return len(borrowing.offsets)
    (_, aside_a, pes_a), (_, aside_b, _) = borrowing.a, borrowing.b
    return 1 + (depth - 1) * (1 + aside_a + aside_b) * (1 + pes_a)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many units of each kind a core of some sizes has, part by part."""

    core: Core
    sizes: Sizes

    def parts(self) -> dict[str, tuple[str, float]]:
        """Part -> (unit, how many of it)."""
        c, s = self.core, self.sizes
        pes, multipliers = c.columns * c.rows, c.multipliers
        a_lanes, b_lanes = c.lanes * c.rows, c.lanes * c.columns
        amuxes = a_lanes if s.amux_shared else multipliers
        pickers = a_lanes if s.picker_shared else multipliers
        masks = s.abuf_steps * a_lanes if s.pick_inputs else 0
        shufflers = (s.shuffled * a_lanes + s.b_shuffled * b_lanes) / 4
        return {
            "multiplier": ("multiplier", multipliers),
            "adder trees": ("adder_bit", s.trees * (c.lanes - 1) * pes * self.tree_bits),
            "accumulators": ("adder_bit", s.trees * pes * SUM_BITS),
            "sums": ("register_bit", pes * SUM_BITS),
            "product steering": ("and_bit", (s.trees > 1) * s.trees * PRODUCT_BITS * multipliers),
            "ABUF": ("register_bit", s.abuf_steps * a_lanes * OPERAND_BITS + masks),
            "BBUF": ("register_bit", s.bbuf_steps * b_lanes * (OPERAND_BITS + s.metadata_bits)),
            "AMUX": ("mux2_bit", (s.amux_inputs - 1) * OPERAND_BITS * amuxes),
            "BMUX": ("mux2_bit", (s.bmux_inputs - 1) * OPERAND_BITS * multipliers),
            "pickers": ("pick_input", s.pick_inputs * pickers),
            "shuffler": ("mux2_bit", shufflers * SHUFFLE_MUX_BITS),
        }

    @property
    def tree_bits(self) -> float:
        """Mean width of a tree's adders: product width at the leaves, more by a bit a level."""
        levels = max(1, ceil(log2(self.core.lanes)))
        adders = [(2**level, PRODUCT_BITS + levels - level) for level in range(levels)]
        return sum(n * bits for n, bits in adders) / sum(n for n, _ in adders)


def core_area_um2(
    core: Core, configurations: Iterable[Borrowing], units: str = "asap7"
) -> dict[str, float]:
    """Area by part, SRAM included, of the hardware that can take on all configurations.

    Of every part there is as much as the configuration needs that needs most of it.
    """
    every = [_area(core, Sizes.of(borrowing), units) for borrowing in configurations]
    return {part: max(area[part] for area in every) for part in every[0]}


def _area(core: Core, sizes: Sizes, units: str) -> dict[str, float]:
    costs = unit_costs(units)
    parts = Counts(core, sizes).parts()
    area = {name: costs[unit].area_um2 * count for name, (unit, count) in parts.items()}
    return {**area, "SRAM": sram_area_um2(core, sizes)}


def sram_area_um2(core: Core, sizes: Sizes) -> float:
    """Area of both SRAMs with banks enough for what the window can take in a cycle.

    CACTI 7 at 22 nm, 64-bit banks, by the area factor of Stillmaker and Baas to 7 nm. Every core,
    the dense one too, has the number of banks with the least area, from what it needs upwards.
    """
    step_bits = core.lanes * OPERAND_BITS
    a_banks = sizes.abuf_steps * core.rows * step_bits / SRAM_WORD_BITS
    packed = 1 + sizes.metadata_bits / OPERAND_BITS
    b_banks = sizes.bbuf_steps * core.columns * step_bits * packed / SRAM_WORD_BITS
    at_22 = _least_area_um2(A_SRAM_KIB, a_banks) + _least_area_um2(B_SRAM_KIB, b_banks)
    return at_22 * _area_factor(NODE_NM) / _area_factor(SRAM_NODE_NM)


def _least_area_um2(kib: int, least_banks: float) -> float:
    """Least area of an SRAM at 22 nm, of a power of two of banks of 1 KiB or more."""
    most = max(kib, 2 ** ceil(log2(least_banks)))
    counts = [2**power for power in range(int(log2(most)) + 1) if 2**power >= least_banks]
    return min(count * log_log(_bank_areas(), kib / count) for count in counts)


@lru_cache(maxsize=1)
def _bank_areas() -> dict[float, float]:
    rows = rows_of("sram", "read", SRAM_NODE_NM)
    return {
        float(row.config.removesuffix(" KB")): float(row.area_um2)
        for row in rows
        if row.width_bits == str(SRAM_WORD_BITS) and row.config.endswith(" KB")
    }


def _area_factor(node_nm: int) -> float:
    (row,) = rows_of("scaling_area", "factor vs 45nm", node_nm)
    return row.pj


def _path_share(inputs: int) -> float:
    """Share of a multiplexer's 2:1 stages that lie on the selected path."""
    return log2(inputs) / (inputs - 1) if inputs > 1 else 0.0


@lru_cache(maxsize=8)
def sram_fj_per_byte(kib: int, banks: int) -> float:
    """Energy of reading a byte from an SRAM of so many 64-bit banks at 7 nm."""
    bank_bytes = kib * 1024 // banks
    pj = sram_access_pj("read", bank_bytes, SRAM_WORD_BITS, NODE_NM, SRAM_WORD_BITS)
    return pj * 1000 / (SRAM_WORD_BITS // 8)


@dataclass(frozen=True, slots=True)
class Activity:
    """What a core did while it ran something.

    cycles: all. executed: multiplications. a_steps: activation steps streamed in, b_rows: rows of
    weights. outputs: results written, one byte each.
    """

    cycles: int
    executed: int
    a_steps: int
    b_rows: int
    outputs: int

    def __add__(self, other: Activity) -> Activity:
        return Activity(*(x + y for x, y in zip(astuple(self), astuple(other), strict=True)))


def energy_fj(
    core: Core, sizes: Sizes, did: Activity, units: str = "asap7", mux: MuxSwitching = "inputs"
) -> dict[str, float]:
    """Energy by part. sizes: those in use, of the configuration that ran (BORROW-12).

    Multipliers and trees switch with what is executed, the others being clock gated; buffers and
    the shuffler with what streams in; multiplexers and pickers in every cycle. mux: whether all
    inputs of a multiplexer switch, or only the path that is selected, one stage for each doubling.
    """
    costs = unit_costs(units)
    busy_cycles = did.executed / core.multipliers
    a_lanes, b_lanes = core.lanes * core.rows, core.lanes * core.columns
    times = {
        **dict.fromkeys(("multiplier", "adder trees", "product steering"), busy_cycles),
        **dict.fromkeys(("accumulators", "sums", "AMUX", "BMUX", "pickers"), float(did.cycles)),
        "ABUF": did.a_steps / sizes.abuf_steps,
        "BBUF": did.b_rows / sizes.bbuf_steps,
        "shuffler": float(did.a_steps),
    }
    if mux == "path":
        times["AMUX"] *= _path_share(sizes.amux_inputs)
        times["BMUX"] *= _path_share(sizes.bmux_inputs)
    parts = Counts(core, sizes).parts()
    energy = {name: costs[unit].energy_fj * n * times[name] for name, (unit, n) in parts.items()}
    a_byte = sram_fj_per_byte(A_SRAM_KIB, a_lanes * OPERAND_BITS // SRAM_WORD_BITS)
    b_byte = sram_fj_per_byte(B_SRAM_KIB, b_lanes * OPERAND_BITS // SRAM_WORD_BITS)
    row_bytes = b_lanes * (1 + sizes.metadata_bits / OPERAND_BITS)
    return {
        **energy,
        "A SRAM": a_byte * (did.a_steps * a_lanes + did.outputs),
        "B SRAM": b_byte * did.b_rows * row_bytes,
    }
