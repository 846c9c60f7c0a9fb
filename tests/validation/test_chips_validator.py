"""`validate chips`: three chips against measured latencies and Stream, and unusable files."""

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hw_models.yaml_file import InputError
from tests.validation.multicore.fakes import outcome
from validation import chips
from validation.chips import COLUMNS, LATENCY, RESULTS, command, validate
from validation.commands import validate as judging
from validation.multicore.workloads import REFERENCES
from validation.reference_file import read_reference

HEADER = "chip,measured_cycles,stream_full"


@pytest.fixture
def table(tmp_path):
    def write(*rows):
        path = tmp_path / RESULTS
        path.write_text("\n".join([HEADER, *rows]) + "\n")
        return path

    return write


@pytest.fixture
def told(monkeypatch):
    """Makes every run take so many cycles."""

    def tell(cycles):
        monkeypatch.setattr(chips, "run_case", lambda case: outcome(case, cycles))

    return tell


def test_every_chip_is_as_near_to_the_measured_latency_as_stream():
    done = validate(REFERENCES / RESULTS)
    given = read_reference(REFERENCES / RESULTS, COLUMNS)
    latencies = [row for row in done.rows if row["figure"] == LATENCY]
    assert [row["value_reference"] for row in latencies] == [x["measured_cycles"] for x in given]
    assert [row["stream"] for row in latencies] == [x["stream_full"] for x in given]
    assert done.passed
    assert done.summary_line().startswith("chips=3 worst_error_pct=")
    peaks = [row for row in done.rows if row["figure"] == "peak_bytes"]
    assert [row["of"] for row in peaks if row["value_error_pct"]] == []
    assert max(done.errors_pct("busy_cycles")) == 0


@pytest.mark.parametrize(("cycles", "passed"), [(970, True), (969, False), (1030, True)])
def test_as_near_as_stream_is_enough(table, told, cycles, passed):
    told(cycles)
    measured, stream = 1000, 1030
    assert validate(table(f"DIANA,{measured},{stream}")).passed is passed


def test_memories_and_links_stand_beside_streams(table, told):
    told(1000)
    rows = validate(table("DIANA,1000,1000")).rows
    links = {row["of"]: row["value_reference"] for row in rows if row["figure"] == "busy_cycles"}
    assert links == {"noc.l2_write": 12544, "noc.l2_read": 49484}
    shared = next(row for row in rows if row["of"] == "shared.l1")
    assert (shared["value_reference"], shared["value_ours"]) == (917672 / 8, 100)
    assert shared["against"] == "Stream"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "Eyeriss,1,1",
            "chip must be a chip: one of DepFiN, DIANA, AiMC4x4, not 'Eyeriss'",
        ),
        (
            "DIANA,zero,1",
            "measured_cycles must be a whole number from 1 to 9223372036854775807, not 'zero'",
        ),
    ],
)
def test_a_bad_row_is_one_line(table, row, message):
    path = table(row)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: line 2: {message}')}$"):
        validate(path)


def test_a_memory_that_the_chip_hasnt_is_told(table, told):
    told(1000)
    path = table("DIANA,1000,1000")
    links = path.parent / "chip_mem_link.csv"
    links.write_text(
        "chip,kind,name,peak_bits_or_busy_cycles,transfers,cores\nDIANA,link,Core(0)->Core(1),5,1,\n"
    )
    message = "name must be that of a link of diana, not 'Core(0)->Core(1)'"
    with pytest.raises(InputError, match=f"^{re.escape(f'{links}: DIANA: {message}')}$"):
        validate(path)


@pytest.fixture
def installed(monkeypatch):
    """The validator under its name, whatever is installed."""
    point = EntryPoint("chips", "validation.chips:validate", judging.GROUP)
    monkeypatch.setattr(judging, "validators", lambda: {"chips": point})


def invoke(*words):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_closes_with_the_summary_and_writes_all_rows(table, told, installed, tmp_path):
    told(1000)
    out = tmp_path / "rows.csv"
    done = invoke(table("DIANA,1000,1030"), "--out", out)
    assert done.exit_code == 0
    assert done.output.splitlines()[-1].startswith("chips=1 worst_error_pct=0.00 ")
    assert len(Path(out).read_text().splitlines()) > 2


def test_the_command_fails_for_a_chip_farther_than_stream(table, told, installed):
    told(2000)
    assert invoke(table("DIANA,1000,1030")).exit_code == 1


def test_the_command_ends_with_2_for_a_bad_file(tmp_path, installed):
    done = invoke(tmp_path / "none.csv")
    assert done.exit_code == 2
