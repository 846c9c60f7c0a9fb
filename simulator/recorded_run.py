"""A recorded run simulated again, on the chip as it was or with changes: what replay is judged by.

The program is lowered anew from what the manifest says, and must be the recorded one; it then runs
on the changed chip, so that replay and simulation time the same tasks. Only another number of slots
makes another program. Rule: ARCHITECTURE.md REPLAY-6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from hw_models.clock import exact
from hw_models.floorplan import floorplan
from hw_models.spec import BufferSpec, ChipSpec, CoreSpec
from simulator.allocation.file import rule_or_file
from simulator.engine.engine import Engine, EngineRun
from simulator.lowering.lower import lower
from simulator.mapping.mapping import LayerMappingSpec, load_mapping_file
from simulator.mapping.streams import layer_streams
from simulator.program import COMPUTE, TileProgram
from simulator.run import MAPPING
from simulator.sparsity.densities import with_sparsity
from simulator.workload.graph import Workload
from simulator.workload.source import layer_range, load_network
from traces.errors import InputError
from traces.replay_changes import Change, Machine, changed_machine, recorded_machine
from traces.task_graph import TaskGraph

FAST = 1 << 20
"""Stands for an infinite speed of a server."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """What a run was made of. mappings: given to `lower`; None for the search."""

    graph: TaskGraph
    workload: Workload
    chip: ChipSpec
    program: TileProgram
    mappings: Mapping[str, LayerMappingSpec] | None

    def simulate(self, changes: Sequence[Change]) -> EngineRun:
        """Run the program on the changed chip. Raises InputError for what no chip file can say."""
        machine, recorded = changed_machine(self.graph, changes), recorded_machine(self.graph)
        memory = self.graph.manifest.get("memory", "simple")
        program, chip = self.program, changed_chip(self.chip, machine, recorded, memory)
        if machine.slots != recorded.slots:
            given = self._with_slots(machine, recorded)
            program = _lowered(self.graph, self.workload, chip, given)
        program = _at_speed(program, machine)
        return Engine(program, floorplan(chip), None, memory).run()

    def _with_slots(
        self, machine: Machine, recorded: Machine
    ) -> Mapping[str, LayerMappingSpec] | None:
        """The mappings with as many times the slots as the buffers have now."""
        if self.mappings is None:
            return None
        core = floorplan(self.chip).cores[0]
        changed = {}
        for layer in self.workload.layers:
            spec = self.mappings[layer.name]
            ratio = {
                stream.name: Fraction(machine.slots[name], recorded.slots[name])
                for stream in layer_streams(layer, core, self.chip.precision)
                for name in [core.buffer_of(stream.operand).name]
            }
            slots = {name: max(1, int(n * ratio.get(name, 1))) for name, n in spec.slots.items()}
            changed[layer.name] = spec.model_copy(update={"slots": slots})
        return changed


def recorded_run(graph: TaskGraph) -> RecordedRun:
    """Lower the network of a run again. Raises InputError when that isn't possible."""
    manifest, place = graph.manifest, graph.folder
    if manifest.get("granularity"):
        raise InputError(f"{place}: --check must not be used on runs with --granularity")
    missing = [key for key in ("source", "chip_spec", "objective") if key not in manifest]
    if missing:
        raise InputError(f"{place}: --check needs {', '.join(missing)} in the manifest")
    workload = _workload(manifest)
    described = repr((workload.tensors, workload.layers)).encode()
    if hashlib.sha256(described).hexdigest() != manifest["network_sha256"]:
        raise InputError(f"{place}: {manifest['source']} must be the network of the run")
    chip = _one_by_one(ChipSpec.model_validate(manifest["chip_spec"]))
    file = graph.folder / MAPPING
    # The file has one mapping a layer; where cores have one each, the search finds them again.
    for mappings in (load_mapping_file(file, workload) if file.exists() else None, None):
        program = _lowered(graph, workload, chip, mappings)
        if _is_program_of(program, graph):
            return RecordedRun(graph, workload, chip, program, mappings)
    raise InputError(f"{place}: the program of the run can't be made again by this version")


def _workload(manifest: Mapping[str, Any]) -> Workload:
    workload = load_network(
        manifest["source"],
        batch=manifest.get("batch", 1),
        options=manifest.get("options", {}),
        skip_unsupported=manifest.get("skip_unsupported", False),
    )
    if manifest.get("sparsity"):
        workload = with_sparsity(workload, manifest["sparsity"])
    if manifest.get("layers"):
        names = [layer.name for layer in workload.layers]
        workload = workload.slice(*layer_range(manifest["layers"], names))
    return workload


def _lowered(
    graph: TaskGraph,
    workload: Workload,
    chip: ChipSpec,
    mappings: Mapping[str, LayerMappingSpec] | None,
) -> TileProgram:
    allocation = graph.manifest.get("allocation", "split")
    shares = rule_or_file(allocation, workload, floorplan(chip))
    return lower(workload, chip, graph.manifest["objective"], mappings, shares).program


def _is_program_of(program: TileProgram, graph: TaskGraph) -> bool:
    if len(program) != len(graph) or program.edges["src"].size != graph.edges["src"].size:
        return False
    return all(
        np.array_equal(program.tasks[name], graph.tasks[name])
        for name in ("cycles", "bytes", "macs")
    )


def _one_by_one(chip: ChipSpec) -> ChipSpec:
    """The chip with every copy of a core by its own name, so that one alone can be changed."""
    cores: list[CoreSpec] = []
    for core in chip.cores:
        copies = [core.name] if core.count == 1 else [f"{core.name}{i}" for i in range(core.count)]
        cores += [core.model_copy(update={"name": name, "count": 1}) for name in copies]
    return chip.model_copy(update={"cores": tuple(cores)})


def changed_chip(chip: ChipSpec, machine: Machine, recorded: Machine, memory: str) -> ChipSpec:
    """The chip with the rates, latencies, lanes and slots of a machine. Raises InputError."""
    faster = {
        server: recorded.cycles_per_tick[server] / rate if rate else Fraction(FAST)
        for server, rate in machine.cycles_per_tick.items()
    }
    by_banks = memory == "cycle" and chip.dram.standard is not None
    dram, noc = _dram(chip, machine, recorded, faster, by_banks), dict[str, Any]()
    if faster.get("noc", 1) != 1:
        noc["width_bytes"] = _whole("noc.bandwidth", chip.noc.width_bytes * faster["noc"])
    if machine.latency_cycles.get("noc") != recorded.latency_cycles.get("noc"):
        if "latency_cycles" not in type(chip.noc).model_fields:
            raise InputError(f"--set noc.latency can't be simulated on a {chip.noc.kind}")
        noc["latency_cycles"] = machine.latency_cycles["noc"]
    cores = tuple(_core(core, machine, recorded, faster) for core in chip.cores)
    return chip.model_copy(
        update={
            "cores": cores,
            "noc": chip.noc.model_copy(update=noc),
            "dram": chip.dram.model_copy(update=dram),
        }
    )


def _dram(
    chip: ChipSpec,
    machine: Machine,
    recorded: Machine,
    faster: Mapping[str, Fraction],
    by_banks: bool,
) -> dict[str, Any]:
    """Changes of external memory. Memory by banks becomes faster by more channels."""
    changes: dict[str, Any] = {}
    interface = faster.get("dram_interface" if by_banks else "dram", Fraction(1))
    if by_banks and faster.get("dram", 1) != 1:
        channels = chip.dram.channels * faster["dram"]
        changes["channels"] = _whole("dram.bandwidth", channels, "channels")
        interface /= faster["dram"] if "dram_interface" in faster else 1
    if interface != 1:
        # Few digits keep the numbers of a tick small, which kernels multiply.
        rate = float(chip.dram.channel_gb_per_s * interface)
        changes["bandwidth_gb_per_s"] = float(f"{rate:.6g}")
    more = machine.latency_cycles.get("dram", 0) - recorded.latency_cycles.get("dram", 0)
    if more:
        latency_ns = chip.dram.access_latency_ns + more / exact(chip.clock_ghz)
        # Rounded down, as nanoseconds are rounded up to whole cycles.
        changes["latency_ns"] = max(0, latency_ns * 10**6 // 1) / 10**6
    return changes


def _core(
    core: CoreSpec, machine: Machine, recorded: Machine, faster: Mapping[str, Fraction]
) -> CoreSpec:
    lanes = {n for unit, n in machine.lanes.items() if unit.startswith(f"{core.name}.dma_")}
    if len(lanes) > 1:
        raise InputError(
            f"--set {core.name}.dma.outstanding must be the same for all engines with --check"
        )
    dma = core.dma.model_copy(update={"outstanding": lanes.pop() if lanes else 1})
    buffers = tuple(_buffer(core, buffer, machine, recorded, faster) for buffer in core.buffers)
    return core.model_copy(update={"dma": dma, "buffers": buffers})


def _buffer(
    core: CoreSpec,
    buffer: BufferSpec,
    machine: Machine,
    recorded: Machine,
    faster: Mapping[str, Fraction],
) -> BufferSpec:
    """A buffer with other slots has room for as many of the same size."""
    name = f"{core.name}.{buffer.name}"
    speed = next((f for server, f in faster.items() if server.startswith(f"{name}.")), Fraction(1))
    changes: dict[str, Any] = {}
    if speed != 1:
        changes["width_bytes"] = _whole(f"{name}.bandwidth", buffer.width_bytes * speed)
    if machine.slots.get(name) != recorded.slots.get(name):
        changes["slots"] = machine.slots[name]
        size = buffer.size_bytes * Fraction(machine.slots[name], recorded.slots[name])
        changes["size_bytes"] = -(-size // buffer.bytes_per_cycle) * buffer.bytes_per_cycle
    return buffer.model_copy(update=changes)


def _whole(key: str, number: Fraction, what: str = "bytes a cycle") -> int:
    if number.denominator != 1:
        raise InputError(f"--set {key} must give whole {what} with --check")
    return int(number)


def _at_speed(program: TileProgram, machine: Machine) -> TileProgram:
    """The program with the cycles of computations on faster or slower units."""
    tasks = dict(program.tasks)
    for unit, speed in machine.speed.items():
        rate = Fraction(0) if speed is None else 1 / speed
        mine = (tasks["unit"] == program.units.index(unit)) & (tasks["kind"] == COMPUTE)
        for name in ("cycles", "fill_cycles", "overlap_cycles"):
            cycles = tasks[name] * rate.numerator
            tasks[name] = np.where(mine, -(-cycles // rate.denominator), tasks[name])
    return replace(program, tasks=tasks)
