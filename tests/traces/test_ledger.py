import numpy as np
import pytest

from traces.ledger import Ledger, LedgerError
from traces.schema import CAUSE

COMPUTE, FILL, IDLE = CAUSE["busy/compute"], CAUSE["busy/fill"], CAUSE["idle/no_work"]


def test_every_cycle_of_every_unit_has_one_cause():
    ledger = Ledger(["a", "b"])
    ledger.add(0, 0, 10, COMPUTE)
    ledger.add_packed(0, 10, 25, [(FILL, 5), (COMPUTE, 10)])
    ledger.finish(40)
    assert ledger.unit_cycles("a") == {
        "busy/compute": 20,
        "busy/fill": 5,
        "idle/no_work": 40 - 25,
    }
    assert ledger.unit_cycles("b") == {"idle/no_work": 40}
    assert ledger.cycles.sum() == 2 * 40


def test_an_empty_interval_leaves_no_row():
    ledger = Ledger(["a"])
    ledger.add(0, 0, 0, COMPUTE)
    ledger.finish(0)
    assert ledger.intervals == 0


@pytest.mark.parametrize(
    ("intervals", "message"),
    [
        ([(0, 5), (6, 9)], r"^a: interval \[6, 9\) must start at 5$"),
        ([(0, 5), (4, 9)], r"^a: interval \[4, 9\) must start at 5$"),
        ([(3, 5)], r"^a: interval \[3, 5\) must start at 0$"),
        ([(0, 5), (5, 4)], r"^a: interval \[5, 4\) has no cause or runs backwards$"),
    ],
)
def test_gaps_and_overlaps_raise(intervals, message):
    ledger = Ledger(["a"])
    for start, end in intervals:
        ledger.add(0, start, end, COMPUTE)
    with pytest.raises(LedgerError, match=message):
        ledger.finish(20)


def test_a_gap_between_two_batches_raises():
    ledger = Ledger(["a"])
    ledger.add(0, 0, 5, COMPUTE)
    ledger.flush()
    ledger.add(0, 6, 7, COMPUTE)
    with pytest.raises(LedgerError, match=r"^a: interval \[6, 7\) must start at 5$"):
        ledger.flush()


@pytest.mark.parametrize("cause", [-1, len(CAUSE)])
def test_a_cycle_without_a_cause_raises(cause):
    ledger = Ledger(["a"])
    ledger.add(0, 0, 5, cause)
    with pytest.raises(LedgerError, match=r"^a: interval \[0, 5\) has no cause or runs backwards$"):
        ledger.flush()


def test_a_window_must_be_filled_exactly():
    ledger = Ledger(["a"])
    with pytest.raises(LedgerError, match=r"^a: causes of \[0, 9\) add up to 8 cycles$"):
        ledger.add_packed(0, 0, 9, [(FILL, 3), (COMPUTE, 5)])


def test_a_run_shorter_than_a_unit_raises():
    ledger = Ledger(["a"])
    ledger.add(0, 0, 5, COMPUTE)
    with pytest.raises(LedgerError, match=r"^a"):
        ledger.finish(4)


def test_kept_units_are_in_memory_and_all_units_go_to_the_sink():
    batches = []
    ledger = Ledger(["a", "b"], batches.append, keep=[1])
    ledger.add(0, 0, 3, COMPUTE, task=7)
    ledger.add(1, 0, 2, FILL, task=8)
    ledger.finish(3)
    kept = ledger.kept()
    assert kept["unit"].tolist() == [1, 1]
    assert kept["cause"].tolist() == [FILL, IDLE]
    assert kept["task"].tolist() == [8, -1]
    assert sum(batch["unit"].size for batch in batches) == ledger.intervals == 3


def test_many_intervals_at_once_are_checked_like_single_ones():
    ledger = Ledger(["a"])
    ledger.add(0, 0, 4, COMPUTE)
    columns = {
        "start": np.array([4, 6]),
        "end": np.array([6, 9]),
        "cause": np.array([FILL, COMPUTE]),
        "packed": np.array([1, 1]),
    }
    ledger.add_intervals(0, columns)
    ledger.finish(9)
    assert ledger.unit_cycles("a") == {"busy/compute": 4 + 3, "busy/fill": 2}
