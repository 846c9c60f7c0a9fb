"""Stream's names of multi-core chips and the presets that stand for them."""

from __future__ import annotations

import re

from hw_models.chip_files import load_chip
from hw_models.noc_spec import DRAM, LinkSpec, LinksSpec
from hw_models.spec import ChipSpec

PRESETS = {
    "single_core_16x16_mesh_dpDRAM": "stream_single_16x16",
    "single_core_32x32_mesh_dpDRAM": "stream_single_32x32",
    "single_core_64x64_mesh_dpDRAM": "stream_single_64x64",
    "single_core_128x128_mesh_dpDRAM": "stream_single_128x128",
    "HW2_4homo_bus": "stream_4homo_bus",
    "HW2_4homo_mesh": "stream_4homo",
    "HW2_4homo_mesh_dpDRAM": "stream_4homo",
    "HW3_4hetero_bus": "stream_4hetero_bus",
    "HW3_4hetero_mesh": "stream_4hetero",
    "HW3_4hetero_mesh_dpDRAM": "stream_4hetero",
    "HW500_16homo_mesh_dpDRAM": "stream_16homo",
    "HW600_16hetero_mesh_dpDRAM": "stream_16hetero",
    "HW700_64homo_mesh_dpDRAM": "stream_64homo",
    "HW800_64hetero_mesh_dpDRAM": "stream_64hetero",
    "TPU_like_quad_core": "stream_tpu_quad",
}
"""Source of the names: references/multicore/expl_arch.csv."""

SINGLE_PORT = ("HW2_4homo_mesh", "HW3_4hetero_mesh")
"""The preset of these has a DRAM with two ports."""

LINK_BITS = re.compile(r"(?:\blinks? ?|_link|_bw|_noc)(\d+)|\b(\d+)[ -]?bits?\b")
WIDEST_BITS = 1 << 12
"""Links wider than this stand for ones that never limit, and stay so."""


def chip_of(cell: str, remarks: str = "") -> ChipSpec:
    """The chip that a cell names, with the width of its links where cell or remarks tell one.

    Raises ValueError for an unknown name.
    """
    known = [name for name in PRESETS if re.search(rf"\b{re.escape(name)}\b", cell)]
    if not known:
        raise ValueError(f"hardware must be one of {', '.join(PRESETS)}, not {cell!r}")
    name = max(known, key=len)
    chip = load_chip(PRESETS[name])
    if name in SINGLE_PORT:
        chip = single_port(chip)
    told = LINK_BITS.search(f"{cell.replace(name, '')} {remarks}")
    return link_width(chip, int(told[1] or told[2])) if told else chip


def single_port(chip: ChipSpec) -> ChipSpec:
    """The chip with one link to and from DRAM in place of one each way, and half the bandwidth."""
    noc = chip.noc
    assert isinstance(noc, LinksSpec)
    assert chip.dram.bandwidth_gb_per_s is not None
    between = [link for link in noc.links if DRAM not in link.ends]
    [read] = [link for link in noc.links if link.ends[0] == DRAM]
    both = read.model_copy(update={"name": DRAM, "directed": False})
    dram = {"bandwidth_gb_per_s": chip.dram.bandwidth_gb_per_s / 2}
    return chip.model_copy(
        update={
            "noc": noc.model_copy(update={"links": (*between, both)}),
            "dram": chip.dram.model_copy(update=dram),
        }
    )


def link_width(chip: ChipSpec, bits: int) -> ChipSpec:
    """The chip with links of another width between its cores. Raises ValueError."""
    if bits < 8 or bits % 8:
        raise ValueError(f"links must be a multiple of 8 bits wide, not {bits}")

    def resized(link: LinkSpec) -> LinkSpec:
        keeps = DRAM in link.ends or link.width_bytes * 8 > WIDEST_BITS
        return link if keeps else link.model_copy(update={"width_bytes": bits // 8})

    assert isinstance(chip.noc, LinksSpec)
    links = tuple(resized(link) for link in chip.noc.links)
    return chip.model_copy(update={"noc": chip.noc.model_copy(update={"links": links})})
