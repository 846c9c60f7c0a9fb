"""Search for the best buffers and array shape for a network whose layers may be fused.

Every variant of a chip gets its own search for fusion groups and an equal share of the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from hw_models.cost.area import chip_area
from hw_models.cost.model import model_numbers
from hw_models.cost.sram import Access, sram_access_pj
from hw_models.pe_array.dataflow import BufferEnergy, DataflowSpec
from hw_models.pe_array.spatial import SpatialSpec
from hw_models.pe_array.systolic import SystolicSpec
from hw_models.spec import BufferSpec, ChipSpec, CoreSpec, Operand
from simulator.fusion.compile import FusionChoices
from simulator.fusion.figures import Aim
from simulator.fusion.groups import GroupCosts, GroupSearch, search_groups
from simulator.workload.graph import Workload
from traces.errors import InputError

KIB = 1024
MOST_STRETCH = 4
"""A shape's sides differ from those of the preset by at most this factor."""

SIZES = re.compile(r"\d+(?:,\d+)*:\d+(?:,\d+)*")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Variant:
    """A chip with other buffers or another array of as many PEs. shape: its two first sides."""

    chip: ChipSpec
    weight_bytes: int
    activation_bytes: int
    shape: tuple[int, int]

    @property
    def area_mm2(self) -> float:
        """Area of the chip."""
        return chip_area(self.chip).mm2


@dataclass(frozen=True, slots=True)
class Tried:
    """A variant and its best groups; None for one that can't run, problem says why."""

    variant: Variant
    costs: GroupCosts
    search: GroupSearch | None
    problem: str = ""


def parse_sizes(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """KiB of weights and of activations in a text such as 32,64:128,256. Raises InputError."""
    if not SIZES.fullmatch(text):
        raise InputError(
            f"sizes must be KiB of weights, a colon, KiB of activations (32,64:128), not {text!r}"
        )
    weights, activations = (tuple(int(n) for n in part.split(",")) for part in text.split(":"))
    return weights, activations


def own_sizes(chip: ChipSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """KiB of weights and of activations of a chip as it is."""
    core = _core_of(chip)
    weights, activations = (core.buffer_of(o).size_bytes // KIB for o in ("weight", "input"))
    return (weights,), (activations,)


def variants(
    chip: ChipSpec, weight_kib: Sequence[int], activation_kib: Sequence[int], shapes: bool
) -> list[Variant]:
    """A chip with all pairs of buffer sizes and, if wanted, shapes of its array.

    Raises InputError for a chip whose cores that multiply aren't alike or keep weights and
    activations in one buffer, and for a size that its banks don't allow.
    """
    core = _core_of(chip)
    arrays = _arrays(core) if shapes else {_sides(core): core.pe_array}
    return [
        Variant(
            _with(chip, array, {"weight": weights * KIB, "input": activations * KIB}),
            weights * KIB,
            activations * KIB,
            shape,
        )
        for shape, array in arrays.items()
        for weights in weight_kib
        for activations in activation_kib
    ]


def search_hardware(
    workload: Workload,
    tried: Sequence[Variant],
    base: FusionChoices,
    aim: Aim,
    seconds: float,
    progress: Progress = lambda *_: None,
) -> list[Tried]:
    """The best groups on each variant, best variant first; of equals the one of least area.

    Raises InputError when none can run the network.
    """
    found = []
    for done, variant in enumerate(tried):
        progress("hardware", done, len(tried))
        costs = GroupCosts(workload, variant.chip, base)
        try:
            found.append(Tried(variant, costs, search_groups(costs, aim, seconds / len(tried))))
        except InputError as error:
            found.append(Tried(variant, costs, None, str(error)))
    if all(one.search is None for one in found):
        raise InputError(found[0].problem)
    return sorted(found, key=lambda one: (_score(one, aim), one.variant.area_mm2))


def _score(tried: Tried, aim: Aim) -> float:
    return float("inf") if tried.search is None else tried.search.figures.of(aim)


def _core_of(chip: ChipSpec) -> CoreSpec:
    """The only core that multiplies, or the first of equal ones."""
    cores = [core for core in chip.cores if core.computes_macs]
    if len({core.model_copy(update={"name": ""}) for core in cores}) != 1:
        raise InputError(f"chip {chip.name}: cores that multiply must be alike to vary their sizes")
    [*_, core] = cores
    if core.buffer_of("weight") is core.buffer_of("input"):
        raise InputError(
            f"chip {chip.name}: weights and inputs must have buffers of their own, not "
            f"{core.buffer_of('input').name} for both"
        )
    return core


def _with(chip: ChipSpec, array: Any, sizes: Mapping[Operand, int]) -> ChipSpec:
    """The chip with another array and other buffers in the cores that multiply."""
    cores = tuple(
        _resized(core.model_copy(update={"pe_array": array}), sizes, chip.technology_nm)
        if core.computes_macs
        else core
        for core in chip.cores
    )
    return chip.model_copy(update={"cores": cores})


def _resized(core: CoreSpec, sizes: Mapping[Operand, int], node_nm: int) -> CoreSpec:
    wanted = {core.buffer_of(operand).name: size for operand, size in sizes.items()}
    buffers = tuple(
        _checked(buffer, wanted[buffer.name]) if buffer.name in wanted else buffer
        for buffer in core.buffers
    )
    array = core.pe_array
    if isinstance(array, DataflowSpec):
        array = _rescaled(array, core.buffers, buffers, node_nm)
    return core.model_copy(update={"buffers": buffers, "pe_array": array})


def _checked(buffer: BufferSpec, size_bytes: int) -> BufferSpec:
    least = buffer.bytes_per_cycle
    if size_bytes < least or size_bytes % least:
        raise InputError(
            f"buffer {buffer.name} must be a multiple of its width, {least} bytes, not {size_bytes}"
        )
    return buffer.model_copy(update={"size_bytes": size_bytes})


def _rescaled(
    array: DataflowSpec,
    before: Sequence[BufferSpec],
    after: Sequence[BufferSpec],
    node_nm: int,
) -> DataflowSpec:
    """Energies of buffers that a file gives, scaled to other sizes as CACTI's are."""
    ratios = {
        old.name: {
            action: _access_pj(action, new, node_nm) / _access_pj(action, old, node_nm)
            for action in ("read", "write")
        }
        for old, new in zip(before, after, strict=True)
    }
    energies = tuple(
        BufferEnergy(
            name=entry.name,
            read_pj=entry.read_pj * ratios[entry.name]["read"],
            write_pj=entry.write_pj * ratios[entry.name]["write"],
        )
        for entry in array.buffers
    )
    return array.model_copy(update={"buffers": energies})


def _access_pj(action: Access, buffer: BufferSpec, node_nm: int) -> float:
    widest = model_numbers()["widest_array_bits"]
    bank = buffer.size_bytes // buffer.banks
    return sram_access_pj(action, bank, 8 * buffer.width_bytes, node_nm, widest)


# -- shapes of arrays


def _sides(core: CoreSpec) -> tuple[int, int]:
    """The two sides of an array that may be traded for each other; (peak, 1) if there are none."""
    array = core.pe_array
    if isinstance(array, SystolicSpec):
        return array.rows, array.cols
    if isinstance(array, DataflowSpec) and len(array.lanes) > 1:
        return array.lanes[0], array.lanes[1]
    if isinstance(array, SpatialSpec):
        first, second = _unrolled(array)
        return getattr(array.unroll, first), getattr(array.unroll, second)
    return 1, 1


def _arrays(core: CoreSpec) -> dict[tuple[int, int], Any]:
    """Arrays of as many PEs by their two sides, the core's own first."""
    own = _sides(core)
    shapes = [own, *(s for s in _factors(prod(own), own[0]) if s != own)]
    return {shape: _shaped(core.pe_array, shape) for shape in shapes}


def _factors(product: int, near: int) -> Iterator[tuple[int, int]]:
    for first in range(1, product + 1):
        if product % first == 0 and near <= first * MOST_STRETCH <= near * MOST_STRETCH**2:
            yield first, product // first


def _shaped(array: Any, shape: tuple[int, int]) -> Any:
    first, second = shape
    if isinstance(array, SystolicSpec):
        return array.model_copy(update={"rows": first, "cols": second})
    if isinstance(array, DataflowSpec):
        return array.model_copy(update={"lanes": (first, second, *array.lanes[2:])})
    if isinstance(array, SpatialSpec):
        names = _unrolled(array)
        unroll = array.unroll.model_copy(update=dict(zip(names, shape, strict=True)))
        load = array.weight_load_cycles * unroll.k // array.unroll.k or 1
        stripe = max(array.stripe_cycles, 2 * load - 1)
        changed = {"unroll": unroll, "weight_load_cycles": load, "stripe_cycles": stripe}
        return array.model_copy(update=changed)
    return array


def _unrolled(array: SpatialSpec) -> tuple[str, str]:
    """The first two loops that an array unrolls."""
    names = [name for name in type(array.unroll).model_fields if getattr(array.unroll, name) > 1]
    return (names[0], names[1]) if len(names) > 1 else ("k", "c")
