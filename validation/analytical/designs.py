"""A small sweep of designs around a chip, and whether a model would choose the right one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hw_models.pe_array.systolic import SystolicSpec
from hw_models.spec import ChipSpec, CoreSpec
from hw_models.yaml_file import InputError
from simulator.workload.graph import Workload
from validation.analytical.compare import compare, simulated
from validation.analytical.figures import kendall_tau, regret_pct
from validation.analytical.prediction import Predict


@dataclass(frozen=True, slots=True)
class Ranking:
    """A model over designs: the one it would choose, how much slower it is, and Kendall's tau."""

    model: str
    chosen: str
    best: str
    regret_pct: float
    kendall: float


def designs(chip: ChipSpec) -> Iterator[tuple[str, ChipSpec]]:
    """The chip, each buffer at half and twice its size, and other shapes of a systolic array."""
    yield "as it is", chip
    for number, buffer in enumerate(chip.cores[0].buffers):
        for word, size in (("half", buffer.size_bytes // 2), ("twice", buffer.size_bytes * 2)):
            if size % (buffer.banks * buffer.width_bytes) == 0:
                yield f"{buffer.name} {word}", _changed(chip, _with_buffer, number, size)
    array = chip.cores[0].pe_array
    if isinstance(array, SystolicSpec):
        for rows, cols in ((array.rows * 2, array.cols // 2), (array.rows // 2, array.cols * 2)):
            if rows and cols:
                yield f"array {rows}x{cols}", _changed(chip, _with_array, rows, cols)


def rankings(
    workload: Workload, chip: ChipSpec, models: Mapping[str, Predict], memory: str
) -> list[Ranking]:
    """Simulate every design that the network fits in, and rank them by every model."""
    names, cycles = [], []
    predicted: dict[str, list[float]] = {model: [] for model in models}
    for name, design in designs(chip):
        try:
            case = simulated(workload, design, memory)
        except InputError:
            continue  # a layer fits in no tiling; the model has no say in that
        names.append(name)
        cycles.append(case.result.cycles)
        for model, predict in models.items():
            predicted[model].append(compare(case, model, predict).predicted_cycles)
    best = names[min(range(len(names)), key=lambda i: cycles[i])]
    return [
        Ranking(
            model,
            names[min(range(len(names)), key=lambda i: totals[i])],
            best,
            regret_pct(totals, cycles),
            kendall_tau(totals, cycles),
        )
        for model, totals in predicted.items()
    ]


def _changed(chip: ChipSpec, change: Callable[..., CoreSpec], *sizes: int) -> ChipSpec:
    cores = tuple(change(core, *sizes) for core in chip.cores)
    return chip.model_copy(update={"cores": cores})


def _with_buffer(core: CoreSpec, number: int, size_bytes: int) -> CoreSpec:
    buffers = list(core.buffers)
    buffers[number] = buffers[number].model_copy(update={"size_bytes": size_bytes})
    return core.model_copy(update={"buffers": tuple(buffers)})


def _with_array(core: CoreSpec, rows: int, cols: int) -> CoreSpec:
    array = core.pe_array.model_copy(update={"rows": rows, "cols": cols})
    return core.model_copy(update={"pe_array": array})
