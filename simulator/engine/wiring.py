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
from simulator.program import LOAD, STORE, TileProgram
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
    ways = {
        core.dma[operand]: _claim_ways(fabric, core, operand)
        for core in plan.cores
        for operand in core.dma
    }
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


def _claim_ways(
    fabric: Fabric, core: CorePlan, operand: Operand
) -> dict[tuple[int, int], list[_Leg]]:
    """Ways of a DMA engine by (kind, buffer), a row for every lane on each server."""
    rows: dict[str, int] = {}
    ways = {}
    for buffer in _buffers_of(core, operand):
        for kind, way in (
            (LOAD, fabric.load_way(core, buffer)),
            (STORE, fabric.store_way(core, buffer)),
        ):
            for stage in way:
                if stage.resource.name not in rows:
                    claimed = stage.resource.claim(core.index, core.spec.dma.outstanding)
                    rows[stage.resource.name] = claimed
            ways[kind, buffer.index] = [_Leg(stage, rows[stage.resource.name]) for stage in way]
    return ways


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
    ways: dict[tuple[int, int], list[_Leg]],
    servers: dict[str, KernelServer],
    table: JobTable,
) -> Moves:
    tasks = program.tasks_of(unit)
    kinds, buffers = program.tasks["kind"][tasks], program.tasks["buffer"][tasks]
    moves: Moves = {}
    for (kind, buffer), legs in ways.items():
        mine = tasks[(kinds == kind) & (buffers == buffer)]
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
