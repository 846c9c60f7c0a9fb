"""Runs layers through SCALE-Sim's own classes; executed by the peer's interpreter, not imported.

Reads a job as JSON from standard input and writes one JSON line a layer. Its modules are imported
by name because they are not there in tilesim's environment.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

CONFIG = """\
[general]
run_name = peer
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {cols}
IfmapSramSzkB = 64
FilterSramSzkB = 64
OfmapSramSzkB = 64
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
Bandwidth = 10
ReadRequestBuffer = 100
WriteRequestBuffer = 100
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 1
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 1
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
"""


def main() -> None:
    """Run the job of standard input."""
    job = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        for layer in job["layers"]:
            with contextlib.redirect_stdout(sys.stderr):
                found = run_layer(layer, job, Path(folder))
            print(json.dumps(found), flush=True)


def run_layer(layer: list[Any], job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Seconds and cycles of one layer."""
    config_file, topology_file = folder / "peer.cfg", folder / "topology.csv"
    config_file.write_text(CONFIG.format(**job), encoding="utf-8")
    cells = ",".join(str(cell) for cell in layer)
    topology_file.write_text(f"header,\n{cells},\n", encoding="utf-8")
    config = import_module("scalesim.scale_config").scale_config()
    config.read_conf_file(str(config_file))
    topology = import_module("scalesim.topology_utils").topologies()
    topology.load_arrays(str(topology_file))
    simulation = import_module("scalesim.single_layer_sim").single_layer_sim()
    layout = import_module("scalesim.layout_utils").layouts()
    wall, cpu = time.perf_counter(), time.process_time()
    simulation.set_params(
        layer_id=0,
        config_obj=config,
        topology_obj=topology,
        layout_obj=layout,
        verbose=False,
    )
    simulation.run()
    report = simulation.get_compute_report_items()
    return {
        "name": str(layer[0]),
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "total_cycles": int(report[1]),
    }


if __name__ == "__main__":
    main()
