"""The peer of the benchmark `multicore`, without the peer: a made-up environment."""

import stat
import sys
from dataclasses import replace

import pytest

from validation.bench.peer_environment import PeerError
from validation.bench.stream_peer import ENVIRONMENT, JOB, StreamTiming, stream_seconds
from validation.bench.stream_runner import settings


@pytest.fixture
def environment(tmp_path):
    """Makes an environment that counts as ready and whose interpreter runs the given lines."""

    def make(*program):
        python = tmp_path / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text("\n".join([f"#!{sys.executable}", *program]), encoding="utf-8")
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        (tmp_path / "ready.txt").write_text("\n".join(ENVIRONMENT.requirements), encoding="utf-8")
        return replace(ENVIRONMENT, folder=tmp_path)

    return make


def test_the_job_reaches_the_peer_and_its_line_comes_back(environment):
    peer = environment(
        "import json, sys",
        "job = json.load(sys.stdin)",
        "print('a remark')",
        "print(json.dumps({'wall_seconds': 3.0, 'cpu_seconds': 2.0,",
        "    'allocation_cpu_seconds': 1.0, 'latency_cycles': job['individuals'], 'nodes': 5,",
        "    'cores': {'0': job['generations']}}))",
    )
    expected = StreamTiming(3.0, 2.0, 1.0, JOB["individuals"], 5, {"0": JOB["generations"]})
    assert stream_seconds(peer) == expected


def test_a_peer_that_fails_gives_its_last_line(environment):
    peer = environment("import sys", "sys.exit('first\\nValueError: no candidates\\n')")
    rule = r"^Stream: can't run the example: ValueError: no candidates$"
    with pytest.raises(PeerError, match=rule):
        stream_seconds(peer)


def test_the_example_is_cut_into_rows_and_seeded(tmp_path):
    chosen = settings(JOB, tmp_path)
    assert chosen["hint_loops"] == [("OY", "all")]
    assert chosen["accelerator"].endswith(".hardware.TPU_like_quad_core")
    assert "seed" in JOB
