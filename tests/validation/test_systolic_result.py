"""ValidationResult: errors, percentiles, the summary line, and the files it writes."""

import re

import pyarrow.parquet as pq
import pytest

from hw_models.yaml_file import InputError
from validation.result import ValidationResult, compared, error_pct, nearest_rank


def result(errors_pct, passed=True, **more):
    rows = [compared({"case": i}, {"cycles": 100}, {"cycles": 100 + e})
            for i, e in enumerate(errors_pct)]  # fmt: skip
    return ValidationResult("demo", rows, ("case",), ("cycles",), "cycles", "any", passed, more)


def test_a_row_holds_reference_ours_and_error_of_each_figure():
    row = compared({"case": "x"}, {"a": 8, "b": 0.5}, {"a": 10, "b": 0.51}, {"b": 0.02})
    assert row == {
        "case": "x",
        "exact": False,
        "a_reference": 8,
        "a_ours": 10,
        "a_error_pct": 25.0,
        "b_reference": 0.5,
        "b_ours": 0.51,
        "b_error_pct": 0.0,
    }


@pytest.mark.parametrize(
    ("ours", "reference", "error"), [(0, 0, 0), (3, 0, 300), (90, 100, 10), (-110, -100, 10)]
)
def test_errors_are_relative_to_the_reference_or_to_one(ours, reference, error):
    assert error_pct(ours, reference) == error


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (2, 2), (9, 9), (10, 9), (11, 10), (100, 90)])
def test_percentile_is_a_value_that_occurs(count, rank):
    assert nearest_rank(list(range(count, 0, -1)), 90) == rank


def test_summary_line():
    line = result([0, 0, 10, 30], seed="5").summary_line()
    assert line == (
        "rows=4 exact=2 mean_error_pct=10.0000 p90_error_pct=30.0000 "
        "worst_error_pct=30.0000 main=cycles seed=5"
    )


def test_failing_rows_come_worst_first():
    assert [row["case"] for row in result([0, 5, 0, 9, 7]).failing_rows()] == [3, 4, 1]


def test_csv_and_parquet_hold_the_same_rows(tmp_path):
    found = result([0, 5])
    found.write(tmp_path / "rows.csv")
    found.write(tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == found.rows
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8") == (
        "case,exact,cycles_reference,cycles_ours,cycles_error_pct\n"
        "0,True,100,100,0.0\n"
        "1,False,100,105,5.0\n"
    )


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("rows.xlsx", "must end in .csv or .parquet"),
        ("rows", "must end in .csv or .parquet"),
        ("none/rows.csv", "must be in a folder that exists, not in {folder}/none"),
        ("folder.csv", "can't be written: Is a directory"),
    ],
)
def test_unwritable_files_give_one_line(name, rule, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    path, rule = tmp_path / name, rule.format(folder=tmp_path)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {rule}')}$"):
        result([0]).write(path)
