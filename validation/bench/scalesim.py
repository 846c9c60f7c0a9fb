"""Benchmark `scalesim`: tilesim against SCALE-Sim v3 on conv layers of ResNet-50, in one run.

Both simulate the same layers on the same array (32 x 32, weight stationary, folds one after
another) one at a time; tilesim with its memory system, ledger and trace, SCALE-Sim in its fastest
mode and without saving traces. CPU seconds after warm-up; the compute cycles must be equal.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from hw_models.chip_files import load_chip
from hw_models.pe_array.registry import pe_array
from hw_models.pe_array.systolic import SystolicSpec
from hw_models.spec import ChipSpec
from simulator.run import simulate
from simulator.workload.graph import Layer, Workload
from simulator.workload.source import load_network
from validation.bench.scalesim_peer import PeerLayer, peer_seconds

LAYERS = ("layer1.0.conv1", "layer2.1.conv2", "layer3.0.conv3", "layer4.1.conv1")
"""One layer of each stage, 1x1 and 3x3: SCALE-Sim would need half an hour for all of them."""


@dataclass(frozen=True, slots=True)
class ScaleSimFigures:
    """CPU seconds of both for LAYERS; whole ResNet-50 here: wall seconds, all of it and the run."""

    peer_cpu_s: float
    tilesim_cpu_s: float
    equal_cycles: int
    resnet50_wall_s: float
    resnet50_run_s: float


def measure() -> ScaleSimFigures:
    """Run both. Raises PeerError when SCALE-Sim can't be installed or run."""
    network, spec = load_network("resnet50"), _serial_tpu_like()
    places = [[layer.name for layer in network.layers].index(name) for name in LAYERS]
    alone = [network.slice(place, place) for place in places]
    with tempfile.TemporaryDirectory() as folder:
        for i, workload in enumerate(alone):
            simulate(workload, spec, out=Path(folder) / f"warm{i}")
        began = process_time()
        for i, workload in enumerate(alone):
            simulate(workload, spec, out=Path(folder) / f"run{i}")
        ours = process_time() - began
        whole = _whole_network(network, spec, Path(folder))
    array = spec.cores[0].pe_array
    assert isinstance(array, SystolicSpec)
    layers = [network.layers[place] for place in places]
    peer = peer_seconds(
        [_peer_layer(layer) for layer in layers], array.rows, array.cols, array.dataflow
    )
    equal = sum(
        timing.total_cycles + 1 == _array_cycles(layer, array)
        for timing, layer in zip(peer, layers, strict=True)
    )
    return ScaleSimFigures(sum(t.cpu_seconds for t in peer), ours, equal, *whole)


def _serial_tpu_like() -> ChipSpec:
    """The preset `tpu_like` with folds one after another, as SCALE-Sim has them."""
    chip = load_chip("tpu_like")
    core = chip.cores[0]
    array = core.pe_array.model_copy(update={"fold_overlap": "serial"})
    return chip.model_copy(update={"cores": (core.model_copy(update={"pe_array": array}),)})


def _whole_network(network: Workload, spec: ChipSpec, folder: Path) -> tuple[float, float]:
    """Wall seconds of all of ResNet-50 with trace: from network to result, and the event loop."""
    simulate(network, spec, out=folder / "warm")
    began = perf_counter()
    done = simulate(network, spec, out=folder / "whole")
    return perf_counter() - began, done.run.seconds


def _peer_layer(layer: Layer) -> PeerLayer:
    """A layer as SCALE-Sim takes it: the input with its padding."""
    d = layer.dims
    height, width = (d.oy - 1) * d.stride_y + d.fy, (d.ox - 1) * d.stride_x + d.fx
    return (layer.name, height, width, d.fy, d.fx, d.c, d.k, d.stride_y)


def _array_cycles(layer: Layer, array: SystolicSpec) -> int:
    d = layer.dims
    window = np.array([d.stride_y, d.stride_x, d.dilation_y, d.dilation_x], dtype=np.int64)
    return int(pe_array(array).timing(np.array([d.loops], dtype=np.int64), window)[0, 0])


def main() -> str:
    """Measure and return the closing line."""
    f = measure()
    return (
        f"speedup={f.peer_cpu_s / f.tilesim_cpu_s:.0f} peer_cpu_s={f.peer_cpu_s:.1f} "
        f"tilesim_cpu_s={f.tilesim_cpu_s:.4f} layers={len(LAYERS)} equal_cycles={f.equal_cycles} "
        f"resnet50_wall_s={f.resnet50_wall_s:.3f} resnet50_run_s={f.resnet50_run_s:.3f}"
    )
