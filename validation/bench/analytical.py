"""Benchmark `analytical`: how far each analytical model is from the simulation.

12 networks on 5 presets. Errors are over all layers of all cases; regret is what choosing the
preset of each network by the model costs, in time against the fastest, on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from hw_models.chip_files import load_chip
from simulator.engine.fabric import DEFAULT_MEMORY
from simulator.workload.source import load_network
from validation.analytical.compare import Case, Comparison, compare, simulated
from validation.analytical.figures import error_figures, regret_pct
from validation.analytical.models import MODELS

NETWORKS = (
    *("alexnet", "resnet18", "resnet50", "vgg16", "mobilenet_v2", "squeezenet1_1"),
    *("googlenet", "mnasnet1_0", "efficientnet_b0", "regnet_y_400mf", "vit_b_16", "bert_base"),
)
PRESETS = ("edge_os_16x16", "eyeriss", "gemmini_16x16", "nvdla_large", "tpu_like")
HEADINGS = ("model", "layers", "mean %", "p95 %", "worst %", "Kendall", "mean regret %")


def main(
    networks: Sequence[str] = NETWORKS,
    presets: Sequence[str] = PRESETS,
    memory: str = DEFAULT_MEMORY,
) -> str:
    """A Markdown table, one row a model, and the closing figures."""
    cases: dict[str, list[tuple[Case, list[Comparison]]]] = {}
    for network in networks:
        workload = load_network(network)
        for preset in presets:
            case = simulated(workload, load_chip(preset), memory)
            compared = [compare(case, name, model.predict) for name, model in MODELS.items()]
            cases.setdefault(network, []).append((case, compared))
    rows = [_row(place, list(cases.values())) for place in range(len(MODELS))]
    every = [c for of_network in cases.values() for _, compared in of_network for c in compared]
    unexplained = sum(c.unexplained_cycles for c in every)
    failed = sum(len(c.failures) for c in every)
    closing = f"cases={len(networks) * len(presets)} failed_layers={failed}"
    lines = [_line(HEADINGS), _line(["---"] * len(HEADINGS)), *map(_line, rows)]
    return "\n".join(["", *lines, f"{closing} unexplained_cycles={unexplained}"])


def _row(place: int, networks: Sequence[Sequence[tuple[Case, list[Comparison]]]]) -> list[str]:
    """Figures of the model at a place of MODELS."""
    errors = [e for cases in networks for _, compared in cases for e in compared[place].errors]
    figures = error_figures(errors)
    regrets = [
        regret_pct(
            [compared[place].predicted_cycles / case.chip.clock_ghz for case, compared in cases],
            [case.result.cycles / case.chip.clock_ghz for case, _ in cases],
        )
        for cases in networks
    ]
    each = (figures.mean_pct, figures.p95_pct, figures.worst_pct)
    numbers = (*(f"{n:.1f}" for n in each), f"{figures.kendall:.3f}", f"{fmean(regrets):.1f}")
    return [list(MODELS)[place], str(figures.layers), *numbers]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
