"""Replay: exact when nothing changes, near the simulation when something does."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.floorplan import floorplan
from simulator.engine.engine import Engine
from simulator.lowering.lower import lower
from simulator.recorded_run import RecordedRun
from tests.simulator.networks import chip, residual_network
from tests.traces.recorded import CHIPS, record
from traces.errors import InputError
from traces.replay import CONTENTIONS, alone_cycles, replay
from traces.replay_changes import known_keys, parse_changes, recorded_machine
from traces.replay_order import Durations, start_times_plain, task_times
from traces.replay_shares import Work, round_robin_plain, shared_times
from traces.replay_slots import moved_credits
from traces.replay_sweep import knee_of, sweep, sweep_values


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return record(tmp_path_factory.mktemp("run") / "plain")


@pytest.fixture(scope="module")
def run(graph):
    spec, workload = chip(), residual_network()
    return RecordedRun(graph, workload, spec, lower(workload, spec).program, None)


@pytest.mark.parametrize("memory", ["ideal", "simple", "cycle"])
@pytest.mark.parametrize("name", sorted(CHIPS))
def test_without_changes_every_start_and_end_is_the_recorded_one(name, memory, tmp_path):
    graph = record(tmp_path / "run", memory, **CHIPS[name])
    for contention in CONTENTIONS:
        done = replay(graph, [], contention)
        assert done.exact == len(graph)
        assert done.end_cycle == graph.end_cycle


@pytest.mark.parametrize("name", sorted(CHIPS))
def test_arbitrated_anew_the_recorded_machine_takes_about_as_long(name, tmp_path):
    graph = record(tmp_path / "run", **CHIPS[name])
    same = parse_changes(["dram.bandwidth=1x"], graph)
    assert replay(graph, same, "kept").exact == len(graph)
    assert replay(graph, same).end_cycle == pytest.approx(graph.end_cycle, rel=0.02)


CHANGES = (
    "dram.bandwidth=4x",
    "dram.bandwidth=0.25x",
    "noc.latency=0",
    "dram.latency=500",
    "core.pe_array=inf",
    "core.pe_array=0.5x",
    "core.dma.outstanding=1",
    "core.act.bandwidth=0.5x",
    "core.[pv]*=4x",
)


@pytest.mark.parametrize("setting", CHANGES)
def test_replay_of_a_change_is_near_its_simulation(setting, graph, run):
    changes = parse_changes([setting], graph)
    simulated = run.simulate(changes).cycles
    assert replay(graph, changes).end_cycle == pytest.approx(simulated, rel=0.02)


def test_without_changes_the_simulation_is_the_recorded_one(graph, run):
    done = run.simulate([])
    assert done.cycles == graph.end_cycle
    assert (done.start == graph.tasks["start"]).all()


def test_a_faster_server_shortens_what_a_transfer_needs_alone_exactly(graph):
    before = alone_cycles(graph, recorded_machine(graph))
    machine = parse_changes(["*.bandwidth=inf"], graph)
    free = recorded_machine(graph)
    for change in machine:
        free = change.apply(free)
    transfers = np.unique(graph.jobs["task"][graph.jobs["offset"] > 0])
    latency = sum(free.latency_cycles.values())
    assert latency == 2 + 30  # of the bus, and of DRAM at 1 GHz
    assert (alone_cycles(graph, free)[transfers] == latency).all()
    assert (before[transfers] > latency).all()


FACTOR = "must be a factor above 0, such as 2x, or inf"
REFUSED = {
    "dram.bandwidth": "--set must be KEY=VALUE, not 'dram.bandwidth'",
    "dram.bandwidth=fast": "--set dram.bandwidth must be a number, a factor such as 2x, or inf, "
    "not 'fast'",
    "dram.bandwidth=0x": f"--set dram.bandwidth {FACTOR}, not '0x'",
    "core.pe_array=3": f"--set core.pe_array {FACTOR}, not '3'",
    "core.act.slots=0": "--set core.act.slots must give a whole number of at least 1 "
    "(recorded: 2), not '0'",
    "noc.latency=inf": "--set noc.latency must give a whole number of at least 0 (recorded: 2), "
    "not 'inf'",
    "dram.bandwith=2x": "--set dram.bandwith: must be a key of this run, such as dram.bandwidth, "
    "noc.bandwidth, core.act.bandwidth; did you mean dram.bandwidth?",
}


@pytest.mark.parametrize("setting", sorted(REFUSED))
def test_impossible_changes_are_refused(setting, graph):
    with pytest.raises(InputError, match=f"^{re.escape(REFUSED[setting])}$"):
        replay(graph, parse_changes([setting], graph))


def test_a_pattern_changes_several_keys(graph):
    changes = parse_changes(["*.latency=7"], graph)
    assert sorted(change.key for change in changes) == ["dram.latency", "noc.latency"]


def test_every_kind_of_change_has_a_key(graph):
    kinds = {kind for kind, _ in known_keys(graph).values()}
    assert kinds == {"bandwidth", "latency", "speed", "outstanding", "slots"}


# -- slots


def test_the_same_number_of_slots_leaves_the_edges_alone(graph):
    moved = moved_credits(graph, recorded_machine(graph).slots)
    assert all((moved.edges[name] == graph.edges[name]).all() for name in graph.edges)


def test_fewer_slots_take_no_less_and_more_slots_no_more_time(graph):
    # On servers that nobody waits for, so that only the credits count.
    free = ["*.bandwidth=inf"]
    times = [
        replay(graph, parse_changes([*free, f"*.slots={n}"], graph), "kept").end_cycle
        for n in (1, 2, 4)
    ]
    assert times == sorted(times, reverse=True)


# -- sweep


def test_factors_are_swept_in_equal_ratios_and_numbers_in_equal_steps():
    assert sweep_values("k=0.25x:4x:5") == ("k", ("0.25x", "0.5x", "1x", "2x", "4x"))
    assert sweep_values("k=1:7:3") == ("k", ("1", "4", "7"))


@pytest.mark.parametrize("text", ["k", "k=1:2", "k=1x:2:3", "k=1:2:1", "k=a:2:3", "k=1:2:-3"])
def test_a_sweep_must_have_two_ends_and_a_number(text):
    message = r"^--sweep must be KEY=A:B:N, such as dram\.bandwidth=0\.25x:4x:9, not '.*'$"
    with pytest.raises(InputError, match=message):
        sweep_values(text)


def test_more_bandwidth_never_takes_longer_along_a_sweep(graph):
    found = sweep(graph, "dram.bandwidth=0.25x:16x:7", [], "kept")
    assert list(found.cycles) == sorted(found.cycles, reverse=True)
    assert 0 < found.knee < len(found.values) - 1


def test_the_knee_is_where_a_curve_stops_falling():
    assert knee_of([1, 2, 4, 8, 16], [160, 80, 40, 40, 40]) == 2
    assert knee_of([1, 2, 4], [5, 5, 5]) == -1
    assert knee_of([1, 2, 3], [9, 6, 3]) in (-1, 1)


# -- kernels


@st.composite
def graphs(draw):
    """Small graphs: units, predecessors, durations, lanes, releases."""
    n, units = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    unit = draw(st.lists(st.integers(-1, units - 1), min_size=n, max_size=n))
    durations = [0 if u < 0 else draw(st.integers(0, 5)) for u in unit]
    predecessors = [
        sorted(draw(st.sets(st.integers(0, t - 1), max_size=3))) if t else [] for t in range(n)
    ]
    lanes = draw(st.lists(st.integers(1, 3), min_size=units, max_size=units))
    release = [0 if u < 0 else draw(st.integers(0, 12)) for u in unit]
    return unit, predecessors, durations, lanes, release


def as_arrays(unit, predecessors, durations, lanes, release):
    pointers = np.cumsum([0, *map(len, predecessors)])
    sources = np.array([p for before in predecessors for p in before], dtype=np.int64)
    plain = Durations.plain(np.array(durations, dtype=np.int64))
    return (
        np.array(unit, dtype=np.int64), pointers, sources,
        plain._replace(release=np.array(release, dtype=np.int64)), np.array(lanes, dtype=np.int64),
    )  # fmt: skip


@given(graphs())
def test_start_times_are_those_of_a_walk_through_the_cycles(case):
    times = task_times(*as_arrays(*case))
    assert times.start.tolist() == start_times_plain(*case)
    assert (times.end - times.start).tolist() == case[2]


@given(graphs())
def test_shares_without_servers_give_the_same_times(case):
    unit, pointers, sources, durations, lanes = as_arrays(*case)
    times = task_times(unit, pointers, sources, durations, lanes)
    work = work_of(unit, pointers, sources, durations.cycles, lanes)
    start, end = shared_times(work._replace(release=durations.release), 1)
    assert start.tolist() == times.start.tolist()
    assert end.tolist() == times.end.tolist()


def work_of(unit, pointers, sources, fixed, lanes, jobs=()):
    """Work of a graph; jobs: (task, server, offset, work, span), by task."""
    n = len(unit)
    dst = np.repeat(np.arange(n), np.diff(pointers))
    order = np.argsort(sources, kind="stable")
    edges = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=n))]).astype(np.int64)
    table = np.array(jobs, dtype=np.float64).reshape(-1, 5)
    task, server, offset = (table[:, i].astype(np.int64) for i in range(3))
    counts = np.concatenate([[0], np.cumsum(np.bincount(task, minlength=n))]).astype(np.int64)
    return Work(
        unit, fixed, *np.zeros((2, n), dtype=np.int64), counts, server, offset, table[:, 3].copy(),
        table[:, 4].copy(), lanes, edges, dst[order],
    )  # fmt: skip


JOBS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 30), st.integers(0, 60)), min_size=1, max_size=5
)


@given(JOBS)
def test_shares_end_within_a_few_beats_of_round_robin(jobs):
    # One unit a job, so that all are under way together; the release is the offset of the job.
    n = len(jobs)
    table = [(task, 0, release, beats, span) for task, (release, beats, span) in enumerate(jobs)]
    none, ones = np.zeros(0, dtype=np.int64), np.ones(n, dtype=np.int64)
    pointers = np.zeros(n + 1, dtype=np.int64)
    work = work_of(np.arange(n), pointers, none, ones * 0, ones, table)
    _, end = shared_times(work, 1)
    releases, beats, spans = zip(*jobs, strict=True)
    for shared, beatwise in zip(end, round_robin_plain(releases, beats, spans), strict=True):
        # A beat of every other job may come before, and the last beat is there a pace early.
        assert shared >= beatwise - n
        assert shared <= beatwise + n + max(-(-s // b) for b, s in zip(beats, spans, strict=True))


def test_two_jobs_share_a_server_and_the_one_that_is_left_has_it_alone():
    unit, lanes = np.arange(2), np.ones(2, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    short, long_ = 10, 30
    jobs = [(0, 0, 0, short, 0), (1, 0, 0, long_, 0)]
    work = work_of(unit, np.zeros(3, dtype=np.int64), none, np.zeros(2, np.int64), lanes, jobs)
    _, end = shared_times(work, 1)
    assert end.tolist() == [2 * short, short + long_]


def test_a_paced_job_is_not_slowed_while_there_is_room():
    unit, lanes = np.arange(2), np.ones(2, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    paced, span, other = 10, 40, 20
    jobs = [(0, 0, 0, paced, span), (1, 0, 0, other, 0)]
    work = work_of(unit, np.zeros(3, dtype=np.int64), none, np.zeros(2, np.int64), lanes, jobs)
    _, end = shared_times(work, 1)
    # The paced job takes a quarter of the time; the other one the rest of it.
    assert end.tolist() == [span, -(-other * 4 // 3)]


def test_a_recorded_run_is_exact_on_a_second_engine(graph, run):
    plan = floorplan(chip())
    again = Engine(run.program, plan).run()
    assert (again.end == graph.tasks["end"]).all()
