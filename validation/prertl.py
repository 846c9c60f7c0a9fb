"""Fused layers against the pre-RTL evaluator's claims: `tilesim validate prertl REFERENCE.csv`.

A row is a figure and by how many percent fusion reduces it. Small YOLO networks run on presets
`prertl_vwa` and `prertl_mac_array`, each convolution with its pooling from and to DRAM, and in the
best fusion groups; both are simulated. Networks, sizes and memory of the evaluator aren't known, so
this is a check of plausibility: the mean of all cases within 10 points.
Source: Yang and Chang, "Pre-RTL DNN Hardware Evaluator With Fused Layer Support", arXiv 2205.01729.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path
from statistics import fmean
from typing import Any

from onnx import ModelProto

from hw_models.chip_files import load_chip
from simulator.fusion.compile import FusionChoices
from simulator.fusion.figures import Aim, Figures, simulated_figures
from simulator.fusion.groups import (
    WHOLE,
    Group,
    GroupCosts,
    granularities_for,
    search_groups,
)
from simulator.fusion.run import run_fused
from simulator.workload.graph import Workload
from simulator.workload.onnx_import import load_onnx
from simulator.workload.zoo.builder import NetworkBuilder
from validation.reference_file import number, one_of, read_reference
from validation.result import Progress, ValidationResult, compared, no_progress

PRESETS = ("prertl_vwa", "prertl_mac_array")
SIZES = {"tiny_yolo_v2": ((416, 416), (720, 1280)), "yolo_lite": ((224, 224), (720, 1280))}
"""Network -> rows and columns of its images: as published, and HD."""

AIM: Aim = "edp"
SECONDS = 60.0
"""Time for the groups of each case."""
MOST_POINTS = 10.0
COLUMNS = {"figure": one_of("bandwidth", "latency", "energy"), "reduction_pct": number}

TINY, LITE = (16, 32, 64, 128, 256), (16, 32, 64, 128, 128)
"""Output channels of the 3x3 convolutions that a 2x2 pooling follows."""
BOXES, NUMBERS = 5, 25
"""Boxes of a cell; numbers of a box (VOC: 20 classes)."""


def tiny_yolo_v2(height: int, width: int) -> ModelProto:
    """Tiny YOLOv2 for VOC. Source: arXiv 1612.08242; darknet, cfg/yolov2-tiny-voc.cfg."""
    net = NetworkBuilder("tiny_yolo_v2")
    x = net.conv_bn(_halved(net, height, width, TINY), 512, 3, activation="LeakyRelu")
    x = net.like("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1])
    for _ in range(2):
        x = net.conv_bn(x, 1024, 3, activation="LeakyRelu")
    return net.build(net.conv(x, BOXES * NUMBERS, 1, bias=True))


def yolo_lite(height: int, width: int) -> ModelProto:
    """YOLO-LITE. Source: arXiv 1811.05588, trial 3."""
    net = NetworkBuilder("yolo_lite")
    x = net.conv_bn(_halved(net, height, width, LITE), 256, 3, activation="LeakyRelu")
    return net.build(net.conv(x, BOXES * NUMBERS, 1, bias=True))


def _halved(net: NetworkBuilder, height: int, width: int, channels: Sequence[int]) -> str:
    """Convolutions of an image, each followed by a pooling that halves rows and columns."""
    x = net.input("image", (1, 3, height, width))
    for count in channels:
        x = net.max_pool(net.conv_bn(x, count, 3, activation="LeakyRelu"), 2, 2)
    return x


NETWORKS = {"tiny_yolo_v2": tiny_yolo_v2, "yolo_lite": yolo_lite}


@dataclass(frozen=True, slots=True)
class Case:
    """A network on an architecture, its layers apart and in the best groups, both simulated."""

    name: str
    apart: Figures
    fused: Figures

    def reduction_pct(self, figure: str) -> float:
        """By how much fusion reduces a figure of the reference."""
        field = {"bandwidth": "dram_bytes", "latency": "cycles", "energy": "energy_pj"}[figure]
        return 100 * (1 - getattr(self.fused, field) / getattr(self.apart, field))


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Reductions of every case beside the claims. Raises InputError for an unusable file."""
    given = read_reference(reference, COLUMNS)
    places = [(n, size, chip) for n in SIZES for size in SIZES[n] for chip in PRESETS]
    cases = []
    for done, (network, (height, width), chip) in enumerate(places, 1):
        workload = load_onnx(NETWORKS[network](height, width))
        cases.append(fusion_case(workload, chip, f"{network} {width}x{height} on {chip}"))
        progress(done, len(places))
    rows = [_compared(case, row) for case in cases for row in given]
    means = mean_reductions(rows)
    off = [abs(ours - theirs) for theirs, ours in means.values()]
    return ValidationResult(
        name="prertl",
        rows=rows,
        identity=("case", "figure"),
        figures=("reduction_pct",),
        main="reduction_pct",
        tolerance=f"mean reduction of all cases within {MOST_POINTS:g} points of the claim",
        passed=max(off) <= MOST_POINTS,
        more={name: f"{theirs:.1f},ours:{ours:.1f}" for name, (theirs, ours) in means.items()},
        by="case",
    )


def fusion_case(workload: Workload, chip: str, name: str, seconds: float = SECONDS) -> Case:
    """A network on a preset, apart and fused."""
    costs = GroupCosts(workload, load_chip(chip), FusionChoices(prefetch_weights=False))
    apart = (_best_alone(costs, first, last) for first, last in with_followers(workload))
    found = search_groups(costs, AIM, seconds)
    fused = simulated_figures(run_fused(costs.compiled(found.best)))
    return Case(name, reduce(add, apart), fused)


def with_followers(workload: Workload) -> list[tuple[int, int]]:
    """First and last layers of convolutions with what follows them, which arrays do on the way."""
    starts = [n for n, layer in enumerate(workload.layers) if layer.is_mac or n == 0]
    return [(low, high - 1) for low, high in pairwise((*starts, len(workload.layers)))]


def _best_alone(costs: GroupCosts, first: int, last: int) -> Figures:
    """Figures of some layers from and to DRAM, cut in the best way by schedule, simulated."""
    groups = [Group(first, last, name) for name in (WHOLE, *granularities_for(costs.chip))]
    planned = {group: costs.alone(group) for group in groups}
    scores = {group: found.of(AIM) for group, found in planned.items() if found is not None}
    best = min(scores, key=lambda group: scores[group])
    return simulated_figures(run_fused(costs.compiled_alone(best)))


def _compared(case: Case, row: Mapping[str, Any]) -> dict[str, Any]:
    identity = {"case": case.name, "figure": row["figure"]}
    theirs = {"reduction_pct": float(row["reduction_pct"])}
    return compared(identity, theirs, {"reduction_pct": case.reduction_pct(row["figure"])})


def mean_reductions(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Of each figure the mean reduction over all cases, theirs and ours."""
    return {
        figure: (
            fmean(r["reduction_pct_reference"] for r in rows if r["figure"] == figure),
            fmean(r["reduction_pct_ours"] for r in rows if r["figure"] == figure),
        )
        for figure in dict.fromkeys(row["figure"] for row in rows)
    }
