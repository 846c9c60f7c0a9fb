"""The local cluster: same result as in one process, whoever is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator.explore import explore as module
from simulator.explore.explore import explore
from simulator.explore.store import POINTS, RESULT
from simulator.explore.study import Study, parse_study
from traces.errors import InputError

STUDY = """
name: small
chips: [edge_os_16x16]
networks: ["{topology}"]
parameters:
  cores[0].pe_array.rows: [4, 8, 16]
  cores[0].pe_array.cols: [4, 8, 16]
  cores[0].buffers[0].size_bytes: [32768, 65536, 131072]
simulate: all
"""

LAYERS = "Layer, M, N, K,\nfc1, 64, 128, 128,\nfc2, 64, 128, 128,\n"

RUN = """
import sys
from pathlib import Path
from simulator.explore import explore as module
from simulator.explore.explore import explore
from simulator.explore.study import load_study
if __name__ == "__main__":
    module.BATCH = {"analytical": 3, "simulated": 1}
    explore(load_study(sys.argv[1]), out=Path(sys.argv[2]), workers=2)
"""


@pytest.fixture
def study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "BATCH", {"analytical": 3, "simulated": 1})
    topology, study = tmp_path / "two_gemm.csv", tmp_path / "study.yaml"
    topology.write_text(LAYERS)
    study.write_text(STUDY.format(topology=topology))
    return study


def read(study_file: Path) -> Study:
    return parse_study(study_file.read_text(), str(study_file))


def expected(study_file: Path, tmp_path: Path) -> bytes:
    explore(read(study_file), out=tmp_path / "whole", workers=0)
    return (tmp_path / "whole" / RESULT).read_bytes()


def test_a_killed_worker_loses_nothing(study_file: Path, tmp_path: Path) -> None:
    out, killed = tmp_path / "out", []

    def kill_one(stage: str, done: int, total: int) -> None:
        if stage == "simulated" and done > 2 and not killed:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    explore(read(study_file), out=out, workers=2, told=kill_one)
    assert killed
    assert (out / RESULT).read_bytes() == expected(study_file, tmp_path)


def test_a_killed_study_goes_on_where_it_was(study_file: Path, tmp_path: Path) -> None:
    out, script = tmp_path / "out", tmp_path / "run.py"
    script.write_text(RUN)
    root = str(Path(module.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, str(script), str(study_file), str(out)],
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob(f"{POINTS}/simulated-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (out / RESULT).exists()
    kept = {path: path.stat().st_mtime_ns for path in (out / POINTS).glob("*.parquet")}
    assert kept
    explore(read(study_file), out=out, workers=0, resume=True)
    assert (out / RESULT).read_bytes() == expected(study_file, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_scheduler_that_is_not_there_is_named(
    study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.explore.workers.CONNECT_S", 0.2)
    address = "tcp://127.0.0.1:1"
    with pytest.raises(InputError, match=rf"^--scheduler must be the address .*, not {address}: "):
        explore(read(study_file), scheduler=address)
