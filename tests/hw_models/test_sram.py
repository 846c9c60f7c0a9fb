"""The bank kernel under the server against a plain loop over cycles that knows all arrivals."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.sram import PlainTrain, sram_kernel, sram_plain
from tests.hw_models.kernel_runs import run_kernel

END = 40_000


def run_server(jobs, banks, ports, classes, *, reverse=False):
    """What the server says of each job, and the busy cycles of each bank in the ledger."""
    names = [f"bank{i}" for i in range(banks)]
    submissions = [(job.arrival, job.row, job[2:]) for job in jobs]
    kernel = sram_kernel(banks, ports, classes)
    results, ledger = run_kernel(kernel, names, submissions, END, reverse=reverse)
    return results, [ledger.unit_cycles(name).get("busy/transfer", 0) for name in names]


shapes = st.tuples(
    st.integers(0, 40),  # gap
    st.integers(0, 40),  # first word
    st.integers(1, 60),  # words
    st.integers(1, 70),  # lanes
    st.integers(0, 9),  # wait
    st.integers(0, 5),  # pace
    st.integers(1, 4),
)


@settings(max_examples=300)
@given(
    st.lists(st.lists(shapes, max_size=3), min_size=1, max_size=5),
    st.sampled_from([1, 2, 4, 8, 16, 64, 128]),
    st.sampled_from([1, 2]),
    st.lists(st.integers(0, 1), min_size=5, max_size=5),
    st.booleans(),
)
def test_the_server_equals_a_plain_loop_over_cycles(rows, banks, ports, classes, reverse):
    jobs = []
    for row, several in enumerate(rows):
        at = 0
        for gap, first, words, lanes, wait, num, den in several:
            at += gap
            jobs.append(
                PlainTrain(at, row + 1, at + wait, first, words, min(lanes, banks), num, den)
            )
            at += 4_000  # a row holds one job at a time
    classes = classes[: len(rows)]
    expected, busy = sram_plain(jobs, banks, ports, classes)
    results, found_busy = run_server(jobs, banks, ports, classes, reverse=reverse)
    for task, one in enumerate(expected):
        assert results[task] == tuple(one.values())
    assert found_busy == busy


def test_jobs_on_different_banks_do_not_disturb_each_other():
    jobs = [PlainTrain(0, 1, 0, 0, 8, 2, 0, 1), PlainTrain(0, 2, 0, 2, 8, 2, 0, 1)]
    results, busy = run_server(jobs, 4, 1, [0, 1])
    assert [results[i][0] for i in range(2)] == [4, 4]
    assert busy == [4, 4, 4, 4]


def test_on_one_bank_the_array_goes_first_and_the_dma_waits():
    array, dma = PlainTrain(0, 2, 0, 0, 10, 1, 0, 1), PlainTrain(0, 1, 0, 0, 5, 1, 0, 1)
    results, _ = run_server([array, dma], 1, 1, [1, 0])
    assert results[0] == (10, 10, 0, 0)
    assert results[1] == (10 + 5, 5, 10, 0)


def test_jobs_of_one_class_take_turns():
    jobs = [PlainTrain(0, row, 0, 0, 6, 1, 0, 1) for row in (1, 2)]
    results, _ = run_server(jobs, 1, 1, [0, 0])
    assert [results[i][0] for i in range(2)] == [11, 12]


def test_a_second_port_serves_a_second_job_in_the_same_cycle():
    jobs = [PlainTrain(0, row, 0, 0, 6, 1, 0, 1) for row in (1, 2)]
    results, busy = run_server(jobs, 1, 2, [0, 1])
    assert [results[i][0] for i in range(2)] == [6, 6]
    assert busy == [6]


def test_a_wide_access_waits_for_its_slowest_bank():
    wide, narrow = PlainTrain(0, 2, 0, 0, 8, 4, 0, 1), PlainTrain(0, 1, 0, 1, 1, 1, 0, 1)
    results, _ = run_server([wide, narrow], 4, 1, [0, 1])
    # The narrow job goes first on bank 1, once; the wide one needs one cycle more.
    assert results[1] == (1, 1, 0, 0)
    assert results[0] == (3, 2, 1, 0)


def test_a_paced_train_leaves_gaps_for_others():
    slow, fast = PlainTrain(0, 1, 0, 0, 10, 1, 3, 1), PlainTrain(0, 2, 0, 0, 12, 1, 0, 1)
    results, _ = run_server([slow, fast], 1, 1, [0, 1])
    assert results[0] == (9 * 3 + 1, 10, 0, 9 * 2)
    taken = 6  # accesses of the slow train at cycles 0, 3, ..., 15
    assert results[1] == (12 + taken, 12, taken, 0)
