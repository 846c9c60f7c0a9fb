"""Chrome and Perfetto traces (trace-event JSON) as tasks. Rule: IMPORT-4.

Complete events (X) and pairs (B, E) are tasks on the unit of their process and thread; of nested
events the outermost counts. Flows (s, f) lead from the task in which they start to the one in which
they end. Source: Trace Event Format (Chromium project), sections "Event Descriptions" and "Flow
Events": times are in microseconds.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from traces.errors import InputError
from traces.importers.imported import COMPUTE, ImportedRun, ImportedTask
from traces.schema import TASK_KINDS

Track = tuple[Any, Any]
Event = Mapping[str, Any]


def read_chrome(path: Path, clock_ghz: float = 1.0) -> ImportedRun:
    """The slices of a trace as tasks; cycles are those of a clock. Raises InputError."""
    events = _events(path)
    cycles_per_us = Fraction(str(clock_ghz)) * 1000
    slices = _slices(path, events)
    origin = min((Fraction(str(e["ts"])) for e, _ in slices), default=Fraction(0))
    names = _track_names(events)
    tasks, by_track = [], dict[Track, list[tuple[Fraction, Fraction, str]]]()
    for number, (event, duration) in enumerate(slices):
        start = Fraction(str(event["ts"]))
        track = (event.get("pid"), event.get("tid"))
        outer = by_track.setdefault(track, [])
        if outer and start + duration <= outer[-1][1]:
            continue
        name = f"{event.get('name', 'slice')}#{number}"
        outer.append((start, start + duration, name))
        first = int((start - origin) * cycles_per_us)
        last = int((start + duration - origin) * cycles_per_us)
        tasks.append(_task(name, names.get(track, _unit(track)), first, last, event))
    return ImportedRun(str(path), tasks, _flows(events, by_track))


def _events(path: Path) -> list[Event]:
    try:
        data = path.read_bytes()
        found = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read as trace-event JSON: {error}") from None
    events = found.get("traceEvents") if isinstance(found, dict) else found
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise InputError(f"{path}: must be a list of events or hold one as traceEvents")
    return events


def _slices(path: Path, events: Iterable[Event]) -> list[tuple[Event, Fraction]]:
    """Slices with their durations, by start, the longer first."""
    open_: dict[Track, list[Event]] = {}
    found: list[tuple[Event, Fraction]] = []
    for event in events:
        track = (event.get("pid"), event.get("tid"))
        if event.get("ph") in ("X", "B", "E") and "ts" not in event:
            raise InputError(f"{path}: every slice must have ts")
        if event.get("ph") == "X":
            found.append((event, Fraction(str(event.get("dur", 0)))))
        elif event.get("ph") == "B":
            open_.setdefault(track, []).append(event)
        elif event.get("ph") == "E":
            if not open_.get(track):
                raise InputError(f"{path}: an end at {event['ts']} must have a begin before it")
            begin = open_[track].pop()
            found.append((begin, Fraction(str(event["ts"])) - Fraction(str(begin["ts"]))))
    return sorted(found, key=lambda item: (Fraction(str(item[0]["ts"])), -item[1]))


def _track_names(events: Iterable[Event]) -> dict[Track, str]:
    processes, threads = dict[Any, str](), dict[Track, str]()
    for event in events:
        if event.get("ph") == "M" and event.get("name") == "process_name":
            processes[event.get("pid")] = str(event.get("args", {}).get("name", ""))
        if event.get("ph") == "M" and event.get("name") == "thread_name":
            track = (event.get("pid"), event.get("tid"))
            threads[track] = str(event.get("args", {}).get("name", ""))
    names = {
        track: ".".join(part for part in (processes.get(track[0]), name) if part)
        for track, name in threads.items()
    }
    # Threads of one name stay apart.
    taken = list(names.values())
    return {t: f"{n}.{t[1]}" if taken.count(n) > 1 else n for t, n in names.items()}


def _unit(track: Track) -> str:
    return f"{track[0]}.{track[1]}"


def _task(name: str, unit: str, start: int, end: int, event: Event) -> ImportedTask:
    arguments = event.get("args")
    arguments = arguments if isinstance(arguments, dict) else {}
    kind = str(event.get("cat", "")).upper()
    moved = arguments.get("bytes", 0)
    return ImportedTask(
        name,
        unit,
        start,
        end,
        kind if kind in TASK_KINDS[:-1] else COMPUTE,
        str(arguments.get("layer", "")),
        moved if isinstance(moved, int) else 0,
    )


def _flows(
    events: Iterable[Event], by_track: Mapping[Track, list[tuple[Fraction, Fraction, str]]]
) -> list[tuple[str, str, str]]:
    """Edges of flows whose task ends before the one that they lead to starts."""
    begun: dict[Any, tuple[Fraction, str]] = {}
    edges = []
    ends = {name: (start, end) for found in by_track.values() for start, end, name in found}
    for event in events:
        if event.get("ph") not in ("s", "t", "f"):
            continue
        key = (event.get("cat"), event.get("id"))
        track = (event.get("pid"), event.get("tid"))
        here = _enclosing(by_track.get(track, []), Fraction(str(event.get("ts", 0))))
        if here is None:
            continue
        if event["ph"] != "s" and key in begun:
            source = begun[key][1]
            if source != here and ends[source][1] <= ends[here][0]:
                edges.append((source, here, "data"))
        begun[key] = (Fraction(str(event.get("ts", 0))), here)
    return edges


def _enclosing(slices: list[tuple[Fraction, Fraction, str]], at: Fraction) -> str | None:
    return next((name for start, end, name in slices if start <= at <= end), None)
