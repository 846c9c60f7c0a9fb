"""The points of Stream's exploration: networks, architectures, and ways to run one on the other.

Source: repository KULeuven-MICAS/stream, branch Exploration, commit 4b73270a, whose 16 chips these
are (two of its files describe the same single core on a bus): references/multicore/expl_arch.csv.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hw_models.chip_files import load_chip
from hw_models.spec import ChipSpec
from simulator.workload.graph import Workload
from simulator.workload.zoo import network
from validation.multicore.hardware import chip_of
from validation.multicore.workloads import without_biases

Kind = Literal["single core", "homogeneous", "heterogeneous"]
KINDS: tuple[Kind, ...] = ("single core", "homogeneous", "heterogeneous")

NETWORKS: dict[str, Mapping[str, Any]] = {
    "resnet18": {},
    "fsrcnn": {"upscale": 4},
    "mobilenet_v2": {},
    "squeezenet1_1": {},
    "inception_v2": {},
}
"""Networks of the zoo with their options. FSRCNN is Stream's: 960x540, last layer 3x3 56 to 16."""

LAYER, LINE, STACKS = "layer", "line", "stacks"
WAYS = (LAYER, LINE, STACKS)
"""Whole layers one after another; all layers by output rows; the same in stacks of layers whose
weights fit on the chip together, one stack after another."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A chip of the exploration. stream_name: of its file there."""

    name: str
    kind: Kind
    stream_name: str

    def chip(self) -> ChipSpec:
        """The chip's spec."""
        if self.stream_name == BIG_CORE:
            return _big_core_on_a_bus()
        return chip_of(self.stream_name)


BIG_CORE = "HW1_1bigcore"

ARCHITECTURES = {
    one.name: one
    for one in (
        Architecture("1x16x16", "single core", "single_core_16x16_mesh_dpDRAM"),
        Architecture("1x32x32", "single core", "single_core_32x32_mesh_dpDRAM"),
        Architecture("1x64x64", "single core", "single_core_64x64_mesh_dpDRAM"),
        Architecture("1x128x128", "single core", "single_core_128x128_mesh_dpDRAM"),
        Architecture("1x32x32_bus", "single core", BIG_CORE),
        Architecture("4homo_bus", "homogeneous", "HW2_4homo_bus"),
        Architecture("4homo_mesh", "homogeneous", "HW2_4homo_mesh"),
        Architecture("4homo_mesh_dp", "homogeneous", "HW2_4homo_mesh_dpDRAM"),
        Architecture("16homo_dp", "homogeneous", "HW500_16homo_mesh_dpDRAM"),
        Architecture("64homo_dp", "homogeneous", "HW700_64homo_mesh_dpDRAM"),
        Architecture("4hetero_bus", "heterogeneous", "HW3_4hetero_bus"),
        Architecture("4hetero_mesh", "heterogeneous", "HW3_4hetero_mesh"),
        Architecture("4hetero_mesh_dp", "heterogeneous", "HW3_4hetero_mesh_dpDRAM"),
        Architecture("16hetero_dp", "heterogeneous", "HW600_16hetero_mesh_dpDRAM"),
        Architecture("64hetero_dp", "heterogeneous", "HW800_64hetero_mesh_dpDRAM"),
    )
}
"""By name: MAC cores, how they are linked (those of 16 and 64 by a bus), dp: DRAM of two ports."""


@dataclass(frozen=True, slots=True)
class Point:
    """A network on a chip, run in one of the ways. Names throughout."""

    network: str
    chip: str
    way: str


def points(networks: tuple[str, ...], chips: tuple[str, ...]) -> tuple[Point, ...]:
    """All points of some networks and chips; the ways of one pair stand together."""
    return tuple(Point(n, c, way) for n in networks for c in chips for way in WAYS)


def exploration_network(name: str) -> Workload:
    """A network as Stream runs it: without biases."""
    return without_biases(network(name, **NETWORKS[name]))


def _big_core_on_a_bus() -> ChipSpec:
    """The 32x32 core with the bus and the DRAM of one port that HW2_4homo_bus has."""
    around = load_chip("stream_4homo_bus")
    update = {"name": "stream_single_32x32_bus", "noc": around.noc, "dram": around.dram}
    return load_chip("stream_single_32x32").model_copy(update=update)
