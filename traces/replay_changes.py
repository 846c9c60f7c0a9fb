"""What replay can change: keys, values, and what each does to a machine. Rule: REPLAY-3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import NamedTuple

from traces.errors import InputError
from traces.schema import TASK_KINDS
from traces.task_graph import TaskGraph

INFINITE = "inf"
PORT_SIDES = ("read", "write", "port")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the durations and the order of tasks depend on.

    cycles_per_tick: by server. latency_cycles: of dram and noc. speed: by computing unit, as a
    multiple of the recorded one, None for infinitely fast. lanes: by unit. slots: by buffer.
    """

    cycles_per_tick: Mapping[str, Fraction]
    latency_cycles: Mapping[str, int]
    speed: Mapping[str, Fraction | None]
    lanes: Mapping[str, int]
    slots: Mapping[str, int]


class Effect(NamedTuple):
    """What a kind of change means: exactness with contention kept, and re-arbitrated."""

    kept: str
    rearbitrated: str


QUEUES = "waiting behind other transfers is as recorded, scaled with the server's speed"
SHARES = "exact but for contention, where servers are shared evenly instead of beat by beat"
EFFECTS = {
    "bandwidth": Effect(f"service is exact, {QUEUES}", SHARES),
    "latency": Effect(f"the latency is exact, {QUEUES}", SHARES),
    "speed": Effect(f"computations are exact, {QUEUES}", SHARES),
    "outstanding": Effect(f"the order is exact, {QUEUES}", SHARES),
    "slots": Effect(
        f"a tile waits for what a tile earlier or later in its buffer waited for, {QUEUES}",
        "a tile waits for what a tile earlier or later in its buffer waited for, tiles and their "
        "reuse stay as recorded, and contention is shared evenly",
    ),
}
"""By kind of change."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value as given: a factor of the recorded one, or the new one itself; None: infinite."""

    number: Fraction | None
    is_factor: bool

    def of(self, recorded: Fraction) -> Fraction | None:
        """The new value."""
        if self.number is None or not self.is_factor:
            return self.number
        return recorded * self.number


@dataclass(frozen=True, slots=True)
class Change:
    """One changed key. kind: of EFFECTS; subjects: servers, units or buffers that it concerns."""

    key: str
    kind: str
    subjects: tuple[str, ...]
    text: str
    value: Value = field(compare=False)

    def apply(self, machine: Machine) -> Machine:
        """The machine with this change. Raises InputError."""
        return _APPLY[self.kind](self, machine)


def recorded_machine(graph: TaskGraph) -> Machine:
    """The machine that a run was recorded on."""
    facts = graph.machine
    servers = facts.get("servers", {})
    computes = graph.tasks["kind"] == TASK_KINDS.index("COMPUTE")
    units = sorted({graph.units[u] for u in graph.tasks["unit"][computes].tolist() if u >= 0})
    return Machine(
        {name: Fraction(servers[name]["cycles_per_tick"]) for name in graph.servers},
        dict(facts.get("latency_cycles", {})),
        {unit: Fraction(1) for unit in units},
        {unit: int(n) for unit, n in zip(graph.units, graph.lanes, strict=True)},
        dict(facts.get("slots", {})),
    )


def known_keys(graph: TaskGraph) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Key -> kind of change and what it concerns."""
    machine = recorded_machine(graph)
    keys: dict[str, tuple[str, tuple[str, ...]]] = {}

    def add(key: str, kind: str, subject: str) -> None:
        keys[key] = (kind, (*keys.get(key, (kind, ()))[1], subject))

    for server in machine.cycles_per_tick:
        # A buffer with several ports is changed as a whole.
        name, _, side = server.rpartition(".")
        add(f"{name if side in PORT_SIDES else server}.bandwidth", "bandwidth", server)
    for name in machine.latency_cycles:
        add(f"{name}.latency", "latency", name)
    for unit in machine.speed:
        add(unit, "speed", unit)
    for unit in graph.machine.get("lanes", {}):
        core = unit.rpartition(".")[0]
        add(f"{unit}.outstanding", "outstanding", unit)
        add(f"{core}.dma.outstanding" if core else "dma.outstanding", "outstanding", unit)
    for buffer in machine.slots:
        add(f"{buffer}.slots", "slots", buffer)
    return keys


def parse_changes(settings: Sequence[str], graph: TaskGraph) -> list[Change]:
    """KEY=VALUE texts as changes; a key may hold * for several. Raises InputError."""
    keys = known_keys(graph)
    changes = []
    for setting in settings:
        pattern, equals, text = setting.partition("=")
        if not equals or not text:
            raise InputError(f"--set must be KEY=VALUE, not {setting!r}")
        matching = [key for key in keys if fnmatchcase(key, pattern)]
        if not matching:
            raise InputError(_unknown(pattern, list(keys)))
        for key in matching:
            changes.append(Change(key, *keys[key], text, parse_value(key, text)))
    return changes


def parse_value(key: str, text: str) -> Value:
    """`2x` a factor, `3` or `12.8` a new value, `inf`. Raises InputError."""
    if text == INFINITE:
        return Value(None, False)
    try:
        number = Fraction(text.removesuffix("x"))
    except (ValueError, ZeroDivisionError):
        number = Fraction(-1)
    if number < 0:
        raise InputError(f"--set {key} must be a number, a factor such as 2x, or inf, not {text!r}")
    return Value(number, text.endswith("x"))


def changed_machine(graph: TaskGraph, changes: Sequence[Change]) -> Machine:
    """The recorded machine with all changes. Raises InputError."""
    machine = recorded_machine(graph)
    for change in changes:
        machine = change.apply(machine)
    return machine


def _unknown(key: str, keys: list[str]) -> str:
    near = get_close_matches(key, keys, n=1, cutoff=0.3)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"--set {key}: must be a key of this run, such as {', '.join(keys[:3])}{hint}"


def _bandwidth(change: Change, machine: Machine) -> Machine:
    value, rates = change.value, dict(machine.cycles_per_tick)
    if value.number is not None and (not value.is_factor or not value.number):
        raise InputError(
            f"--set {change.key} must be a factor above 0, such as 2x, or inf, not {change.text!r}"
        )
    for server in change.subjects:
        rates[server] = rates[server] / value.number if value.number else Fraction(0)
    return replace(machine, cycles_per_tick=rates)


def _speed(change: Change, machine: Machine) -> Machine:
    value = change.value
    if value.number is not None and (not value.is_factor or not value.number):
        raise InputError(
            f"--set {change.key} must be a factor above 0, such as 2x, or inf, not {change.text!r}"
        )
    speed = dict(machine.speed)
    for unit in change.subjects:
        before = speed[unit]
        speed[unit] = None if value.number is None or before is None else before * value.number
    return replace(machine, speed=speed)


def _latency(change: Change, machine: Machine) -> Machine:
    latencies = dict(machine.latency_cycles)
    for name in change.subjects:
        latencies[name] = _whole(change, latencies[name], 0)
    return replace(machine, latency_cycles=latencies)


def _outstanding(change: Change, machine: Machine) -> Machine:
    lanes = {unit: _whole(change, machine.lanes[unit], 1) for unit in change.subjects}
    return replace(machine, lanes={**machine.lanes, **lanes})


def _slots(change: Change, machine: Machine) -> Machine:
    slots = {name: _whole(change, machine.slots[name], 1) for name in change.subjects}
    return replace(machine, slots={**machine.slots, **slots})


def _whole(change: Change, recorded: int, least: int) -> int:
    number = change.value.of(Fraction(recorded))
    if number is None or number.denominator != 1 or number < least:
        raise InputError(
            f"--set {change.key} must give a whole number of at least {least} "
            f"(recorded: {recorded}), not {change.text!r}"
        )
    return int(number)


_APPLY: dict[str, Callable[[Change, Machine], Machine]] = {
    "bandwidth": _bandwidth,
    "speed": _speed,
    "latency": _latency,
    "outstanding": _outstanding,
    "slots": _slots,
}
