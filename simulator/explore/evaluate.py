"""Evaluating points of a study: static metrics, the analytical cost, or a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from hw_models.cost.area import chip_area
from hw_models.spec import ChipSpec
from simulator.explore.accuracy import top1_pct
from simulator.explore.metrics import METRICS, Constraint
from simulator.explore.screening import Screening
from simulator.explore.study import CHIP, MAPPING, NETWORK, Point, Study, point_chip
from simulator.run import simulate
from simulator.workload.graph import Workload
from simulator.workload.source import load_network

Stage = Literal["analytical", "simulated"]
Row = dict[str, Any]
"""A row of the result: stage, status, error, the labels of the point and its metrics."""

DONE, INFEASIBLE, FAILED = "done", "infeasible", "failed"
PJ_PER_MJ, BYTES_PER_MB, MS_PER_S = 1e9, 1e6, 1e3

_SCREENING = Screening()
"""Of this process: points that it is given one after another share tilings."""


def evaluate(study: Study, points: Sequence[Point], stage: Stage) -> list[Row]:
    """A row for each point. What goes wrong with one is written into its row."""
    bounds = study.bounds
    return [_row(study, point, stage, bounds) for point in points]


def blank_row(point: Point, stage: Stage, status: str, error: str = "") -> Row:
    """A row without metrics."""
    return {"stage": stage, "status": status, "error": error, **point} | dict.fromkeys(METRICS)


def _row(study: Study, point: Point, stage: Stage, bounds: Sequence[Constraint]) -> Row:
    try:
        chip = point_chip(study, point)
        metrics = _static_metrics(point[NETWORK], chip)
        status = _status(bounds, metrics)
        if status == DONE:
            workload = _workload(point[NETWORK], study.batch)
            metrics |= _dynamic_metrics(workload, chip, point[MAPPING], stage, study.memory)
            status = _status(bounds, metrics)
    except Exception as error:
        # Whatever is wrong with one point must not stop the others; its row says what it was.
        return blank_row(point, stage, FAILED, f"{type(error).__name__}: {error}")
    return blank_row(point, stage, status) | metrics


def _status(bounds: Sequence[Constraint], metrics: Mapping[str, float]) -> str:
    return DONE if all(bound.holds(metrics) for bound in bounds) else INFEASIBLE


def _static_metrics(network: str, chip: ChipSpec) -> dict[str, float]:
    found = {"area_mm2": _area_mm2(chip), "peak_macs": float(chip.peak_macs_per_cycle)}
    if network in top1_pct():
        found["accuracy"] = top1_pct()[network]
    return found


def _dynamic_metrics(
    workload: Workload, chip: ChipSpec, objective: str, stage: Stage, memory: str
) -> dict[str, float]:
    if stage == "analytical":
        cost = _SCREENING.estimate(workload, chip, objective)
        cycles, energy_pj, moved = cost.cycles, cost.energy_pj, cost.dram_bytes
    else:
        result = simulate(workload, chip, objective=objective, memory=memory).result
        cycles, energy_pj = float(result.cycles), result.energy_pj
        moved = float(result.dram_read_bytes + result.dram_write_bytes)
    latency_ms = cycles / (chip.clock_ghz * 1e9) * MS_PER_S
    energy_mj = energy_pj / PJ_PER_MJ
    return {
        "latency_ms": latency_ms,
        "energy_mj": energy_mj,
        "edp": latency_ms * energy_mj,
        "dram_mb": moved / BYTES_PER_MB,
    }


@lru_cache(maxsize=64)
def _area_mm2(chip: ChipSpec) -> float:
    return chip_area(chip).mm2


@lru_cache(maxsize=64)
def _workload(name: str, batch: int) -> Workload:
    return load_network(name, batch=batch)


__all__ = ["CHIP", "DONE", "FAILED", "INFEASIBLE", "Row", "Stage", "blank_row", "evaluate"]
