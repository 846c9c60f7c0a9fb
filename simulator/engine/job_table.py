"""What the trace keeps of servers: every job asked of them, and what transfers spent there.

Rules: ARCHITECTURE.md REPLAY-1, LEDGER-5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hw_models.floorplan import Floorplan
from hw_models.server import KernelServer
from simulator.engine.explain import Explainer, Int64s, TaskTimes
from simulator.engine.fabric.resource import Job, Resource

COLUMNS = ("task", "server", "offset", "ticks")


class JobTable:
    """The jobs of all tasks on all servers. servers: their names, in code order."""

    def __init__(self, servers: Sequence[str]) -> None:
        self.servers = tuple(servers)
        self._codes = {name: code for code, name in enumerate(self.servers)}
        self._parts: list[Int64s] = []
        self._due = dict.fromkeys(self.servers, 0)

    def add(
        self, tasks: Int64s, resource: Resource, offset_cycles: int, jobs: Sequence[Job]
    ) -> None:
        """Note one job each of some tasks on a server."""
        part = np.empty((len(jobs), len(COLUMNS)), dtype=np.int64)
        part[:, 0], part[:, 1], part[:, 2] = tasks, self._codes[resource.name], offset_cycles
        if jobs:
            table = np.array(jobs, dtype=np.int64)
            part[:, 3] = resource.load_of(table)
            self._due[resource.name] += int(resource.served_by(table).sum())
        self._parts.append(part)

    def columns(self) -> dict[str, Int64s]:
        """All jobs, by task."""
        rows = np.concatenate([np.empty((0, len(COLUMNS)), dtype=np.int64), *self._parts])
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        return {name: rows[:, i] for i, name in enumerate(COLUMNS)}

    def due(self) -> dict[str, int]:
        """What every server must have served in the end."""
        return dict(self._due)


def spent_columns(
    rows: Int64s, end: Int64s, times: TaskTimes, explainer: Explainer, server_of: Int64s
) -> dict[str, Int64s]:
    """What the cycles of transfers went into: columns of the trace's table `spent`.

    rows: tasks that have ended. end: of all tasks. server_of: server code per ledger entry.
    """
    rows = rows[times.server[rows] >= 0]
    where, ticks = times.server[rows], times.ticks[rows]
    length = end[rows] - times.start[rows]
    mixed = ticks[:, :-1].sum(axis=1)
    body = np.minimum(length, mixed * explainer.rates[where, 0] // explainer.rates[where, 1])
    done = body[:, None] * np.cumsum(ticks[:, :-1], axis=1) // np.maximum(mixed, 1)[:, None]
    cycles = np.concatenate([np.diff(done, axis=1, prepend=0), (length - body)[:, None]], axis=1)
    task, which = np.nonzero(cycles)
    return {
        "task": rows[task],
        "server": server_of[where[task]],
        "cause": explainer.causes[where[task], which],
        "cycles": cycles[task, which],
    }


def machine_facts(
    plan: Floorplan,
    servers: Mapping[str, KernelServer],
    resources: Sequence[Resource],
    jobs: Mapping[str, Int64s],
) -> dict[str, Any]:
    """What replay can change of a chip: rates of servers, lanes of DMA engines, latencies."""
    before = jobs["offset"][jobs["offset"] > 0]
    noc = plan.noc_ports[0].request_cycles if before.size else 0
    dram = max(0, int(before.min()) - noc) if before.size else 0
    return {
        "servers": {
            resource.name: {
                "cycles_per_tick": str(
                    resource.cycles_per_load or servers[resource.name].kernel.cycles_per_tick
                ),
                "bytes_per_cycle": str(resource.bytes_per_cycle),
            }
            for resource in resources
        },
        "lanes": {plan.units[unit]: lanes for unit, lanes in plan.lanes_of.items()},
        "slots": {b.name: b.spec.slots for core in plan.cores for b in core.buffers},
        "latency_cycles": {"noc": noc, "dram": dram},
    }
