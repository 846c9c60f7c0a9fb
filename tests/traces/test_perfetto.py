import itertools
import json
import shutil
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.small_run import ARRAY, DMA, END, INTERVALS, UNITS, write_small_run
from traces.commands.export import command
from traces.errors import InputError
from traces.export.perfetto import CYCLES, LANES, MEMORY, TASKS, track_of
from traces.plots.view import load_view

REQUIRED = {
    "M": {"name", "pid", "args"},
    "X": {"name", "cat", "pid", "tid", "ts", "dur"},
    "C": {"name", "pid", "ts", "args"},
    "s": {"name", "cat", "id", "pid", "tid", "ts"},
    "f": {"name", "cat", "id", "pid", "tid", "ts", "bp"},
}
"""Fields that each kind of event must have: "Trace Event Format", sections on event types."""


@pytest.fixture
def trace(tmp_path):
    command(write_small_run(tmp_path / "run"), "perfetto")
    return json.loads((tmp_path / "run" / "trace.perfetto.json").read_text(encoding="utf-8"))


@pytest.fixture
def events(trace):
    return trace["traceEvents"]


def of(events, kind, group=None):
    return [e for e in events if e["ph"] == kind and group in (None, e["pid"])]


def test_every_event_has_the_fields_of_its_kind(events):
    for event in events:
        assert REQUIRED[event["ph"]] <= set(event), event
        for field in ("ts", "dur", "pid", "tid", "id"):
            assert isinstance(event.get(field, 0), int), event
            assert event.get(field, 0) >= 0, event
        assert isinstance(event.get("args", {}), dict)
    for event in of(events, "C"):
        assert all(isinstance(value, int | float) for value in event["args"].values())
    assert {event["ph"] for event in events} == set(REQUIRED)


def test_slices_of_a_track_lie_one_after_another(events):
    tracks = defaultdict(list)
    for event in of(events, "X"):
        tracks[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for slices in tracks.values():
        slices.sort()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(slices))


def test_every_track_with_slices_has_a_name(events):
    named = {(e["pid"], e["tid"]): e["args"]["name"] for e in of(events, "M") if "tid" in e}
    used = {(e["pid"], e["tid"]) for e in of(events, "X")}
    assert used <= set(named)
    assert {named[CYCLES, unit] for unit in range(len(UNITS))} == set(UNITS)
    groups = {e["pid"] for e in of(events, "M") if e["name"] == "process_name"}
    assert groups == {CYCLES, TASKS, MEMORY}


def test_intervals_are_as_they_were_recorded(events):
    slices = Counter(
        (e["tid"], e["ts"], e["ts"] + e["dur"], e["name"]) for e in of(events, "X", CYCLES)
    )
    assert slices == Counter(row[:4] for row in INTERVALS)


def test_overlapping_tasks_of_a_unit_have_tracks_of_their_own(events):
    tracks = {e["args"]["task"]: e["tid"] for e in of(events, "X", TASKS)}
    assert tracks == {0: DMA * LANES, 1: ARRAY * LANES, 2: DMA * LANES + 1, 3: ARRAY * LANES,
                      4: DMA * LANES}  # fmt: skip
    names = {e["args"]["task"]: e["name"] for e in of(events, "X", TASKS)}
    assert names[0] == "LOAD input conv1"
    assert names[3] == "COMPUTE conv2"


def test_arrows_tie_transfers_to_the_computations_of_their_tiles(events):
    starts, ends = ({e["id"]: e for e in of(events, kind)} for kind in "sf")
    assert set(starts) == set(ends)
    slices = {(e["tid"], e["ts"], e["ts"] + e["dur"]): e for e in of(events, "X", TASKS)}

    def task_at(event):
        inside = [
            s["args"]["task"]
            for (tid, begin, end), s in slices.items()
            if tid == event["tid"] and begin <= event["ts"] < end
        ]
        (task,) = inside
        return task

    arrows = {(task_at(starts[i]), task_at(ends[i])) for i in starts}
    assert arrows == {(0, 1), (2, 3), (3, 4)}
    assert all(starts[i]["ts"] <= ends[i]["ts"] for i in starts)


def test_counters_integrate_to_what_was_moved_and_taken(events):
    series = defaultdict(list)
    for event in of(events, "C", MEMORY):
        series[event["name"]].append((event["ts"], event["args"]))
    moved = series["DRAM bytes per cycle"]
    assert [at for at, _ in moved] == sorted(at for at, _ in moved)
    for key, expected in (("read", 192 + 64), ("written", 128)):
        total = sum(
            args[key] * (after - at) for (at, args), (after, _) in itertools.pairwise(moved)
        )
        assert total == pytest.approx(expected)
    levels = [(at, args["taken"]) for at, args in series["core.sram bytes"]]
    assert levels == [(0, 1024), (10, 1536), (20, 1792), (50, 768), (90, 256), (END, 0)]


def test_the_trace_says_what_its_time_means(trace):
    assert trace["otherData"]["time"] == "1 us is 1 chip cycle"
    assert trace["otherData"]["network"] == "tiny"


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=20))
def test_tasks_on_one_track_never_overlap_and_tracks_are_as_few_as_can_be(tasks):
    start = np.array([s for s, _ in tasks], dtype=np.int64)
    end = start + np.array([n for _, n in tasks], dtype=np.int64)
    track = track_of(start, end)
    at_once = [int(((start <= t) & (t < end)).sum()) for t in range(45)]
    for t in range(45):
        running = track[(start <= t) & (t < end)]
        assert len(set(running.tolist())) == running.size
    assert track.max(initial=-1) + 1 == max(at_once)


def test_an_incomplete_run_is_exported_to_its_end(tmp_path, capsys):
    folder = write_small_run(tmp_path / "run", complete=False)
    command(folder, "perfetto")
    output = capsys.readouterr()
    assert output.err == "the run is incomplete: the file ends where its trace does\n"
    trace = json.loads((folder / "trace.perfetto.json").read_text(encoding="utf-8"))
    assert trace["otherData"]["complete"] is False
    assert output.out == (
        f"{len(trace['traceEvents'])} events are in {folder / 'trace.perfetto.json'}\n"
    )


def test_an_unknown_format_and_an_earlier_file_are_refused(tmp_path):
    run = write_small_run(tmp_path / "run")
    message = r"^--format must be one of perfetto, dramsim3, ramulator, requests, not 'vcd'$"
    with pytest.raises(InputError, match=message):
        command(run, "vcd")
    out = tmp_path / "trace.json"
    out.write_text("mine")
    with pytest.raises(InputError, match=rf"^--out {out}: must be new; --force replaces it$"):
        command(run, "perfetto", out=out)
    with pytest.raises(InputError, match=r"^.*: not a run folder: manifest.json can't be read$"):
        command(tmp_path, "perfetto")
    assert out.read_text() == "mine"


def test_a_failed_export_leaves_no_file(tmp_path):
    run = write_small_run(tmp_path / "run")
    (run / "edges.arrows").unlink()
    with pytest.raises(InputError, match=r"^.*: edges.arrows is missing$"):
        command(run, "perfetto")
    assert not list(run.glob("*perfetto*"))
    assert not list(run.glob(".*"))


SHELL = shutil.which("trace_processor_shell")


@pytest.mark.skipif(SHELL is None, reason="no trace_processor_shell is installed")
def test_perfettos_trace_processor_reads_it(tmp_path):
    processor = pytest.importorskip("perfetto.trace_processor")
    run = write_small_run(tmp_path / "run")
    command(run, "perfetto")
    config = processor.TraceProcessorConfig(bin_path=SHELL)
    view = load_view(run)
    with processor.TraceProcessor(str(run / "trace.perfetto.json"), config=config) as trace:
        (row,) = trace.query("select count(*) as slices from slice")
        assert row.slices == len(INTERVALS) + 5
        (row,) = trace.query("select count(*) as flows from flow")
        assert row.flows == 3
    assert view.complete
