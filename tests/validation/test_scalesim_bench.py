"""The peer of the benchmark, without the peer: a made-up environment, and errors of one line."""

import json
import re
import stat
import sys
from dataclasses import replace

import pytest

from validation.bench.peer_environment import PeerEnvironment, PeerError
from validation.bench.scalesim_peer import ENVIRONMENT, PeerTiming, peer_seconds
from validation.bench.scalesim_runner import CONFIG

LAYER = ("conv", 10, 12, 3, 2, 4, 8, 1)


@pytest.fixture
def environment(tmp_path):
    """Makes an environment that counts as ready and whose interpreter runs the given lines."""

    def make(*program):
        folder = tmp_path / "peer"
        python = folder / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text("\n".join([f"#!{sys.executable}", *program]), encoding="utf-8")
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        (folder / "ready.txt").write_text("\n".join(ENVIRONMENT.requirements), encoding="utf-8")
        return replace(ENVIRONMENT, folder=folder)

    return make


def test_the_job_reaches_the_peer_and_its_lines_come_back(environment):
    peer = environment(
        "import json, sys",
        "job = json.load(sys.stdin)",
        "for name, *sizes in job['layers']:",
        "    cycles = sum(sizes) * job['rows'] + job['cols']",
        "    found = {'name': name + job['dataflow'], 'wall_seconds': 2.0, 'cpu_seconds': 1.0}",
        "    print(json.dumps(found | {'total_cycles': cycles}))",
    )
    expected = PeerTiming("convws", 2.0, 1.0, sum(LAYER[1:]) * 32 + 16)
    assert peer_seconds([LAYER, LAYER], 32, 16, "ws", peer) == [expected, expected]


def test_a_peer_that_fails_gives_its_last_line(environment):
    peer = environment("import sys", "sys.exit('first\\nAssertionError: too large\\n')")
    rule = r"^SCALE-Sim: can't run the layers: AssertionError: too large$"
    with pytest.raises(PeerError, match=rule):
        peer_seconds([LAYER], 32, 32, "ws", peer)


def test_an_environment_that_is_ready_is_used_again(environment):
    peer = environment("")
    assert peer.python() == peer.folder / "bin" / "python"


def test_an_environment_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "peer"
    with pytest.raises(PeerError, match=f"^SCALE-Sim: can't make {re.escape(str(place))}: .+$"):
        replace(ENVIRONMENT, folder=place).python()


def test_other_requirements_make_the_environment_anew(environment, monkeypatch):
    peer = replace(environment(""), requirements=("scalesim==9.9.9",))
    calls = []
    monkeypatch.setattr(PeerEnvironment, "_call", lambda _, words, task: calls.append(words) or "")
    peer.python()
    assert [words[1:3] for words in calls] == [["-m", "venv"], ["-m", "pip"]]
    assert calls[1][-1] == "scalesim==9.9.9"
    assert (peer.folder / "ready.txt").read_text(encoding="utf-8") == "scalesim==9.9.9"


def test_the_configuration_has_every_section_that_the_peer_needs():
    filled = CONFIG.format(**json.loads('{"rows": 4, "cols": 8, "dataflow": "os", "layers": []}'))
    sections = re.findall(r"^\[(\w+)\]$", filled, re.MULTILINE)
    wanted = {"general", "run_presets", "architecture_presets", "layout", "sparsity"}
    assert set(sections) == wanted
    assert "ArrayWidth = 8" in filled
