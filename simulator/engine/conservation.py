"""The laws that every run is held to. Rules: ARCHITECTURE.md LAW-1 to LAW-5."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hw_models.floorplan import Floorplan
from hw_models.spec import OPERANDS, ChipSpec
from simulator.mapping.layer_array import weight_ratio
from simulator.program import COMPUTE, LOAD, Int64s, TileProgram
from simulator.workload.graph import Layer, Workload


class ConservationError(Exception):
    """Something was lost, invented or done twice: a defect of the simulator, not of its input."""


def check_beats(served: Mapping[str, int], due: Mapping[str, int]) -> None:
    """Every beat that was asked of a server was moved, and no other. LAW-1."""
    for name, beats in due.items():
        if served[name] != beats:
            raise ConservationError(f"{name} moved {served[name]} beats, not {beats}")


def check_slots(program: TileProgram, plan: Floorplan, start: Int64s, end: Int64s) -> Int64s:
    """No byte of a buffer ever held two tiles at once, every slot was freed. LAW-2, LAW-3.

    start, end: cycles of each task. Returns the peak bytes taken of each buffer.
    """
    slots, uses = program.slots, program.slot_uses
    count = np.bincount(uses["slot"], minlength=slots["bytes"].size)
    if (count != slots["uses"]).any():
        slot = int(np.flatnonzero(count != slots["uses"])[0])
        raise ConservationError(f"slot {slot} has {count[slot]} uses, not {slots['uses'][slot]}")
    if (start < 0).any() or (end < start).any():
        raise ConservationError(f"task {int(np.flatnonzero(end < start)[0])} never ran")
    taken = np.full(slots["bytes"].size, np.iinfo(np.int64).max)
    freed = np.zeros(slots["bytes"].size, dtype=np.int64)
    np.minimum.at(taken, uses["slot"], start[uses["task"]])
    np.maximum.at(freed, uses["slot"], end[uses["task"]])
    peaks = np.zeros(len(plan.buffers), dtype=np.int64)
    sizes = {b.index: b.spec.size_bytes for core in plan.cores for b in core.buffers}
    for buffer, size in sizes.items():
        mine = np.flatnonzero(slots["buffer"] == buffer)
        if not mine.size:
            continue
        if (slots["offset"][mine] < 0).all():
            peaks[buffer] = _most_taken(slots["bytes"][mine], taken[mine], freed[mine])
            if peaks[buffer] > size:
                raise ConservationError(
                    f"{plan.buffers[buffer]}: {peaks[buffer]} bytes are taken at once of {size}"
                )
            continue
        low, high = slots["offset"][mine], slots["offset"][mine] + slots["bytes"][mine]
        if high.max() > size:
            raise ConservationError(f"{plan.buffers[buffer]}: a slot ends beyond {size} bytes")
        peaks[buffer] = _peak(low, high, taken[mine], freed[mine], plan.buffers[buffer])
    return peaks


def _peak(low: Int64s, high: Int64s, taken: Int64s, freed: Int64s, name: str) -> int:
    """Check the slots of one buffer and return the most bytes taken at any time."""
    marks, places = np.unique(np.concatenate([low, high]), return_inverse=True)
    first, last = places[: low.size], places[low.size :]
    order = np.lexsort((freed, taken))
    clash = _first_clash(first[order], last[order], taken[order], freed[order], marks.size)
    if clash >= 0:
        slot = order[clash]
        raise ConservationError(
            f"{name}: bytes [{low[slot]}, {high[slot]}) are taken at cycle {taken[slot]} "
            "while another tile holds them"
        )
    return _most_taken(high - low, taken, freed)


def _most_taken(sizes: Int64s, taken: Int64s, freed: Int64s) -> int:
    """The most bytes that slots of some sizes take at any time."""
    # Slots are half open in time, so what is freed at a cycle counts before what is taken then.
    times = np.concatenate([freed, taken])
    change = np.concatenate([-sizes, sizes])
    return int(np.cumsum(change[np.argsort(times, kind="stable")]).max(initial=0))


@njit(cache=True)
def _first_clash(first, last, taken, freed, marks):
    """Index of the first slot, in order of time, that overlaps an earlier one; -1 if none does."""
    free_from = np.zeros(marks, dtype=np.int64)
    for i in range(first.size):
        for mark in range(first[i], last[i]):
            if free_from[mark] > taken[i]:
                return i
            free_from[mark] = max(free_from[mark], freed[i])
    return -1


def check_work(program: TileProgram, workload: Workload, chip: ChipSpec) -> None:
    """The program does each layer once: all MACs, outputs and weights. Rules: LAW-4, LAW-5.

    Raises ConservationError naming the layer.
    """
    tasks, layers = program.tasks, len(workload.layers)

    def per_layer(column: str, rows: NDArray[np.bool_]) -> list[int]:
        total = np.zeros(layers, dtype=np.int64)
        np.add.at(total, tasks["layer"][rows], tasks[column][rows])
        return [int(n) for n in total]

    computing = tasks["kind"] == COMPUTE
    macs, outputs = per_layer("macs", computing), per_layer("elements", computing)
    loading = (tasks["kind"] == LOAD) & (tasks["operand"] == OPERANDS.index("weight"))
    weights = per_layer("bytes", loading)
    for i, layer in enumerate(workload.layers):
        _same(layer, "MACs", macs[i], layer.macs)
        _same(layer, "output elements", outputs[i], layer.output_elements)
        constant = layer.is_mac and layer.weight_is_constant
        if constant and weights[i] * 8 < _least_weight_bits(layer, chip):
            raise ConservationError(
                f"layer {layer.name}: {weights[i]} bytes of weights are loaded for "
                f"{layer.weight_elements} elements"
            )


def _least_weight_bits(layer: Layer, chip: ChipSpec) -> int:
    """Bits of a layer's weights, packed as the core that packs them best does; biases are extra."""
    packed = min(weight_ratio(core, layer) for core in chip.cores)
    weights = layer.weight_elements - layer.bias * layer.dims.g * layer.dims.k
    return int(weights * chip.precision.weight_bits * packed)


def _same(layer: Layer, what: str, found: int, due: int) -> None:
    if found != due:
        raise ConservationError(f"layer {layer.name}: {found} {what} in the program, not {due}")
