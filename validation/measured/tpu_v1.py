"""TPU v1's counters on networks whose layers were never published.

Only number of layers, weights, batch and operations per weight byte are. Layers are taken to be
equal and square: n FC layers of W weights are sqrt(W / n) wide; a CNN whose operations per weight
byte are batch x a square number has 3 x 3 layers on a map of that size. So the figures tell
whether the roofline is right, not more; vector layers of LSTMs are left out, and a network that
gives no such shape is not simulated.
Source: Jouppi et al., ISCA 2017, Tables 1 and 3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from math import isqrt, sqrt

from hw_models.chip_files import load_chip
from hw_models.pe_array.systolic import SystolicSpec
from hw_models.spec import ChipSpec
from simulator.mapping.mapping import LayerMappingSpec
from simulator.result import RunResult
from simulator.run import simulate
from simulator.workload.graph import LoopDims, Operand, Tensor, Workload
from validation.measured.layers import MeasuredLayer, Ours, convolution

CHIP = "TPUv1"
NOTE = "layer shapes not published: equal square layers assumed"
PATTERN = r"(\d+) (FC|conv)\b(.*); (\d+)M weights; batch (\d+); (\d+) ops/weight byte"


def simulate_layers(layers: Sequence[MeasuredLayer]) -> list[dict[str, Ours]]:
    """Simulated counters of each network; empty for one whose shape can't be derived."""
    chip = load_chip("tpu_v1")
    figures: list[dict[str, Ours]] = []
    for layer in layers:
        workload = network_of(layer)
        if workload is None:
            figures.append({})
            continue
        given = {x.name: matrix_tiles(chip, x.dims) for x in workload.layers}
        figures.append(_counters(simulate(workload, chip, mappings=given).result))
    return figures


def matrix_tiles(chip: ChipSpec, dims: LoopDims) -> LayerMappingSpec:
    """A layer as tiles of 256 x 256 weights, as the matrix unit takes them (section 2).

    As many images pass each as the accumulators, half of them at a time, have room for.
    """
    core = chip.cores[0]
    array, sums = core.pe_array, core.buffer_of("psum")
    assert isinstance(array, SystolicSpec)
    an_image = dims.oy * dims.ox * array.cols * chip.precision.psum_bits // 8
    rounds = -(-dims.b // max(1, sums.size_bytes // sums.slots // an_image))
    tile = {
        "b": -(-dims.b // rounds),
        "k": min(dims.k, array.cols),
        "c": min(dims.c, array.rows // (dims.fy * dims.fx)),
    }
    return LayerMappingSpec(tile=tile, order=("b", "k", "c", "oy", "ox"))


def network_of(layer: MeasuredLayer) -> Workload | None:
    """A network of equal layers with the published counts, or None."""
    told = re.match(PATTERN, layer.dims)
    if told is None:
        return None
    number, batch, reuse = int(told[1]), int(told[5]), int(told[6])
    weights = int(told[4]) * 10**6 / number
    if told[2] == "FC":
        width = round(sqrt(weights))
        return _chain(layer.network, number, LoopDims(k=width, c=width, ox=batch, ix=batch))
    side = isqrt(reuse // batch)
    if side * side * batch != reuse or told[3]:
        return None
    width = round(sqrt(weights / 9))
    maps = LoopDims(b=batch, k=width, c=width, oy=side, ox=side, iy=side, ix=side)
    return _chain(layer.network, number, replace(maps, fy=3, fx=3, pad_top=1, pad_left=1))


def _chain(name: str, number: int, dims: LoopDims) -> Workload:
    size = dims.b * dims.k * dims.oy * dims.ox
    tensors, layers, reads = {"input": Tensor("input", size)}, [], "input"
    for index in range(number):
        layer = replace(convolution(f"layer{index}", dims), inputs=(Operand(reads),))
        weight = f"{layer.name}.weight"
        tensors[weight] = Tensor(weight, layer.weight_elements, parameter=True)
        tensors[layer.output] = Tensor(layer.output, size)
        layers.append(layer)
        reads = layer.output
    return Workload(name, tensors, tuple(layers), ("input",), (reads,))


def _counters(result: RunResult) -> dict[str, Ours]:
    causes = result.units["core.pe_array"]
    stalled = sum(n for cause, n in causes.items() if cause.startswith("stall/dram"))
    percent = {
        "array_active_cycles": causes.get("busy/compute", 0) / result.cycles,
        "useful_macs_of_peak": result.utilisation,
        "weight_stall_cycles": stalled / result.cycles,
    }
    figures = {name: Ours(100 * share, NOTE) for name, share in percent.items()}
    return figures | {"throughput": Ours(result.tops, NOTE)}
