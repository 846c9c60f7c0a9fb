"""The kernel server with the port kernel against a plain loop that knows all arrivals."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.clock import CycleEnvironment
from hw_models.port import PlainJob, PortCauses, port_kernel, port_plain
from hw_models.server import KernelServer
from tests.hw_models.kernel_runs import run_kernel
from traces.ledger import Ledger

CAUSES = PortCauses(
    ("busy/transfer", "stall/dram_latency", "idle/no_work"),
    ("stall/dram_bandwidth", "stall/dram_bandwidth", "stall/dram_queue", "stall/dram_latency"),
)
END = 50_000


def run_server(jobs, owners, rate=Fraction(1), *, reverse=False):
    """What the server says of each job, and its ledger."""
    submissions = [
        (job.arrival, job.row, (job.release, job.beats, job.pace_num, job.pace_den)) for job in jobs
    ]
    return run_kernel(
        port_kernel(owners, rate, CAUSES), ["port"], submissions, END, reverse=reverse
    )


job_shapes = st.tuples(
    st.integers(0, 60), st.integers(1, 30), st.integers(0, 20), st.integers(0, 5), st.integers(1, 4)
)


@given(
    st.lists(st.lists(job_shapes, max_size=3), min_size=1, max_size=5),
    st.lists(st.integers(0, 2), min_size=5, max_size=5),
    st.booleans(),
)
def test_the_server_equals_a_plain_loop_over_ticks(rows, owners, reverse):
    jobs = []
    for row, shapes in enumerate(rows):
        arrival = 0
        for gap, beats, wait, num, den in shapes:
            arrival += gap
            jobs.append(PlainJob(arrival, row + 1, beats, arrival + wait, num, den))
            arrival += 2_000  # a row holds one job at a time
    results, ledger = run_server(jobs, owners[: len(rows)], reverse=reverse)
    for task, expected in enumerate(port_plain(jobs, owners)):
        end, beats, queued, queued_other, unready = results[task]
        assert beats == jobs[task].beats
        assert (end, queued, queued_other, unready) == tuple(expected.values())
    assert ledger.unit_cycles("port").get("busy/transfer", 0) == sum(job.beats for job in jobs)


def test_equal_jobs_share_the_port_in_row_order():
    jobs = [PlainJob(0, row, 10, 0, 0, 1) for row in (1, 2, 3)]
    results, _ = run_server(jobs, [0, 0, 1])
    # Ten rounds of three beats; in the last round row 1 is served first.
    assert [results[i][0] for i in range(3)] == [28, 29, 30]
    # Row 1 waits for two others in each of nine rounds, one of them of another core.
    assert results[0][2:4] == (9, 9)
    assert results[2][2:4] == (0, 20)


def test_a_paced_job_leaves_the_port_to_others():
    slow = PlainJob(0, 1, 10, 0, 4, 1)  # a beat every 4 ticks
    fast = PlainJob(0, 2, 20, 0, 0, 1)
    results, _ = run_server([slow, fast], [0, 0])
    assert results[0][0] == 9 * 4 + 1
    stolen = 7  # beats of the slow job at ticks 0, 4, ..., 24
    assert results[1][0] == 20 + stolen


@pytest.mark.parametrize("rate", [Fraction(1, 2), Fraction(7, 3), Fraction(64, 9), Fraction(1)])
def test_a_port_in_another_clock_domain_ends_rounded_up_to_chip_cycles(rate):
    beats, release = 100, 11
    results, ledger = run_server([PlainJob(3, 1, beats, release, 0, 1)], [0], rate)
    first_tick = -(-release * rate.denominator // rate.numerator)
    end = -(-(first_tick + beats) * rate.numerator // rate.denominator)
    assert results[0][0] == end
    assert sum(ledger.unit_cycles("port").values()) == END


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(1, 4), st.integers(1, 20)),
        min_size=1,
        max_size=4,
    ),
    st.fractions(min_value=Fraction(1, 4), max_value=Fraction(6), max_denominator=7),
)
def test_in_any_clock_domain_all_beats_are_served_and_the_ledger_adds_up(shapes, rate):
    jobs = [PlainJob(at, i + 1, beats, at + lag, 0, 1) for i, (at, lag, beats) in enumerate(shapes)]
    results, ledger = run_server(jobs, [0] * len(jobs), rate)
    assert sorted(results) == list(range(len(jobs)))
    for task, job in enumerate(jobs):
        shortest = job.beats * rate
        assert results[task][0] >= job.release + shortest - 1
    assert sum(ledger.unit_cycles("port").values()) == END


def test_a_transfer_costs_a_few_events_whatever_its_length():
    """An interruption and a timeout of the server for each job; clients add their own."""
    counts = []
    for beats in (10, 100_000):
        env, ledger = CycleEnvironment(), Ledger(["port"])
        kernel = port_kernel([0] * 4, Fraction(1), CAUSES)
        server = KernelServer(env, "port", kernel, ledger, [0])
        for row in range(1, 5):
            server.connect(row, lambda *_: None)
            server.submit(row, row, (0, beats, 0, 1))
        events = 0
        while env.peek() != float("inf"):
            env.step()
            events += 1
        counts.append(events)
    start, calls, completions = 1, 1, 4
    assert counts == [start + calls + completions] * 2
