"""Fused layers against the pre-RTL evaluator's claims: `tilesim validate prertl REFERENCE.csv`.

A row is a figure and by how many percent fusion reduces it. Small YOLO networks run on presets
`prertl_vwa` and `prertl_mac_array` in the best fusion groups and, layer by layer, from and to DRAM:
every layer for itself, or each convolution with the pooling that follows, cut in the best way. All
are simulated. Networks, sizes and memory of the evaluator aren't known, nor what it counts as layer
by layer, so this is a check of plausibility. Tolerance: mean reductions against every layer for
itself within 10 points of the claim; those against the other are shown only.
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
    layers_alone,
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
FIELDS = {"bandwidth": "dram_bytes", "latency": "cycles", "energy": "energy_pj"}
COLUMNS = {"figure": one_of(*FIELDS), "reduction_pct": number}
EVERY_LAYER, WITH_POOLING = "every layer", "with pooling"
"""What fusion is held against."""

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
    """A network on an architecture, layer by layer in both ways and in the best groups."""

    name: str
    apart: Mapping[str, Figures]
    fused: Figures

    def reduction_pct(self, against: str, figure: str) -> float:
        """By how much fusion reduces a figure of the reference."""
        field = FIELDS[figure]
        return 100 * (1 - getattr(self.fused, field) / getattr(self.apart[against], field))


def validate(reference: Path, progress: Progress = no_progress) -> ValidationResult:
    """Reductions of every case beside the claims. Raises InputError for an unusable file."""
    given = read_reference(reference, COLUMNS)
    places = [(n, size, chip) for n in SIZES for size in SIZES[n] for chip in PRESETS]
    cases = []
    for done, (network, (height, width), chip) in enumerate(places, 1):
        workload = load_onnx(NETWORKS[network](height, width))
        cases.append(fusion_case(workload, chip, f"{network} {width}x{height} on {chip}"))
        progress(done, len(places))
    rows = [
        _compared(case, against, row)
        for case in cases
        for against in (EVERY_LAYER, WITH_POOLING)
        for row in given
    ]
    means = mean_reductions(rows)
    claims = {row["figure"]: float(row["reduction_pct"]) for row in given}
    return ValidationResult(
        name="prertl",
        rows=rows,
        identity=("case", "against", "figure"),
        figures=("reduction_pct",),
        main="reduction_pct",
        tolerance=f"mean reductions against {EVERY_LAYER} within {MOST_POINTS:g} points",
        passed=all(abs(means[name][0] - claim) <= MOST_POINTS for name, claim in claims.items()),
        more={
            name: f"{claim:.1f},ours:{means[name][0]:.1f},against_pooled:{means[name][1]:.1f}"
            for name, claim in claims.items()
        },
        by="case",
    )


def fusion_case(workload: Workload, chip: str, name: str, seconds: float = SECONDS) -> Case:
    """A network on a preset, apart and fused."""
    costs = GroupCosts(workload, load_chip(chip), FusionChoices(prefetch_weights=False))
    apart = {
        EVERY_LAYER: reduce(add, (_alone(costs, group) for group in layers_alone(workload))),
        WITH_POOLING: reduce(add, (_best_alone(costs, *span) for span in with_followers(workload))),
    }
    found = search_groups(costs, AIM, seconds)
    return Case(name, apart, simulated_figures(run_fused(costs.compiled(found.best))))


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
    return _alone(costs, best)


def _alone(costs: GroupCosts, group: Group) -> Figures:
    return simulated_figures(run_fused(costs.compiled_alone(group)))


def _compared(case: Case, against: str, row: Mapping[str, Any]) -> dict[str, Any]:
    identity = {"case": case.name, "against": against, "figure": row["figure"]}
    theirs = {"reduction_pct": float(row["reduction_pct"])}
    ours = {"reduction_pct": case.reduction_pct(against, row["figure"])}
    return compared(identity, theirs, ours)


def mean_reductions(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Of each figure our mean reductions over all cases, against each of the two."""
    return {
        figure: [
            fmean(
                row["reduction_pct_ours"]
                for row in rows
                if (row["figure"], row["against"]) == (figure, against)
            )
            for against in (EVERY_LAYER, WITH_POOLING)
        ]
        for figure in dict.fromkeys(row["figure"] for row in rows)
    }
