"""The peer of the benchmark `scalesim`: SCALE-Sim v3 in an environment of its own.

It needs NumPy below 2.3 (3.0.0 ends in an error with 2.4), which tilesim does not, hence the
environment: made once under `.bench/` of the checkout and used again from then on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = ("scalesim==3.0.0", "numpy<2.3")
ENVIRONMENT = Path(__file__).resolve().parents[2] / ".bench" / "scalesim-venv"
RUNNER = Path(__file__).with_name("scalesim_runner.py")

PeerLayer = tuple[str, int, int, int, int, int, int, int]
"""Name, ifmap height and width, filter height and width, channels, filters, stride."""


class PeerError(RuntimeError):
    """The peer can't be installed or run; one line."""


@dataclass(frozen=True, slots=True)
class PeerTiming:
    """What SCALE-Sim needed for one layer, and the `Total Cycles` it reports."""

    name: str
    wall_seconds: float
    cpu_seconds: float
    total_cycles: int


def peer_seconds(
    layers: Sequence[PeerLayer],
    rows: int,
    cols: int,
    dataflow: str,
    environment: Path = ENVIRONMENT,
) -> list[PeerTiming]:
    """Run conv layers through SCALE-Sim one after another, in CALC mode, without saving traces.

    Raises PeerError when the environment can't be made or a layer can't be run.
    """
    python = peer_python(environment)
    job = {"rows": rows, "cols": cols, "dataflow": dataflow, "layers": [list(x) for x in layers]}
    # -I keeps the packages of this environment out of the peer's.
    output = _run([str(python), "-I", str(RUNNER)], "run the layers", json.dumps(job))
    return [PeerTiming(**json.loads(line)) for line in output.splitlines()]


def peer_python(environment: Path = ENVIRONMENT) -> Path:
    """The interpreter of the peer's environment, which is made when it is not there yet.

    Raises PeerError when it can't be made.
    """
    python, ready = environment / "bin" / "python", environment / "ready.txt"
    wanted = "\n".join(REQUIREMENTS)
    if python.exists() and ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return python
    _run([sys.executable, "-m", "venv", "--clear", str(environment)], f"make {environment}")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, *REQUIREMENTS], f"install {' and '.join(REQUIREMENTS)}")
    ready.write_text(wanted, encoding="utf-8")
    return python


def _run(arguments: list[str], task: str, text: str = "") -> str:
    """Output of a program. Raises PeerError with the last line that it had to say."""
    try:
        done = subprocess.run(
            arguments, input=text, capture_output=True, text=True, check=False, encoding="utf-8"
        )
    except OSError as error:
        raise PeerError(f"SCALE-Sim: can't {task}: {error.strerror}") from None
    if done.returncode:
        said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise PeerError(f"SCALE-Sim: can't {task}: {reason}")
    return done.stdout
