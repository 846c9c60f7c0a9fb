"""Wiring a program to a memory system: rows claimed, servers built, jobs of tasks prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hw_models.clock import CycleEnvironment
from hw_models.dma import Leg, Route
from hw_models.floorplan import DMA_OF, BufferPlan, CorePlan, Floorplan
from hw_models.server import KernelServer
from hw_models.spec import Operand
from hw_models.unit import Train
from simulator.engine.fabric.fabric import Fabric, Stage
from simulator.engine.fabric.resource import COMPUTE_CLASS, Int64s, Job, OperandPort, Resource
from simulator.engine.job_table import JobTable
from simulator.lowering.addresses import RUN_COLUMNS
from simulator.program import LOAD, SEND, STORE, TileProgram
from traces.ledger import Ledger

Moves = dict[int, tuple[Route, tuple[Job, ...]]]
"""Per transfer, its route and its jobs there."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """A program on the servers of a memory system.

    servers: by name. moves: per DMA unit. trains: per computation. listeners: (server, row, compute
    unit) to be told of the end of trains. jobs: what every task asks of every server.
    """

    servers: dict[str, KernelServer]
    moves: dict[int, Moves]
    trains: dict[int, list[Train]]
    listeners: list[tuple[KernelServer, int, int]]
    jobs: JobTable


@dataclass(frozen=True, slots=True)
class _Leg:
    stage: Stage
    first_row: int


def wire(
    program: TileProgram, plan: Floorplan, fabric: Fabric, env: CycleEnvironment, ledger: Ledger
) -> Wiring:
    """Claim rows for everybody, then build the servers and the jobs."""
    ways = _claim_all(program, plan, fabric)
    rows = _claim_trains(program, plan, fabric)
    servers: dict[str, KernelServer] = {}
    first_ledger = len(plan.units)
    for resource in fabric.resources:
        ledgers = range(first_ledger, first_ledger + len(resource.ledgers))
        first_ledger = ledgers.stop
        servers[resource.name] = KernelServer(env, resource.name, resource.build(), ledger, ledgers)
    jobs = JobTable([resource.name for resource in fabric.resources])
    moves = {unit: _moves(program, unit, legs, servers, jobs) for unit, legs in ways.items()}
    trains = _trains(program, rows, servers, jobs)
    listeners = [(servers[port.name], row, unit) for (unit, _, _), (port, row) in rows.items()]
    return Wiring(servers, moves, trains, listeners, jobs)


def ledger_names(plan: Floorplan, fabric: Fabric) -> tuple[str, ...]:
    """Names of all ledger entries: executing units, then what the servers keep."""
    return (*plan.units, *(name for resource in fabric.resources for name in resource.ledgers))


_Way = tuple[int, int, int]
"""Kind of transfer, the buffer that a SEND leaves or -1, the buffer at its core's end."""


def _claim_all(
    program: TileProgram, plan: Floorplan, fabric: Fabric
) -> dict[int, dict[_Way, list[_Leg]]]:
    """The ways of every unit that moves tiles, with a row for each of its lanes on each server."""
    stages = {
        core.dma[operand]: _core_ways(fabric, core, operand)
        for core in plan.cores
        for operand in core.dma
    } | {unit: _link_ways(program, plan, fabric, unit) for unit in plan.links}
    owners = {unit: core.index for core in plan.cores for unit in core.dma.values()}
    owners |= {unit: len(plan.cores) + place for place, unit in enumerate(plan.links)}
    return {unit: _claim(ways, owners[unit], plan.lanes_of[unit]) for unit, ways in stages.items()}


def _core_ways(fabric: Fabric, core: CorePlan, operand: Operand) -> dict[_Way, Sequence[Stage]]:
    """Ways of a DMA engine: between DRAM and the buffers of its operands."""
    ways: dict[_Way, Sequence[Stage]] = {}
    for buffer in _buffers_of(core, operand):
        ways[LOAD, -1, buffer.index] = fabric.load_way(core, buffer)
        ways[STORE, -1, buffer.index] = fabric.store_way(core, buffer)
    return ways


def _link_ways(
    program: TileProgram, plan: Floorplan, fabric: Fabric, unit: int
) -> dict[_Way, Sequence[Stage]]:
    """Ways of the unit of a link: all that its tasks ask for."""
    buffers = {b.index: b for core in plan.cores for b in core.buffers}
    tasks = program.tasks_of(unit)
    columns = [program.tasks[name][tasks] for name in ("kind", "source_buffer", "buffer")]
    ways: dict[_Way, Sequence[Stage]] = {}
    for kind, source, target in np.unique(np.stack(columns, axis=1), axis=0).tolist():
        core, buffer = plan.cores[plan.core_of_buffers[target]], buffers[target]
        if kind == SEND:
            stages = fabric.send_way(buffers[source], buffer)
        else:
            stages = (fabric.load_way if kind == LOAD else fabric.store_way)(core, buffer)
        # Of servers that end together the first is held responsible: the slowest.
        ways[kind, source, target] = sorted(stages, key=lambda s: s.resource.bytes_per_cycle)
    return ways


def _claim(ways: dict[_Way, Sequence[Stage]], owner: int, lanes: int) -> dict[_Way, list[_Leg]]:
    """Rows for a unit on each server of its ways."""
    rows: dict[str, int] = {}
    for way in ways.values():
        for stage in way:
            if stage.resource.name not in rows:
                rows[stage.resource.name] = stage.resource.claim(owner, lanes)
    return {
        key: [_Leg(stage, rows[stage.resource.name]) for stage in way] for key, way in ways.items()
    }


def _buffers_of(core: CorePlan, engine: Operand) -> list[BufferPlan]:
    served = [operand for operand, dma in DMA_OF.items() if dma == engine]
    return [b for b in core.buffers if any(operand in b.spec.holds for operand in served)]


TrainRows = dict[tuple[int, int, int], tuple[OperandPort, int]]
"""(compute unit, buffer, write) -> port and row."""


def _claim_trains(program: TileProgram, plan: Floorplan, fabric: Fabric) -> TrainRows:
    buffers = {b.index: (core, b) for core in plan.cores for b in core.buffers}
    units = program.tasks["unit"][program.trains["task"]]
    table = np.stack([units, program.trains["buffer"], program.trains["write"]], axis=1)
    rows: TrainRows = {}
    for unit, index, write in np.unique(table, axis=0).tolist():
        core, buffer = buffers[index]
        port = fabric.operand_port(buffer, bool(write))
        if port is not None:
            rows[unit, index, write] = port, port.claim(core.index, 1, COMPUTE_CLASS)
    return rows


def _moves(
    program: TileProgram,
    unit: int,
    ways: dict[_Way, list[_Leg]],
    servers: dict[str, KernelServer],
    table: JobTable,
) -> Moves:
    tasks = program.tasks_of(unit)
    columns = [program.tasks[name][tasks] for name in ("kind", "source_buffer", "buffer")]
    asked = np.stack(columns, axis=1)
    moves: Moves = {}
    for way, legs in ways.items():
        mine = tasks[(asked == way).all(axis=1)]
        route = Route(
            tuple(
                Leg(servers[leg.stage.resource.name], leg.first_row, leg.stage.offset_cycles)
                for leg in legs
            )
        )
        jobs = [_leg_jobs(program, mine, leg.stage.resource, legs) for leg in legs]
        for leg, several in zip(legs, jobs, strict=True):
            table.add(mine, leg.stage.resource, leg.stage.offset_cycles, several)
        per_task = zip(*jobs, strict=True) if jobs else (() for _ in range(mine.size))
        moves.update((t, (route, j)) for t, j in zip(mine.tolist(), per_task, strict=True))
    return moves


def _leg_jobs(
    program: TileProgram, tasks: Int64s, resource: Resource, legs: Sequence[_Leg]
) -> list[Job]:
    """Jobs of transfers on one server, paced by the slowest of the route. Rule: DMA-3."""
    slowest = min(leg.stage.resource.bytes_per_cycle for leg in legs)
    pace = None if resource.bytes_per_cycle == slowest else Fraction(1) / slowest
    names = ("bytes", *RUN_COLUMNS)
    moved = {name: program.tasks[name][tasks] for name in names}
    moved["store"] = (program.tasks["kind"][tasks] == STORE).astype(np.int64)
    moved["offset"] = program.buffer_offsets(tasks)
    return resource.transfers(moved, pace)


def _trains(
    program: TileProgram, rows: TrainRows, servers: dict[str, KernelServer], asked: JobTable
) -> dict[int, list[Train]]:
    table = program.trains
    units = program.tasks["unit"][table["task"]]
    streaming = program.tasks["cycles"] - program.tasks["overlap_cycles"]
    cycles = streaming[table["task"]]
    trains: dict[int, list[Train]] = {}
    for (unit, buffer, write), (port, row) in rows.items():
        mine = np.flatnonzero(
            (units == unit) & (table["buffer"] == buffer) & (table["write"] == write)
        )
        jobs = port.trains(table["bytes"][mine], table["offset"][mine], cycles[mine])
        asked.add(table["task"][mine], port, 0, jobs)
        for task, job in zip(table["task"][mine].tolist(), jobs, strict=True):
            trains.setdefault(task, []).append(Train(servers[port.name], row, job))
    return trains
