"""Reading reference files: what is accepted, and one line for each way to be wrong."""

import re
from decimal import Decimal

import pytest

from hw_models.yaml_file import InputError
from validation.reference_file import (
    number,
    one_of,
    or_blank,
    read_reference,
    rounding_of,
    text,
    whole,
)

COLUMNS = {"name": text, "cycles": whole(0)}


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "ref.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_comments_blank_lines_other_columns_and_a_byte_order_mark_do_no_harm(file):
    path = file("\ufeff# source\n\nname,note,cycles\r\n# more\n a ,x,  5 \n\nb,y,6\n")
    assert read_reference(path, COLUMNS, {"seed": whole(0)}) == [
        {"line": 5, "name": "a", "cycles": 5, "seed": None},
        {"line": 7, "name": "b", "cycles": 6, "seed": None},
    ]


def test_quoted_cells_may_hold_commas(file):
    rows = read_reference(file('name,cycles\n"a, b",3\n'), COLUMNS)
    assert rows == [{"line": 2, "name": "a, b", "cycles": 3}]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", "must have a header line, not only blank lines and comments"),
        ("# only a source\n\n", "must have a header line, not only blank lines and comments"),
        ("name,cycles\n# nothing\n", "must have at least one row below its header"),
        ("name\na\n", "must have the columns cycles"),
        ("what\na\n", "must have the columns name, cycles"),
        ("name,cycles,name\na,1,b\n", "must have each column once, not name twice"),
        ("name,cycles\na,1\nb\n", "line 3: must have 2 cells, not 1"),
        ("name,cycles\na,1,2\n", "line 2: must have 2 cells, not 3"),
        ("name,cycles\na,ten\n", f"line 2: cycles must be a whole number from 0 to {2**63 - 1}, "
         "not 'ten'"),
        ('name,cycles\n"a,1\n', "line 2: unexpected end of data"),
        (b"name,cycles\n\xff\xfe,1\n", "can't be read: not UTF-8 text"),
    ],
)  # fmt: skip
def test_bad_files_give_one_line(content, rule, file):
    path = file(content)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {rule}')}$"):
        read_reference(path, COLUMNS)


def test_missing_files_and_folders(tmp_path):
    missing = tmp_path / "none.csv"
    with pytest.raises(InputError, match=f"^{re.escape(str(missing))}: no such file$"):
        read_reference(missing, COLUMNS)
    with pytest.raises(
        InputError, match=f"^{re.escape(str(tmp_path))}: can't be read: Is a directory$"
    ):
        read_reference(tmp_path, COLUMNS)


@pytest.mark.parametrize("cell", ["", "1.0", "1e3", "--1", "+1", "0x10", "\u0661", "9" * 30, "11"])
def test_whole_refuses(cell):
    with pytest.raises(ValueError, match=r"^must be a whole number from -3 to 10, not '.*'$"):
        whole(-3, 10)(cell)


@pytest.mark.parametrize(("cell", "value"), [("-3", -3), ("0", 0), ("010", 10)])
def test_whole_accepts_both_bounds(cell, value):
    assert whole(-3, 10)(cell) == value


def test_other_cells():
    assert number("1.50") == Decimal("1.5")
    assert one_of("a", "b")("b") == "b"
    assert or_blank(whole(1))("") is None
    assert or_blank(whole(1))("2") == 2


@pytest.mark.parametrize(
    ("printed", "half_unit"), [("12", 0.5), ("1.5", 0.05), ("1.500000", 5e-7), ("1E+3", 0.5)]
)
def test_rounding_is_half_of_the_last_decimal(printed, half_unit):
    assert rounding_of(Decimal(printed)) == pytest.approx(half_unit)
