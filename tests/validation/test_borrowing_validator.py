"""`validate borrowing`: both reference files, a figure off by one, bad files."""

import csv
import re
from pathlib import Path

import pytest

import validation
from hw_models.yaml_file import InputError
from validation.borrowing import FIGURE_COLUMNS, validate

REFERENCES = Path(validation.__file__).parent / "references"


def test_every_row_of_the_golden_table_is_exact():
    result = validate(REFERENCES / "borrowing_golden.csv")
    assert result.failing_rows() == []
    assert result.passed
    assert result.summary_line() == (
        "rows=212 exact=212 mean_error_pct=0.0000 p90_error_pct=0.0000 worst_error_pct=0.0000 "
        "main=cycles figures=16"
    )


def test_rows_without_lookaside_equal_those_of_the_other_scheduler():
    result = validate(REFERENCES / "borrowing_dnnsim.csv")
    assert result.passed
    summary = result.summary()
    assert (summary["rows"], summary["exact"], summary["not_compared"]) == ("20", "20", "37")


@pytest.fixture
def rows():
    lines = (REFERENCES / "borrowing_golden.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))[:5]


@pytest.fixture
def file(tmp_path):
    def write(rows):
        path = tmp_path / "ref.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.mark.parametrize("figure", FIGURE_COLUMNS)
def test_one_figure_one_off_is_found(figure, rows, file):
    is_hex = figure == "digest"
    value = int(rows[4][figure], 16 if is_hex else 10) + 1
    rows[4][figure] = f"{value:016x}" if is_hex else str(value)
    result = validate(file(rows))
    assert not result.passed
    (row,) = result.failing_rows()
    assert row["case"] == rows[4]["case"]
    assert row[f"{figure}_error_pct"] > 0


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"K0": "65"}, "K0 must be a whole number from 1 to 64, not '65'"),
        ({"mode": "C"}, "mode must be one of dense, A, B, AB, not 'C'"),
        ({"db1": "-1"}, "db1 must be a whole number from 0 to 999, not '-1'"),
        ({"db1": "0.5"}, "db1 must be a whole number from 0 to 999, not '0.5'"),
        (
            {"db2": "4"},
            "B(1,4,0,off): db2 must be less than the lanes of the core (4), not 4",
        ),
        ({"zpm_b": "1001"}, "zpm_b must be a whole number from 0 to 1000, not '1001'"),
        ({"digest": "12"}, "digest must be 16 lower-case hex digits, not '12'"),
        (
            {"K": "40000", "N": "40000"},
            "a mask must have at most 67108864 elements, not 1600000000",
        ),
    ],
)
def test_an_impossible_row_is_named_by_its_line(changes, rule, rows, file):
    rows[0].update(changes)
    path = file(rows)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: line 2: {rule}')}$"):
        validate(path)


def test_a_file_of_lookaside_only_has_nothing_to_compare(tmp_path):
    lines = (REFERENCES / "borrowing_dnnsim.csv").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if not line.startswith("#")]
    path = tmp_path / "ref.csv"
    path.write_text("\n".join(table[:3]), encoding="utf-8")
    rule = f"{path}: must have rows without lookaside, others don't compare"
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        validate(path)
