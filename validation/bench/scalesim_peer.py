"""The peer of the benchmark `scalesim`: SCALE-Sim v3 in an environment of its own.

It needs NumPy below 2.3 (3.0.0 ends in an error with 2.4), which tilesim does not, hence the
environment: made once under `.bench/` of the checkout and used again from then on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from validation.bench.peer_environment import BENCH, PeerEnvironment

ENVIRONMENT = PeerEnvironment(
    "SCALE-Sim", ("scalesim==3.0.0", "numpy<2.3"), BENCH / "scalesim-venv"
)
RUNNER = Path(__file__).with_name("scalesim_runner.py")

PeerLayer = tuple[str, int, int, int, int, int, int, int]
"""Name, ifmap height and width, filter height and width, channels, filters, stride."""


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
    environment: PeerEnvironment = ENVIRONMENT,
) -> list[PeerTiming]:
    """Run conv layers through SCALE-Sim one after another, in CALC mode, without saving traces.

    Raises PeerError when the environment can't be made or a layer can't be run.
    """
    job = {"rows": rows, "cols": cols, "dataflow": dataflow, "layers": [list(x) for x in layers]}
    output = environment.run(RUNNER, "run the layers", json.dumps(job))
    return [PeerTiming(**json.loads(line)) for line in output.splitlines()]
