"""The examples of README.md run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import status_of

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCALESIM = ROOT / "validation" / "references" / "scalesim_inputs"

COMMANDS = re.findall(r"^\$ (tilesim .*?)(?: +#.*)?$", README, flags=re.MULTILINE)
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def in_a_test(command):
    """The words of a README command with files that exist, and only a few layers."""
    words = shlex.split(command)[1:]
    replaced = {
        "topology.csv": str(SCALESIM / "vit_s_gemm.csv"),
        "model.onnx": "squeezenet1_1",
        "my_chip.yaml": str(ROOT / "hw_models" / "chips" / "edge_os_16x16.yaml"),
        "scale.cfg": str(SCALESIM / "scale.cfg"),
    }
    words = [replaced.get(word, word) for word in words]
    words = [str(ROOT / word) if word.startswith("validation/") else word for word in words]
    return [*words, "--layers", "0:2"] if words[0] == "run" and "--layers" not in words else words


def test_there_are_examples():
    assert len(COMMANDS) >= 6
    assert len(PYTHON) >= 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert status_of(in_a_test(command)) == 0


def test_the_python_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["run", "resnet50", "--chip", "tpu_like", "--layers", "0:2", "--out", "runs/resnet50"]
    assert status_of(words) == 0
    for example in PYTHON:
        # A process of its own: the example must bring all that it needs.
        done = subprocess.run(
            [sys.executable, "-c", example], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
