"""`validate depfin`: variants of the chip, what may differ, the order of rows, unusable files."""

import re

import pytest

from hw_models.chip_files import load_chip
from hw_models.yaml_file import InputError
from tests.validation.multicore.fakes import outcome
from validation import depfin
from validation.depfin import fusion_gains, swapped_pairs, validate, variant
from validation.multicore.workloads import REFERENCES

REFERENCE = REFERENCES / "depfin_sweep.csv"
HEADER = "oy_tiles,offchip_bw_bit,l1_act_KiB,latency"


@pytest.fixture
def table(tmp_path):
    def write(*rows):
        path = tmp_path / "sweep.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n")
        return path

    return write


@pytest.fixture
def told(monkeypatch):
    """Makes the runs, in turn, take so many cycles and spill or not; the cases are collected."""

    def tell(*outcomes):
        left, cases = list(outcomes), []

        def run(case):
            cases.append(case)
            return outcome(case, *left.pop(0))

        monkeypatch.setattr(depfin, "run_case", run)
        return cases

    return tell


def test_whole_layers_and_lines_of_the_reference_are_within_tolerance(tmp_path):
    lines = REFERENCE.read_text().splitlines()
    path = tmp_path / "part.csv"
    wanted = ("oy_tiles,", "all,1 row,64,1024,", "lbl,")
    path.write_text("\n".join(line for line in lines if line.startswith(wanted)) + "\n")
    done = validate(path)
    assert done.passed
    assert [row["spills"] for row in done.rows] == ["no", "yes"]
    assert "order_kept=yes line_gain_reference=4.82 line_gain_ours=4.8" in done.summary_line()


def test_three_and_four_rows_a_tile_are_exact_where_spilling_begins():
    done = validate(REFERENCES / "extra" / "depfin_sweep.csv")
    assert done.errors_pct("latency") == [0, 0]
    assert [row["spills"] for row in done.rows] == ["no", "yes"]


def test_what_a_row_changes_reaches_the_chip(table, told):
    cases = told((1000, False), (2000, False))
    validate(table("270,32,256,1000", "all,128,1024,2000"))
    first, second = (case.chip for case in cases)
    assert [case.granularity for case in cases] == ["line:2", "line"]
    assert [chip.noc.links[0].width_bytes for chip in (first, second)] == [4, 16]
    assert first.cores[0].buffer_of("input").size_bytes == 256 * 1024
    nominal = load_chip("depfin").dram.bandwidth_gb_per_s
    assert first.dram.bandwidth_gb_per_s == pytest.approx(nominal / 2)
    assert second.dram.bandwidth_gb_per_s == pytest.approx(nominal * 2)


def test_the_nominal_variant_is_the_preset():
    chip = load_chip("depfin")
    assert variant(chip, 64, 1024 * 1024) == chip


@pytest.mark.parametrize(
    ("cycles", "spills", "passed"),
    [(10_500, False, True), (10_501, False, False), (11_500, True, True), (11_501, True, False)],
)
def test_what_spills_may_differ_more(table, told, cycles, spills, passed):
    told((cycles, spills))
    assert validate(table("all,64,1024,10000")).passed is passed


def test_another_order_of_rows_fails(table, told):
    told((1010, False), (1000, False))
    done = validate(table("all,64,1024,1000", "270,64,1024,1010"))
    assert not done.passed
    assert "order_kept=no" in done.summary_line()


def test_rows_of_equal_latency_have_no_order():
    rows = [{"latency_reference": 5, "latency_ours": n} for n in (1, 2)]
    assert swapped_pairs(rows) == 0


def test_the_gain_needs_both_nominal_rows():
    assert fusion_gains([]) == {}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "7,64,1024,100",
            "oy_tiles must be all, lbl or a whole number that divides 540 rows, not '7'",
        ),
        (
            "0,64,1024,100",
            "oy_tiles must be all, lbl or a whole number that divides 540 rows, not '0'",
        ),
        (
            "all,12,1024,100",
            "offchip_bw_bit must be a multiple of 8, not 12",
        ),
        (
            "all,64,x,100",
            "l1_act_KiB must be a whole number from 1 to 16777216, not 'x'",
        ),
    ],
)
def test_a_bad_row_is_one_line(table, row, message):
    path = table(row)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: line 2: {message}')}$"):
        validate(path)
