"""Benchmark `engine`: how much of a bare SimPy event loop's speed is left for whole networks.

The engine's events a second on a whole network, over those of a bare ping-pong of the same shape:
as many processes, wired alike (each client calls a few servers at once, each server sleeps and is
interrupted by newcomers, the client waits for the last of them), but nothing computed or recorded.
Both in this process, in turn, best of several.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import simpy

from hw_models.chip_files import load_chip
from simulator.engine.engine import Engine
from simulator.engine.fabric.simple import SimpleFabric
from simulator.lowering.lower import Lowered, lower
from simulator.workload.source import load_network

NETWORK, CHIP = "resnet50", "tpu_like"
ROUNDS = 5
CALLS = 3
"""Servers that a transfer (DRAM, network, buffer) or computation (three ports) calls at once."""


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """Events a second of the engine and of the bare loop, best of ROUNDS."""

    engine_events_per_s: float
    bare_events_per_s: float
    events: int
    cycles: int
    seconds: float

    @property
    def efficiency(self) -> float:
        """The engine's speed as a share of the bare loop's."""
        return self.engine_events_per_s / self.bare_events_per_s


def measure() -> EngineFigures:
    """Run both in turn."""
    lowered = lower(load_network(NETWORK), load_chip(CHIP))
    Engine(lowered.program, lowered.plan).run()  # compiles the kernels
    engine, bare = [], []
    for _ in range(ROUNDS):
        run = Engine(lowered.program, lowered.plan).run()
        engine.append(run.events / run.seconds)
        bare.append(ping_pong(lowered, run.events))
    return EngineFigures(max(engine), max(bare), run.events, run.cycles, run.seconds)


def ping_pong(lowered: Lowered, events: int) -> float:
    """Events a second of a bare SimPy model of the same shape, run for about as many events."""
    env = simpy.Environment()
    core = lowered.plan.cores[0]
    clients = len(lowered.plan.compute_units) + len(core.dma)
    servers = [_Server(env) for _ in SimpleFabric(lowered.plan).resources]
    rounds = events // (clients * (2 * CALLS + 1))
    for i in range(clients):
        called = [servers[(i + j) % len(servers)] for j in range(CALLS)]
        env.process(_client(env, called, rounds))
    count = 0
    began = perf_counter()
    try:
        while True:
            env.step()
            count += 1
    except simpy.core.EmptySchedule:
        return count / (perf_counter() - began)


class _Server:
    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.jobs: list[list[Any]] = []
        self.called = False
        self.process = env.process(self._serve())

    def submit(self, job: list[Any]) -> None:
        self.jobs.append(job)
        if not self.called:
            self.called = True
            self.process.interrupt()

    def _serve(self) -> Generator[simpy.Event, Any, None]:
        env = self.env
        while True:
            try:
                if self.jobs:
                    yield env.timeout(7)
                    job = self.jobs.pop()
                    job[0] -= 1
                    if not job[0]:
                        job[1].succeed()
                else:
                    yield env.event()
            except simpy.Interrupt:
                self.called = False


def _client(
    env: simpy.Environment, servers: list[_Server], rounds: int
) -> Generator[simpy.Event, Any, None]:
    for _ in range(rounds):
        done = env.event()
        job = [len(servers), done]
        for server in servers:
            server.submit(job)
        yield done


def main() -> str:
    """Measure and return the closing line."""
    figures = measure()
    return (
        f"efficiency={figures.efficiency:.3f} "
        f"engine_events_per_s={figures.engine_events_per_s:.0f} "
        f"bare_events_per_s={figures.bare_events_per_s:.0f} "
        f"events={figures.events} cycles={figures.cycles} seconds={figures.seconds:.3f}"
    )
