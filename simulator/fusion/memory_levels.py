"""The memories of a core in which feature maps and weights may lie, and the core cut off at one.

What lies in a local buffer of the array costs no access of the buffers beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hw_models.links import link_graph
from hw_models.pe_array.dataflow import DataflowSpec, StoreSpec
from hw_models.spec import ChipSpec, CoreSpec, Operand
from traces.errors import InputError

DRAM = "dram"


@dataclass(frozen=True, slots=True)
class Level:
    """A memory in which maps may lie: its room, its width and the energy of a byte."""

    name: str
    size_bytes: float
    bytes_per_cycle: int
    read_pj: float
    write_pj: float


@dataclass(frozen=True)
class Memories:
    """The memories of a chip with one core. levels: for maps, innermost first, DRAM last.

    weight_levels: for weights.
    """

    chip: ChipSpec
    core: CoreSpec
    levels: tuple[Level, ...]
    weight_levels: tuple[Level, ...]
    dram_bits_per_cycle: int

    @classmethod
    def of(cls, chip: ChipSpec) -> Memories:
        """The memories of a chip. Raises InputError for other than one core with such an array."""
        if len(chip.core_names) != 1 or not isinstance(chip.cores[0].pe_array, DataflowSpec):
            raise InputError(f"chip {chip.name} must have one core, with a dataflow array")
        core = chip.cores[0]
        [width] = link_graph(chip).dram_width_bytes()
        dram_pj = 8 * chip.dram.pj_per_bit
        dram = Level(DRAM, float("inf"), width, dram_pj, dram_pj)
        maps, weights = (
            (*_levels_of(core, held), dram) for held in (("input", "output"), ("weight",))
        )
        return cls(chip, core, maps, weights, 8 * width)

    def core_with(self, top: tuple[tuple[Operand, str], ...]) -> CoreSpec:
        """The core with operands in no memory beyond the level named for each."""
        return _core_with(self.core, top)


def _levels_of(core: CoreSpec, held: tuple[str, ...]) -> list[Level]:
    """Local buffers that serve the whole array for some operands, then the core's buffer."""
    spec = core.pe_array
    assert isinstance(spec, DataflowSpec)
    everywhere = len(spec.unrollings[0])
    levels = [
        Level(
            store.name,
            store.size_bits // 8,
            store.width_bits // 8,
            *(8 * pj / store.width_bits for pj in (store.read_pj, store.write_pj)),
        )
        for store in spec.stores
        if set(held) <= set(store.holds) and len(store.shared_along) >= everywhere
    ]
    buffer = next(b for b in core.buffers if set(held) <= set(b.holds))
    energy = next(e for e in spec.buffers if e.name == buffer.name)
    width = buffer.bytes_per_cycle
    pj = (energy.read_pj / width, energy.write_pj / width)
    return [*levels, Level(buffer.name, buffer.size_bytes, width, *pj)]


@lru_cache(maxsize=256)
def _core_with(core: CoreSpec, top: tuple[tuple[Operand, str], ...]) -> CoreSpec:
    spec = core.pe_array
    assert isinstance(spec, DataflowSpec)
    names = [store.name for store in spec.stores]
    gone: dict[str, set[str]] = {}
    for operand, level in top:
        if level in names:
            beyond = [*names[names.index(level) + 1 :], *(b.name for b in core.buffers)]
            for name in beyond:
                gone.setdefault(name, set()).add(operand)
    stores = tuple(_without(store, gone.get(store.name, set())) for store in spec.stores)
    buffers = tuple(
        buffer.model_copy(update={"holds": _others(buffer.holds, gone.get(buffer.name, set()))})
        for buffer in core.buffers
    )
    array = spec.model_copy(update={"stores": stores})
    return core.model_copy(update={"pe_array": array, "buffers": buffers})


def _without(store: StoreSpec, operands: set[str]) -> StoreSpec:
    return store.model_copy(update={"holds": _others(store.holds, operands)})


def _others(holds: Sequence[str], operands: set[str]) -> tuple[str, ...]:
    return tuple(operand for operand in holds if operand not in operands)
