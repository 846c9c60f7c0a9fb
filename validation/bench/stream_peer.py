"""The peer of the benchmark `multicore`: Stream in an environment of its own.

stream-dse 0.0.8 needs the 2.x interface of zigzag-dse and, for its figures, plotly and pandas; its
package says none of that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from validation.bench.peer_environment import BENCH, PeerEnvironment

ENVIRONMENT = PeerEnvironment(
    "Stream",
    ("stream-dse==0.0.8", "zigzag-dse==2.5.3", "plotly", "pandas"),
    BENCH / "stream-venv",
)
RUNNER = Path(__file__).with_name("stream_runner.py")
JOB = {
    "hardware": "TPU_like_quad_core",
    "workload": "resnet18_few_layers",
    "mapping": "tpu_like_quad_core",
    "loop_factors": 6,
    "individuals": 4,
    "generations": 2,
    "seed": 1,
}
"""Its shipped example as in references/multicore/stream_runs.csv, run rn18few_tpuquad_fused."""


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """What Stream needed and found. cores: core number of each layer, by its number.

    allocation_cpu_seconds: of its genetic algorithm alone, without the costs of tiles.
    """

    wall_seconds: float
    cpu_seconds: float
    allocation_cpu_seconds: float
    latency_cycles: int
    nodes: int
    cores: Mapping[str, int]


def stream_seconds(environment: PeerEnvironment = ENVIRONMENT) -> StreamTiming:
    """Run the example. Raises PeerError when the environment can't be made or the example fails."""
    output = environment.run(RUNNER, "run the example", json.dumps(JOB))
    return StreamTiming(**json.loads(output.splitlines()[-1]))
