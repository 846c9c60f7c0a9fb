"""`tilesim validate`: what it prints last, its exit codes, and its one-line errors."""

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import validation
from validation.commands import validate as verb
from validation.result import ValidationResult, compared

REFERENCES = Path(validation.__file__).parent / "references"


def off_by(error_pct):
    """A validator whose only row is off by so much, and that passes within 1 %."""

    def check(reference, progress):
        rows = [compared({"case": "only"}, {"cycles": 100}, {"cycles": 100 + error_pct})]
        progress(1, 1)
        return ValidationResult(
            "demo", rows, ("case",), ("cycles",), "cycles", "within 1 %", error_pct <= 1
        )

    return check


class Loaded:
    """Stands for an entry point of a validator that is at hand."""

    def __init__(self, function):
        self.load = lambda: function


@pytest.fixture
def tilesim(monkeypatch):
    """Runs the verb with the systolic validator and two made-up ones; gives click's result."""
    known = {
        "systolic": EntryPoint("systolic", "validation.systolic:validate", verb.GROUP),
        "within": Loaded(off_by(1)),
        "outside": Loaded(off_by(2)),
    }
    monkeypatch.setattr(verb, "validators", lambda: known)
    app = typer.Typer()
    app.command()(verb.command)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def two_rows(tmp_path):
    """A reference file with the first two rows of the extra one."""
    lines = (REFERENCES / "systolic_extra.csv").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if not line.startswith("#")][:3]
    path = tmp_path / "two.csv"
    path.write_text("\n".join(["# two rows", *rows]), encoding="utf-8")
    return path


SUMMARY = "rows=2 exact=2 mean_error_pct=0.0000 p90_error_pct=0.0000 worst_error_pct=0.0000 "


def test_summary_is_the_last_line_and_the_exit_code_0(tilesim, two_rows):
    run = tilesim("systolic", two_rows)
    assert run.exit_code == 0
    last = run.stdout.splitlines()[-1]
    assert last == SUMMARY + "main=total_cycles figures=13 worst_any_error_pct=0.0000"
    assert "within tolerance" in run.stdout
    assert run.stderr == ""


@pytest.mark.parametrize(("name", "code"), [("within", 0), ("outside", 1)])
def test_exit_code_follows_the_verdict(tilesim, two_rows, name, code):
    run = tilesim(name, two_rows)
    assert run.exit_code == code
    assert "1 rows differ" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("rows=1 exact=0 ")


def test_rows_are_written_beside_the_reference(tilesim, two_rows, tmp_path):
    out = tmp_path / "rows.csv"
    assert tilesim("systolic", two_rows, "--out", out).exit_code == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 3


def test_json_is_all_of_the_output(tilesim, two_rows):
    run = tilesim("systolic", two_rows, "--json")
    found = json.loads(run.stdout)
    assert found["passed"] is True
    assert found["summary"]["rows"] == "2"
    assert [row["layer"] for row in found["rows"]] == ["last_line_os", "last_line_ws"]
    assert run.stderr.startswith(SUMMARY)


def test_the_validators_are_those_of_the_entry_points(monkeypatch):
    point = EntryPoint("demo", "nowhere:validate", verb.GROUP)
    monkeypatch.setattr(verb, "entry_points", lambda group: [point] * (group == verb.GROUP))
    assert verb.validators() == {"demo": point}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("systolc", "{ref}"),
            "no validator is called 'systolc': did you mean systolic? "
            "validators are outside, systolic, within",
        ),
        (
            ("qqq", "{ref}"),
            "no validator is called 'qqq': validators are outside, systolic, within",
        ),
        (("systolic", "{folder}/none.csv"), "{folder}/none.csv: no such file"),
        (("systolic", "{folder}"), "{folder}: can't be read: Is a directory"),
        (
            ("systolic", "{folder}/empty.csv"),
            "{folder}/empty.csv: must have a header line, not only blank lines and comments",
        ),
        (("within", "{ref}", "--out", "{folder}/a.txt"),
         "{folder}/a.txt: must end in .csv or .parquet"),
        (
            ("within", "{ref}", "--out", "{folder}/no/a.csv"),
            "{folder}/no/a.csv: must be in a folder that exists, not in {folder}/no",
        ),
        (("within", "{ref}", "--out", "{ref}"), "{ref}: must not be the reference file itself"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(tilesim, two_rows, words, message):
    (two_rows.parent / "empty.csv").touch()
    places = {"ref": two_rows, "folder": two_rows.parent}
    run = tilesim(*(word.format(**places) for word in words))
    assert run.exit_code == 2
    assert run.stderr == message.format(**places) + "\n"
    assert run.stdout == ""
