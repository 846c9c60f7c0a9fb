"""What a PE keeps beside its multiplier: operand registers, or scratch pads of row-stationary PEs.

Energy is per MAC: how often each operand is read or written for one is data
(tables/energy_model.yaml, pe_accesses). Pads of up to `register_words` words are registers, larger
ones a register file whose access costs as much as a 16-bit MAC.
Rules: ARCHITECTURE.md ENERGY-5, AREA-3. Sources: Aladdin's register (ISCA 2014); Chen et al.,
ISCA 2016, Table IV.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hw_models.cost.action_table import rows_of
from hw_models.cost.arithmetic import mac_pj
from hw_models.cost.model import model_numbers
from hw_models.cost.sram import sram_area_um2
from hw_models.cost.technology import area_factor, energy_factor, nominal_vdd_v
from hw_models.pe_array.row_stationary import RowStationarySpec
from hw_models.spec import ChipSpec, CoreSpec, PrecisionSpec

FILE_BITS = 16
"""Word of the register file whose access is published as that of one MAC."""


class Store(NamedTuple):
    """One operand's store in a PE. accesses: of one word for each MAC."""

    operand: str
    words: int
    bits: int
    accesses: int


def stores(chip: ChipSpec, core: CoreSpec) -> Iterator[Store]:
    """The stores of one PE of a core."""
    array, model = core.pe_array, model_numbers()
    kind = array.kind if array.kind in model["pe_accesses"] else "other"
    words: dict[str, int] = model["pe_words"][kind]
    if isinstance(array, RowStationarySpec):
        words = {
            "input": array.ifmap_spad_words,
            "weight": array.filter_spad_words,
            "psum": array.psum_spad_words,
        }
    for operand, accesses in model["pe_accesses"][kind].items():
        bits = getattr(chip.precision, f"{operand}_bits")
        yield Store(operand, words[operand], bits, accesses)


def pe_storage_pj(chip: ChipSpec, core: CoreSpec) -> float:
    """Energy of a PE's own stores for one MAC."""
    return sum(s.accesses * _access_pj(s, chip.technology_nm) for s in stores(chip, core))


def pe_storage_um2(chip: ChipSpec, core: CoreSpec) -> float:
    """Area of a PE's own stores."""
    return sum(_area_um2(store, chip.technology_nm) for store in stores(chip, core))


def _access_pj(store: Store, node_nm: int) -> float:
    if store.words > model_numbers()["register_words"]:
        word = PrecisionSpec(
            input_bits=FILE_BITS, weight_bits=FILE_BITS, psum_bits=FILE_BITS, output_bits=FILE_BITS
        )
        (ratio,) = (r for r in rows_of("eyeriss_normalised", "access") if "rf_" in r.config)
        return ratio.pj * mac_pj(word, node_nm) * store.bits / FILE_BITS
    (register,) = rows_of("register", "read")
    known = int(register.node_nm)
    here = (node_nm, nominal_vdd_v(node_nm))
    return register.pj * store.bits * energy_factor(known, nominal_vdd_v(known), *here)


def _area_um2(store: Store, node_nm: int) -> float:
    bits = store.words * store.bits
    if store.words > model_numbers()["register_words"]:
        return sram_area_um2(
            -(-bits // 8), store.bits, node_nm, model_numbers()["widest_array_bits"]
        )
    (register,) = rows_of("register", "read")
    return register.um2 * bits * area_factor(int(register.node_nm), node_nm)
