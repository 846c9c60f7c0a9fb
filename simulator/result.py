"""The result of a run: per layer and in total, cycles by cause, traffic, energy.

Rules: ARCHITECTURE.md RESULT-1 (which cycles belong to a layer), RESULT-2 (utilisation).
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
from simulator.program import COMPUTE, LOAD, STORE, Compiled, Int64s
from simulator.workload.graph import Layer, Workload
from traces.schema import CAUSES

OPERATIONS_PER_MAC = 2


@dataclass(frozen=True, slots=True)
class LayerResult:
    """One layer.

    configuration: of a PE array that has several. cycles: from the end of the layer before to its
    own; causes: all of them. ideal_cycles: with every PE (or lane) busy with products that are not
    skipped and nothing to wait for. utilisation: those over the cycles, or over the time from its
    first computation on if that came before. predicted_cycles: the analytical cost of the mapping
    search. dram_bytes: moved to and from DRAM.
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
    """A whole run. units: cycles by cause of every unit; peak_bytes: most taken of each buffer."""

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
    )


def _layer_results(
    compiled: Compiled, workload: Workload, run: EngineRun, counters: Sequence[Counter]
) -> tuple[LayerResult, ...]:
    tasks = compiled.program.tasks
    spans = layer_spans(compiled, run)
    homes = [_home_unit(compiled, run, i) for i in range(len(workload.layers))]
    causes = causes_of_spans(run.ledger.kept(), homes, spans)
    moved = {kind: _bytes_per_layer(compiled, kind) for kind in (LOAD, STORE)}
    energy = np.zeros(len(workload.layers))
    for counter in counters:
        energy[counter.layer] += counter.energy_pj
    results = []
    for i, layer in enumerate(workload.layers):
        cycles = int(spans[i, 1] - spans[i, 0])
        mine = (tasks["layer"] == i) & (tasks["unit"] == homes[i])
        ideal = _ideal_cycles(compiled, workload, i, int(tasks["cycles"][mine].sum()))
        took = int(spans[i, 1] - min(spans[i, 0], run.start[mine].min(initial=spans[i, 1])))
        results.append(
            LayerResult(
                layer.name,
                layer.op.value,
                _configuration(compiled, layer, homes[i]),
                cycles,
                ideal,
                round(compiled.predicted_cycles[i]),
                ideal / took if took else 0.0,
                layer.macs,
                int(moved[LOAD][i]),
                int(moved[STORE][i]),
                float(energy[i]),
                {CAUSES[c]: n for c, n in enumerate(causes[i].tolist()) if n},
            )
        )
    return tuple(results)


def layer_spans(compiled: Compiled, run: EngineRun) -> Int64s:
    """[start, end) of each layer, (n, 2): they tile the run.

    A layer ends with the last computation of it or of a layer before; the last ends with the run.
    """
    tasks, layers = compiled.program.tasks, len(compiled.program.layers)
    ends = np.zeros(layers, dtype=np.int64)
    computing = tasks["kind"] == COMPUTE
    np.maximum.at(ends, tasks["layer"][computing], run.end[computing])
    ends = np.maximum.accumulate(ends)
    if layers:
        ends[-1] = run.cycles
    return np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1)


def causes_of_spans(kept: dict[str, Int64s], homes: Sequence[int], spans: Int64s) -> Int64s:
    """Cycles by cause of each span in the ledger of its home unit, (n, causes)."""
    causes = np.zeros((len(homes), len(CAUSES)), dtype=np.int64)
    for unit in sorted(set(homes)):
        of_unit = kept["unit"] == unit
        start, end, cause = (kept[name][of_unit] for name in ("start", "end", "cause"))
        # Cycles of a cause before a point in time, at every boundary of intervals and spans.
        for code in np.unique(cause).tolist():
            lengths = np.where(cause == code, end - start, 0)
            done = np.concatenate([[0], np.cumsum(lengths)])
            inside = np.searchsorted(start, spans, side="right") - 1
            part = np.where(cause[inside] == code, spans - start[inside], 0)
            before = done[inside] + part
            mine = np.array(homes) == unit
            causes[mine, code] = (before[:, 1] - before[:, 0])[mine]
    return causes


def _home_unit(compiled: Compiled, run: EngineRun, index: int) -> int:
    """The unit that a layer runs on, its PE array if it uses one; of several cores, the last."""
    tasks, cores = compiled.program.tasks, compiled.plan.cores
    mine = (tasks["layer"] == index) & (tasks["kind"] == COMPUTE)
    on_array = mine & np.isin(tasks["unit"], [core.pe_array for core in cores])
    if on_array.any():
        mine = on_array
    return int(tasks["unit"][mine][run.end[mine].argmax()])


def _configuration(compiled: Compiled, layer: Layer, home: int) -> str:
    """What the array that a layer runs on has chosen to be."""
    cores = [core for core in compiled.plan.cores if core.pe_array == home]
    return layer_array(cores[0].spec, layer).configuration if cores else ""


def _ideal_cycles(compiled: Compiled, workload: Workload, index: int, busy_cycles: int) -> int:
    """All PEs of its cores busy; for vector units, whose lanes are always full, their cycles."""
    layer = workload.layers[index]
    if not layer.is_mac:
        return busy_cycles
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
