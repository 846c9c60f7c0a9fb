"""The stable Python interface: `import simulator as ts`, then `ts.simulate(...)` and so on.

Every name in `__all__` keeps its meaning between releases; whatever else is importable may change.
Networks and chips are given by name, by file, or as the objects that `load_network` and `load_chip`
return; runs as `Run` or by their folder. What a user gets wrong raises `InputError`, whose message
is one line that names place and rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow as pa

from hw_models.chip_files import load_chip
from hw_models.chip_files import preset_names as chip_names
from hw_models.floorplan import floorplan
from hw_models.spec import ChipSpec
from simulator.allocation.file import rule_or_file
from simulator.commands.fused_options import fusion_choices
from simulator.commands.run import OBJECTIVES, prepare_folder
from simulator.engine.fabric import DEFAULT_MEMORY, MEMORIES
from simulator.explore.explore import Explored
from simulator.explore.explore import explore as run_study
from simulator.explore.study import Study, load_study
from simulator.fusion import run as fusion
from simulator.mapping.mapping import load_mapping_file
from simulator.recorded_run import recorded_run
from simulator.result import LayerResult, RunResult
from simulator.run import RESULT
from simulator.run import simulate as _simulate
from simulator.sparsity.densities import with_sparsity
from simulator.workload.graph import Workload
from simulator.workload.source import layer_range, load_network
from simulator.workload.zoo import NETWORKS
from traces.compare import Comparison
from traces.compare import compare as _compare
from traces.critical_path import CriticalPath
from traces.critical_path import critical_path as _critical_path
from traces.errors import InputError, check_one_of
from traces.export.output import output_file
from traces.replay import Replay
from traces.replay import replay as _replay
from traces.replay_changes import Change, parse_changes
from traces.replay_sweep import Sweep
from traces.replay_sweep import sweep as _sweep
from traces.run_folder import read_manifest, read_table
from traces.stalls import StallReport, stall_report
from traces.task_graph import TaskGraph, load_task_graph

__all__ = [
    "ChipSpec",
    "Comparison",
    "CriticalPath",
    "Explored",
    "InputError",
    "LayerResult",
    "Replay",
    "Run",
    "RunResult",
    "StallReport",
    "Study",
    "Sweep",
    "Workload",
    "chip_names",
    "compare",
    "critical_path",
    "load_chip",
    "load_network",
    "load_run",
    "load_study",
    "network_names",
    "picture",
    "replay",
    "resimulate",
    "run_study",
    "simulate",
    "simulate_fused",
    "stalls",
    "sweep",
    "with_sparsity",
    "write_report",
]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run. result: its figures; folder: where it is recorded, None if it is not."""

    result: RunResult
    folder: Path | None = None

    @property
    def cycles(self) -> int:
        """Length of the run in cycles of the chip's clock."""
        return self.result.cycles

    def layers(self) -> pa.Table:
        """A row a layer: the fields of `LayerResult` but the causes."""
        names = [field.name for field in fields(LayerResult) if field.name != "causes"]
        return pa.table({n: [getattr(x, n) for x in self.result.layers] for n in names})

    def causes(self) -> pa.Table:
        """A row for each layer and cause that it has cycles of: layer, cause, cycles."""
        return _by_cause("layer", {layer.name: layer.causes for layer in self.result.layers})

    def units(self) -> pa.Table:
        """A row for each unit and cause that it has cycles of: unit, cause, cycles."""
        return _by_cause("unit", self.result.units)

    def energy(self) -> pa.Table:
        """A row a component: component, energy_pj."""
        energy = self.result.energy_by_component_pj
        return pa.table({"component": list(energy), "energy_pj": list(energy.values())})

    def trace(self, table: str) -> pa.Table:
        """A table of the trace: tasks, edges, jobs, spent, intervals or counters.

        Raises InputError for a run that is not recorded.
        """
        return read_table(_folder(self), table)


Recorded = Run | str | PathLike[str]
"""A recorded run, or the folder of one."""

Changes = Mapping[str, str | int | float]
"""What replay changes: key -> `2x` (a factor), a new value, or `inf`."""


def network_names() -> list[str]:
    """Names of the networks that come with tilesim, sorted."""
    return sorted(NETWORKS)


def simulate(
    network: str | Workload,
    chip: str | ChipSpec,
    *,
    batch: int = 1,
    options: Mapping[str, int | str] | None = None,
    layers: str = "",
    sparsity: str = "",
    objective: str = "latency",
    mapping: str | PathLike[str] | None = None,
    allocation: str = "split",
    memory: str = DEFAULT_MEMORY,
    out: str | PathLike[str] | None = None,
    force: bool = False,
) -> Run:
    """Simulate a network on a chip, as `tilesim run` does; with `out`, record it in that folder.

    batch, options: of a network given by name or file. layers: only A:B, both included, by number
    or name. sparsity: zeros of weights and activations, `0.8:0.4` or `published`. objective: what
    the mapping search minimises: latency, energy, edp or dram_bytes. mapping: a mapping file, for
    the layers that it names. allocation: which core computes what: `split`, `single` or a file.
    memory: `ideal`, `simple` or `cycle`. force: replace an earlier run in `out`.
    Raises InputError.
    """
    check_one_of("objective", objective, OBJECTIVES)
    check_one_of("memory", memory, MEMORIES)
    inputs = {"batch": batch, "options": dict(options or {}), "layers": layers}
    inputs |= {"sparsity": sparsity, "allocation": allocation}
    workload = _network(network, batch, options, layers, sparsity, inputs)
    spec = load_chip(chip) if isinstance(chip, str) else chip
    mappings = None if mapping is None else load_mapping_file(Path(mapping), workload)
    shares = rule_or_file(allocation, workload, floorplan(spec))
    folder = None if out is None else Path(out)
    with nullcontext() if folder is None else prepare_folder(folder, force=force):
        done = _simulate(
            workload,
            spec,
            objective=objective,
            mappings=mappings,
            allocation=shares,
            memory=memory,
            out=folder,
            inputs=inputs,
        )
    return Run(done.result, folder)


def simulate_fused(
    network: str | Workload,
    chip: str | ChipSpec,
    *,
    granularity: str = "line",
    allocation: str = "cp",
    overlap: str = "full",
    policy: str = "best",
    objective: str = "latency",
    seconds: float = 5.0,
    memory: str = fusion.DEFAULT_MEMORY,
    out: str | PathLike[str] | None = None,
    force: bool = False,
) -> Run:
    """Simulate a network cut into nodes that the cores of a chip compute as a pipeline.

    granularity: `layer`, `image`, `line`, `line:N` or `tile:HxW`. allocation: which core computes
    what: the searches `cp`, `ga`, `greedy`, or a file. overlap: of the rows that two tiles share:
    `full`, `horizontal` or `recompute`. policy: which tile goes first: `latency`, `memory` or the
    `best`. objective: what the search minimises: latency, energy or edp; seconds: its time limit.
    memory, out, force: as `simulate` has them. Raises InputError.
    """
    check_one_of("memory", memory, MEMORIES)
    inputs: dict[str, Any] = {"granularity": granularity, "allocation": allocation}
    workload = _network(network, 1, None, "", "", inputs)
    spec = load_chip(chip) if isinstance(chip, str) else chip
    choices = fusion_choices(
        workload,
        granularity=granularity,
        allocation=allocation,
        overlap=overlap,
        policy=policy,
        objective=objective,
        seconds=seconds,
    )
    folder = None if out is None else Path(out)
    with nullcontext() if folder is None else prepare_folder(folder, force=force):
        done = fusion.simulate_fused(
            workload, spec, choices, memory=memory, out=folder, inputs=inputs
        )
    return Run(done.result, folder)


def load_run(folder: str | PathLike[str]) -> Run:
    """A run that was recorded before. Raises InputError for one that is incomplete."""
    path = Path(folder)
    if not read_manifest(path)["complete"]:
        raise InputError(f"{path}: must be a complete run; stalls, replay and compare take it")
    try:
        data = json.loads((path / RESULT).read_text(encoding="utf-8"))
        data["layers"] = [LayerResult(**layer) for layer in data["layers"]]
        # JSON has no tuples; every list of a result is one.
        plain: dict[str, Any] = {
            key: tuple(x) if isinstance(x, list) else x for key, x in data.items()
        }
        return Run(RunResult(**plain), path)
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: {RESULT} can't be read") from None


def stalls(run: Recorded, between: tuple[int, int] | None = None) -> StallReport:
    """Where each unit's cycles went, and what to fix first; between: only cycles [begin, end).

    Raises InputError.
    """
    return stall_report(_folder(run), between)


def critical_path(run: Recorded) -> CriticalPath:
    """The tasks and waits that determine the end of a run, and everybody's slack.

    Raises InputError.
    """
    return _critical_path(_graph(run))


def replay(
    run: Recorded, changes: Changes | None = None, *, contention: str = "rearbitrated"
) -> Replay:
    """Time a recorded run anew, unchanged or on a changed chip, without simulating it.

    changes: `{"dram.bandwidth": "2x"}`. contention: at servers, `kept` as recorded or
    `rearbitrated`. Raises InputError, which lists the keys for one that is unknown.
    """
    graph = _graph(run)
    return _replay(graph, _changes(graph, changes), contention)


def resimulate(run: Recorded, changes: Changes | None = None) -> int:
    """Cycles of a recorded run simulated again, on the changed chip: what `replay` is judged by.

    Raises InputError for a run whose network was given as an object.
    """
    graph = _graph(run)
    return recorded_run(graph).simulate(_changes(graph, changes)).cycles


def sweep(
    run: Recorded, text: str, changes: Changes | None = None, *, contention: str = "rearbitrated"
) -> Sweep:
    """Replay a range of values of one key: text is KEY=A:B:N, as `dram.bandwidth=0.5x:8x:9`.

    Raises InputError.
    """
    graph = _graph(run)
    return _sweep(graph, text, _changes(graph, changes), contention)


def compare(first: Recorded, second: Recorded) -> Comparison:
    """Which layers and causes make the difference between two runs. Raises InputError."""
    return _compare(_folder(first), _folder(second))


def picture(run: Recorded, name: str, path: str | PathLike[str] | None = None) -> str:
    """A picture of a run as the text of an SVG file, which is written too if `path` is given.

    name: timeline, stalls, roofline, bandwidth, buffers, energy or units. Raises InputError.
    """
    # Matplotlib takes a second to import; those who want no picture should not wait for it.
    from traces.plots.standalone import picture as draw
    from traces.plots.view import load_view

    svg = draw(load_view(_folder(run)), name)
    if path is not None:
        with output_file(Path(path), force=True) as file:
            file.write(svg)
    return svg


def write_report(run: Recorded, path: str | PathLike[str]) -> Path:
    """Write one HTML page with all pictures of a run; returns its path. Raises InputError."""
    from traces.plots.view import load_view
    from traces.report.marked_path import marked_path
    from traces.report.page import build_page

    view = load_view(_folder(run))
    with output_file(Path(path), force=True) as page:
        page.write(build_page(view, marked_path(view)))
    return Path(path)


def _network(
    network: str | Workload,
    batch: int,
    options: Mapping[str, int | str] | None,
    layers: str,
    sparsity: str,
    inputs: dict[str, Any],
) -> Workload:
    """The network with what was asked of it; `inputs` learns its source if that is a name."""
    if isinstance(network, str):
        inputs["source"] = network
        network = load_network(network, batch=batch, options=options)
    elif batch != 1 or options:
        raise InputError("batch and options must be given to load_network, not beside a Workload")
    if sparsity:
        network = with_sparsity(network, sparsity)
    if layers:
        network = network.slice(*layer_range(layers, [layer.name for layer in network.layers]))
    return network


def _by_cause(key: str, cycles: Mapping[str, Mapping[str, int]]) -> pa.Table:
    rows = [(name, cause, n) for name, causes in cycles.items() for cause, n in causes.items()]
    types = (pa.string(), pa.string(), pa.int64())
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=[key, "cause", "cycles"])


def _folder(run: Recorded) -> Path:
    if not isinstance(run, Run):
        return Path(run)
    if run.folder is None:
        raise InputError("run must be recorded: give simulate a folder as out")
    return run.folder


def _graph(run: Recorded) -> TaskGraph:
    return load_task_graph(_folder(run))


def _changes(graph: TaskGraph, changes: Changes | None) -> list[Change]:
    return parse_changes([f"{key}={value}" for key, value in (changes or {}).items()], graph)
