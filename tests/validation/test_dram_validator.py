"""`tilesim validate dram`: rows of DRAMsim3 and Ramulator 2.1 come out exactly, bad files don't."""

import csv
import re
from pathlib import Path

import pytest

import validation
from hw_models.dram.stream import run_stream
from hw_models.yaml_file import InputError
from validation.dram import CONFIGS, FIGURES, dram_system, requests, validate

REFERENCES = Path(validation.__file__).parent / "references"
HEADER = (
    "run_id,config,stream,params,requests,accept_per_cycle,interval_cycles,cycles,"
    "avg_read_latency_cycles,activates,precharges,row_hits"
)
SINGLE_READ = "one,DDR4_2400,seq,,1,1,0,41,39,1,0,0"


def written(path, *rows):
    path.write_text("\n".join(["# a source", HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def one_row_of_each_config():
    lines = (REFERENCES / "dram_traces.csv").read_text(encoding="utf-8").splitlines()
    header, *rows = [line for line in lines if not line.startswith("#")]
    at = header.split(",").index("config")
    by_config = {row.split(",")[at]: row for row in rows}
    return header, by_config


def test_a_row_of_every_config_comes_out_exactly(tmp_path):
    header, by_config = one_row_of_each_config()
    assert set(by_config) == set(CONFIGS)
    path = tmp_path / "some.csv"
    path.write_text("\n".join([header, *by_config.values()]), encoding="utf-8")
    result = validate(path)
    assert result.passed
    assert result.exact_rows == len(CONFIGS)


def test_runs_measured_besides_come_out_exactly():
    path = REFERENCES / "dram_extra.csv"
    result = validate(path)
    assert result.failing_rows() == []
    rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert len(result.rows) == len(list(csv.DictReader(rows)))


def test_the_summary_tells_the_worst_of_all_figures(tmp_path):
    path = written(tmp_path / "two.csv", SINGLE_READ, SINGLE_READ.replace(",41,39,", ",41,78,"))
    result = validate(path)
    assert not result.passed
    assert result.summary_line() == (
        "rows=2 exact=1 mean_error_pct=0.0000 p90_error_pct=0.0000 worst_error_pct=0.0000 "
        f"main=cycles figures={len(FIGURES)} worst_any_error_pct=50.0000"
    )


def test_progress_is_told_row_by_row(tmp_path):
    told = []
    validate(written(tmp_path / "two.csv", SINGLE_READ, SINGLE_READ), lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("stream", "params", "problem"),
    [
        ("seq", "r=1;w", "params must be NAME=NUMBER;..., not 'r=1;w'"),
        ("stride", "S=64", "params of stream stride must have W"),
        ("seq", "Q=1", "params of stream seq must be among base, r, w, not 'Q'"),
        ("stride", "S=64;W=0", "W must be at least 1, not 0"),
        ("seq", "r=0;w=0", "r + w must be at least 1, not 0"),
        ("tile", "N=32;R=1;P=64", "N must be from one granule (64) to P (64), not 32"),
    ],
)
def test_params_that_make_no_stream_are_refused(tmp_path, stream, params, problem):
    path = written(tmp_path / "bad.csv", f"one,DDR4_2400,{stream},{params},1,1,0,41,39,1,0,0")
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: line 3: {problem}')}$"):
        validate(path)


def test_an_unknown_config_is_refused(tmp_path):
    path = written(tmp_path / "bad.csv", SINGLE_READ.replace("DDR4_2400", "DDR9"))
    message = f"{path}: line 3: config must be one of {', '.join(CONFIGS)}, not 'DDR9'"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        validate(path)


G = 64
PLAIN = {"base": 0, "r": 1, "w": 0}


@pytest.mark.parametrize(
    ("stream", "params", "granules"),
    [
        ("seq", {"base": 2 * G}, [2, 3, 4, 5]),
        ("stride", {"S": 3 * G, "W": 8 * G}, [0, 3, 6, 1]),
        ("tile", {"N": 2 * G, "R": 2, "P": 4 * G}, [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12]),
        ("triad", {"A": 0, "B": 16 * G, "C": 32 * G}, [0, 16, 32, 1, 17]),
    ],
)
def test_streams_are_as_their_formulas_say(stream, params, granules):
    addresses, _ = requests(stream, {**PLAIN, **params}, G, len(granules))
    assert (addresses // G).tolist() == granules


def test_random_blocks_are_of_consecutive_granules():
    seed = (1 * 6364136223846793005 + 1442695040888963407) % 2**64
    first = (seed >> 33) * G * 4 % 2**30
    addresses, _ = requests("blockrand", {**PLAIN, "seed": 1, "L": 4, "W": 2**30}, G, 4)
    assert addresses.tolist() == [first + i * G for i in range(4)]


@pytest.mark.parametrize(
    ("r", "w", "stores"), [(1, 0, [0, 0, 0, 0]), (0, 1, [1, 1, 1, 1]), (2, 1, [0, 0, 1, 0])]
)
def test_reads_and_writes_alternate_as_r_and_w_say(r, w, stores):
    assert requests("seq", {"base": 0, "r": r, "w": w}, G, 4)[1].tolist() == stores


def test_a_stream_on_which_dramsim3_hangs_comes_to_its_end():
    system, count = dram_system("HBM2_1CH"), 20_000
    params = {"base": 0, "seed": 7, "W": 65536, "r": 2, "w": 1}
    clocks, counts = run_stream(system, *requests("random", params, G, count))
    assert counts.reads + counts.writes <= count
    burst_clocks = system.standard.timing_clocks.bl
    assert (counts.reads + counts.writes) * burst_clocks < clocks < 20 * count
