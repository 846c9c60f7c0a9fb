"""The result of a run: per layer and in total, cycles by cause, traffic, energy.

Rules: ARCHITECTURE.md RESULT-1 (which cycles belong to a layer), RESULT-2 (utilisation), RESULT-3
(both where tiles of several layers take turns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np

from simulator.counters import Counter
from simulator.engine.engine import EngineRun
from simulator.mapping.layer_array import layer_array
from simulator.program import LOAD, STORE, Compiled, Int64s
from simulator.workload.graph import Layer, Workload
from traces.layers import InTurn, LayerCycles, causes_by_layer, layer_cycles, main_units
from traces.schema import CAUSES

OPERATIONS_PER_MAC = 2


@dataclass(frozen=True, slots=True)
class LayerResult:
    """One layer.

    configuration: of a PE array that has several. cycles: from the end of the layer before to its
    own, or where tiles of layers take turns, what its own tiles take on the unit that it runs on;
    causes: all of them. ideal_cycles: with every PE (or lane) busy with products that are not
    skipped and nothing to wait for. utilisation: RESULT-2 and RESULT-3. predicted_cycles: the
    analytical cost of the mapping search. dram_bytes: moved to and from DRAM.
    """

    name: str
    op: str
    configuration: str
    cycles: int
    ideal_cycles: int
    predicted_cycles: int
    utilisation: float
    macs: int
    dram_read_bytes: int
    dram_write_bytes: int
    energy_pj: float
    causes: dict[str, int]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run.

    units: cycles by cause of every unit. main_units: those of them that say where the time went, if
    layers take turns; if they follow one another there are none, as the layers say it. peak_bytes:
    most taken of each buffer.
    """

    network: str
    chip: str
    cycles: int
    milliseconds: float
    macs: int
    utilisation: float
    tops: float
    tops_per_w: float
    energy_pj: float
    energy_by_component_pj: dict[str, float]
    dram_read_bytes: int
    dram_write_bytes: int
    tasks: int
    events: int
    layers: tuple[LayerResult, ...]
    units: dict[str, dict[str, int]]
    peak_bytes: dict[str, int]
    main_units: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def summarise(
    compiled: Compiled, workload: Workload, run: EngineRun, counters: Sequence[Counter]
) -> RunResult:
    """The result of a run of a network."""
    plan = compiled.plan
    layers = _layer_results(compiled, workload, run, counters)
    energy = sum(counter.energy_pj for counter in counters)
    executed = sum(counter.count for counter in counters if counter.action == "mac")
    seconds = run.cycles / (plan.chip.clock_ghz * 1e9)
    return RunResult(
        network=workload.name,
        chip=plan.chip.name,
        cycles=run.cycles,
        milliseconds=seconds * 1e3,
        macs=workload.macs,
        utilisation=executed / (plan.peak_macs * run.cycles or 1),
        tops=OPERATIONS_PER_MAC * workload.macs / seconds / 1e12 if run.cycles else 0.0,
        tops_per_w=OPERATIONS_PER_MAC * workload.macs / energy if energy else 0.0,
        energy_pj=energy,
        energy_by_component_pj=_by_component(counters),
        dram_read_bytes=sum(layer.dram_read_bytes for layer in layers),
        dram_write_bytes=sum(layer.dram_write_bytes for layer in layers),
        tasks=len(compiled.program),
        events=run.events,
        layers=layers,
        units={name: run.ledger.unit_cycles(name) for name in run.ledger.units},
        peak_bytes=dict(zip(plan.buffers, run.peak_bytes.tolist(), strict=True)),
        main_units=_main_units(compiled, run),
    )


def _layer_results(
    compiled: Compiled, workload: Workload, run: EngineRun, counters: Sequence[Counter]
) -> tuple[LayerResult, ...]:
    layers = layers_of_run(compiled, run)
    causes = causes_by_layer(layers, run.ledger.kept(), layers_of_intervals(compiled, run))
    ideal = [
        _ideal_cycles(compiled, workload, i, home) for i, home in enumerate(layers.home.tolist())
    ]
    took = _took_cycles(compiled, workload, run, layers)
    moved = {kind: _bytes_per_layer(compiled, kind) for kind in (LOAD, STORE)}
    energy = np.zeros(len(workload.layers))
    for counter in counters:
        if counter.layer >= 0:
            energy[counter.layer] += counter.energy_pj
    return tuple(
        LayerResult(
            layer.name,
            layer.op.value,
            _configuration(compiled, layer, int(layers.home[i])),
            int(causes[i].sum()),
            ideal[i],
            round(compiled.predicted_cycles[i]),
            ideal[i] / took[i] if took[i] else 0.0,
            layer.macs,
            int(moved[LOAD][i]),
            int(moved[STORE][i]),
            float(energy[i]),
            {CAUSES[c]: n for c, n in enumerate(causes[i].tolist()) if n},
        )
        for i, layer in enumerate(workload.layers)
    )


def layers_of_run(compiled: Compiled, run: EngineRun) -> LayerCycles:
    """Which cycles of which unit belong to each layer."""
    layers = len(compiled.program.layers)
    return layer_cycles(_columns(compiled, run), layers, run.cycles, compiled.interleaved)


def layers_of_intervals(compiled: Compiled, run: EngineRun) -> Int64s:
    """Layer of the task of every interval that the ledger keeps, -1 for none."""
    task = run.ledger.kept()["task"]
    return np.where(task >= 0, compiled.program.tasks["layer"][task], -1)


def _main_units(compiled: Compiled, run: EngineRun) -> tuple[str, ...]:
    if not compiled.interleaved:
        return ()
    return tuple(run.ledger.units[unit] for unit in main_units(_columns(compiled, run)))


def _columns(compiled: Compiled, run: EngineRun) -> dict[str, Int64s]:
    return {**compiled.program.tasks, "start": run.start, "end": run.end}


def _took_cycles(
    compiled: Compiled, workload: Workload, run: EngineRun, layers: LayerCycles
) -> list[int]:
    """What each layer's ideal cycles are measured against."""
    if not isinstance(layers, InTurn):
        return _took_on_cores(compiled, workload, run, layers.home)
    tasks, took = compiled.program.tasks, []
    for i, home in enumerate(layers.home.tolist()):
        mine = (tasks["layer"] == i) & (tasks["unit"] == home)
        end = int(layers.ends[i])
        took.append(end - int(min(layers.begins[i], run.start[mine].min(initial=end))))
    return took


def _took_on_cores(
    compiled: Compiled, workload: Workload, run: EngineRun, home: Int64s
) -> list[int]:
    """Cycles of each layer on all arrays that compute it, averaged by their peaks; those of one on
    its home if it does no MACs."""
    plan, kept = compiled.plan, run.ledger.kept()
    cycles = np.zeros((len(run.ledger.units), len(workload.layers) + 1), dtype=np.int64)
    at = kept["unit"], layers_of_intervals(compiled, run)
    np.add.at(cycles, at, kept["end"] - kept["start"])
    took = []
    for i, layer in enumerate(workload.layers):
        peaks = {plan.cores[c].pe_array: plan.core_peak_macs(c) for c in compiled.cores[i]}
        if not layer.is_mac:
            peaks = {int(home[i]): 1}
        spent = sum(peak * int(cycles[unit, i]) for unit, peak in peaks.items())
        took.append(-(-spent // sum(peaks.values())))
    return took


def _configuration(compiled: Compiled, layer: Layer, home: int) -> str:
    """What the array that a layer runs on has chosen to be."""
    cores = [core for core in compiled.plan.cores if core.pe_array == home]
    return layer_array(cores[0].spec, layer).configuration if cores else ""


def _ideal_cycles(compiled: Compiled, workload: Workload, index: int, home: int) -> int:
    """All PEs of its cores busy; for vector units, whose lanes are always full, their cycles."""
    layer, tasks = workload.layers[index], compiled.program.tasks
    if not layer.is_mac:
        return int(tasks["cycles"][(tasks["layer"] == index) & (tasks["unit"] == home)].sum())
    cores = compiled.cores[index]
    peak = sum(compiled.plan.core_peak_macs(core) for core in cores)
    specs = [compiled.plan.cores[core].spec for core in cores]
    return ceil(layer.macs * min(layer_array(s, layer).executed_share for s in specs) / peak)


def _bytes_per_layer(compiled: Compiled, kind: int) -> Int64s:
    tasks = compiled.program.tasks
    of_kind = tasks["kind"] == kind
    total = np.zeros(len(compiled.program.layers), dtype=np.int64)
    np.add.at(total, tasks["layer"][of_kind], tasks["bytes"][of_kind])
    return total


def _by_component(counters: Sequence[Counter]) -> dict[str, float]:
    total: dict[str, float] = {}
    for counter in counters:
        total[counter.component] = total.get(counter.component, 0.0) + counter.energy_pj
    return total
